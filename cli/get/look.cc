#include "cli/get/look.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/get/replicas.h"
#include "cli/ring/print.h"

namespace dynamo::cli {
namespace {

int print(const std::string& text) { return write_out(text) ? exits::done : exits::server; }

}  // namespace

int print_replicas(const CommonOptions& common, const std::vector<std::string>& keys) {
    const Reporter reporter = common.reporter();
    auto with = common.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    const RingView& ring = with->ring;
    bool silent = false;
    bool absent = false;
    for (const std::string& key : keys) {
        const auto replicas = replicas_of(with->admin, ring, key);
        const Table table = replicas_table(replicas);
        const int printed = print(common.json() ? dumped(replicas_json(key, replicas)) + "\n"
                                  : common.format() == Format::tsv ? table.tsv()
                                                                   : table.text());
        if (printed != exits::done) {
            return printed;
        }
        absent = absent || std::ranges::none_of(replicas, [](const Replica& replica) {
                     return replica.state == "value" || replica.state == "conflict";
                 });
        for (const Replica& replica : replicas) {
            if (replica.error) {
                silent = true;
                reporter.error(*replica.error, replica.node.name);
            }
        }
    }
    return silent ? exits::partial : absent ? exits::no : exits::done;
}

int print_places(const CommonOptions& common, const std::vector<std::string>& keys) {
    const Reporter reporter = common.reporter();
    auto with = common.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    const RingView& ring = with->ring;
    Table table(
        {{"KEY"}, {"POSITION"}, {"PARTITION", true}, {"COORDINATOR"}, {"NODES"}, {"FALLBACKS"}});
    const auto names = [](const std::vector<NodeInfo>& nodes) {
        std::string list;
        for (const NodeInfo& node : nodes) {
            list += (list.empty() ? "" : ",") + printable(node.name);
        }
        return list.empty() ? "-" : list;
    };
    std::string json;
    for (const std::string& key : keys) {
        const Place place = place_of(ring, key);
        // The first of them that answers; any of the others may as well.
        std::vector<NodeInfo> all = place.nodes;
        all.insert(all.end(), place.fallbacks.begin(), place.fallbacks.end());
        const auto coordinator = std::ranges::find_if(all, [&](const NodeInfo& node) {
            const auto hello = with->admin.hello_at(node.client_address);
            return hello && hello->node.id == node.id;
        });
        const std::string name = coordinator == all.end() ? "-" : coordinator->name;
        nlohmann::ordered_json object = place_json(place);
        object["schema"] = reporter.schema();
        object["coordinator"] = as_utf8(name);
        json += dumped(object) + "\n";
        table.add({printable(common.key_text(key)), place.position, std::to_string(place.partition),
                   printable(name), names(place.nodes), names(place.fallbacks)});
    }
    return print(common.json()                    ? json
                 : common.format() == Format::tsv ? table.tsv()
                                                  : table.text());
}

}  // namespace dynamo::cli
