#include "cli/diff/file_sides.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/common/interrupt.h"
#include "cli/diff/dump_side.h"
#include "cli/diff/pairs.h"

namespace dynamo::cli {
namespace {

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
        case Kind::under_changed_leaf:
            break;
    }
    return difference;
}

}  // namespace

bool is_file(const std::string& side) { return side == "-" || side.starts_with("@"); }

const std::string& FileSides::file() const { return *std::ranges::find_if(wanted_.sides, is_file); }

std::string FileSides::file_name() const { return file() == "-" ? file() : file().substr(1); }

Result<std::optional<NodeInfo>> FileSides::other_node(const RingView& ring) const {
    const auto at = std::ranges::find_if_not(wanted_.sides, is_file);
    if (at == wanted_.sides.end()) {
        return std::nullopt;
    }
    return member_named(ring, *at);
}

/// Answers with the number of keys that were compared.
Result<std::uint64_t> FileSides::compare_dump(CommonOptions::Operator& with, Source source) {
    auto keys_begin =
        wanted_.prefix.empty() ? Result<std::string>() : common_.key_from_text(wanted_.prefix);
    if (!keys_begin) {
        return std::unexpected(keys_begin.error());
    }
    if (wanted_.partition && *wanted_.partition >= with.ring.partitions) {
        return fail(Code::bad_request, fmt::format("there is no partition {}; the ring has {}",
                                                   *wanted_.partition, with.ring.partitions));
    }
    auto node = other_node(with.ring);
    if (!node) {
        return std::unexpected(node.error());
    }
    auto client = common_.open_client();
    if (!client) {
        return std::unexpected(client.error());
    }
    DumpSide::Scope scope{std::move(*node), wanted_.partition, std::move(*keys_begin)};
    const bool dump_first = is_file(wanted_.sides[0]);
    const std::string its_name = file() == "-" ? "the dump" : file_name();
    const std::string other = scope.node ? scope.node->name : "the cluster";
    DumpInput input(std::move(source));
    DumpSide side(*client, with.admin, with.ring, std::move(scope));
    const auto compared = side.compare(input, [&](KeyDifference difference) {
        if (dump_first) {
            return report_.tell(its_name, other, difference);
        }
        return report_.tell(other, its_name, turned(std::move(difference)));
    });
    if (!compared) {
        return std::unexpected(compared.error());
    }
    if (input.tail() && !input.tail()->complete()) {
        common_.reporter().remark("the dump is not complete: some keys could not be read for it");
    }
    return side.compared();
}

int FileSides::run_dump(CommonOptions::Operator& with, Source source) {
    const Reporter reporter = common_.reporter();
    if (wanted_.anew) {
        return reporter.usage(Error{Code::bad_request, "a dump has no tree"});
    }
    const auto compared = compare_dump(with, std::move(source));
    if (!compared) {
        return reporter.error(compared.error());
    }
    report_.print_summary();
    if (interrupted()) {
        return exits::partial;
    }
    if (common_.json() && !wanted_.style.keys) {
        const nlohmann::ordered_json object = {
            {"schema", reporter.schema()}, {"keys", report_.keys()}, {"compared", *compared}};
        static_cast<void>(write_out(dumped(object) + "\n"));
    }
    reporter.remark(fmt::format("{} of {} keys {}", report_.keys(), *compared,
                                report_.keys() == 1 ? "differs" : "differ"));
    return report_.keys() == 0 ? exits::done : exits::no;
}

void FileSides::remark_tree(const TreeSide& side) const {
    const TreeSide::Cost& cost = side.cost();
    if (common_.json() && !wanted_.style.keys) {
        const nlohmann::ordered_json object = {{"schema", common_.reporter().schema()},
                                               {"keys", report_.keys()},
                                               {"copies", cost.trees},
                                               {"leaves_different", cost.leaves_different},
                                               {"leaves", cost.leaves},
                                               {"leaves_empty", cost.leaves_empty},
                                               {"saved_of", as_utf8(side.head().node)},
                                               {"saved_ms", side.head().wall_ms},
                                               {"octets_exchanged", cost.octets}};
        static_cast<void>(write_out(dumped(object) + "\n"));
    }
    common_.reporter().remark(fmt::format(
        "{}/{} leaves of {} trees differ from those of {} of {}; {} holds {} {} under them, and "
        "nothing under {}; {} exchanged",
        cost.leaves_different, cost.leaves, cost.trees, side.head().node,
        time_text(side.head().wall_ms), side.node().name, report_.keys(),
        report_.keys() == 1 ? "key" : "keys", cost.leaves_empty, bytes_text(cost.octets)));
    if (cost.not_owned > 0) {
        common_.reporter().remark(
            fmt::format("{} of the saved trees are of partitions that {} "
                        "does not own",
                        cost.not_owned, side.node().name));
    }
}

int FileSides::run_tree(CommonOptions::Operator& with, Source source) {
    const Reporter reporter = common_.reporter();
    if (wanted_.style.values || !wanted_.prefix.empty()) {
        return reporter.usage(Error{Code::bad_request,
                                    "a saved tree has no keys: there are no values to show, and "
                                    "no prefix can be looked for"});
    }
    const auto node = other_node(with.ring);
    if (!node) {
        return reporter.error(node.error());
    }
    TreeSide side(with.admin, with.ring, {*node, wanted_.partition, wanted_.anew});
    auto done = side.open(source);
    if (done && !interrupted()) {
        const bool tree_first = is_file(wanted_.sides[0]);
        done = side.compare(source, [&](const std::string& key, unsigned partition) {
            const KeyDifference difference{
                key, partition, KeyDifference::Kind::under_changed_leaf, {}, {}};
            return tree_first ? report_.tell(file_name(), side.node().name, difference)
                              : report_.tell(side.node().name, file_name(), difference);
        });
    }
    if (!done) {
        return reporter.error(done.error());
    }
    report_.print_summary();
    if (interrupted()) {
        return exits::partial;
    }
    remark_tree(side);
    return side.cost().leaves_different == 0 ? exits::done : exits::no;
}

int FileSides::compare() {
    const Reporter reporter = common_.reporter();
    if (std::ranges::all_of(wanted_.sides, is_file) && wanted_.sides.size() == 2) {
        return reporter.usage(Error{Code::bad_request, "one side must be a node, or left out"});
    }
    catch_interrupt();
    auto source = Source::named(file_name());
    if (!source) {
        return reporter.error(source.error());
    }
    const auto is_tree = is_saved_tree(*source);
    if (!is_tree) {
        return reporter.error(is_tree.error());
    }
    auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    report_.set_style(wanted_.style);
    return *is_tree ? run_tree(*with, std::move(*source)) : run_dump(*with, std::move(*source));
}

int FileSides::save(const std::string& path) {
    const Reporter reporter = common_.reporter();
    if (wanted_.sides.size() != 1 || is_file(wanted_.sides[0])) {
        return reporter.usage(Error{Code::bad_request, "--save takes one node"});
    }
    auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    auto node = other_node(with->ring);
    if (!node) {
        return reporter.error(node.error());
    }
    catch_interrupt();
    TreeSide side(with->admin, with->ring, {std::move(*node), wanted_.partition, wanted_.anew});
    if (const auto saved = side.save(path); !saved) {
        return reporter.error(saved.error());
    }
    if (interrupted()) {
        return exits::partial;
    }
    const TreeSide::Cost& cost = side.cost();
    if (common_.json()) {
        const nlohmann::ordered_json object = {{"schema", reporter.schema()},
                                               {"node", as_utf8(side.node().name)},
                                               {"copies", cost.trees},
                                               {"leaves", cost.leaves},
                                               {"octets_exchanged", cost.octets}};
        static_cast<void>(write_out(dumped(object) + "\n"));
    }
    reporter.remark(fmt::format("{} trees of {} with {} leaves that are not empty are in {}",
                                cost.trees, side.node().name, cost.leaves, path));
    return exits::done;
}

}  // namespace dynamo::cli
