// Mends single records whose checksum is wrong, from what the other owners hold.
//
//     found by a read or an exchange ──► ask every other owner ──► enough answered: whole again
//
// A damaged record may have been one of the W copies of a write, so one peer's state does not make
// up for it, as little as for a copy that was lost whole (exchange.h): it is whole again when
// min(N-1, N-W+1) other owners have given theirs, or all others have said what they have. Until
// then the record takes writes and answers no read.
//
// Nothing is remembered over a restart: what is still damaged is found again.
//
// Threads: one; the node's
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <vector>

#include "daemon/node/desk.h"
#include "daemon/node/local/objects.h"
#include "daemon/node/membership/liveness.h"

namespace dynamo {

class Mend {
  public:
    Mend(Desk& desk, Objects& objects, Liveness& liveness);

    /// False when it is no answer to a question of this part.
    bool on(const NodeId& from, const wire::ReadReply& reply);
    void tick();
    [[nodiscard]] Instant wake_at() const;
    /// Follows the ring of `desk.routes`: what waits is asked of the present owners.
    void on_ring();
    /// Records that are being mended.
    [[nodiscard]] std::size_t in_progress() const { return jobs_.size(); }

  private:
    struct Job {
        Slot slot;
        std::set<NodeId> answered;
        std::set<NodeId> whole;  ///< those that told all they ever held
        Object joined;
        std::uint64_t stamp = UINT64_MAX;  ///< the lowest number at which any of it was read
        Instant asked;
    };
    void begin(Slot slot);
    void ask(std::uint64_t id, Job& job);
    void ask_again();
    [[nodiscard]] bool is_enough(const Job& job) const;
    void finish(std::map<std::uint64_t, Job>::iterator at);

    Desk& desk_;
    Objects& objects_;
    Liveness& liveness_;
    std::map<std::uint64_t, Job> jobs_;  ///< by request number
    std::set<Bytes> rows_;               ///< of all jobs
    bool told_ = false;
};

}  // namespace dynamo
