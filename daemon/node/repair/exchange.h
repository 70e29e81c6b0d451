// Anti-entropy, first form: two owners of a partition compare (row, digest) stretch by stretch and
// give each other what the other lacks (paper section 4.7; trees will spare the comparing).
//
//     A  ExchangeOffer [first, last) rows+digests ─────────────►  B
//     A  ◄──── WriteRequest: what B holds differently, or A lacks   B
//     A  ◄──── ExchangeReply: rows that B lacks or holds differently
//     A  WriteRequest for each of those ───────────────────────►  B   next stretch
//
// Every state is merged, so both ends have the join; nothing is overwritten, nothing is deleted.
// One pass over one partition with one other owner runs at a time; silence abandons it.
//
// A partition whose stored copy was lost (a wiped shard under a living identity) is *rebuilding*:
// it takes writes, and answers no read, until passes with enough other owners are complete:
// min(N-1, N-W+1) of them. That is noted in storage, so that a restart goes on.
//
// Shape:   an offer is bounded in rows and octets
// Threads: one; the node's
#pragma once

#include <set>

#include "daemon/node/desk.h"
#include "daemon/node/local/objects.h"
#include "daemon/node/membership/liveness.h"

namespace dynamo {

class Exchange {
  public:
    Exchange(Desk& desk, Objects& objects, Liveness& liveness);

    /// Reads the notes; without any under a ring of several members, everything is rebuilding.
    /// Called at start, and when the ring changes.
    [[nodiscard]] Result<void> on_ring();
    /// Whether reads of the partition must not be answered from here.
    [[nodiscard]] bool rebuilding(std::uint16_t partition) const;

    void on(const NodeId& from, const wire::ExchangeOffer& offer);
    void on(const NodeId& from, const wire::ExchangeReply& reply);
    /// An answer to a state that an exchange sent; true when `id` was one of ours.
    bool on(const NodeId& from, const wire::WriteReply& reply);
    void tick();
    [[nodiscard]] Instant wake_at() const;
    /// Full passes completed, for `stats` and the simulator.
    [[nodiscard]] std::uint64_t passes() const { return passes_; }

  private:
    Desk& desk_;
    Objects& objects_;
    Liveness& liveness_;
    std::uint64_t passes_ = 0;
};

}  // namespace dynamo
