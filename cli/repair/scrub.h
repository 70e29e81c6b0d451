// The verbs of dyn-repair that have nodes read what they have stored: scrub, rebuild-tree.
//
// A node reads a slice for each request and keeps nothing of it in mind, so that a scrub that was
// interrupted costs nothing, and can be begun at any partition. Trees are built by the node, which
// is asked until they are there.
//
// Threads: one owner
// Errors:  a node that does not answer is told; the others are read all the same (exit 7)
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/common/options.h"
#include "cli/common/progress.h"
#include "cli/repair/restraint.h"

namespace dynamo::cli {

class Scrub {
  public:
    explicit Scrub(const CommonOptions& common) : common_(common) {}
    void build(App& app);

  private:
    /// A stretch that is read from its beginning to its end.
    struct Stretch {
        NodeInfo node;
        ScrubPlace place;
        std::uint64_t damaged = 0;
    };
    int scrub();
    int trees();
    [[nodiscard]] std::vector<Stretch> stretches(Admin& admin, const RingView& ring,
                                                 const NodeInfo& node);
    /// Reads all of it; false when it could not, or Ctrl-C came.
    [[nodiscard]] bool read(Admin& admin, const RingView& ring, Stretch& stretch);
    /// Reads what was damaged again until it is whole; answers with what is damaged still.
    [[nodiscard]] std::uint64_t wait_for_mending(Admin& admin, const RingView& ring,
                                                 std::vector<Stretch> damaged);
    [[nodiscard]] int report(std::uint64_t left);
    [[nodiscard]] std::vector<unsigned> partitions_of(const RingView& ring,
                                                      const NodeInfo& node) const;
    /// Has the node make the trees of some partitions; false when it could not.
    [[nodiscard]] bool make_trees(Admin& admin, const NodeInfo& node,
                                  std::set<unsigned> partitions);
    [[nodiscard]] Result<bool> make_tree(Admin& admin, const NodeInfo& node, unsigned partition,
                                         bool first);

    const CommonOptions& common_;
    Restraint restraint_;
    Progress progress_;
    std::optional<std::string> node_;
    std::optional<unsigned> partition_;
    bool check_ = false;
    std::uint64_t records_ = 0;
    std::uint64_t octets_ = 0;
    std::uint64_t damaged_ = 0;
    std::uint64_t damaged_hints_ = 0;
    std::uint64_t failed_ = 0;
    std::uint64_t made_ = 0;
    std::uint64_t wrong_ = 0;
};

}  // namespace dynamo::cli
