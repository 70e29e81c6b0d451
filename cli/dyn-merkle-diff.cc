// dyn-merkle-diff: names the keys that replicas hold differently, by their Merkle trees.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "cli/common/interrupt.h"
#include "cli/common/options.h"
#include "cli/common/spec.h"
#include "cli/diff/file_sides.h"
#include "cli/diff/pairs.h"
#include "cli/diff/report.h"
#include "dynamo/diff.h"

namespace dynamo::cli {
namespace {

/// Looked at again in one round: at most so many values of both nodes are held in memory.
constexpr std::size_t suspects_at_once = 32;

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
    [[nodiscard]] FileSides file_sides();
    [[nodiscard]] Result<std::string> prefix() const;
    [[nodiscard]] Result<std::vector<Pair>> pairs(const RingView& ring) const;
    [[nodiscard]] Result<void> gather(Admin& admin, const std::vector<Pair>& pairs);
    [[nodiscard]] Result<void> settle_and_print();
    [[nodiscard]] Result<void> look_at(Found& found);
    void remark_cost() const;

    CommonOptions common_{"dyn-merkle-diff"};
    std::vector<Operand> nodes_;
    bool all_replicas_ = false;
    std::optional<unsigned> partition_;
    std::string prefix_;
    std::chrono::milliseconds settle_{500};
    bool verify_tree_ = false;
    std::string save_;

    DiffReport::Style style_;
    DiffReport report_{common_};
    std::vector<Found> found_;
    std::uint64_t compared_ = 0;  // pairs of copies
    std::uint64_t leaves_ = 0;
    std::uint64_t leaves_different_ = 0;
    std::uint64_t octets_ = 0;
    std::uint64_t in_flight_ = 0;
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
            "lacks, and with T when they differ in deletes only. A dump of dyn-dump may stand for "
            "one side: it is compared with a node, or with the cluster. So may the trees that a "
            "node had some time ago, saved with --save, which take little room: a ? is then before "
            "each key that lies where something has changed since.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-merkle-diff n1 n3", "Say what two nodes hold differently."},
                     {"dyn-merkle-diff n1 --all-replicas --keys -0 | "
                      "dyn-repair run --keys-from - -0",
                      "Mend all that a node and its fellow owners differ in."},
                     {"dyn-merkle-diff n1 n3 --partition 57 --values",
                      "Show the values of one partition that differ."},
                     {"dyn-merkle-diff @monday.dump", "Say what has changed since a backup."},
                     {"dyn-merkle-diff n1 --save n1.tree", "Note what a node holds now."},
                     {"dyn-merkle-diff @n1.tree --keys",
                      "Later: name the keys that may have changed since."},
                     {"dyn-merkle-diff n1 n2 --verify-tree --summary",
                      "Build both nodes' trees again, then count."}},
        .exits = with_failures({{exits::done, "they hold the same"},
                                {exits::no, "they differ"},
                                {exits::partial, "interrupted"}}),
    };
}

void MerkleDiff::build(App& app) {
    app.operands({.name = "SIDE...",
                  .help = "nodes: names, or HOST:PORT; or one dump or saved tree, @FILE or -, by "
                          "itself or with a node",
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
    app.option({.letter = "",
                .name = "--save",
                .help = "compare nothing, and write the trees of one node to this file",
                .value = "FILE"},
               save_)
        .excludes = {"--all-replicas", "--prefix", "--settle", "--summary", "--keys", "--values"};
    build_output(app);
    app.action([this] { return run(); });
}

void MerkleDiff::build_output(App& app) {
    app.flag({.letter = "",
              .name = "--summary",
              .help = "print how many keys of each partition differ, and no keys"},
             style_.summary)
        .excludes = {"--keys", "--values"};
    app.flag({.letter = "", .name = "--keys", .help = "print the keys only, each once"},
             style_.keys)
        .excludes = {"--summary", "--values"};
    app.flag({.letter = "", .name = "--values", .help = "print what both hold as well"},
             style_.values)
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

Result<std::string> MerkleDiff::prefix() const {
    return prefix_.empty() ? Result<std::string>() : common_.key_from_text(prefix_);
}

Result<void> MerkleDiff::gather(Admin& admin, const std::vector<Pair>& pairs) {
    CompareOptions options;
    options.anew = verify_tree_;
    auto keys_begin = prefix();
    if (!keys_begin) {
        return std::unexpected(keys_begin.error());
    }
    options.prefix = std::move(*keys_begin);
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
    std::span<const Suspect> left = found.suspects;
    while (!left.empty() && !interrupted()) {
        const auto some = left.first(std::min(left.size(), suspects_at_once));
        left = left.subspan(some.size());
        const auto looked = found.comparison.look(some, settle_ > std::chrono::milliseconds(0));
        if (!looked) {
            return std::unexpected(looked.error());
        }
        for (const auto& difference : *looked) {
            if (!difference) {
                ++in_flight_;
                continue;
            }
            if (const auto told =
                    report_.tell(found.pair.first.name, found.pair.second.name, *difference);
                !told) {
                return told;
            }
        }
    }
    return {};
}

void MerkleDiff::remark_cost() const {
    if (common_.json()) {
        const nlohmann::ordered_json object = {{"schema", common_.reporter().schema()},
                                               {"keys", report_.keys()},
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
                    report_.keys(), report_.keys() == 1 ? "key differs" : "keys differ",
                    leaves_different_, leaves_, compared_, bytes_text(octets_), in_flight_));
}

FileSides MerkleDiff::file_sides() {
    std::vector<std::string> sides;
    std::ranges::transform(nodes_, std::back_inserter(sides), &Operand::text);
    return {common_,
            report_,
            {.sides = std::move(sides),
             .partition = partition_,
             .prefix = prefix_,
             .anew = verify_tree_,
             .style = style_}};
}

int MerkleDiff::run() {
    const Reporter reporter = common_.reporter();
    if (!save_.empty()) {
        return file_sides().save(save_);
    }
    if (std::ranges::any_of(nodes_, is_file, &Operand::text)) {
        if (all_replicas_) {
            return reporter.usage(
                Error{Code::bad_request, "a dump or a saved tree has no replicas"});
        }
        return file_sides().compare();
    }
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
    style_.name_second = all_replicas_;
    report_.set_style(style_);
    catch_interrupt();
    if (const auto gathered = gather(with->admin, *wanted); !gathered) {
        return reporter.error(gathered.error());
    }
    if (const auto printed = settle_and_print(); !printed) {
        return reporter.error(printed.error());
    }
    report_.print_summary();
    if (interrupted()) {
        return exits::partial;
    }
    if (!style_.keys || !common_.json()) {
        remark_cost();
    }
    return report_.keys() == 0 ? exits::done : exits::no;
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::MerkleDiff tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
