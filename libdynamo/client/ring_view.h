// Ring views: what people and tools are shown of a ring and of a planned change.
//
// Threads: pure functions
#pragma once

#include "dynamo/admin.h"
#include "libdynamo/ring/ring.h"

namespace dynamo {

[[nodiscard]] NodeInfo info_of(const Member& member);

/// The ring's head, with what is staged and what moves.
[[nodiscard]] RingView view_of(const RingState& state);

/// A ring of the past.
[[nodiscard]] RingView view_of(const RingState& state, const Epoch& epoch);

/// What making `planned` the head would change. `planned` names the state's head as its parent.
[[nodiscard]] Plan plan_of(const RingState& state, const Epoch& planned, std::string id);

}  // namespace dynamo
