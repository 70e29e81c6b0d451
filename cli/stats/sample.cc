#include "cli/stats/sample.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace dynamo::cli {
namespace {

/// What goes up and down; everything else that is no percentile is a counter.
constexpr std::array gauges = {"hints.held",  "*.in_progress", "partitions.*", "storage.*_bytes",
                               "ring.number", "*.connections", "process.*",    "*.active",
                               "*.queued",    "*.waiting",     "*.in_flight",  "*.age_*",
                               "*.rate",      "*.pending",     "purge.fence",  "trees.complete",
                               "*.recent_p99"};

}  // namespace

StatKind kind_of(const std::string& name) {
    const std::string last = name.substr(name.rfind('.') + 1);
    const bool digits = last.size() > 1 && last.front() == 'p' &&
                        last.find_first_not_of("0123456789_", 1) == std::string::npos;
    if (digits) {
        return StatKind::quantile;
    }
    if (last == "max") {
        return StatKind::peak;
    }
    const bool gauge = std::ranges::any_of(
        gauges, [&name](const char* pattern) { return ::fnmatch(pattern, name.c_str(), 0) == 0; });
    return gauge ? StatKind::gauge : StatKind::counter;
}

std::string number_text(double value) {
    constexpr double exact = 9e15;
    return std::trunc(value) == value && std::abs(value) < exact ? fmt::format("{:.0f}", value)
                                                                 : fmt::format("{:.3f}", value);
}

std::optional<NodeChanges> changes_of(const NodeStats& before, const NodeStats& now) {
    if (!before.stats || !now.stats) {
        return std::nullopt;
    }
    NodeChanges changes;
    changes.seconds = std::chrono::duration<double>(now.at - before.at).count();
    const double seconds = std::max(changes.seconds, 1e-9);
    for (const auto& [name, value] : *now.stats) {
        const StatKind kind = kind_of(name);
        if (kind == StatKind::quantile || kind == StatKind::peak) {
            continue;
        }
        // A counter appears with the first thing that it counts.
        const auto found = before.stats->find(name);
        const double difference = value - (found == before.stats->end() ? 0 : found->second);
        changes.restarted = changes.restarted || (kind == StatKind::counter && difference < 0);
        changes.changes[name] = {difference, difference / seconds};
    }
    // A counter that is gone has gone down.
    for (const auto& [name, value] : *before.stats) {
        const bool gone = !now.stats->contains(name) && kind_of(name) == StatKind::counter;
        changes.restarted = changes.restarted || gone;
    }
    if (changes.restarted) {
        std::erase_if(changes.changes, [](const auto& change) {
            return kind_of(change.first) == StatKind::counter;
        });
    }
    return changes;
}

const NodeStats* find_node(const Sample& sample, const std::string& name) {
    const auto found = std::ranges::find(sample.nodes, name, &NodeStats::name);
    return found == sample.nodes.end() ? nullptr : &*found;
}

}  // namespace dynamo::cli
