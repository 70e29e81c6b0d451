// What dyn-merkle-diff does with files: comparing a dump or a saved tree with a node or the
// cluster, and saving a tree.
//
// Threads: one owner
// Errors:  are reported; the calls answer with the exit code
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/common/options.h"
#include "cli/common/source.h"
#include "cli/diff/report.h"
#include "cli/diff/tree_side.h"

namespace dynamo::cli {

/// Whether it is written as a dump or a saved tree is; which of them says the file itself.
[[nodiscard]] bool is_file(const std::string& side);

class FileSides {
  public:
    /// As the command line gives it.
    struct Wanted {
        std::vector<std::string> sides;  ///< one or two, in order
        std::optional<unsigned> partition;
        std::string prefix;
        bool anew = false;  ///< build the node's trees again first
        DiffReport::Style style;
    };
    FileSides(const CommonOptions& common, DiffReport& report, Wanted wanted)
        : common_(common), report_(report), wanted_(std::move(wanted)) {}

    /// At least one side is a file.
    [[nodiscard]] int compare();
    /// Writes the trees of the one side, a node.
    [[nodiscard]] int save(const std::string& path);

  private:
    [[nodiscard]] const std::string& file() const;
    [[nodiscard]] std::string file_name() const;
    /// The side that is none, if it was given.
    [[nodiscard]] Result<std::optional<NodeInfo>> other_node(const RingView& ring) const;
    [[nodiscard]] Result<std::uint64_t> compare_dump(CommonOptions::Operator& with, Source source);
    [[nodiscard]] int run_dump(CommonOptions::Operator& with, Source source);
    [[nodiscard]] int run_tree(CommonOptions::Operator& with, Source source);
    void remark_tree(const TreeSide& side) const;

    const CommonOptions& common_;
    DiffReport& report_;
    Wanted wanted_;
};

}  // namespace dynamo::cli
