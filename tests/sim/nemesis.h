// The nemesis: which fault strikes which node, when, and for how long.
//
// A strike is planned from the seed alone, so that one can be left out. Faults that destroy copies
// (lost shards, damage, rolled back images, power loss with unsynced commits, a node that stays
// dead) ask the atlas first.
//
// Threads: one
#pragma once

#include <set>
#include <vector>

#include "tests/sim/ambush.h"
#include "tests/sim/cluster.h"
#include "tests/sim/fault_atlas.h"

namespace dynamo::sim {

struct Strike {
    unsigned number = 0;
    Fault fault = Fault::kill;
    Duration at{0};  ///< after the clients begin
    Duration lasts{0};
    unsigned node = 0;
    std::uint64_t detail = 0;  ///< decides what else there is to decide
};

/// The strikes of a run, by its seed.
[[nodiscard]] std::vector<Strike> plan_strikes(const Setup& setup);
[[nodiscard]] std::string describe(const Strike& strike);

class Nemesis {
  public:
    Nemesis(World& world, Cluster& cluster, RingChanges& changes);

    void schedule(const Strike& strike);
    void strike(const Strike& strike);
    /// Ends everything that still goes on and starts every node again, except one that is to stay
    /// dead.
    void heal();
    /// The node that stays dead; UINT32_MAX: none.
    [[nodiscard]] unsigned dead() const { return dead_; }
    /// Nodes that lost their shard directory.
    [[nodiscard]] const std::set<unsigned>& wiped() const { return wiped_; }

  private:
    using Links = std::vector<std::pair<unsigned, unsigned>>;
    [[nodiscard]] Links links_of(const Strike& strike) const;
    void cut(const Links& links, Duration lasts);
    void down_for(unsigned node, Duration lasts);
    void strike_process(const Strike& strike);
    void strike_disk(const Strike& strike);
    /// Those that take what a disk holds.
    void strike_copies(const Strike& strike);
    void damage_records(const Strike& strike);
    void corner(const Strike& strike);
    bool take_copy(unsigned node, const Bytes& key, const Strike& strike);
    /// The owners that hold all of the key's acknowledged writes, if some owner does not.
    [[nodiscard]] std::vector<unsigned> only_holders(const Bytes& key);
    void lose_power(Process& process, std::uint64_t detail);

    World& world_;
    Cluster& cluster_;
    FaultAtlas atlas_;
    Ambush ambush_;
    unsigned dead_ = UINT32_MAX;
    std::set<unsigned> wiped_;
    bool over_ = false;
    std::map<unsigned, Disk::Image> images_;  ///< to be put back, by strike
};

}  // namespace dynamo::sim
