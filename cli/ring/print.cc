#include "cli/ring/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/common/output.h"

namespace dynamo::cli {
namespace {

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

std::string seen_text(const MemberReport& member) {
    if (member.status && !member.is_stranger()) {
        return "now";
    }
    return member.silent_ms < 0 ? "never" : age_text(member.silent_ms) + " ago";
}

Table status_table(const Survey& survey, bool plain_numbers) {
    Table table({{"NODE"},
                 {"ZONE"},
                 {"WEIGHT", true},
                 {"STATE"},
                 {"SHARE", true},
                 {"BYTES", true},
                 {"HINTS", true},
                 {"SEEN"},
                 {"ADDRESS"}});
    const auto add = [&](const MemberReport& member, const std::string& state) {
        const bool known = member.status.has_value();
        const std::uint64_t bytes = known ? member.status->stored_bytes : 0;
        table.add({member.node.name, or_dash(member.node.zone), std::to_string(member.node.weight),
                   state, fmt::format("{:.1f}%", member.share * 100),
                   !known ? "-" : (plain_numbers ? std::to_string(bytes) : bytes_text(bytes)),
                   known ? std::to_string(member.status->hints_held) : "-", seen_text(member),
                   member.node.client_address});
    };
    for (const MemberReport& member : survey.members) {
        add(member, member.state(survey.newest_ring));
    }
    for (const MemberReport& former : survey.leaving) {
        add(former, former.leaving_state());
    }
    return table;
}

std::string staged_text(const StagedChange& change) {
    std::string text = fmt::format("STAGED {}", change.kind);
    if (!change.node.name.empty()) {
        text += fmt::format(" {} {}", change.node.name, change.node.client_address);
    }
    if (change.kind == "add" || change.kind == "set") {
        text += change.node.zone.empty() ? "" : " zone " + change.node.zone;
        text += fmt::format(" weight {}", change.node.weight);
    }
    return text + (change.note.empty() ? "" : "  # " + printable(change.note)) + "\n";
}

nlohmann::ordered_json member_json(const MemberReport& member, std::uint64_t ring) {
    nlohmann::ordered_json object = node_json(member.node);
    object["state"] = member.state(ring);
    object["partitions"] = member.partitions;
    object["share"] = member.share;
    object["silent_ms"] = member.status ? 0 : member.silent_ms;
    if (member.status) {
        object["ring"] = member.status->ring;
        object["bytes"] = member.status->stored_bytes;
        object["free_bytes"] = member.status->free_bytes;
        object["hints"] = member.status->hints_held;
        object["uptime_ms"] = member.status->uptime_ms;
        object["durability"] = member.status->durability;
        object["rebuilding"] = member.rebuilding;
        object["writes_refused"] = member.status->writes_refused;
    } else {
        object["error"] = error_fields(member.status.error());
    }
    return object;
}

}  // namespace

nlohmann::ordered_json node_json(const NodeInfo& node) {
    return {{"id", node.id},
            {"name", as_utf8(node.name)},
            {"zone", as_utf8(node.zone)},
            {"weight", node.weight},
            {"client_address", node.client_address},
            {"peer_address", node.peer_address}};
}

nlohmann::ordered_json change_json(const StagedChange& change) {
    nlohmann::ordered_json object = {{"kind", change.kind}};
    object.update(node_json(change.node));
    object["wall_ms"] = change.wall_ms;
    object["note"] = as_utf8(change.note);
    return object;
}

std::string status_text(const Survey& survey) {
    const RingView& ring = survey.ring;
    std::string out = fmt::format("RING v{}  {}  {}  Q={} N={} R={} W={}{}\n", ring.number,
                                  printable(ring.cluster), ring.digest.substr(0, 8),
                                  ring.partitions, ring.copies, ring.read_quorum, ring.write_quorum,
                                  ring.last_write_wins ? "  last write wins" : "");
    out += status_table(survey, false).text();
    for (const StagedChange& change : ring.staged) {
        out += staged_text(change);
    }
    if (!ring.staged.empty()) {
        out += "next: dyn-ring plan\n";
    }
    const bool colour = colour_wanted();
    const std::string_view begin = !colour ? "" : survey.healthy() ? "\x1b[32m" : "\x1b[31m";
    return out + fmt::format("{}{}{}\n", begin, survey.verdict(), colour ? "\x1b[0m" : "");
}

std::string status_tsv(const Survey& survey) { return status_table(survey, true).tsv(); }

nlohmann::ordered_json status_json(const Survey& survey) {
    const RingView& ring = survey.ring;
    nlohmann::ordered_json object = {{"schema", "dyn.ring/1"},
                                     {"cluster", as_utf8(ring.cluster)},
                                     {"cluster_id", ring.cluster_id},
                                     {"ring", ring.number},
                                     {"digest", ring.digest},
                                     {"partitions", ring.partitions},
                                     {"copies", ring.copies},
                                     {"read_quorum", ring.read_quorum},
                                     {"write_quorum", ring.write_quorum},
                                     {"last_write_wins", ring.last_write_wins},
                                     {"healthy", survey.healthy()},
                                     {"reasons", survey.reasons}};
    auto nodes = nlohmann::ordered_json::array();
    for (const MemberReport& member : survey.members) {
        nodes.push_back(member_json(member, survey.newest_ring));
    }
    object["nodes"] = std::move(nodes);
    auto leaving = nlohmann::ordered_json::array();
    for (const MemberReport& former : survey.leaving) {
        nlohmann::ordered_json one = node_json(former.node);
        one["state"] = former.leaving_state();
        leaving.push_back(std::move(one));
    }
    object["leaving"] = std::move(leaving);
    object["moving"] = ring.moving.size();
    auto staged = nlohmann::ordered_json::array();
    for (const StagedChange& change : ring.staged) {
        staged.push_back(change_json(change));
    }
    object["staged"] = std::move(staged);
    return object;
}

std::uint64_t member_since(const RingView& ring, const std::string& id) {
    std::uint64_t since = 0;
    for (const RingEpoch& epoch : ring.history) {
        for (const StagedChange& change : epoch.changes) {
            since = change.kind == "add" && change.node.id == id ? epoch.number : since;
        }
    }
    return since;
}

Table history_table(const RingView& ring) {
    Table table({{"RING"},
                 {"DIGEST"},
                 {"COMMITTED"},
                 {"BY"},
                 {"NODES", true},
                 {"MOVES", true},
                 {"CHANGES"}});
    for (const RingEpoch& epoch : ring.history) {
        std::string changes;
        for (const StagedChange& change : epoch.changes) {
            changes += changes.empty() ? "" : ", ";
            changes += change.kind + " " + printable(change.node.name);
            changes += change.note.empty() ? "" : fmt::format(" ({})", printable(change.note));
        }
        table.add({fmt::format("v{}", epoch.number), epoch.digest.substr(0, 8),
                   time_text(epoch.wall_ms), printable(epoch.proposer),
                   std::to_string(epoch.members), std::to_string(epoch.moves), or_dash(changes)});
    }
    return table;
}

nlohmann::ordered_json history_json(const RingView& ring) {
    nlohmann::ordered_json object = {
        {"schema", "dyn.ring/1"}, {"cluster", as_utf8(ring.cluster)}, {"ring", ring.number}};
    auto list = nlohmann::ordered_json::array();
    for (const RingEpoch& epoch : ring.history) {
        nlohmann::ordered_json one = {{"ring", epoch.number},     {"digest", epoch.digest},
                                      {"wall_ms", epoch.wall_ms}, {"by", as_utf8(epoch.proposer)},
                                      {"members", epoch.members}, {"moves", epoch.moves}};
        auto changes = nlohmann::ordered_json::array();
        for (const StagedChange& change : epoch.changes) {
            changes.push_back(change_json(change));
        }
        one["changes"] = std::move(changes);
        list.push_back(std::move(one));
    }
    object["history"] = std::move(list);
    return object;
}

Place place_of(const RingView& ring, const std::string& key) {
    Place place{key, RingView::position_of(key), ring.partition_of(key), {}, {}};
    for (const unsigned owner : ring.owners.at(place.partition)) {
        place.nodes.push_back(ring.nodes.at(owner));
    }
    for (const unsigned fallback : ring.fallbacks(place.partition)) {
        place.fallbacks.push_back(ring.nodes.at(fallback));
    }
    return place;
}

nlohmann::ordered_json place_json(const Place& place) {
    nlohmann::ordered_json object = {{"schema", "dyn.ring/1"}};
    put_octets(object, "key", place.key);
    object["position"] = place.position;
    object["partition"] = place.partition;
    for (const auto& [name, nodes] :
         {std::pair{"nodes", &place.nodes}, std::pair{"fallbacks", &place.fallbacks}}) {
        auto list = nlohmann::ordered_json::array();
        for (const NodeInfo& node : *nodes) {
            list.push_back(node_json(node));
        }
        object[name] = std::move(list);
    }
    return object;
}

}  // namespace dynamo::cli
