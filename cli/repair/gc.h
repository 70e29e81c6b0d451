// The verb of dyn-repair that tells what nodes keep of deletes, and has them forget what may go:
// gc.
//
// Only the nodes decide what may go. The tool asks them not to wait with the next step, and looks.
//
// Threads: one owner
// Errors:  a node that does not answer is told; nothing is forgotten without it
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/common/options.h"

namespace dynamo::cli {

class Gc {
  public:
    explicit Gc(const CommonOptions& common) : common_(common) {}
    void build(App& app);

  private:
    struct Kept {
        NodeInfo node;
        std::optional<PurgeStatus> status;  ///< none: it does not answer
        std::uint64_t reduced_before = 0;
    };
    /// All nodes, asked one after the other; `now`: they take the next step.
    [[nodiscard]] std::vector<Kept> ask(Admin& admin, const std::vector<NodeInfo>& nodes, bool now,
                                        std::uint64_t number) const;
    int run();
    [[nodiscard]] Result<std::vector<NodeInfo>> nodes_asked(const RingView& ring) const;
    /// Asks until what was there at first has gone, or that cannot be waited for. Answers with the
    /// records of it that are left.
    [[nodiscard]] std::uint64_t wait(Admin& admin, std::vector<Kept>& kept) const;
    [[nodiscard]] bool is_chosen(const NodeInfo& node) const;
    void print(const RingView& ring, const std::vector<Kept>& kept) const;
    /// Of what the chosen nodes keep, the records, or those that are due.
    [[nodiscard]] std::uint64_t sum(const std::vector<Kept>& kept,
                                    std::uint64_t PurgeStatus::* count) const;
    [[nodiscard]] int finish(const std::vector<Kept>& kept, std::uint64_t left) const;

    const CommonOptions& common_;
    std::optional<std::string> node_;
    bool dry_run_ = false;
    std::chrono::milliseconds patience_{60000};
};

}  // namespace dynamo::cli
