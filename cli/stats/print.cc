#include "cli/stats/print.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace dynamo::cli {
namespace {

std::optional<NodeChanges> changes_at(const Shown& shown, const NodeStats& node) {
    const NodeStats* before = shown.before ? find_node(*shown.before, node.name) : nullptr;
    return before ? changes_of(*before, node) : std::nullopt;
}

std::string signed_text(double value) {
    return value > 0 ? "+" + number_text(value) : number_text(value);
}

/// Difference and rate as two cells.
std::vector<std::string> change_cells(const std::optional<NodeChanges>& changes,
                                      const std::string& name) {
    if (!changes) {
        return {"-", "-"};
    }
    if (changes->restarted && kind_of(name) == StatKind::counter) {
        return {"restarted", "-"};
    }
    const auto found = changes->changes.find(name);
    if (found == changes->changes.end()) {
        return {"-", "-"};
    }
    return {signed_text(found->second.difference), fmt::format("{:.1f}", found->second.per_second)};
}

}  // namespace

Table stats_table(const Shown& shown) {
    std::vector<Table::Column> columns;
    if (shown.with_time) {
        columns.push_back({"TIME"});
    }
    columns.push_back({"NODE"});
    columns.push_back({"NAME"});
    if (shown.before) {
        columns.push_back({"DELTA", true});
        columns.push_back({"PER_SECOND", true});
    }
    columns.push_back({"VALUE", true});
    Table table(columns);
    for (const NodeStats& node : shown.now->nodes) {
        if (!node.stats) {
            continue;
        }
        const auto changes = changes_at(shown, node);
        for (const auto& [name, value] : *node.stats) {
            if (!shown.wanted(name)) {
                continue;
            }
            std::vector<std::string> row;
            if (shown.with_time) {
                row.push_back(time_text(shown.now->wall_ms));
            }
            row.insert(row.end(), {printable(node.name), name});
            if (shown.before) {
                const auto cells = change_cells(changes, name);
                row.insert(row.end(), cells.begin(), cells.end());
            }
            row.push_back(number_text(value));
            table.add(std::move(row));
        }
    }
    return table;
}

nlohmann::ordered_json stats_json(const Shown& shown) {
    nlohmann::ordered_json object = {{"schema", "dyn.stats/1"}, {"wall_ms", shown.now->wall_ms}};
    auto list = nlohmann::ordered_json::array();
    for (const NodeStats& node : shown.now->nodes) {
        if (!node.stats) {
            continue;
        }
        nlohmann::ordered_json stats = nlohmann::ordered_json::object();
        for (const auto& [name, value] : *node.stats) {
            if (shown.wanted(name)) {
                stats[name] = value;
            }
        }
        nlohmann::ordered_json one = {{"node", as_utf8(node.name)}, {"stats", std::move(stats)}};
        if (const auto changes = changes_at(shown, node)) {
            nlohmann::ordered_json differences = nlohmann::ordered_json::object();
            nlohmann::ordered_json rates = nlohmann::ordered_json::object();
            for (const auto& [name, change] : changes->changes) {
                if (shown.wanted(name)) {
                    differences[name] = change.difference;
                    rates[name] = change.per_second;
                }
            }
            one["seconds"] = changes->seconds;
            one["restarted"] = changes->restarted;
            one["delta"] = std::move(differences);
            one["per_second"] = std::move(rates);
        }
        list.push_back(std::move(one));
    }
    object["nodes"] = std::move(list);
    return object;
}

}  // namespace dynamo::cli
