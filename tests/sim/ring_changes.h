// Changes of the ring while everything else goes on: an operator, or two at once, has nodes join
// and leave, gives them other weights, and takes changes back in mid-flight.
//
// Requests go to whatever node is up and are not awaited: what becomes of them depends on the vote.
//
// Threads: one
#pragma once

#include <string>
#include <vector>

#include "tests/sim/checkers.h"
#include "tests/sim/cluster.h"

namespace dynamo::sim {

class RingChanges {
  public:
    RingChanges(World& world, Cluster& cluster) : world_(world), cluster_(cluster) {}

    /// As many as the setup says, at some time while the clients work.
    void schedule();
    /// Through `via` nodes that were never members come instead of the leavers, at once. Which;
    /// nobody when there are not enough left.
    std::vector<unsigned> replace(unsigned via, const std::vector<unsigned>& leavers,
                                  Random random);
    /// At the end: counts what came of them.
    void conclude();

  private:
    enum class Kind : std::uint8_t { join, leave, replace, cancel, weigh };
    void begin(Random random);
    /// Gives the member another weight, or the one that it has.
    void weigh(unsigned via, const Member& member, Random& random);
    /// Another change through another node than the `first`, committed about when that is, after
    /// `wait`.
    void duel(unsigned first, std::chrono::milliseconds wait, Random random);
    void cut_for(unsigned one, unsigned other, Duration wait, Duration lasts);
    void stage(unsigned via, const wire::StageRequest& request);
    void commit(unsigned via);
    [[nodiscard]] std::optional<unsigned> member_up(Random& random) const;
    /// Nodes that run and were never members.
    [[nodiscard]] std::vector<unsigned> spares() const;
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
