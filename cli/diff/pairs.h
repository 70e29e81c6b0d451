// Which copies are compared with which.
//
// Threads: plain values
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dynamo/admin.h"

namespace dynamo::cli {

/// Two owners of a partition.
struct Pair {
    unsigned partition = 0;
    NodeInfo first;
    NodeInfo second;
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
/// The first owner of the partition with each of the others: equal pairs mean equal copies.
[[nodiscard]] std::vector<Pair> pairs_of(const RingView& ring, unsigned partition);

}  // namespace dynamo::cli
