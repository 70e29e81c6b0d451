// All clients of a benchmark, each in its thread, and the one who watches them.
//
// An interrupt that was noted (interrupt.h) ends a run early.
//
// Threads: run() blocks its caller; the watch is called from there
// Errors:  only opening fails; what operations meet is counted
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "cli/bench/worker.h"

namespace dynamo::cli {

struct Plan {
    Phase::Kind kind = Phase::Kind::mix;
    std::chrono::milliseconds warm_up{0};
    std::optional<std::chrono::milliseconds> length;
    std::optional<std::uint64_t> count;
    std::chrono::milliseconds watch_every{1000};
};

/// What came of a plan.
struct Measured {
    double seconds = 0;
    Tally tally;
    double cpu_seconds = 0;  ///< this process', while it measured
    std::uint64_t backlog = 0;
    std::uint64_t most_backlog = 0;
    [[nodiscard]] double per_second() const {
        return seconds > 0 ? static_cast<double>(tally.in_time) / seconds : 0;
    }
};

class Runner {
  public:
    /// Told what was counted since the last time, and the seconds since the plan began.
    using Watch = std::function<void(const Tally& since, double seconds)>;

    /// `ledger` is null when nothing is to be verified.
    Runner(const Settings& settings, const Values& values, std::uint64_t run, Ledger* ledger);
    [[nodiscard]] Result<void> open();
    [[nodiscard]] Measured run(const Plan& plan, const Watch& watch);

  private:
    [[nodiscard]] Phase phase_of(const Plan& plan, unsigned worker, std::int64_t begin) const;
    void watch_until_over(const Plan& plan, std::int64_t begin, const Watch& watch,
                          Measured& measured);
    void take(Measured& measured, const Watch& watch, std::int64_t begin);

    const Settings& settings_;
    Board board_;
    std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace dynamo::cli
