#include "cli/ring/difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/common/output.h"
#include "cli/ring/print.h"

namespace dynamo::cli {
namespace {

std::vector<std::string> names_of(const RingView& ring, const std::vector<unsigned>& owners) {
    std::vector<std::string> names;
    for (const unsigned owner : owners) {
        names.push_back(ring.nodes[owner].name);
    }
    return names;
}

std::vector<NodeInfo> missing_in(const std::vector<NodeInfo>& these,
                                 const std::vector<NodeInfo>& others) {
    std::vector<NodeInfo> missing;
    for (const NodeInfo& node : these) {
        if (std::ranges::find(others, node.id, &NodeInfo::id) == others.end()) {
            missing.push_back(node);
        }
    }
    return missing;
}

std::string node_text(const NodeInfo& node) {
    return fmt::format("{} {} zone {} weight {}", printable(node.name), node.client_address,
                       node.zone.empty() ? "-" : printable(node.zone), node.weight);
}

}  // namespace

RingDifference difference_of(const RingView& before, const RingView& after) {
    RingDifference difference;
    difference.came = missing_in(after.nodes, before.nodes);
    difference.went = missing_in(before.nodes, after.nodes);
    for (const NodeInfo& node : after.nodes) {
        const auto was = std::ranges::find(before.nodes, node.id, &NodeInfo::id);
        if (was != before.nodes.end() && *was != node) {
            difference.changed.push_back({*was, node});
        }
    }
    for (unsigned p = 0; p < after.owners.size(); ++p) {
        auto had = names_of(before, before.owners[p]);
        auto has = names_of(after, after.owners[p]);
        if (had != has) {
            difference.moved.push_back({p, std::move(had), std::move(has)});
        }
    }
    return difference;
}

std::string difference_text(const RingDifference& difference) {
    std::string out;
    for (const NodeInfo& node : difference.came) {
        out += fmt::format("+ {}\n", node_text(node));
    }
    for (const NodeInfo& node : difference.went) {
        out += fmt::format("- {}\n", node_text(node));
    }
    for (const RingDifference::Changed& changed : difference.changed) {
        out += fmt::format("! {} -> {}\n", node_text(changed.before), node_text(changed.after));
    }
    for (const RingDifference::Moved& moved : difference.moved) {
        out += fmt::format("{} {} -> {}\n", moved.partition, fmt::join(moved.before, ","),
                           fmt::join(moved.after, ","));
    }
    return out;
}

nlohmann::ordered_json difference_json(const RingDifference& difference) {
    nlohmann::ordered_json object = {{"schema", "dyn.ring/1"}};
    for (const auto& [name, nodes] :
         {std::pair{"came", &difference.came}, std::pair{"went", &difference.went}}) {
        auto list = nlohmann::ordered_json::array();
        for (const NodeInfo& node : *nodes) {
            list.push_back(node_json(node));
        }
        object[name] = std::move(list);
    }
    auto changed = nlohmann::ordered_json::array();
    for (const RingDifference::Changed& one : difference.changed) {
        changed.push_back({{"before", node_json(one.before)}, {"after", node_json(one.after)}});
    }
    object["changed"] = std::move(changed);
    auto moved = nlohmann::ordered_json::array();
    for (const RingDifference::Moved& one : difference.moved) {
        moved.push_back(
            {{"partition", one.partition}, {"before", one.before}, {"after", one.after}});
    }
    object["partitions"] = std::move(moved);
    return object;
}

}  // namespace dynamo::cli
