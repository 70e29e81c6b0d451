// How far away nodes are: the time of a hello from here to there and back.
//
// Threads: any, one at a time
// Errors:  a node that does not answer, or that is another one, is part of the result
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "cli/common/output.h"
#include "dynamo/admin.h"

namespace dynamo::cli {

struct RoundTrips {
    NodeInfo node;
    std::vector<double> milliseconds;  ///< ascending
    unsigned asked = 0;
    std::optional<Error> error;  ///< why some are missing

    [[nodiscard]] double median() const;
};

/// Says hello `count` times, and once before that makes the connection and is not counted. Stops at
/// the first that fails.
[[nodiscard]] RoundTrips measure_round_trips(Admin& admin, const NodeInfo& node, unsigned count);

[[nodiscard]] Table round_trips_table(const std::vector<RoundTrips>& measured);
[[nodiscard]] nlohmann::ordered_json round_trips_json(const std::vector<RoundTrips>& measured);

}  // namespace dynamo::cli
