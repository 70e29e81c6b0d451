#include "tests/sim/simulation.h"

#include <algorithm>

#include "tests/sim/checkers.h"
#include "tests/sim/job_watch.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/ring_changes.h"

namespace dynamo::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Run {
  public:
    Run(const Setup& setup, const Plan& plan, Trace::Mode mode)
        : plan_(plan),
          world_(setup, mode),
          cluster_(world_),
          jobs_(world_, cluster_),
          changes_(world_, cluster_) {}

    Outcome play() {
        cluster_.form();
        Workload workload(world_, cluster_);
        Nemesis nemesis(world_, cluster_, changes_);
        if (!world_.verdict.failed()) chaos(workload, nemesis);
        if (!world_.verdict.failed()) heal(workload, nemesis);
        return outcome(workload);
    }

  private:
    void chaos(Workload& workload, Nemesis& nemesis) {
        cluster_.network().disturb(true);
        world_.rings_spread_slowly = world_.setup.slow_rings;
        for (const Operation& operation : plan_.operations) workload.schedule(operation);
        for (const Strike& strike : plan_.strikes) nemesis.schedule(strike);
        jobs_.schedule();
        changes_.schedule();
        world_.run_for(world_.setup.chaos);
    }

    void heal(Workload& workload, Nemesis& nemesis) {
        if (world_.trace.wordy()) world_.say("all faults are over");
        nemesis.heal();
        world_.rings_spread_slowly = false;
        // What a clogged link still holds arrives, and peers that were silent are heard.
        world_.run_for(seconds(10));
        if (world_.verdict.failed()) return;
        Scene scene{world_, cluster_, {}, {}};
        for (unsigned i = 0; i < cluster_.size(); ++i)
            if (i != nemesis.dead()) scene.alive.push_back(i);
        scene.keys = world_.ledger.keys();
        if (nemesis.dead() != UINT32_MAX) world_.marks.hit(Mark::healed_without_a_dead_node);

        const Instant healed = world_.timeline.now();
        // On keys of their own: a put carries its whole object to all owners, and what had diverged
        // is to be mended without one.
        for (const char* probe : {"probe0", "probe1"})
            if (!world_.verdict.failed()) check_available(scene, workload, probe);
        settle(scene, workload);
        convergence_ = world_.timeline.now() - healed;
        for (const Bytes& key : scene.keys)
            if (!world_.verdict.failed()) check_available(scene, workload, key);
        settle(scene, workload);
        if (!world_.verdict.failed()) jobs_.finish(scene);
        if (world_.verdict.failed()) return;
        judge(scene);
        for (const Bytes& key : scene.keys)
            for (const unsigned owner : scene.owners(key))
                if (nemesis.wiped().contains(owner) && cluster_.stored(owner, key))
                    world_.marks.hit(Mark::anti_entropy_mended_wiped);
        if (!world_.verdict.failed() && !scene.keys.empty() &&
            world_.chance.at(Stream::heal, 0).chance(0.2))
            check_gets_without_an_owner(scene, scene.keys.front());
    }

    Outcome outcome(const Workload& workload) {
        Outcome outcome;
        outcome.violation = world_.verdict.first();
        outcome.trace_hash = world_.trace.hash();
        outcome.events = world_.timeline.happened();
        outcome.convergence = convergence_;
        outcome.lines = world_.trace.lines();
        for (const auto& [number, entry] : workload.log()) {
            outcome.ok += entry.status == Status::ok;
            outcome.failed += entry.status == Status::failed;
            outcome.unknown += entry.status == Status::unknown;
        }
        const Ledger::Counts& counts = world_.ledger.counts();
        if (cluster_.size() > 0) changes_.conclude();
        world_.marks.hit(Mark::three_siblings, counts.three_siblings);
        world_.marks.hit(Mark::new_actor_after_restart, counts.new_actor_after_restart);
        world_.marks.hit(Mark::stand_in_coordinated, counts.minted_by_stand_in);
        world_.marks.hit(Mark::tombstone_purged, counts.tombstones_purged);
        world_.marks.hit(Mark::clock_compacted, counts.clocks_compacted);
        world_.marks.hit(Mark::late_replay, cluster_.network().counts().replayed);
        outcome.marks = world_.marks;
        return outcome;
    }

    const Plan& plan_;
    World world_;
    Cluster cluster_;
    JobWatch jobs_;
    RingChanges changes_;
    Duration convergence_{0};
};

}  // namespace

Plan plan_of(const Setup& setup) { return {plan_operations(setup), plan_strikes(setup)}; }

Outcome run(const Setup& setup, const Plan& plan, Trace::Mode mode) {
    return Run(setup, plan, mode).play();
}

}  // namespace dynamo::sim
