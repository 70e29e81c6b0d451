// The fault atlas: which copies may still be destroyed.
//
// The invariants promise nothing when more copies of a write are lost than it has to spare. So
// before a fault takes what a node holds, the atlas looks at every acknowledged write: enough other
// nodes that will come back must hold it, on their disks, now. What was lost and has been rebuilt
// may be lost again.
//
// Threads: one
#pragma once

#include <set>

#include "tests/sim/cluster.h"

namespace dynamo::sim {

class FaultAtlas {
  public:
    FaultAtlas(World& world, Cluster& cluster) : world_(world), cluster_(cluster) {}

    /// Whether everything that the node holds may be lost.
    [[nodiscard]] bool may_lose(unsigned node);
    /// The same for what it holds of one key.
    [[nodiscard]] bool may_lose(unsigned node, const Bytes& key);
    /// Whether its disk may become an older image. Two such nodes that hear only each other take
    /// the number of their fence for the present one: what they acknowledge is given up when the
    /// others are heard (seed 45984). The purge promises nothing then (man/dynamod.8).
    [[nodiscard]] bool may_put_back(unsigned node);
    /// The node never comes back.
    void bury(unsigned node) { dead_.insert(node); }

  private:
    [[nodiscard]] bool may_lose(unsigned node, const Bytes& key,
                                const std::vector<unsigned>& owners);

    World& world_;
    Cluster& cluster_;
    std::set<unsigned> dead_;
};

}  // namespace dynamo::sim
