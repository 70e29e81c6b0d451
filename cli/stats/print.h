// How dyn-stats shows samples and changes.
//
// Threads: any
#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/common/output.h"
#include "cli/stats/sample.h"

namespace dynamo::cli {

struct Shown {
    const Sample* now = nullptr;
    const Sample* before = nullptr;  ///< none: no changes are shown
    std::function<bool(const std::string&)> wanted;
    bool with_time = false;
};

/// A row a statistic; the value is the last column. With a sample before: difference and rate, "-"
/// where there is none, "restarted" for counters of a daemon that was started again.
[[nodiscard]] Table stats_table(const Shown& shown);
[[nodiscard]] nlohmann::ordered_json stats_json(const Shown& shown);

}  // namespace dynamo::cli
