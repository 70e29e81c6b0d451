// The verbs of dyn-repair that look at what nodes do by themselves, and steer it: status, throttle,
// hints.
//
// Threads: one owner
// Errors:  a node that does not answer is told; the others are asked all the same (exit 7)
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/common/options.h"

namespace dynamo::cli {

/// The nodes of the ring, or the one that was named.
[[nodiscard]] Result<std::vector<NodeInfo>> nodes_chosen(const RingView& ring,
                                                         const std::optional<std::string>& node);
/// Declares --node.
void declare_node(App& app, std::optional<std::string>& node, const std::string& help);
/// The name of the member with that id, or the id's first digits.
[[nodiscard]] std::string name_of(const RingView& ring, const std::string& id);

class Upkeep {
  public:
    explicit Upkeep(const CommonOptions& common) : common_(common) {}
    void build(App& app);

  private:
    struct NodeReport {
        NodeInfo node;
        UpkeepStatus status;
    };
    /// The same rows for people and for programs.
    struct Listing {
        Table table;
        nlohmann::ordered_json json;
    };
    int show_status();
    [[nodiscard]] Listing pairs_of_all(const RingView& ring,
                                       const std::vector<NodeReport>& reports) const;
    [[nodiscard]] int print_status(const RingView& ring, const std::vector<NodeReport>& reports,
                                   bool all_answered) const;
    int hints();
    int list_hints();
    int flush_hints();
    /// Hints that the chosen nodes hold, after asking them to deliver; none if one does not answer.
    [[nodiscard]] std::optional<std::uint64_t> flush(Admin& admin,
                                                     const std::vector<NodeInfo>& nodes) const;
    /// Asks every chosen node; false when one did not answer, which is told.
    [[nodiscard]] Result<bool> gather(Admin& admin, const RingView& ring, bool pairs,
                                      std::vector<NodeReport>& reports) const;

    const CommonOptions& common_;
    std::optional<std::string> node_;
    bool partitions_ = false;
    std::vector<Operand> what_;
    std::chrono::milliseconds patience_{60000};
};

}  // namespace dynamo::cli
