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
#include <set>
#include <string>
#include <vector>

#include "tests/sim/marks.h"
#include "tests/sim/setup.h"
#include "tests/sim/trace.h"
#include "tests/sim/verdict.h"

namespace dynamo::sim {

/// What is left out of a run, to make a failing one small.
struct LeftOut {
    std::set<std::uint64_t> operations;
    std::set<std::uint64_t> strikes;
};

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

[[nodiscard]] Outcome run(const Setup& setup, const LeftOut& left_out,
                          Trace::Mode mode = Trace::Mode::hash);

}  // namespace dynamo::sim
