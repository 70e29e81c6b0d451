// The statistics of nodes at one moment, and what changed between two.
//
// Shape:   names are dotted; percentiles and maxima are microseconds
// Threads: plain values
// Errors:  a node that does not answer is part of the sample
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dynamo/admin.h"

namespace dynamo::cli {

enum class StatKind : std::uint8_t {
    counter,   ///< only grows, from the daemon's start
    gauge,     ///< goes up and down
    quantile,  ///< "put.latency.p99"
    peak,      ///< "put.latency.max"
};
[[nodiscard]] StatKind kind_of(const std::string& name);

/// Whole numbers without a point.
[[nodiscard]] std::string number_text(double value);

/// The statistics of one node, or why there are none.
struct NodeStats {
    std::string name;
    Result<std::map<std::string, double>> stats;
    std::chrono::steady_clock::time_point at;
};

struct Sample {
    std::int64_t wall_ms = 0;
    std::vector<NodeStats> nodes;
};

/// Of a statistic, between two samples.
struct Change {
    double difference = 0;
    double per_second = 0;
};

/// What changed at one node.
struct NodeChanges {
    double seconds = 0;
    /// A counter went down: the daemon was started again, and nothing is known of its counters.
    bool restarted = false;
    std::map<std::string, Change> changes;
};

/// None when either sample lacks the node.
[[nodiscard]] std::optional<NodeChanges> changes_of(const NodeStats& before, const NodeStats& now);

/// The node of that name.
[[nodiscard]] const NodeStats* find_node(const Sample& sample, const std::string& name);

}  // namespace dynamo::cli
