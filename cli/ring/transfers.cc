#include "cli/ring/transfers.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

namespace dynamo::cli {
namespace {

const MemberReport* find(const Survey& survey, const std::string& name) {
    for (const auto* reports : {&survey.members, &survey.leaving}) {
        const auto found = std::ranges::find(*reports, name,
                                             [](const MemberReport& one) { return one.node.name; });
        if (found != reports->end()) {
            return &*found;
        }
    }
    return nullptr;
}

bool answers(const Survey& survey, const std::string& name) {
    const MemberReport* const report = find(survey, name);
    return report != nullptr && report->status && !report->is_stranger();
}

/// Why a node cannot take anything; empty when it can.
std::string why_not(const Survey& survey, const std::string& name) {
    if (!answers(survey, name)) {
        return name + " does not answer";
    }
    return find(survey, name)->status->writes_refused ? "the disk of " + name + " is full" : "";
}

std::string blocker_of_gain(const Survey& survey, const std::string& node,
                            const MovingPartition& moving) {
    if (std::string own = why_not(survey, node); !own.empty()) {
        return own;
    }
    std::vector<std::string> silent;
    unsigned reached = 0;
    for (const std::string& source : moving.from) {
        answers(survey, source) ? static_cast<void>(++reached) : silent.push_back(source);
    }
    return reached >= moving.sources ? "" : fmt::format("waits for {}", fmt::join(silent, ", "));
}

std::string blocker_of_leave(const Survey& survey, const std::string& node) {
    if (!answers(survey, node)) {
        return node + " does not answer";
    }
    // Every new owner of what it holds has to confirm; whoever is a member may be one.
    for (const MemberReport& member : survey.members) {
        if (std::string other = why_not(survey, member.node.name); !other.empty()) {
            return "may wait: " + other;
        }
    }
    return {};
}

}  // namespace

std::vector<TransferRow> transfers_of(const Survey& survey) {
    std::map<std::string, TransferRow> gains;
    std::map<std::string, std::set<std::string>> partners;
    for (const MovingPartition& moving : survey.ring.moving) {
        for (const std::string& node : moving.complete) {
            ++gains[node].done;
        }
        for (const std::string& node : moving.waiting) {
            TransferRow& row = gains[node];
            ++row.left;
            partners[node].insert(moving.from.begin(), moving.from.end());
            if (row.blocker.empty()) {
                row.blocker = blocker_of_gain(survey, node, moving);
            }
        }
    }
    std::vector<TransferRow> rows;
    for (auto& [node, row] : gains) {
        if (row.left == 0) {
            continue;
        }
        row.node = node;
        partners[node].erase(node);
        row.partners.assign(partners[node].begin(), partners[node].end());
        rows.push_back(std::move(row));
    }
    for (const NodeInfo& node : survey.ring.leaving) {
        rows.push_back({node.name, false, 0, 0, {}, blocker_of_leave(survey, node.name)});
    }
    return rows;
}

std::vector<std::string> blockers_of(const std::vector<TransferRow>& rows) {
    std::vector<std::string> sentences;
    for (const TransferRow& row : rows) {
        if (!row.blocker.empty()) {
            sentences.push_back(fmt::format("{} cannot {}: {}", row.node,
                                            row.gains ? "take over" : "hand over", row.blocker));
        }
    }
    return sentences;
}

Table transfers_table(const std::vector<TransferRow>& rows) {
    Table table({{"NODE"}, {"DOES"}, {"LEFT", true}, {"DONE", true}, {"FROM"}, {"STATE"}});
    for (const TransferRow& row : rows) {
        table.add({row.node, row.gains ? "takes over" : "hands over",
                   row.gains ? std::to_string(row.left) : "-",
                   row.gains ? std::to_string(row.done) : "-",
                   row.partners.empty() ? "-" : fmt::format("{}", fmt::join(row.partners, ",")),
                   row.blocker.empty() ? "moves" : row.blocker});
    }
    return table;
}

nlohmann::ordered_json transfers_json(const Survey& survey) {
    auto list = nlohmann::ordered_json::array();
    for (const TransferRow& row : transfers_of(survey)) {
        nlohmann::ordered_json one = {{"node", as_utf8(row.node)},
                                      {"does", row.gains ? "takes_over" : "hands_over"}};
        if (row.gains) {
            one["left"] = row.left;
            one["done"] = row.done;
            one["from"] = row.partners;
        }
        one["blocker"] = nullptr;
        if (!row.blocker.empty()) {
            one["blocker"] = as_utf8(row.blocker);
        }
        list.push_back(std::move(one));
    }
    auto partitions = nlohmann::ordered_json::array();
    for (const MovingPartition& moving : survey.ring.moving) {
        partitions.push_back({{"partition", moving.partition},
                              {"from", moving.from},
                              {"waiting", moving.waiting},
                              {"complete", moving.complete}});
    }
    return {{"schema", "dyn.ring/1"},
            {"ring", survey.ring.number},
            {"transfers", std::move(list)},
            {"partitions", std::move(partitions)}};
}

}  // namespace dynamo::cli
