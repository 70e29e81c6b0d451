// Handback: hints return to their owners (paper section 4.6, hinted handoff).
//
//     hint stored ──► owner healthy ──► sent ──► owner has it durably ──► erased, if unchanged
//                          ▲              │ silence
//                          └──────────────┘
//
// A hint that counted towards W is data: it never expires, and is erased only when the owner has
// acknowledged exactly what is stored. Delivery goes on after every restart. A hint for a node that
// is no member any more goes to all present owners of its key, each of which must confirm.
//
// Shape:   a bounded number of hints in flight at a time (admission control, paper section 6.5)
// Threads: one; the node's
#pragma once

#include <map>
#include <set>

#include "daemon/node/desk.h"
#include "daemon/node/local/objects.h"
#include "daemon/node/membership/liveness.h"

namespace dynamo {

class Handback {
  public:
    Handback(Desk& desk, Objects& objects, Liveness& liveness);

    /// An owner answered; true when `id` was one of ours.
    bool on(const NodeId& from, const wire::WriteReply& reply);
    /// Someone who was suspected is heard again: look at once.
    void on_heard(const NodeId& node);
    void tick();
    [[nodiscard]] Instant wake_at() const;

  private:
    struct Delivery {
        Slot slot;
        Digest digest{};           ///< of the record's bytes when it was sent
        std::set<NodeId> waiting;  ///< owners that have not confirmed
        Instant sent;
    };
    Desk& desk_;
    Objects& objects_;
    Liveness& liveness_;
    std::map<std::uint64_t, Delivery> deliveries_;
    Instant next_look_;
};

}  // namespace dynamo
