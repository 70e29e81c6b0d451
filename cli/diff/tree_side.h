// A node's Merkle trees in a file: saving them, and saying what a node holds differently since.
//
// A tree has no keys, only sums, so all that can be named are the keys that the node holds under
// leaves that are not as they were.
//
// Threads: one owner
// Errors:  Result<T>; corrupt for a damaged file, which is noticed where it is reached
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cli/common/options.h"
#include "cli/common/progress.h"
#include "cli/common/source.h"
#include "dynamo/saved_tree.h"

namespace dynamo::cli {

/// Whether what is read begins as a saved tree does; nothing of it is taken.
[[nodiscard]] Result<bool> is_saved_tree(Source& source);

class TreeSide {
  public:
    struct Scope {
        std::optional<NodeInfo> node;  ///< none: the one whose trees were saved
        std::optional<unsigned> partition;
        bool anew = false;  ///< it builds its trees from its records first
    };
    struct Cost {
        std::uint64_t trees = 0;
        std::uint64_t leaves = 0;  ///< saved; compared, those of the shallower tree
        std::uint64_t leaves_different = 0;
        std::uint64_t leaves_empty = 0;  ///< of them, under which nothing is held now
        std::uint64_t not_owned = 0;     ///< saved trees of partitions that the node does not own
        std::uint64_t octets = 0;        ///< exchanged
    };
    using Told = std::function<Result<void>(const std::string& key, unsigned partition)>;

    TreeSide(Admin& admin, const RingView& ring, Scope scope)
        : admin_(admin), ring_(ring), scope_(std::move(scope)) {}

    /// Writes the trees of the scope's node to a file; nothing of it stays if that fails.
    [[nodiscard]] Result<void> save(const std::string& path);
    /// Reads the file's head, and checks that its trees can be compared with the node's.
    [[nodiscard]] Result<void> open(Source& source);
    /// Then compares them.
    [[nodiscard]] Result<void> compare(Source& source, const Told& told);

    [[nodiscard]] const NodeInfo& node() const { return *scope_.node; }
    [[nodiscard]] const TreeFileHead& head() const { return head_; }
    [[nodiscard]] const Cost& cost() const { return cost_; }

  private:
    [[nodiscard]] bool owns(unsigned partition) const;
    /// The next part of the file; none at its end, or after an interrupt.
    [[nodiscard]] Result<TreeFileReader::Part> next(Source& source);
    [[nodiscard]] Result<void> compare_one(TreeReader& reader, const PartitionTree& saved,
                                           const Told& told);

    Admin& admin_;
    const RingView& ring_;
    Scope scope_;
    TreeFileReader file_;
    TreeFileHead head_;
    Cost cost_;
    Progress progress_;
};

}  // namespace dynamo::cli
