#include "cli/ring/estimate.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/common/output.h"
#include "cli/ring/print.h"

namespace dynamo::cli {
namespace {

/// From there on a disk is called too full for a plan.
constexpr double full_share = 0.95;

std::string list_of(const std::vector<std::string>& names, std::string_view what) {
    return names.empty() ? "ok" : fmt::format("{} {}", fmt::join(names, ", "), what);
}

std::vector<std::string> too_full(const Plan& plan, const Estimate& estimate) {
    std::vector<std::string> names;
    for (std::size_t at = 0; at < plan.rows.size(); ++at) {
        if (estimate.nodes[at].peak.value_or(0) > full_share) {
            names.push_back(plan.rows[at].node.name);
        }
    }
    return names;
}

std::string checks_text(const Plan& plan, const Estimate& estimate) {
    const bool enough = plan.after.nodes.size() >= plan.after.copies;
    return fmt::format("CHECKS nodes {}  zones {}  copies {}  disk {}\n",
                       enough ? "ok" : fmt::format("fewer than N={}", plan.after.copies),
                       plan.zones_distinct ? "ok" : "not distinct",
                       plan.short_partitions == 0
                           ? "ok"
                           : fmt::format("fewer than W={} of {} partitions",
                                         plan.after.write_quorum, plan.short_partitions),
                       list_of(too_full(plan, estimate), "too full"));
}

}  // namespace

Estimate estimate(const Plan& plan, const std::vector<Result<NodeStatus>>& statuses,
                  std::uint64_t rate) {
    // Of what nodes store, a partition's part; of one that does not tell, what others have.
    double stored = 0;
    unsigned owned = 0;
    for (std::size_t at = 0; at < plan.rows.size(); ++at) {
        if (statuses[at] && plan.rows[at].owns_before > 0) {
            stored += static_cast<double>(statuses[at]->stored_bytes);
            owned += plan.rows[at].owns_before;
        }
    }
    const double size = owned == 0 ? 0 : stored / owned;
    Estimate costs;
    costs.known = owned > 0;
    std::uint64_t most = 0;
    for (std::size_t at = 0; at < plan.rows.size(); ++at) {
        const Plan::Row& row = plan.rows[at];
        Estimate::Node node;
        node.receives = static_cast<std::uint64_t>(size * row.gains);
        node.sends = static_cast<std::uint64_t>(size * row.gives);
        if (statuses[at]) {
            const auto bytes = static_cast<double>(statuses[at]->stored_bytes);
            const double disk = bytes + static_cast<double>(statuses[at]->free_bytes);
            node.peak = disk > 0 ? (bytes + static_cast<double>(node.receives)) / disk : 0;
        }
        costs.bytes += node.receives;
        most = std::max(most, node.receives);
        costs.nodes.push_back(node);
    }
    if (rate > 0 && costs.known) {
        costs.seconds = (most + rate - 1) / rate;
    }
    return costs;
}

Estimate estimate(Admin& admin, const Plan& plan, std::uint64_t rate) {
    std::vector<Result<NodeStatus>> statuses;
    for (const Plan::Row& row : plan.rows) {
        statuses.push_back(admin.status_at(row.node.client_address));
    }
    return estimate(plan, statuses, rate);
}

std::string plan_text(const Plan& plan, const Estimate& estimate) {
    std::string out = fmt::format("PLAN {}  ring v{}->v{}  Q={} N={}\n", plan.id, plan.from,
                                  plan.to, plan.after.partitions, plan.after.copies);
    out += fmt::format("moves {}/{} replicas (minimum {})", plan.moves, plan.replicas,
                       plan.moves_minimum);
    const auto bytes = [&](std::uint64_t count) {
        return estimate.known ? bytes_text(count) : std::string("-");
    };
    out += estimate.known ? "  " + bytes(estimate.bytes) : "";
    if (estimate.seconds) {
        out +=
            fmt::format("  ETA {}", age_text(static_cast<std::int64_t>(*estimate.seconds) * 1000));
    }
    out += "\n";
    Table table({{"NODE"},
                 {"ZONE"},
                 {"WEIGHT", true},
                 {"OWN->OWN", true},
                 {"PEAK DISK", true},
                 {"SEND", true},
                 {"RECV", true},
                 {"ADDRESS"}});
    for (std::size_t at = 0; at < plan.rows.size(); ++at) {
        const Plan::Row& row = plan.rows[at];
        const Estimate::Node& node = estimate.nodes[at];
        table.add({row.node.name, row.node.zone.empty() ? "-" : row.node.zone,
                   std::to_string(row.node.weight),
                   fmt::format("{}->{}", row.owns_before, row.owns_after),
                   node.peak ? fmt::format("{:.0f}%", *node.peak * 100) : "-", bytes(node.sends),
                   bytes(node.receives), row.node.client_address});
    }
    return out + table.text() + checks_text(plan, estimate);
}

nlohmann::ordered_json plan_json(const Plan& plan, const Estimate& estimate) {
    nlohmann::ordered_json object = {{"schema", "dyn.ring/1"},
                                     {"plan", plan.id},
                                     {"from", plan.from},
                                     {"to", plan.to},
                                     {"partitions", plan.after.partitions},
                                     {"copies", plan.after.copies},
                                     {"moves", plan.moves},
                                     {"moves_minimum", plan.moves_minimum},
                                     {"replicas", plan.replicas},
                                     {"bytes", nullptr},
                                     {"zones_distinct", plan.zones_distinct},
                                     {"short_partitions", plan.short_partitions}};
    if (estimate.known) {
        object["bytes"] = estimate.bytes;
    }
    if (estimate.seconds) {
        object["eta_s"] = *estimate.seconds;
    }
    auto nodes = nlohmann::ordered_json::array();
    for (std::size_t at = 0; at < plan.rows.size(); ++at) {
        const Plan::Row& row = plan.rows[at];
        nlohmann::ordered_json one = node_json(row.node);
        one["owns_before"] = row.owns_before;
        one["owns_after"] = row.owns_after;
        if (estimate.known) {
            one["sends"] = estimate.nodes[at].sends;
            one["receives"] = estimate.nodes[at].receives;
        }
        if (const auto& peak = estimate.nodes[at].peak) {
            one["peak_disk"] = *peak;
        }
        nodes.push_back(std::move(one));
    }
    object["nodes"] = std::move(nodes);
    object["next"] = next_command(plan);
    return object;
}

std::string next_command(const Plan& plan) {
    return fmt::format(
        "dyn-ring commit --plan {} --wait{}", plan.id,
        plan.short_partitions == 0 ? "" : fmt::format(" --accept-loss={}", plan.short_partitions));
}

}  // namespace dynamo::cli
