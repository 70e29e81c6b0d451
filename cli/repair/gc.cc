#include "cli/repair/gc.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "cli/common/interrupt.h"
#include "cli/repair/upkeep.h"

namespace dynamo::cli {
namespace {

constexpr auto between_looks = std::chrono::milliseconds(500);

/// What a reason is in words, {0} being the member and {1} the number: of the node itself, and of a
/// member.
struct Words {
    std::string_view reason;
    std::string_view own;
    std::string_view of_member;
};
constexpr std::array<Words, 12> words = {{
    {"starting", "starts, and has not heard of all members yet", "{0} starts"},
    {"out_of_date", "was put back as it was, and asks the others", ""},
    {"rebuilding", "rebuilds partitions ({1})", ""},
    {"uncounted", "cannot count its hints", ""},
    {"strays", "holds records of partitions that it does not own ({1})", ""},
    {"damaged", "cannot read records ({1})", ""},
    {"hints", "", "keeps hints for {0} ({1})"},
    {"silent", "", "{0} has been silent for {1}"},
    {"other_ring", "", "{0} has another ring"},
    {"behind", "", "{0} stays at fence {1}"},
    {"refuses", "", "{0} is not ready to compare"},
    {"differs", "", "{0} holds records otherwise, or changed them lately ({1})"},
}};

std::string text_of(const RingView& ring, const PurgeWait& wait) {
    const auto* const at = std::ranges::find(words, wait.reason, &Words::reason);
    const std::string node = wait.node_id.empty() ? "" : name_of(ring, wait.node_id);
    const std::string number = wait.reason == "silent"
                                   ? age_text(static_cast<std::int64_t>(wait.number))
                                   : fmt::format("{}", wait.number);
    const std::string_view said = at == words.end()      ? ""
                                  : wait.node_id.empty() ? at->own
                                                         : at->of_member;
    // A newer daemon may have a reason that this tool does not know.
    if (said.empty()) {
        return fmt::format("{}{}{} {}", wait.reason, node.empty() ? "" : " ", node, wait.number);
    }
    return fmt::format(fmt::runtime(said), node, number);
}

std::string reasons_of(const RingView& ring, const PurgeStatus& status) {
    std::string text;
    for (const PurgeWait& wait : status.waits) {
        text += (text.empty() ? "" : "; ") + text_of(ring, wait);
    }
    if (!text.empty()) {
        return text;
    }
    return status.records == 0
               ? "-"
               : "the next step, in " + age_text(static_cast<std::int64_t>(status.next_ms));
}

nlohmann::ordered_json json_of(const RingView& ring, const std::string& node,
                               const std::optional<PurgeStatus>& status, std::uint64_t reduced) {
    nlohmann::ordered_json row = {{"node", node}, {"answers", status.has_value()}};
    if (!status) {
        return row;
    }
    row["fence"] = status->fence;
    row["needed"] = status->needed;
    row["kept"] = status->records;
    row["due"] = status->due;
    row["reduced"] = reduced;
    row["next_ms"] = status->next_ms;
    auto& waits = row["waits"] = nlohmann::ordered_json::array();
    for (const PurgeWait& wait : status->waits) {
        nlohmann::ordered_json one = {{"reason", wait.reason}};
        if (!wait.node_id.empty()) {
            one["node"] = name_of(ring, wait.node_id);
        }
        one["number"] = wait.number;
        waits.push_back(std::move(one));
    }
    return row;
}

}  // namespace

void Gc::build(App& app) {
    App& verb = app.verb("gc", "forget what was deleted, where all have heard of it");
    declare_node(verb, node_, "only what this node keeps");
    verb.flag({.letter = "",
               .name = "--dry-run",
               .help = "say what is kept, and why, and change nothing"},
              dry_run_);
    verb.option({.letter = "",
                 .name = "--wait",
                 .help = "how long to wait until it has gone; 60s when not given",
                 .value = "TIME"},
                patience_)
        .excludes = {"--dry-run"};
    verb.action([this] { return run(); });
}

bool Gc::is_chosen(const NodeInfo& node) const {
    return !node_ || node.name == *node_ || node.client_address == *node_;
}

/// A record goes from all its owners at once, and one of them leads: so the others are asked, too,
/// when something is to go from one.
Result<std::vector<NodeInfo>> Gc::nodes_asked(const RingView& ring) const {
    auto chosen = nodes_chosen(ring, node_);
    return chosen && !dry_run_ ? ring.nodes : chosen;
}

std::vector<Gc::Kept> Gc::ask(Admin& admin, const std::vector<NodeInfo>& nodes, bool now,
                              std::uint64_t number) const {
    std::vector<Kept> all;
    for (const NodeInfo& node : nodes) {
        auto status = admin.purge_at(node.client_address, now, number);
        Kept& kept = all.emplace_back(node, std::nullopt, 0);
        if (status) {
            kept.reduced_before = status->reduced;
            kept.status = std::move(*status);
        } else {
            static_cast<void>(common_.reporter().error(status.error(), node.name));
        }
    }
    return all;
}

std::uint64_t Gc::sum(const std::vector<Kept>& kept, std::uint64_t PurgeStatus::* count) const {
    std::uint64_t sum = 0;
    for (const Kept& one : kept) {
        sum += one.status && is_chosen(one.node) ? (*one.status).*count : 0;
    }
    return sum;
}

std::uint64_t Gc::wait(Admin& admin, std::vector<Kept>& kept) const {
    using std::chrono::steady_clock;
    const auto end = steady_clock::now() + patience_;
    std::vector<NodeInfo> nodes;
    std::uint64_t number = 0;
    for (const Kept& one : kept) {
        nodes.push_back(one.node);
        number = std::max(number, one.status ? one.status->needed : 0);
    }
    const auto look = [&](bool now, std::uint64_t at_number) {
        auto next = ask(admin, nodes, now, at_number);
        for (std::size_t at = 0; at < next.size(); ++at) {
            next[at].reduced_before = kept[at].reduced_before;
        }
        kept = std::move(next);
    };
    const auto all_answer = [&] {
        return std::ranges::all_of(kept, [](const Kept& one) { return one.status.has_value(); });
    };
    std::uint64_t left = sum(kept, &PurgeStatus::records);
    while (left > 0 && all_answer() && steady_clock::now() < end && !interrupted()) {
        look(true, number);
        // What is deleted meanwhile is not waited for: else there were no end to it.
        left = sum(kept, &PurgeStatus::due);
        if (left == 0) {
            look(false, 0);
        } else {
            static_cast<void>(sleep_until(std::min(end, steady_clock::now() + between_looks)));
        }
    }
    return left;
}

void Gc::print(const RingView& ring, const std::vector<Kept>& kept) const {
    Table table({{"NODE"},
                 {"FENCE", true},
                 {"NEEDED", true},
                 {"KEPT", true},
                 {"DUE", true},
                 {"REDUCED", true},
                 {"WAITS FOR"}});
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const auto& [node, status, before] : kept) {
        if (!is_chosen(node)) {
            continue;
        }
        // Of a daemon that was started again meanwhile the count is another one.
        const std::uint64_t reduced =
            !status ? 0 : status->reduced - (before <= status->reduced ? before : 0);
        rows.push_back(json_of(ring, node.name, status, reduced));
        if (!status) {
            table.add({node.name, "-", "-", "-", "-", "-", "it does not answer"});
            continue;
        }
        const auto text = [](std::uint64_t number) { return fmt::format("{}", number); };
        table.add({node.name, text(status->fence),
                   status->records == 0 ? "-" : text(status->needed), text(status->records),
                   text(status->due), text(reduced), reasons_of(ring, *status)});
    }
    static_cast<void>(write_out(
        common_.json()
            ? dumped({{"schema", common_.reporter().schema()}, {"nodes", std::move(rows)}}) + "\n"
        : common_.format() == Format::tsv ? table.tsv()
                                          : table.text()));
}

int Gc::finish(const std::vector<Kept>& kept, std::uint64_t left) const {
    if (left > 0) {
        return common_.reporter().no(fmt::format("{} records are kept", left));
    }
    if (interrupted() || std::ranges::any_of(kept, [](const Kept& one) { return !one.status; })) {
        return exits::partial;
    }
    const std::uint64_t younger = sum(kept, &PurgeStatus::records);
    common_.reporter().remark(younger == 0 ? "nothing is kept"
                                           : fmt::format("{} younger records are kept", younger));
    return exits::done;
}

int Gc::run() {
    auto with = common_.open_with_ring();
    if (!with) {
        return common_.reporter().error(with.error());
    }
    const auto nodes = nodes_asked(with->ring);
    if (!nodes) {
        return common_.reporter().error(nodes.error());
    }
    catch_interrupt();
    auto kept = ask(with->admin, *nodes, false, 0);
    const std::uint64_t left =
        dry_run_ ? sum(kept, &PurgeStatus::records) : wait(with->admin, kept);
    print(with->ring, kept);
    return finish(kept, left);
}

}  // namespace dynamo::cli
