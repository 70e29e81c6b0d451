// Which copies are compared with which.
//
// Threads: plain values
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dynamo/admin.h"

namespace dynamo::cli {

/// Two nodes, and the partitions that both own.
struct Pair {
    NodeInfo first;
    NodeInfo second;
    std::vector<unsigned> partitions;
};

/// The member of that name, or at that client address.
[[nodiscard]] Result<NodeInfo> member_named(const RingView& ring, const std::string& name);

/// The partitions, or the given one, that both nodes own. refused by name when there is none.
[[nodiscard]] Result<std::vector<Pair>> pairs_of(const RingView& ring, const NodeInfo& first,
                                                 const NodeInfo& second,
                                                 std::optional<unsigned> partition);
/// The node's partitions, or the given one, with each of their other owners.
[[nodiscard]] Result<std::vector<Pair>> pairs_of(const RingView& ring, const NodeInfo& node,
                                                 std::optional<unsigned> partition);
/// The first owner of each of the partitions with each of its others: where all of these are equal,
/// all copies are.
[[nodiscard]] std::vector<Pair> pairs_of(const RingView& ring,
                                         const std::vector<unsigned>& partitions);

}  // namespace dynamo::cli
