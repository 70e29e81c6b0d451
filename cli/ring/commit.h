// The verbs of dyn-ring that make what is staged the ring, and follow what it moves: plan, commit,
// cancel, wait, transfers.
//
// Threads: one owner
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cli/common/options.h"
#include "cli/ring/estimate.h"
#include "dynamo/admin.h"

namespace dynamo::cli {

class RingCommit {
  public:
    explicit RingCommit(const CommonOptions& common) : common_(common) {}
    void build(App& app);

  private:
    int plan();
    int simulated();
    int show_plan(const Plan& plan, const Estimate& costs, const std::string& next);
    int save();
    int commit();
    int cancel();
    int wait();
    int transfers();
    [[nodiscard]] int make(Admin& admin, const std::string& id);
    /// Until every node knows ring `number` and all that moves has arrived. As long as something
    /// arrives it goes on.
    [[nodiscard]] int wait_for(Admin& admin, std::uint64_t number);
    [[nodiscard]] int print(const std::string& text) const;

    const CommonOptions& common_;
    std::optional<std::string> output_;
    std::optional<std::string> saved_;
    WhatIf what_if_;
    std::vector<Operand> operands_;
    std::uint64_t rate_ = 0;
    std::optional<std::string> plan_id_;
    std::uint64_t accept_loss_ = 0;
    bool wait_ = false;
};

}  // namespace dynamo::cli
