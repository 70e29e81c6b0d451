// Placement: which nodes hold each partition (paper section 6.2, strategy 3, with explicit lists).
//
// Threads: pure functions
#pragma once

#include <vector>

#include "libdynamo/ring/ring.h"

namespace dynamo {

/// Q rows of N member indexes: every node's share follows its weight (within one partition for
/// equal weights), the N of a row are distinct nodes and of distinct zones where there are enough,
/// first places are spread as evenly as copies, and a row of `before` is kept where balance allows.
/// A dead node's partitions are spread over many others. Deterministic.
///
/// `members` is sorted by id and not empty; `before` may be null (nothing is placed yet).
[[nodiscard]] std::vector<std::uint16_t> place(const std::vector<Member>& members,
                                               std::uint16_t partitions, std::uint16_t copies,
                                               const Epoch* before);

/// How many copies any placement as fair must move: each node is to be given what it lacks of its
/// share. Where rows must span zones more may be needed, though seldom.
[[nodiscard]] std::size_t fewest_moves(const std::vector<Member>& members, const Epoch& before);

}  // namespace dynamo
