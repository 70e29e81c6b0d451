// The world: what every part of a run works with.
//
// Threads: one
#pragma once

#include <map>

#include "tests/sim/chance.h"
#include "tests/sim/ledger.h"
#include "tests/sim/marks.h"
#include "tests/sim/setup.h"
#include "tests/sim/timeline.h"
#include "tests/sim/trace.h"
#include "tests/sim/verdict.h"

namespace dynamo::sim {

struct World {
    World(Setup the_setup, Trace::Mode mode)
        : setup(the_setup), chance(the_setup.seed), trace(mode) {}

    Setup setup;
    bool rings_spread_slowly = false;  ///< to some nodes, while the faults last
    Chance chance;
    Timeline timeline;
    Verdict verdict;
    Ledger ledger{verdict, [this] { return timeline.now(); }, setup.last_write_wins};
    /// Requests that wait for their answers, by key.
    std::map<Bytes, unsigned> waiting;
    Marks marks;
    Trace trace;

    /// Runs the timeline for `wait`, or until something is wrong or `done` says so.
    void run_for(Duration wait, const std::function<bool()>& done = [] { return false; }) {
        timeline.run(timeline.now() + wait, [&] { return verdict.failed() || done(); });
    }
    void say(const std::string& line) { trace.say(timeline.now(), line); }
};

/// What each kind of event is folded into the trace as.
namespace folded {
inline constexpr std::uint64_t packet = 1;
inline constexpr std::uint64_t commit = 2;
inline constexpr std::uint64_t start = 3;
inline constexpr std::uint64_t stop = 4;
inline constexpr std::uint64_t strike = 5;
inline constexpr std::uint64_t operation = 6;
}  // namespace folded

}  // namespace dynamo::sim
