// Shrinking: the fewest strikes and operations with which a run still fails in the same way.
//
// Delta debugging (Zeller, Hildebrandt 2002): leave out halves, then quarters, ... as long as the
// same invariant is violated. It works because nothing that is left out reshuffles the rest.
//
// Threads: any
#pragma once

#include "tests/sim/simulation.h"

namespace dynamo::sim {

/// `runs`: how many runs it may cost.
[[nodiscard]] LeftOut shrink(const Setup& setup, const Violation& violation, unsigned runs);

/// "1-4,7": for command lines. Reads back what it writes; false when `text` is no such list.
[[nodiscard]] std::string to_ranges(const std::set<std::uint64_t>& numbers);
[[nodiscard]] bool from_ranges(std::string_view text, std::set<std::uint64_t>& numbers);

}  // namespace dynamo::sim
