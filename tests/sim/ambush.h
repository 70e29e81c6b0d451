// The worst moment for counting a copy as whole too early, while a ring changes.
//
// One owner is away, so that writes pass it by: it is down, or only who is no member yet sees it.
// Then a new node comes instead of another owner. As soon as the new list counts, who was away is
// left alone with who has come: a read has nobody else to ask. With `os` the newcomer has lost
// power in between. Nothing that a write was promised is lost by that, so a read that can be
// answered has to see all of it.
//
// Threads: one
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "tests/sim/cluster.h"
#include "tests/sim/fault_atlas.h"
#include "tests/sim/ring_changes.h"

namespace dynamo::sim {

class Ambush {
  public:
    struct Plan {
        unsigned number = 0;       ///< of the strike
        std::uint64_t detail = 0;  ///< decides who is away, and how
        Duration waits{0};         ///< for the change, once it is asked for
        Duration holds{0};         ///< everybody else away
    };
    Ambush(World& world, Cluster& cluster, FaultAtlas& atlas, RingChanges& changes)
        : world_(world), cluster_(cluster), atlas_(atlas), changes_(changes) {}

    /// One at a time; where a ring is not at rest, none.
    void begin(const Plan& plan);
    /// Lays no more; who is away is started by somebody else.
    void end() { over_ = true; }

  private:
    struct Laid {
        Plan plan;
        Bytes key;
        unsigned away = 0;
        unsigned leaver = 0;
        unsigned via = 0;
        std::uint64_t number = 0;  ///< of the newest list when it began
        unsigned joiner = 0;
        Instant until;
        /// What W owners of each live list held for certain before the change.
        WriteSet held;
    };
    /// A read that asks all owners needs nobody to be away.
    [[nodiscard]] bool is_away() const { return world_.setup.r < world_.setup.copies; }
    [[nodiscard]] bool is_down() const { return (laid_->plan.detail & 1) != 0; }
    [[nodiscard]] std::vector<OwnerList> lists(const Bytes& key) const;
    void change();
    void watch();
    void note_held();
    void spring(const OwnerList& list);
    void start_after(unsigned node, Duration wait);
    void come_back();

    World& world_;
    Cluster& cluster_;
    FaultAtlas& atlas_;
    RingChanges& changes_;
    std::optional<Laid> laid_;
    bool over_ = false;
};

}  // namespace dynamo::sim
