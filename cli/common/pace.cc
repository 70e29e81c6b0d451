#include "cli/common/pace.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "cli/common/output.h"

namespace dynamo::cli {
namespace {

/// The least that a daemon takes: next to nothing, which is what `pause` sets.
constexpr std::uint64_t standstill = 1024;
constexpr std::uint64_t by_latency = 0;

Result<std::uint64_t> pace_from_text(const std::string& text) {
    if (text == "auto" || text == "resume") {
        return by_latency;
    }
    if (text == "pause") {
        return standstill;
    }
    return rate_from_text(text);
}

}  // namespace

std::string pace_text(const BackgroundPace& pace) {
    if (pace.idle && !pace.fixed) {
        return "free";
    }
    return bytes_text(pace.rate) + "/s" + (pace.fixed ? " by hand" : "");
}

nlohmann::ordered_json pace_json(const BackgroundPace& pace) {
    return {{"rate", pace.rate},
            {"fixed", pace.fixed},
            {"idle", pace.idle},
            {"p99_us", pace.p99_us},
            {"target_us", pace.target_us}};
}

Result<std::uint64_t> rate_from_text(const std::string& text) {
    constexpr std::array<std::pair<std::string_view, std::uint64_t>, 4> units = {
        {{"", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}}};
    std::string_view left = text;
    if (left.ends_with("/s")) {
        left.remove_suffix(2);
    }
    const auto digits = std::min(left.find_first_not_of("0123456789"), left.size());
    const auto number = number_from_text(std::string(left.substr(0, digits)), 1u << 30);
    const auto unit = std::ranges::find(units, left.substr(digits),
                                        &std::pair<std::string_view, std::uint64_t>::first);
    constexpr std::uint64_t most = std::uint64_t{1} << 40;
    if (!number || unit == units.end() || *number * unit->second < 1024 ||
        *number * unit->second > most) {
        return fail(Code::bad_request,
                    fmt::format("'{}' is no rate from 1KiB to 1024GiB a second; write 4MiB", text));
    }
    return *number * unit->second;
}

void Throttle::build(App& app) {
    App& verb = app.verb("throttle", "set the pace of background work");
    verb.operands({.name = "RATE|auto|pause|resume",
                   .help = "octets of records a second at each node, as in 4MiB, until it is "
                           "started again; pause: next to nothing, 1KiB; auto and resume: the "
                           "latency of requests decides",
                   .least = 1,
                   .most = 1},
                  rate_);
    verb.option({.letter = "",
                 .name = "--node",
                 .help = "only this node",
                 .value = "NODE",
                 .complete = CommonOptions::live_nodes},
                node_);
    verb.action([this] { return set(); });
}

int Throttle::set() {
    const Reporter reporter = common_.reporter();
    const auto rate = pace_from_text(rate_.front().text);
    if (!rate) {
        return reporter.usage(rate.error(), "write 4MiB, auto, pause or resume");
    }
    auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    bool all = true;
    Table table({{"NODE"}, {"PACE", true}});
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    unsigned asked = 0;
    // Those who leave have work to do as well.
    std::vector<NodeInfo> nodes = with->ring.nodes;
    nodes.insert(nodes.end(), with->ring.leaving.begin(), with->ring.leaving.end());
    for (const NodeInfo& node : nodes) {
        if (node_ && node.name != *node_) {
            continue;
        }
        ++asked;
        const auto pace = with->admin.throttle_at(node.client_address, *rate);
        if (!pace) {
            static_cast<void>(reporter.error(pace.error(), node.name));
            all = false;
            continue;
        }
        table.add({node.name, pace_text(*pace)});
        rows.push_back({{"node", node.name}, {"pace", pace_json(*pace)}});
    }
    if (asked == 0) {
        return reporter.usage(Error{Code::bad_request, "no member is named " + *node_});
    }
    static_cast<void>(
        write_out(common_.json() ? dumped({{"schema", reporter.schema()}, {"nodes", rows}}) + "\n"
                  : common_.format() == Format::tsv ? table.tsv()
                                                    : table.text()));
    return all ? exits::done : exits::partial;
}

}  // namespace dynamo::cli
