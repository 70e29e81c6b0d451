// The whole state of a key, outside of the store: what backups are made of.
//
//     const auto state = client->state("cart:7");          // in one cluster
//     const auto merged = other->merge("cart:7", *state);  // in another, or in the same one later
//
// A state holds every version and every write that its holder has seen, so merging it can neither
// bring back what was superseded nor supersede what is newer.
//
// Threads: pure functions
// Errors:  bad_request for octets that are no state
#pragma once

#include <string_view>

#include "dynamo/diff.h"

namespace dynamo {

/// Whether merging `from` into `into` would change it.
[[nodiscard]] Result<bool> would_change(const KeyState& into, const KeyState& from);

/// What it holds, as a copy that a node of `ring` could hold; without versions and digest when
/// the state is empty.
[[nodiscard]] Result<HeldCopy> copy_of(const RingView& ring, std::string_view key,
                                       const KeyState& state);

}  // namespace dynamo
