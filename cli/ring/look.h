// The verbs of dyn-ring that only look: show, members, rtt, history, diff.
//
// Threads: one owner
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/common/options.h"
#include "dynamo/admin.h"

namespace dynamo::cli {

class RingLook {
  public:
    explicit RingLook(const CommonOptions& common) : common_(common) {}
    void build(App& app);

  private:
    int show();
    int show_ring(const RingView& ring);
    int members();
    int round_trips();
    int history();
    int diff();
    [[nodiscard]] int print(const std::string& text) const;
    [[nodiscard]] int print_as(const std::string& json, const std::string& tsv,
                               const std::string& text) const;

    const CommonOptions& common_;
    std::optional<unsigned> partition_;
    std::optional<std::string> node_;
    std::optional<std::string> svg_;
    unsigned count_ = 5;
    std::vector<Operand> versions_;
};

}  // namespace dynamo::cli
