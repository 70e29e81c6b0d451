// Fair shares: how many copies each node should hold, before any partition is named.
//
// Loads grow together in proportion to the weights until something holds some of them back (a node
// holds no partition twice; rows must span zones); those are frozen there and the others go on.
// What comes out is the weighted max-min fair share, as an exact fraction.
//
// Threads: pure functions
#pragma once

#include <cstdint>
#include <vector>

namespace dynamo {

/// What the shares are made for: Q rows of `copies` distinct nodes that span `zones` zones.
struct Demand {
    std::int64_t partitions = 0;
    std::int64_t copies = 0;  ///< at most the number of nodes
    std::int64_t zones = 1;   ///< at most `copies` and the number of zones there are
};

struct Weighted {
    std::int64_t weight = 1;  ///< from 1 to max_weight
    std::size_t zone = 0;     ///< an index
};

/// A whole number of copies, and whether the exact share is more than that.
struct Share {
    std::int64_t whole = 0;
    bool has_fraction = false;
    bool operator==(const Share&) const = default;
};

/// One share for each node; the exact ones add up to partitions times copies.
[[nodiscard]] std::vector<Share> fair_shares(const std::vector<Weighted>& nodes,
                                             const Demand& demand);

}  // namespace dynamo
