// Who answers this node: a purely local view, made from silence (paper section 4.8.3).
//
//     healthy ──(a request unanswered and nothing else heard since; or connection refused)──►
//     suspected
//        ▲                                                                                       │
//        └────────────────────────(anything heard: an answer to a probe, a request)─────────────┘
//
// Only suspected peers are probed; with no traffic nobody needs to know. Nothing of this is
// gossiped and none of it changes the ring.
//
// Shape:   knows members only; what is not known is taken for healthy, and so is the node itself
// Threads: one; the node's
#pragma once

#include <map>

#include "daemon/node/desk.h"

namespace dynamo {

class Liveness {
  public:
    explicit Liveness(Desk& desk) : desk_(desk) {}

    [[nodiscard]] bool healthy(const NodeId& node) const;
    /// Something arrived from it. True when it was suspected until now.
    bool heard(const NodeId& node);
    /// A request sent at `asked` is unanswered: suspected, unless heard since. True when suspected
    /// after the call.
    bool silent_since(const NodeId& node, Instant asked);
    /// Nobody listens at its address.
    void unreachable(const NodeId& node);
    /// Microseconds since it was last heard; -1 when never.
    [[nodiscard]] std::int64_t silence_us(const NodeId& node) const;

    /// The run that its envelopes name; 0 while unknown.
    [[nodiscard]] std::uint64_t run_of(const NodeId& node) const;
    void set_run(const NodeId& node, std::uint64_t run);

    /// Probes the suspected members that are due; forgets who is no member any more.
    void tick();
    [[nodiscard]] Instant wake_at() const;

  private:
    struct Peer {
        bool suspected = false;
        bool ever_heard = false;
        Instant last_heard;
        Instant next_probe;
        std::uint64_t run = 0;
    };
    /// The entry of another member; none for the node itself and for strangers.
    Peer* peer(const NodeId& node);
    void suspect(const NodeId& node, Peer& known, const char* why);

    Desk& desk_;
    std::map<NodeId, Peer> peers_;
};

}  // namespace dynamo
