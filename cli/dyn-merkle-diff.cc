// dyn-merkle-diff: names the keys that replicas hold differently, by their Merkle trees.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "cli/common/interrupt.h"
#include "cli/common/options.h"
#include "cli/common/spec.h"
#include "cli/diff/pairs.h"
#include "dynamo/diff.h"

namespace dynamo::cli {
namespace {

using Kind = KeyDifference::Kind;
constexpr std::string_view signs = "<>+-!T";
constexpr std::array<std::string_view, 6> kind_names = {
    "only_first", "only_second", "first_newer", "second_newer", "concurrent", "tombstone"};

/// What two nodes differ in, before it is looked at again.
struct Found {
    Pair pair;
    Comparison comparison;
    std::vector<Suspect> suspects;
};

class MerkleDiff {
  public:
    Spec spec();

  private:
    void build(App& app);
    void build_output(App& app);
    int run();
    [[nodiscard]] Result<std::vector<Pair>> pairs(const RingView& ring) const;
    [[nodiscard]] Result<void> gather(Admin& admin, const std::vector<Pair>& pairs);
    [[nodiscard]] Result<void> settle_and_print();
    [[nodiscard]] Result<void> look_at(Found& found);
    [[nodiscard]] std::string line_of(const Pair& pair, const KeyDifference& difference) const;
    [[nodiscard]] std::string json_of(const Pair& pair, const KeyDifference& difference) const;
    [[nodiscard]] std::string values_of(const std::string& node, const HeldCopy& copy) const;
    [[nodiscard]] std::string text_of(const Pair& pair, Kind kind) const;
    void print_summary() const;
    void remark_cost() const;

    CommonOptions common_{"dyn-merkle-diff"};
    std::vector<Operand> nodes_;
    bool all_replicas_ = false;
    std::optional<unsigned> partition_;
    std::string prefix_;
    bool summary_ = false;
    bool keys_ = false;
    bool values_ = false;
    std::chrono::milliseconds settle_{500};
    bool verify_tree_ = false;

    std::vector<Found> found_;
    std::uint64_t compared_ = 0;  // pairs of copies
    std::uint64_t leaves_ = 0;
    std::uint64_t leaves_different_ = 0;
    std::uint64_t octets_ = 0;
    std::uint64_t in_flight_ = 0;
    std::set<std::string> keys_found_;
    std::map<unsigned, std::array<std::uint64_t, 6>> by_partition_;
};

Spec MerkleDiff::spec() {
    return {
        .name = "dyn-merkle-diff",
        .brief = "name the keys that replicas hold differently",
        .about =
            "Two nodes compare their Merkle trees of every partition that both own, and list only "
            "what lies under leaves that differ: the cost is that of the differences. A line "
            "begins with < or > for a key that only the first or the second holds, with + or - "
            "when the first or the second is newer, with ! when each has a write that the other "
            "lacks, and with T when they differ in deletes only.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-merkle-diff n1 n3", "Say what two nodes hold differently."},
                     {"dyn-merkle-diff n1 --all-replicas --keys -0 | "
                      "dyn-repair run --keys-from - -0",
                      "Mend all that a node and its fellow owners differ in."},
                     {"dyn-merkle-diff n1 n3 --partition 57 --values",
                      "Show the values of one partition that differ."},
                     {"dyn-merkle-diff n1 n2 --verify-tree --summary",
                      "Build both nodes' trees again, then count."}},
        .exits = with_failures({{exits::done, "they hold the same"},
                                {exits::no, "they differ"},
                                {exits::partial, "interrupted"}}),
    };
}

void MerkleDiff::build(App& app) {
    app.operands({.name = "NODE...",
                  .help = "two nodes, or one with --all-replicas: names, or HOST:PORT",
                  .least = 1,
                  .most = 2,
                  .complete = CommonOptions::live_nodes},
                 nodes_);
    app.flag({.letter = "",
              .name = "--all-replicas",
              .help = "compare the node with every other owner of its partitions"},
             all_replicas_);
    app.option({.letter = "", .name = "--partition", .help = "only this one", .value = "N"},
               partition_);
    app.option({.letter = "",
                .name = "--prefix",
                .help = "only keys that begin so, in the given encoding",
                .value = "P"},
               prefix_);
    app.option({.letter = "",
                .name = "--settle",
                .help = "look again so much later, and leave out what was written meanwhile; "
                        "500ms when not given",
                .value = "TIME"},
               settle_);
    app.flag({.letter = "",
              .name = "--verify-tree",
              .help = "have both nodes build their trees from their records first"},
             verify_tree_);
    build_output(app);
    app.action([this] { return run(); });
}

void MerkleDiff::build_output(App& app) {
    app.flag({.letter = "",
              .name = "--summary",
              .help = "print how many keys of each partition differ, and no keys"},
             summary_)
        .excludes = {"--keys", "--values"};
    app.flag({.letter = "", .name = "--keys", .help = "print the keys only, each once"}, keys_)
        .excludes = {"--summary", "--values"};
    app.flag({.letter = "", .name = "--values", .help = "print what both hold as well"}, values_)
        .excludes = {"--summary", "--keys"};
    common_.declare(app,
                    {.formats = {"human", "json", "ndjson", "tsv"}, .keys = true, .lists = true});
}

Result<std::vector<Pair>> MerkleDiff::pairs(const RingView& ring) const {
    const auto first = member_named(ring, nodes_[0].text);
    if (!first) {
        return std::unexpected(first.error());
    }
    if (all_replicas_) {
        return pairs_of(ring, *first, partition_);
    }
    const auto second = member_named(ring, nodes_[1].text);
    if (!second) {
        return std::unexpected(second.error());
    }
    return pairs_of(ring, *first, *second, partition_);
}

Result<void> MerkleDiff::gather(Admin& admin, const std::vector<Pair>& pairs) {
    CompareOptions options;
    options.anew = verify_tree_;
    if (!prefix_.empty()) {
        auto prefix = common_.key_from_text(prefix_);
        if (!prefix) {
            return std::unexpected(prefix.error());
        }
        options.prefix = std::move(*prefix);
    }
    for (const Pair& pair : pairs) {
        compared_ += pair.partitions.size();
        Found found{pair, {admin, pair.first.client_address, pair.second.client_address}, {}};
        const auto different = found.comparison.different(pair.partitions, options);
        if (!different) {
            return std::unexpected(different.error());
        }
        for (const unsigned partition : *different) {
            if (interrupted()) {
                return {};
            }
            auto suspects = found.comparison.partition(partition, options);
            if (!suspects) {
                return std::unexpected(suspects.error());
            }
            std::ranges::move(*suspects, std::back_inserter(found.suspects));
        }
        const auto cost = found.comparison.cost();
        leaves_ += cost.leaves;
        leaves_different_ += cost.leaves_different;
        octets_ += cost.octets;
        if (!found.suspects.empty()) {
            found_.push_back(std::move(found));
        }
    }
    return {};
}

Result<void> MerkleDiff::settle_and_print() {
    if (found_.empty()) {
        return {};
    }
    static_cast<void>(sleep_until(std::chrono::steady_clock::now() + settle_));
    for (Found& found : found_) {
        const auto before = found.comparison.cost().octets;
        if (const auto looked = look_at(found); !looked) {
            return looked;
        }
        octets_ += found.comparison.cost().octets - before;
    }
    return {};
}

Result<void> MerkleDiff::look_at(Found& found) {
    for (const Suspect& suspect : found.suspects) {
        if (interrupted()) {
            return {};
        }
        const auto difference =
            found.comparison.look(suspect, settle_ > std::chrono::milliseconds(0));
        if (!difference) {
            return std::unexpected(difference.error());
        }
        if (!*difference) {
            ++in_flight_;
            continue;
        }
        ++by_partition_[suspect.partition][static_cast<std::size_t>((*difference)->kind)];
        const bool is_new = keys_found_.insert(suspect.key).second;
        std::string out;
        if (keys_) {
            out = is_new ? common_.key_text(suspect.key) + common_.separator() : "";
        } else if (!summary_) {
            out = common_.json() ? json_of(found.pair, **difference)
                                 : line_of(found.pair, **difference);
        }
        if (!out.empty() && !write_out(out)) {
            return std::unexpected(Error{Code::internal, "nobody reads the output any more"});
        }
    }
    return {};
}

std::string MerkleDiff::text_of(const Pair& pair, Kind kind) const {
    const std::string& first = pair.first.name;
    const std::string& second = pair.second.name;
    std::string text;
    switch (kind) {
        case Kind::only_first:
            text = fmt::format("only {}", first);
            break;
        case Kind::only_second:
            text = fmt::format("only {}", second);
            break;
        case Kind::first_newer:
            text = fmt::format("{} newer", first);
            break;
        case Kind::second_newer:
            text = fmt::format("{} newer", second);
            break;
        case Kind::concurrent:
            text = "concurrent";
            break;
        case Kind::tombstone:
            text = "deletes differ";
            break;
    }
    return all_replicas_ ? fmt::format("{}, against {}", text, second) : text;
}

std::string MerkleDiff::values_of(const std::string& node, const HeldCopy& copy) const {
    if (copy.damaged) {
        return fmt::format("    {}: damaged\n", node);
    }
    if (copy.versions.empty()) {
        return fmt::format("    {}: nothing\n", node);
    }
    std::string text;
    for (const Version& version : copy.versions) {
        text += fmt::format(
            "    {}: {}  {}:{}  {}\n", node,
            version.tombstone ? "deleted" : "'" + shortened(printable(version.value)) + "'",
            version.node, version.counter, time_text(version.wall_ms));
    }
    return text;
}

std::string MerkleDiff::line_of(const Pair& pair, const KeyDifference& difference) const {
    const char sign = signs[static_cast<std::size_t>(difference.kind)];
    const std::string key = common_.key_text(difference.key);
    if (common_.format() == Format::tsv) {
        return fmt::format("{}\t{}\t{}\t{}\t{}{}", sign, key, pair.first.name, pair.second.name,
                           difference.partition, common_.separator());
    }
    std::string text = fmt::format("{} {}  {}{}", sign, padded(key, 12),
                                   text_of(pair, difference.kind), common_.separator());
    if (values_) {
        text += values_of(pair.first.name, difference.first) +
                values_of(pair.second.name, difference.second);
    }
    return text;
}

std::string MerkleDiff::json_of(const Pair& pair, const KeyDifference& difference) const {
    nlohmann::ordered_json object;
    put_octets(object, "key", difference.key);
    object["partition"] = difference.partition;
    object["kind"] = kind_names[static_cast<std::size_t>(difference.kind)];
    object["first"] = pair.first.name;
    object["second"] = pair.second.name;
    if (values_) {
        for (const auto& [name, copy] : {std::pair{"held_by_first", &difference.first},
                                         {"held_by_second", &difference.second}}) {
            auto& versions = object[name] = nlohmann::ordered_json::array();
            for (const Version& version : copy->versions) {
                nlohmann::ordered_json one;
                if (version.tombstone) {
                    one["value"] = nullptr;
                } else {
                    put_octets(one, "value", version.value);
                }
                one["tombstone"] = version.tombstone;
                one["dot"] = fmt::format("{}:{}", version.node, version.counter);
                versions.push_back(std::move(one));
            }
        }
    }
    return dumped(object) + "\n";
}

void MerkleDiff::print_summary() const {
    Table table({{"PARTITION", true},
                 {"KEYS", true},
                 {"<", true},
                 {">", true},
                 {"+", true},
                 {"-", true},
                 {"!", true},
                 {"T", true}});
    std::string lines;
    for (const auto& [partition, counts] : by_partition_) {
        std::uint64_t keys = 0;
        nlohmann::ordered_json object = {{"partition", partition}};
        std::vector<std::string> row = {std::to_string(partition), ""};
        for (std::size_t kind = 0; kind < counts.size(); ++kind) {
            keys += counts[kind];
            row.push_back(std::to_string(counts[kind]));
            object[std::string(kind_names[kind])] = counts[kind];
        }
        row[1] = std::to_string(keys);
        table.add(std::move(row));
        lines += dumped(object) + "\n";
    }
    if (!by_partition_.empty()) {
        static_cast<void>(write_out(common_.json()                    ? lines
                                    : common_.format() == Format::tsv ? table.tsv()
                                                                      : table.text()));
    }
}

void MerkleDiff::remark_cost() const {
    if (common_.json()) {
        const nlohmann::ordered_json object = {{"schema", common_.reporter().schema()},
                                               {"keys", keys_found_.size()},
                                               {"copies", compared_},
                                               {"leaves_different", leaves_different_},
                                               {"leaves", leaves_},
                                               {"octets_exchanged", octets_},
                                               {"in_flight_ignored", in_flight_}};
        static_cast<void>(write_out(dumped(object) + "\n"));
        return;
    }
    common_.reporter().remark(
        fmt::format("{} {}, {}/{} leaves of {} copies, {} exchanged, {} in flight ignored",
                    keys_found_.size(), keys_found_.size() == 1 ? "key differs" : "keys differ",
                    leaves_different_, leaves_, compared_, bytes_text(octets_), in_flight_));
}

int MerkleDiff::run() {
    const Reporter reporter = common_.reporter();
    if (all_replicas_ != (nodes_.size() == 1)) {
        return reporter.usage(
            Error{Code::bad_request, all_replicas_ ? "--all-replicas takes one node"
                                                   : "name a second node, or --all-replicas"});
    }
    auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    const auto wanted = pairs(with->ring);
    if (!wanted) {
        return reporter.error(wanted.error());
    }
    catch_interrupt();
    if (const auto gathered = gather(with->admin, *wanted); !gathered) {
        return reporter.error(gathered.error());
    }
    if (const auto printed = settle_and_print(); !printed) {
        return reporter.error(printed.error());
    }
    if (summary_) {
        print_summary();
    }
    if (interrupted()) {
        return exits::partial;
    }
    if (!keys_ || !common_.json()) {
        remark_cost();
    }
    return keys_found_.empty() ? exits::done : exits::no;
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::MerkleDiff tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
