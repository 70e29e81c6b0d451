// The state of a ring as its members report it, and what is wrong with it.
//
// Threads: a plain value
// Errors:  a member that does not answer is part of the survey; no ring at all is an error
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dynamo/admin.h"

namespace dynamo::cli {

struct MemberReport {
    NodeInfo node;
    Result<NodeStatus> status;
    unsigned partitions = 0;  ///< in how many preference lists it stands
    double share = 0;         ///< of all copies in the ring, 0 to 1
    /// Since any other member heard it last; -1: none has.
    std::int64_t silent_ms = -1;
    /// Partitions whose copy it lost and has not got back: it answers no reads for them.
    unsigned rebuilding = 0;

    /// What answers there is another node, one that has lost its identity perhaps.
    [[nodiscard]] bool is_stranger() const;
    /// "up", "down", "behind" (it knows an older ring), "full" (it refuses writes) or "stranger".
    [[nodiscard]] std::string state(std::uint64_t ring) const;
    /// Of one that was removed and holds something still: "leaving", or "gone" when it does not
    /// answer.
    [[nodiscard]] std::string leaving_state() const;
};

struct Survey {
    RingView ring;
    std::vector<MemberReport> members;  ///< in the order of ring.nodes
    std::vector<MemberReport> leaving;  ///< in the order of ring.leaving
    std::uint64_t newest_ring = 0;      ///< that any member knows
    std::vector<std::string> reasons;   ///< why it is degraded; none: healthy

    [[nodiscard]] bool healthy() const { return reasons.empty(); }
    /// One line for a person.
    [[nodiscard]] std::string verdict() const;
};

/// Asks for the ring, then every member for its status.
[[nodiscard]] Result<Survey> survey(Admin& admin);

/// The survey of what was reported, in the order of the ring's nodes and then of those who leave:
/// fills shares, silences and reasons in. Of `rebuilding` each member's number; none at all: zero.
[[nodiscard]] Survey judged(RingView ring, std::vector<Result<NodeStatus>> reports,
                            const std::vector<unsigned>& rebuilding = {});

}  // namespace dynamo::cli
