// What a plan costs, as far as the nodes tell: octets that move, disks that fill, time.
//
// A partition is taken to be as large as the node's partitions are on average.
//
// Threads: plain values
// Errors:  a node that does not answer is estimated by the others
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "dynamo/admin.h"

namespace dynamo::cli {

struct Estimate {
    struct Node {
        std::uint64_t sends = 0;
        std::uint64_t receives = 0;
        /// Of its disk, 0 to 1: what it gives up is dropped last. None when it does not tell.
        std::optional<double> peak;
    };
    std::vector<Node> nodes;               ///< in the order of Plan::rows
    bool known = false;                    ///< whether anybody has told what it stores
    std::uint64_t bytes = 0;               ///< that move
    std::optional<std::uint64_t> seconds;  ///< at the rate asked about, which is each node's
};

/// `rate`: octets a second; 0: none was asked about.
[[nodiscard]] Estimate estimate(const Plan& plan, const std::vector<Result<NodeStatus>>& statuses,
                                std::uint64_t rate);
/// The same, with every node of the plan asked for its status.
[[nodiscard]] Estimate estimate(Admin& admin, const Plan& plan, std::uint64_t rate);

/// The plan in full, without what to do next.
[[nodiscard]] std::string plan_text(const Plan& plan, const Estimate& estimate);
[[nodiscard]] nlohmann::ordered_json plan_json(const Plan& plan, const Estimate& estimate);
/// The command that makes it the ring.
[[nodiscard]] std::string next_command(const Plan& plan);

}  // namespace dynamo::cli
