// Changes of the ring while everything else goes on: an operator, or two at once, has nodes join
// and leave, and takes changes back in mid-flight.
//
// Requests go to whatever node is up and are not awaited: what becomes of them depends on the vote.
//
// Threads: one
#pragma once

#include <string>

#include "tests/sim/checkers.h"
#include "tests/sim/cluster.h"

namespace dynamo::sim {

class RingChanges {
  public:
    RingChanges(World& world, Cluster& cluster) : world_(world), cluster_(cluster) {}

    /// As many as the setup says, at some time while the clients work.
    void schedule();
    /// Through `via` a node that was never a member comes instead of `leaver`, at once. Which one;
    /// none when there is none left.
    std::optional<unsigned> replace(unsigned via, unsigned leaver, Random random);
    /// At the end: counts what came of them.
    void conclude();

  private:
    enum class Kind : std::uint8_t { join, leave, replace, cancel };
    void begin(Random random);
    void stage(unsigned via, const wire::StageRequest& request);
    void commit(unsigned via);
    [[nodiscard]] std::optional<unsigned> member_up(Random& random) const;
    [[nodiscard]] std::optional<unsigned> spare(Random& random) const;
    [[nodiscard]] const Member& self(unsigned node) const {
        return cluster_.process(node).options().self;
    }

    World& world_;
    Cluster& cluster_;
    std::uint64_t asked_ = 1'000'000;
};

/// Why the ring is not at rest yet: one ring at all nodes, nothing moving, no vote open, and
/// records with their owners only; empty when it is.
[[nodiscard]] std::string ring_not_at_rest(Scene& scene);

}  // namespace dynamo::sim
