// Shrinking: the fewest strikes and operations with which a run still fails in the same way.
//
// Delta debugging (Zeller, Hildebrandt 2002): leave out halves, then quarters, ... as long as the
// same invariant is violated. It works because nothing that is left out reshuffles the rest.
//
// Threads: any
#pragma once

#include "tests/sim/simulation.h"

namespace dynamo::sim {

/// A smaller plan; `runs`: how many runs it may cost.
[[nodiscard]] Plan shrink(const Setup& setup, const Violation& violation, unsigned runs);

}  // namespace dynamo::sim
