// One run: form the ring, let clients work while faults strike, heal, and see what is left.
//
//     form ──► chaos ──► heal ──► replicas identical, no hints ──► puts and gets ──► again ──►
//     verdict
//
// A pure function of its arguments.
//
// Threads: any; a run owns all it touches
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/marks.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/setup.h"
#include "tests/sim/trace.h"
#include "tests/sim/verdict.h"
#include "tests/sim/workload.h"

namespace dynamo::sim {

/// What clients will do, and what will strike. It says all that a run depends on besides its setup,
/// so that less of it is a run as well.
struct Plan {
    std::vector<Operation> operations;
    std::vector<Strike> strikes;
};
/// The plan of a seed.
[[nodiscard]] Plan plan_of(const Setup& setup);

struct Outcome {
    std::optional<Violation> violation;
    std::uint64_t trace_hash = 0;
    std::uint64_t events = 0;
    Marks marks;
    std::uint64_t ok = 0;
    std::uint64_t failed = 0;
    std::uint64_t unknown = 0;
    Duration convergence{0};  ///< from the healing until replicas were identical
    std::deque<std::string> lines;
};

[[nodiscard]] Outcome run(const Setup& setup, const Plan& plan,
                          Trace::Mode mode = Trace::Mode::hash);

}  // namespace dynamo::sim
