// What a benchmark says at its end, and while it runs.
//
// Threads: any
#pragma once

#include <string>
#include <vector>

#include "cli/bench/runner.h"
#include "cli/bench/slo.h"
#include "cli/bench/verification.h"

namespace dynamo::cli {

struct Report {
    std::string verb;  ///< "run"
    Settings settings;
    Measured measured;
    std::vector<Slo> targets = {};
    std::optional<Verification> verification = {};
    bool interrupted = false;
};

/// For people.
[[nodiscard]] std::string text_of(const Report& report);
/// One line of JSON.
[[nodiscard]] std::string json_of(const Report& report, const std::string& schema);
/// The percentile distribution as HdrHistogram writes it, in milliseconds.
[[nodiscard]] std::string hgrm_of(const Histogram& latency);

/// "12s  48120 ops/s  p50 1.2 ms  p99 3.4 ms  0 errors", of what was counted in `interval` seconds.
[[nodiscard]] std::string live_line(const Tally& since, double interval, double seconds);
/// A line of the canary.
[[nodiscard]] std::string canary_line(const Tally& since, double interval, double seconds);
/// The same for programs.
[[nodiscard]] std::string live_json(const Tally& since, double interval, const std::string& schema);

/// "0.412 ms", "12.3 s": three digits and the unit that suits.
[[nodiscard]] std::string latency_text(double nanoseconds);

}  // namespace dynamo::cli
