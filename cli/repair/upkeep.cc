#include "cli/repair/upkeep.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/common/interrupt.h"
#include "cli/common/pace.h"
#include "cli/diff/pairs.h"

namespace dynamo::cli {
namespace {

constexpr auto between_flushes = std::chrono::milliseconds(500);

std::string age_of(std::uint64_t milliseconds) {
    return age_text(static_cast<std::int64_t>(milliseconds));
}

std::uint64_t hints_of(const UpkeepStatus& status) {
    std::uint64_t sum = 0;
    for (const HeldHints& held : status.hints) {
        sum += held.hints;
    }
    return sum;
}

}  // namespace

Result<std::vector<NodeInfo>> nodes_chosen(const RingView& ring,
                                           const std::optional<std::string>& node) {
    if (!node) {
        return ring.nodes;
    }
    const auto named = member_named(ring, *node);
    if (!named) {
        return std::unexpected(named.error());
    }
    return std::vector<NodeInfo>{*named};
}

void declare_node(App& app, std::optional<std::string>& node, const std::string& help) {
    app.option({.letter = "",
                .name = "--node",
                .help = help,
                .value = "NODE",
                .complete = CommonOptions::live_nodes},
               node);
}

std::string name_of(const RingView& ring, const std::string& id) {
    const auto at = std::ranges::find(ring.nodes, id, &NodeInfo::id);
    return at == ring.nodes.end() ? id.substr(0, 8) : at->name;
}

void Upkeep::build(App& app) {
    App& status = app.verb("status", "how far nodes are with comparing and mending by themselves");
    declare_node(status, node_, "only this node");
    status.flag({.letter = "",
                 .name = "--partitions",
                 .help = "every partition and other owner, the longest not compared first"},
                partitions_);
    status.action([this] { return show_status(); });

    App& hints_verb = app.verb("hints", "the writes that nodes keep for others");
    hints_verb.operands(
        {.name = "list|flush",
         .help = "how many each node keeps for whom, and how old; or have them delivered now, and "
                 "wait until they are",
         .least = 1,
         .most = 1,
         .complete =
             [] {
                 return Candidates{{"list", "how many each node keeps for whom"},
                                   {"flush", "have them delivered now"}};
             }},
        what_);
    declare_node(hints_verb, node_, "only what this node keeps");
    hints_verb.option({.letter = "",
                       .name = "--wait",
                       .help = "how long flush waits for them; 60s when not given",
                       .value = "TIME"},
                      patience_);
    hints_verb.action([this] { return hints(); });
}

int Upkeep::hints() {
    const std::string& what = what_.front().text;
    if (what == "list") {
        return list_hints();
    }
    if (what == "flush") {
        return flush_hints();
    }
    return common_.reporter().usage(
        Error{Code::bad_request, fmt::format("hints has no '{}'; write list or flush", what)});
}

Result<bool> Upkeep::gather(Admin& admin, const RingView& ring, bool pairs,
                            std::vector<NodeReport>& reports) const {
    const auto nodes = nodes_chosen(ring, node_);
    if (!nodes) {
        return std::unexpected(nodes.error());
    }
    bool all = true;
    for (const NodeInfo& node : *nodes) {
        auto status = admin.upkeep_at(node.client_address, pairs);
        if (status) {
            reports.push_back({node, std::move(*status)});
        } else {
            static_cast<void>(common_.reporter().error(status.error(), node.name));
            all = false;
        }
    }
    return all;
}

// ---------------------------------------------------------------------------------------- status

int Upkeep::show_status() {
    auto with = common_.open_with_ring();
    if (!with) {
        return common_.reporter().error(with.error());
    }
    std::vector<NodeReport> reports;
    const auto all = gather(with->admin, with->ring, partitions_, reports);
    if (!all) {
        return common_.reporter().error(all.error());
    }
    return print_status(with->ring, reports, *all);
}

namespace {

Table nodes_table() {
    return Table({{"NODE"},
                  {"PAIRS", true},
                  {"NEVER", true},
                  {"LATE", true},
                  {"OLDEST", true},
                  {"TAKEN", true},
                  {"GIVEN", true},
                  {"REBUILDING", true},
                  {"DAMAGED", true},
                  {"MENDED", true},
                  {"HINTS", true},
                  {"PACE", true}});
}

std::vector<std::string> row_of(const std::string& name, const UpkeepStatus& status) {
    const auto text = [](std::uint64_t number) { return fmt::format("{}", number); };
    return {name,
            text(status.pairs_owed),
            text(status.never),
            text(status.late),
            status.pairs_owed == 0 ? "-" : age_of(status.oldest_ms),
            text(status.taken),
            text(status.given),
            text(status.rebuilding),
            text(status.damaged),
            text(status.mended),
            text(hints_of(status)),
            pace_text(status.pace)};
}

nlohmann::ordered_json json_of(const std::string& name, const UpkeepStatus& status) {
    return {{"node", name},
            {"bound_ms", status.pass_bound_ms},
            {"pairs", status.pairs_owed},
            {"never", status.never},
            {"late", status.late},
            {"oldest_ms", status.oldest_ms},
            {"passes", status.passes},
            {"taken", status.taken},
            {"given", status.given},
            {"rebuilding", status.rebuilding},
            {"damaged", status.damaged},
            {"mending", status.mending},
            {"mended", status.mended},
            {"hints", hints_of(status)},
            {"hints_delivered", status.hints_delivered},
            {"pace", pace_json(status.pace)}};
}

}  // namespace

/// Every comparison that the nodes owe, the one that was not made for longest first.
Upkeep::Listing Upkeep::pairs_of_all(const RingView& ring,
                                     const std::vector<NodeReport>& reports) const {
    struct Row {
        std::string node;
        PairAge pair;
    };
    std::vector<Row> pairs;
    for (const NodeReport& report : reports) {
        for (const PairAge& pair : report.status.pairs) {
            pairs.push_back({report.node.name, pair});
        }
    }
    std::ranges::stable_sort(pairs, std::ranges::greater{},
                             [](const Row& row) { return row.pair.age_ms; });
    Listing listing{
        Table({{"PARTITION", true}, {"NODE"}, {"WITH"}, {"COMPARED", true}, {"DIFFERENCES", true}}),
        nlohmann::ordered_json::array()};
    for (const Row& row : pairs) {
        const std::string with = name_of(ring, row.pair.node_id);
        listing.table.add({fmt::format("{}", row.pair.partition), row.node, with,
                           row.pair.compared ? age_of(row.pair.age_ms) : "never",
                           fmt::format("{}", row.pair.differences)});
        listing.json.push_back({{"partition", row.pair.partition},
                                {"node", row.node},
                                {"with", with},
                                {"compared", row.pair.compared},
                                {"age_ms", row.pair.age_ms},
                                {"differences", row.pair.differences}});
    }
    return listing;
}

int Upkeep::print_status(const RingView& ring, const std::vector<NodeReport>& reports,
                         bool all_answered) const {
    std::uint64_t late = 0;
    std::uint64_t rebuilding = 0;
    std::uint64_t bound_ms = 0;
    Listing nodes{nodes_table(), nlohmann::ordered_json::array()};
    for (const NodeReport& report : reports) {
        late += report.status.late;
        rebuilding += report.status.rebuilding;
        bound_ms = std::max(bound_ms, report.status.pass_bound_ms);
        nodes.table.add(row_of(report.node.name, report.status));
        nodes.json.push_back(json_of(report.node.name, report.status));
    }
    const bool healthy = late == 0 && rebuilding == 0;
    const Listing pairs = pairs_of_all(ring, reports);
    if (common_.json()) {
        nlohmann::ordered_json object = {{"schema", common_.reporter().schema()},
                                         {"healthy", healthy && all_answered},
                                         {"nodes", nodes.json}};
        if (partitions_) {
            object["pairs"] = pairs.json;
        }
        static_cast<void>(write_out(dumped(object) + "\n"));
    } else {
        const Table& shown = partitions_ ? pairs.table : nodes.table;
        static_cast<void>(write_out(common_.format() == Format::tsv ? shown.tsv() : shown.text()));
    }
    if (late > 0) {
        static_cast<void>(common_.reporter().no(
            fmt::format("{} comparisons are older than {}", late, age_of(bound_ms))));
    }
    if (rebuilding > 0) {
        static_cast<void>(common_.reporter().no(
            fmt::format("{} copies of partitions are being rebuilt", rebuilding)));
    }
    return !healthy ? exits::no : all_answered ? exits::done : exits::partial;
}

// ----------------------------------------------------------------------------------------- hints

int Upkeep::list_hints() {
    auto with = common_.open_with_ring();
    if (!with) {
        return common_.reporter().error(with.error());
    }
    std::vector<NodeReport> reports;
    auto all = gather(with->admin, with->ring, false, reports);
    if (!all) {
        return common_.reporter().error(all.error());
    }
    Table table(
        {{"NODE"}, {"FOR"}, {"HINTS", true}, {"BYTES", true}, {"DAMAGED", true}, {"OLDEST"}});
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const NodeReport& report : reports) {
        for (const HeldHints& held : report.status.hints) {
            ScrubPlace place{0, held.node_id, {}};
            ScrubSlice sum;
            while (!sum.ended) {
                const auto slice = with->admin.scrub_at(report.node.client_address, place);
                if (!slice) {
                    static_cast<void>(common_.reporter().error(slice.error(), report.node.name));
                    all = false;
                    break;
                }
                sum.octets += slice->octets;
                sum.damaged += slice->damaged;
                sum.ended = slice->ended;
                if (slice->oldest_ms > 0 &&
                    (sum.oldest_ms == 0 || slice->oldest_ms < sum.oldest_ms)) {
                    sum.oldest_ms = slice->oldest_ms;
                }
                static_cast<void>(sleep_until(std::chrono::steady_clock::now() +
                                              std::chrono::milliseconds(slice->rest_ms)));
            }
            const std::string owner = name_of(with->ring, held.node_id);
            table.add({report.node.name, owner, fmt::format("{}", held.hints),
                       bytes_text(sum.octets), fmt::format("{}", sum.damaged),
                       sum.oldest_ms > 0 ? time_text(sum.oldest_ms) : "-"});
            rows.push_back({{"node", report.node.name},
                            {"for", owner},
                            {"hints", held.hints},
                            {"octets", sum.octets},
                            {"damaged", sum.damaged},
                            {"oldest_ms", sum.oldest_ms}});
        }
    }
    static_cast<void>(write_out(
        common_.json() ? dumped({{"schema", common_.reporter().schema()}, {"hints", rows}}) + "\n"
        : common_.format() == Format::tsv ? table.tsv()
                                          : table.text()));
    return *all ? exits::done : exits::partial;
}

std::optional<std::uint64_t> Upkeep::flush(Admin& admin, const std::vector<NodeInfo>& nodes) const {
    std::uint64_t held = 0;
    for (const NodeInfo& node : nodes) {
        const auto hints = admin.flush_hints_at(node.client_address);
        if (!hints) {
            static_cast<void>(common_.reporter().error(hints.error(), node.name));
            return std::nullopt;
        }
        held += *hints;
    }
    return held;
}

int Upkeep::flush_hints() {
    using std::chrono::steady_clock;
    auto with = common_.open_with_ring();
    if (!with) {
        return common_.reporter().error(with.error());
    }
    const auto nodes = nodes_chosen(with->ring, node_);
    if (!nodes) {
        return common_.reporter().error(nodes.error());
    }
    catch_interrupt();
    const auto end = steady_clock::now() + patience_;
    auto held = flush(with->admin, *nodes);
    const std::uint64_t first = held.value_or(0);
    while (held && *held > 0 && steady_clock::now() < end &&
           sleep_until(std::min(end, steady_clock::now() + between_flushes))) {
        held = flush(with->admin, *nodes);
    }
    if (!held) {
        return exits::partial;
    }
    if (common_.json()) {
        static_cast<void>(write_out(dumped({{"schema", common_.reporter().schema()},
                                            {"hints_before", first},
                                            {"hints", *held}}) +
                                    "\n"));
    }
    if (*held > 0) {
        return common_.reporter().no(
            fmt::format("{} hints are held still; dyn-repair hints list tells for whom", *held));
    }
    common_.reporter().remark("no hints are held");
    return exits::done;
}

}  // namespace dynamo::cli
