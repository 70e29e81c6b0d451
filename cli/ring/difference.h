// Two rings of a cluster side by side: who was a member, who owned what.
//
// Threads: plain values
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "dynamo/admin.h"

namespace dynamo::cli {

struct RingDifference {
    std::vector<NodeInfo> came;
    std::vector<NodeInfo> went;
    struct Changed {
        NodeInfo before;
        NodeInfo after;
    };
    std::vector<Changed> changed;  ///< members of both of which something else is known
    struct Moved {
        unsigned partition = 0;
        std::vector<std::string> before;  ///< names, most preferred first
        std::vector<std::string> after;
    };
    std::vector<Moved> moved;  ///< partitions with other owners, or in another order
    [[nodiscard]] bool none() const {
        return came.empty() && went.empty() && changed.empty() && moved.empty();
    }
};

[[nodiscard]] RingDifference difference_of(const RingView& before, const RingView& after);

/// Lines that begin with +, -, ! and, for partitions, with their number.
[[nodiscard]] std::string difference_text(const RingDifference& difference);
[[nodiscard]] nlohmann::ordered_json difference_json(const RingDifference& difference);

}  // namespace dynamo::cli
