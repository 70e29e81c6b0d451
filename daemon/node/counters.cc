#include "daemon/node/counters.h"

#include <algorithm>

namespace dynamo {
namespace {

void list_latency(std::vector<wire::Stat>& stats, const std::string& name, const Histogram& of) {
    stats.push_back({name + ".count", static_cast<double>(of.count())});
    stats.push_back({name + ".max", static_cast<double>(of.max())});
    stats.push_back({name + ".p50", static_cast<double>(of.at(0.5))});
    stats.push_back({name + ".p99", static_cast<double>(of.at(0.99))});
    stats.push_back({name + ".p99_9", static_cast<double>(of.at(0.999))});
}

}  // namespace

void Counters::add(std::string_view name, std::uint64_t by) {
    const auto at = counts_.find(name);
    if (at == counts_.end())
        counts_.emplace(name, by);
    else
        at->second += by;
}

std::uint64_t Counters::of(std::string_view name) const {
    const auto at = counts_.find(name);
    return at == counts_.end() ? 0 : at->second;
}

std::vector<wire::Stat> Counters::list() const {
    std::vector<wire::Stat> stats;
    for (const auto& [name, count] : counts_) stats.push_back({name, static_cast<double>(count)});
    list_latency(stats, "get.latency", get_latency);
    list_latency(stats, "put.latency", put_latency);
    std::ranges::sort(stats, {}, &wire::Stat::name);
    return stats;
}

}  // namespace dynamo
