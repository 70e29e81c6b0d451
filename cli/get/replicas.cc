#include "cli/get/replicas.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/ring/print.h"

namespace dynamo::cli {
namespace {

std::string state_of(const HeldCopy& copy, bool rebuilding) {
    Got got;
    got.versions = copy.versions;
    const std::size_t values = got.values().size();
    return copy.damaged            ? "damaged"
           : rebuilding            ? "rebuilding"
           : values > 1            ? "conflict"
           : values == 1           ? "value"
           : copy.versions.empty() ? "absent"
                                   : "deleted";
}

std::size_t octets_in(const HeldCopy& copy) {
    std::size_t octets = 0;
    for (const Version& version : copy.versions) {
        octets += version.value.size();
    }
    return octets;
}

void add_node(std::vector<Replica>& replicas, Admin& admin, const NodeInfo& node, bool owner,
              const std::string& key) {
    const auto held = admin.peek_at(node.client_address, key);
    if (!held) {
        replicas.push_back({node, owner, "down", {}, held.error()});
        return;
    }
    const auto own = std::ranges::find_if(
        held->copies, [](const HeldCopy& copy) { return copy.hint_for.empty(); });
    if (own == held->copies.end() && owner) {
        replicas.push_back({node, owner, state_of({}, held->rebuilding), {}, std::nullopt});
    }
    for (const HeldCopy& copy : held->copies) {
        const bool is_own = copy.hint_for.empty();
        replicas.push_back({node, owner && is_own, state_of(copy, is_own && held->rebuilding), copy,
                            std::nullopt});
    }
}

}  // namespace

std::vector<Replica> replicas_of(Admin& admin, const RingView& ring, const std::string& key) {
    std::vector<Replica> replicas;
    const unsigned partition = ring.partition_of(key);
    for (const unsigned owner : ring.owners.at(partition)) {
        add_node(replicas, admin, ring.nodes[owner], true, key);
    }
    for (const unsigned other : ring.fallbacks(partition)) {
        add_node(replicas, admin, ring.nodes[other], false, key);
    }
    return replicas;
}

Table replicas_table(const std::vector<Replica>& replicas) {
    Table table({{"NODE"},
                 {"ROLE"},
                 {"STATE"},
                 {"VERSIONS", true},
                 {"BYTES", true},
                 {"CLOCK", true},
                 {"DIGEST"}});
    for (const Replica& replica : replicas) {
        const HeldCopy& copy = replica.copy;
        const std::string role = replica.owner           ? "owner"
                                 : copy.hint_for.empty() ? "other"
                                                         : "for " + printable(copy.hint_for);
        table.add({printable(replica.node.name), role, replica.state,
                   std::to_string(copy.versions.size()), std::to_string(octets_in(copy)),
                   std::to_string(copy.clock_entries),
                   copy.digest.empty() ? "-" : copy.digest.substr(0, 8)});
    }
    return table;
}

nlohmann::ordered_json replicas_json(const std::string& key, const std::vector<Replica>& replicas) {
    nlohmann::ordered_json object = {{"schema", "dyn.get/1"}};
    put_octets(object, "key", key);
    auto list = nlohmann::ordered_json::array();
    for (const Replica& replica : replicas) {
        nlohmann::ordered_json one = {{"node", as_utf8(replica.node.name)},
                                      {"address", replica.node.client_address},
                                      {"owner", replica.owner},
                                      {"hint_for", as_utf8(replica.copy.hint_for)},
                                      {"state", replica.state},
                                      {"bytes", octets_in(replica.copy)},
                                      {"clock_entries", replica.copy.clock_entries},
                                      {"digest", replica.copy.digest}};
        auto versions = nlohmann::ordered_json::array();
        for (const Version& version : replica.copy.versions) {
            versions.push_back({{"node", as_utf8(version.node)},
                                {"birth", std::to_string(version.birth)},
                                {"counter", std::to_string(version.counter)},
                                {"wall_ms", version.wall_ms},
                                {"bytes", version.value.size()},
                                {"tombstone", version.tombstone}});
        }
        one["versions"] = std::move(versions);
        if (replica.error) {
            one["error"] = error_fields(*replica.error);
        }
        list.push_back(std::move(one));
    }
    object["replicas"] = std::move(list);
    return object;
}

}  // namespace dynamo::cli
