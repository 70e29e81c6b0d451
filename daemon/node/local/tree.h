// A Merkle tree over one partition's records (paper section 4.7).
//
// A record adds a keyed hash of its row and its object to the leaf that its position falls into. A
// node's value is the sum of its leaves', so any level follows from the leaves, two trees of
// different depth can be compared where both have nodes, and a write changes one leaf by what it
// adds less what it takes away, without reading the others.
//
//     position:  partition bits | leaf, `depth` bits | ...        leaves in the order of the rows
//
// Departs from section 4.7, whose parents hash their children: a sum is as good for comparing, and
// can be kept while records change. The key is the cluster's, so that no client can choose values
// that cancel each other out.
//
// Shape:   2^depth leaves of 16 octets
// Threads: a plain value
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libdynamo/base/bytes.h"
#include "libdynamo/base/id.h"

namespace dynamo {

/// What a record, a leaf or a node is worth.
struct TreeSum {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    bool operator==(const TreeSum&) const = default;
    TreeSum& operator+=(const TreeSum& other) {
        high += other.high;
        low += other.low;
        return *this;
    }
    TreeSum& operator-=(const TreeSum& other) {
        high -= other.high;
        low -= other.low;
        return *this;
    }
};

/// Of a record, from its row and its object's canonical encoding.
[[nodiscard]] TreeSum tree_sum(const ClusterId& cluster, BytesView row, BytesView object);

/// Adds the sum as messages hold it, 16 octets.
void append_sum(Bytes& out, const TreeSum& sum);

inline constexpr unsigned max_tree_depth = 20;

/// The node of a level under which the row lies; `partition_bits`: how many of a position's bits
/// say the partition.
[[nodiscard]] std::uint32_t node_over(unsigned partition_bits, unsigned level, BytesView row);

class Tree {
  public:
    Tree(unsigned partition_bits, unsigned depth);

    [[nodiscard]] unsigned depth() const { return depth_; }
    void add(BytesView row, const TreeSum& sum) { leaves_[leaf_of(row)] += sum; }
    void take(BytesView row, const TreeSum& sum) { leaves_[leaf_of(row)] -= sum; }
    /// The node's value; level 0 is the root, `depth()` the leaves.
    [[nodiscard]] TreeSum node(unsigned level, std::uint32_t index) const;
    /// All leaves, in the order of the rows.
    [[nodiscard]] std::span<TreeSum> leaves() { return leaves_; }
    [[nodiscard]] std::span<const TreeSum> leaves() const { return leaves_; }
    bool operator==(const Tree&) const = default;

  private:
    [[nodiscard]] std::size_t leaf_of(BytesView row) const {
        return node_over(partition_bits_, depth_, row);
    }

    unsigned partition_bits_;
    unsigned depth_;
    std::vector<TreeSum> leaves_;
};

/// The rows that lie under a node: from `first` up to `last`, which is empty for the partition's
/// end.
struct RowRange {
    Bytes first;
    Bytes last;
};
[[nodiscard]] RowRange rows_under(unsigned partition_bits, std::uint16_t partition, unsigned level,
                                  std::uint32_t index);

}  // namespace dynamo
