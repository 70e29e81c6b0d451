// Merkle trees of one node (paper section 4.7) as they were at a time, in a file: what has changed
// since can be told from it without a second copy of the data.
//
//     "DYNTREE1"
//     H  number 0                the head: whose trees, of which cluster, when
//     P  number 1 .. n           a partition: its depth, and the leaves that are not empty
//     T  number n + 1            the tail: n, and the root
//
// The parts are those of a dump (dump.h), with a checksum each; the root is the same chain over
// them. A leaf is worth the sum of a keyed hash of every record under it, and a node the sum of its
// leaves, so trees of different depth can be compared where both have nodes. The key is the
// cluster's: trees of two clusters have nothing in common.
//
// Shape:   a partition at a time
// Threads: one owner
// Errors:  corrupt, naming the part; of a TreeReader also busy, from a node whose copy is being
//          rebuilt
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dynamo/admin.h"
#include "dynamo/dump.h"

namespace dynamo {

namespace wire {
struct TreeRequest;
}

/// Whose trees a file holds.
struct TreeFileHead {
    std::string cluster;
    std::string cluster_id;   ///< 32 hexadecimal digits
    std::uint64_t ring = 0;   ///< its number
    unsigned partitions = 0;  ///< Q of that cluster
    std::string node;
    std::string node_id;       ///< 32 hexadecimal digits
    std::int64_t wall_ms = 0;  ///< when the first of them was read
};

/// What a leaf is worth, or a node above leaves.
struct TreeWorth {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    bool operator==(const TreeWorth&) const = default;
};
/// A partition's tree: 2^depth leaves, of which those that are not listed are empty.
struct PartitionTree {
    unsigned partition = 0;
    unsigned depth = 0;
    static constexpr unsigned most_deep = 20;  ///< as any daemon's
    struct Leaf {
        std::uint32_t place = 0;
        TreeWorth worth;
    };
    std::vector<Leaf> leaves;  ///< by place

    /// Of a node at a level, 0 being the root.
    [[nodiscard]] TreeWorth worth(unsigned level, std::uint32_t node) const;
};

struct TreeFileTail {
    std::uint64_t partitions = 0;
};

/// Makes the octets; head() first, tail() last.
class TreeFileWriter {
  public:
    [[nodiscard]] std::string head(const TreeFileHead& head);
    /// In the order of the partitions.
    [[nodiscard]] std::string partition(const PartitionTree& tree);
    [[nodiscard]] std::string tail();

  private:
    std::uint64_t partitions_ = 0;
    DumpRoot root_;
};

/// Takes the octets as they come.
class TreeFileReader {
  public:
    /// What every such file begins with.
    static constexpr std::string_view magic = "DYNTREE1";
    /// Nothing: more octets are needed, or all was read.
    using Part = std::variant<std::monostate, TreeFileHead, PartitionTree, TreeFileTail>;

    /// The part at the beginning of `here`; `taken` says how many octets it was. `ended`: no more
    /// will come.
    [[nodiscard]] Result<Part> next(std::string_view here, bool ended, std::size_t& taken);
    /// The tail was read, and was right.
    [[nodiscard]] bool complete() const { return stage_ == Stage::after_tail; }

  private:
    enum class Stage : std::uint8_t { head, partitions, after_tail };
    [[nodiscard]] Result<Part> part_of(const Frame& frame);
    [[nodiscard]] Result<Part> head_of(const Frame& frame);
    [[nodiscard]] Result<Part> partition_of(const Frame& frame);
    [[nodiscard]] Result<Part> tail_of(const Frame& frame);

    Stage stage_ = Stage::head;
    std::uint64_t partitions_ = 0;      ///< read
    unsigned of_cluster_ = 0;           ///< Q
    std::optional<unsigned> previous_;  ///< the last one that was read
    DumpRoot root_;
};

/// Reads the trees of one node.
class TreeReader {
  public:
    /// `admin` must outlive it. `patience`: how long a tree may take to be built.
    TreeReader(Admin& admin, std::string address, unsigned partitions,
               std::chrono::milliseconds patience = std::chrono::milliseconds(30000));

    /// All leaves as they are now; `anew`: of a tree that is built from the records first.
    [[nodiscard]] Result<PartitionTree> fetch(unsigned partition, bool anew);

    /// What of the node's tree is not as it was saved.
    struct Changes {
        std::uint64_t leaves = 0;  ///< of the shallower tree
        std::uint64_t leaves_different = 0;
        std::uint64_t leaves_empty = 0;  ///< of them, those under which the node holds nothing
        std::vector<std::string> keys;   ///< that it holds under them
    };
    [[nodiscard]] Result<Changes> changes(const PartitionTree& saved, bool anew);

    /// Exchanged with the node, in both directions.
    [[nodiscard]] std::uint64_t octets() const;

  private:
    struct Sums;
    /// Leaves whose keys are wanted.
    struct Scope {
        unsigned partition = 0;
        unsigned depth = 0;
        const std::set<std::uint32_t>& leaves;
    };
    using Wanted = std::function<bool(unsigned level, std::uint32_t node, const TreeWorth& worth)>;
    [[nodiscard]] Result<Sums> sums(wire::TreeRequest request);
    [[nodiscard]] Result<std::optional<PartitionTree>> descend(unsigned partition,
                                                               unsigned most_deep, bool anew,
                                                               const Wanted& wanted);
    /// The leaves that are wanted, and lie under nodes that are all wanted.
    [[nodiscard]] Result<PartitionTree> leaves(unsigned partition, unsigned most_deep, bool anew,
                                               const Wanted& wanted);
    [[nodiscard]] Result<void> list(const Scope& scope, unsigned level, std::uint32_t node,
                                    Changes& changes);

    Admin& admin_;
    std::string address_;
    unsigned partition_bits_;
    std::chrono::milliseconds patience_;
    std::uint64_t octets_before_;
};

}  // namespace dynamo
