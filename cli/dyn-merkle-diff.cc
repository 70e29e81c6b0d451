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
#include "cli/diff/dump_side.h"
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

bool is_dump(const std::string& side) { return side == "-" || side.starts_with("@"); }

/// The same with the sides in the other order.
KeyDifference turned(KeyDifference difference) {
    using Kind = KeyDifference::Kind;
    std::swap(difference.first, difference.second);
    switch (difference.kind) {
        case Kind::only_first:
            difference.kind = Kind::only_second;
            break;
        case Kind::only_second:
            difference.kind = Kind::only_first;
            break;
        case Kind::first_newer:
            difference.kind = Kind::second_newer;
            break;
        case Kind::second_newer:
            difference.kind = Kind::first_newer;
            break;
        case Kind::concurrent:
        case Kind::tombstone:
            break;
    }
    return difference;
}

class MerkleDiff {
  public:
    Spec spec();

  private:
    void build(App& app);
    void build_output(App& app);
    int run();
    [[nodiscard]] Result<std::uint64_t> compare_dump(CommonOptions::Operator& with);
    int run_dump();
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
            "one side: it is compared with a node, or with the cluster.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-merkle-diff n1 n3", "Say what two nodes hold differently."},
                     {"dyn-merkle-diff n1 --all-replicas --keys -0 | "
                      "dyn-repair run --keys-from - -0",
                      "Mend all that a node and its fellow owners differ in."},
                     {"dyn-merkle-diff n1 n3 --partition 57 --values",
                      "Show the values of one partition that differ."},
                     {"dyn-merkle-diff @monday.dump", "Say what has changed since a backup."},
                     {"dyn-merkle-diff n1 n2 --verify-tree --summary",
                      "Build both nodes' trees again, then count."}},
        .exits = with_failures({{exits::done, "they hold the same"},
                                {exits::no, "they differ"},
                                {exits::partial, "interrupted"}}),
    };
}

void MerkleDiff::build(App& app) {
    app.operands({.name = "SIDE...",
                  .help = "nodes: names, or HOST:PORT; or one dump, @FILE or -, by itself against "
                          "the cluster or with a node",
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

/// Answers with the number of keys that were compared.
Result<std::uint64_t> MerkleDiff::compare_dump(CommonOptions::Operator& with) {
    const bool dump_first = is_dump(nodes_[0].text);
    const std::string& dump = nodes_[dump_first ? 0 : 1].text;
    auto keys_begin = prefix();
    if (!keys_begin) {
        return std::unexpected(keys_begin.error());
    }
    DumpSide::Scope scope{{}, partition_, std::move(*keys_begin)};
    if (partition_ && *partition_ >= with.ring.partitions) {
        return fail(Code::bad_request, fmt::format("there is no partition {}; the ring has {}",
                                                   *partition_, with.ring.partitions));
    }
    if (nodes_.size() == 2) {
        auto node = member_named(with.ring, nodes_[dump_first ? 1 : 0].text);
        if (!node) {
            return std::unexpected(node.error());
        }
        scope.node = std::move(*node);
    }
    auto client = common_.open_client();
    if (!client) {
        return std::unexpected(client.error());
    }
    auto input = DumpInput::open(dump == "-" ? dump : dump.substr(1));
    if (!input) {
        return std::unexpected(input.error());
    }
    const std::string its_name = dump == "-" ? "the dump" : dump.substr(1);
    const std::string other = scope.node ? scope.node->name : "the cluster";
    DumpSide side(*client, with.admin, with.ring, std::move(scope));
    const auto compared = side.compare(*input, [&](KeyDifference difference) {
        if (dump_first) {
            return report_.tell(its_name, other, difference);
        }
        return report_.tell(other, its_name, turned(std::move(difference)));
    });
    if (!compared) {
        return std::unexpected(compared.error());
    }
    if (input->tail() && !input->tail()->complete()) {
        common_.reporter().remark("the dump is not complete: some keys could not be read for it");
    }
    return side.compared();
}

int MerkleDiff::run_dump() {
    const Reporter reporter = common_.reporter();
    if (all_replicas_ || verify_tree_) {
        return reporter.usage(Error{Code::bad_request,
                                    "a dump is compared key by key: it has no replicas, and no "
                                    "tree"});
    }
    if (nodes_.size() == 2 && is_dump(nodes_[0].text) && is_dump(nodes_[1].text)) {
        return reporter.usage(Error{Code::bad_request, "one side must be a node, or left out"});
    }
    auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    report_.set_style(style_);
    catch_interrupt();
    const auto compared = compare_dump(*with);
    if (!compared) {
        return reporter.error(compared.error());
    }
    report_.print_summary();
    if (interrupted()) {
        return exits::partial;
    }
    if (common_.json() && !style_.keys) {
        const nlohmann::ordered_json object = {
            {"schema", reporter.schema()}, {"keys", report_.keys()}, {"compared", *compared}};
        static_cast<void>(write_out(dumped(object) + "\n"));
    }
    reporter.remark(fmt::format("{} of {} keys {}", report_.keys(), *compared,
                                report_.keys() == 1 ? "differs" : "differ"));
    return report_.keys() == 0 ? exits::done : exits::no;
}

int MerkleDiff::run() {
    const Reporter reporter = common_.reporter();
    if (std::ranges::any_of(nodes_, is_dump, &Operand::text)) {
        return run_dump();
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
