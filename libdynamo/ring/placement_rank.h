// Ranks: in which order the holders of each partition stand in its preference list.
//
// Threads: pure functions
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace dynamo {

/// Rows of node indexes, one row for each partition.
using Rows = std::vector<std::vector<std::uint16_t>>;

/// A number that orders nodes for a partition: the same on every machine, different for each.
using Order = std::function<std::uint64_t(std::size_t partition, std::uint16_t node)>;

/// Puts each row of `holders` in order of preference: every node has every rank as often as its
/// load says (within one), and of those orders one that changes the fewest ranks of `before`.
/// `before` has a row for each partition, or none at all. Rows have equal length.
[[nodiscard]] Rows rank_holders(const Rows& holders, std::size_t nodes, const Rows& before,
                                const Order& order);

}  // namespace dynamo
