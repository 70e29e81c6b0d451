#include "cli/repair/scrub.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/common/interrupt.h"
#include "cli/repair/upkeep.h"

namespace dynamo::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
/// Mending asks the other owners: a matter of round trips.
constexpr auto mending_takes = std::chrono::seconds(30);
constexpr auto between_looks = milliseconds(200);
/// Trees that a node makes at a time, so that its memory stays bounded.
constexpr std::size_t trees_at_once = 16;
constexpr auto first_pause = milliseconds(2);
constexpr auto longest_pause = milliseconds(100);

}  // namespace

void Scrub::build(App& app) {
    App& scrub_verb = app.verb("scrub", "have nodes read and verify all that they have stored");
    declare_node(scrub_verb, node_, "only what this node has");
    scrub_verb.option(
        {.letter = "", .name = "--partition", .help = "only this one, and no hints", .value = "N"},
        partition_);
    restraint_.declare(scrub_verb, "records to read");
    scrub_verb.action([this] { return scrub(); });

    App& trees_verb = app.verb("rebuild-tree", "have nodes build their Merkle trees again");
    declare_node(trees_verb, node_, "only the trees of this node");
    trees_verb.option(
        {.letter = "", .name = "--partition", .help = "only of this one", .value = "N"},
        partition_);
    trees_verb.flag({.letter = "",
                     .name = "--check",
                     .help = "compare them with those that are kept, beside them, and say where "
                             "they differ"},
                    check_);
    trees_verb.action([this] { return trees(); });
}

std::vector<unsigned> Scrub::partitions_of(const RingView& ring, const NodeInfo& node) const {
    std::vector<unsigned> partitions;
    for (unsigned at = 0; at < ring.partitions; ++at) {
        if (partition_ && *partition_ != at) {
            continue;
        }
        if (std::ranges::any_of(ring.owners[at],
                                [&](unsigned owner) { return ring.nodes[owner].id == node.id; })) {
            partitions.push_back(at);
        }
    }
    return partitions;
}

// ----------------------------------------------------------------------------------------- scrub

std::vector<Scrub::Stretch> Scrub::stretches(Admin& admin, const RingView& ring,
                                             const NodeInfo& node) {
    std::vector<Stretch> found;
    for (const unsigned partition : partitions_of(ring, node)) {
        found.push_back({node, {partition, {}, {}}, 0});
    }
    if (partition_) {
        return found;
    }
    const auto status = admin.upkeep_at(node.client_address, false);
    if (!status) {
        ++failed_;
        static_cast<void>(common_.reporter().error(status.error(), node.name));
        return {};
    }
    for (const HeldHints& held : status->hints) {
        found.push_back({node, {0, held.node_id, {}}, 0});
    }
    return found;
}

bool Scrub::read(Admin& admin, const RingView& ring, Stretch& stretch) {
    stretch.damaged = 0;
    for (;;) {
        if (!restraint_.wait(admin, ring, records_, common_.reporter())) {
            return false;
        }
        const auto slice = admin.scrub_at(stretch.node.client_address, stretch.place);
        if (!slice) {
            progress_.clear();
            const std::string what = stretch.place.hints_for.empty()
                                         ? fmt::format("partition {}", stretch.place.partition)
                                         : "hints";
            static_cast<void>(common_.reporter().error(
                slice.error(), fmt::format("{}: {}", stretch.node.name, what)));
            return false;
        }
        records_ += slice->records;
        octets_ += slice->octets;
        stretch.damaged += slice->damaged;
        if (slice->ended) {
            return true;
        }
        static_cast<void>(sleep_until(steady_clock::now() + milliseconds(slice->rest_ms)));
    }
}

std::uint64_t Scrub::wait_for_mending(Admin& admin, const RingView& ring,
                                      std::vector<Stretch> damaged) {
    const auto end = steady_clock::now() + mending_takes;
    const std::uint64_t records = records_;
    const std::uint64_t octets = octets_;
    std::uint64_t left = 0;
    for (;;) {
        left = 0;
        for (Stretch& stretch : damaged) {
            if (!read(admin, ring, stretch)) {
                stretch.damaged = 1;
            }
            left += stretch.damaged;
        }
        std::erase_if(damaged, [](const Stretch& stretch) { return stretch.damaged == 0; });
        if (damaged.empty() || steady_clock::now() >= end ||
            !sleep_until(steady_clock::now() + between_looks)) {
            break;
        }
    }
    // What is read twice is counted once.
    records_ = records;
    octets_ = octets;
    return left;
}

int Scrub::report(std::uint64_t left) {
    progress_.clear();
    if (common_.json()) {
        static_cast<void>(write_out(dumped({{"schema", common_.reporter().schema()},
                                            {"records", records_},
                                            {"octets", octets_},
                                            {"damaged", damaged_},
                                            {"mended", damaged_ - std::min(damaged_, left)},
                                            {"damaged_hints", damaged_hints_},
                                            {"failed", failed_}}) +
                                    "\n"));
    } else {
        common_.reporter().remark(fmt::format(
            "{} records read, {}; {} damaged, {} of them mended{}", records_, bytes_text(octets_),
            damaged_, damaged_ - std::min(damaged_, left),
            damaged_hints_ == 0 ? ""
                                : fmt::format("; {} damaged hints, whose owners get the writes "
                                              "from the other replicas",
                                              damaged_hints_)));
    }
    if (failed_ > 0 || interrupted()) {
        return exits::partial;
    }
    return damaged_ + damaged_hints_ > 0 ? exits::no : exits::done;
}

int Scrub::scrub() {
    auto with = common_.open_with_ring();
    if (!with) {
        return common_.reporter().error(with.error());
    }
    const auto nodes = nodes_chosen(with->ring, node_);
    if (!nodes) {
        return common_.reporter().usage(nodes.error());
    }
    if (partition_ && *partition_ >= with->ring.partitions) {
        return common_.reporter().usage(
            Error{Code::bad_request, fmt::format("there is no partition {}; the ring has {}",
                                                 *partition_, with->ring.partitions)});
    }
    catch_interrupt();
    std::vector<Stretch> all;
    for (const NodeInfo& node : *nodes) {
        const auto found = stretches(with->admin, with->ring, node);
        all.insert(all.end(), found.begin(), found.end());
    }
    std::vector<Stretch> damaged;
    for (std::size_t at = 0; at < all.size() && !interrupted(); ++at) {
        Stretch& stretch = all[at];
        progress_.show(records_, damaged_,
                       static_cast<double>(at) / static_cast<double>(all.size()));
        if (!read(with->admin, with->ring, stretch)) {
            failed_ += interrupted() ? 0 : 1;
        } else if (stretch.damaged > 0 && !stretch.place.hints_for.empty()) {
            damaged_hints_ += stretch.damaged;
        } else if (stretch.damaged > 0) {
            damaged_ += stretch.damaged;
            damaged.push_back(stretch);
        }
    }
    return report(wait_for_mending(with->admin, with->ring, std::move(damaged)));
}

// ----------------------------------------------------------------------------------------- trees

Result<bool> Scrub::make_tree(Admin& admin, const NodeInfo& node, unsigned partition, bool first) {
    if (!check_) {
        return admin.build_tree_at(node.client_address, partition, first);
    }
    const auto checked = admin.check_tree_at(node.client_address, partition);
    if (!checked) {
        return std::unexpected(checked.error());
    }
    if (!*checked) {
        return false;
    }
    if (!(*checked)->right) {
        ++wrong_;
        progress_.clear();
        static_cast<void>(write_out(
            common_.json()
                ? dumped({{"node", node.name}, {"partition", partition}}) + "\n"
                : fmt::format("{} partition {}: the tree was wrong\n", node.name, partition)));
    }
    return true;
}

bool Scrub::make_trees(Admin& admin, const NodeInfo& node, std::set<unsigned> partitions) {
    bool first = true;
    for (auto pause = first_pause; !partitions.empty();
         pause = std::min(2 * pause, milliseconds(longest_pause))) {
        for (auto at = partitions.begin(); at != partitions.end();) {
            const auto made = make_tree(admin, node, *at, first);
            if (!made) {
                progress_.clear();
                static_cast<void>(common_.reporter().error(
                    made.error(), fmt::format("{}: partition {}", node.name, *at)));
                return false;
            }
            made_ += *made ? 1 : 0;
            at = *made ? partitions.erase(at) : std::next(at);
        }
        first = false;
        if (!partitions.empty() && !sleep_until(steady_clock::now() + pause)) {
            return false;
        }
    }
    return true;
}

int Scrub::trees() {
    auto with = common_.open_with_ring();
    if (!with) {
        return common_.reporter().error(with.error());
    }
    const auto nodes = nodes_chosen(with->ring, node_);
    if (!nodes) {
        return common_.reporter().usage(nodes.error());
    }
    if (partition_ && *partition_ >= with->ring.partitions) {
        return common_.reporter().usage(
            Error{Code::bad_request, fmt::format("there is no partition {}; the ring has {}",
                                                 *partition_, with->ring.partitions)});
    }
    catch_interrupt();
    for (const NodeInfo& node : *nodes) {
        const auto partitions = partitions_of(with->ring, node);
        for (std::size_t at = 0; at < partitions.size() && !interrupted(); at += trees_at_once) {
            const auto end = std::min(partitions.size(), at + trees_at_once);
            progress_.show(made_, wrong_,
                           static_cast<double>(at) / static_cast<double>(partitions.size()));
            if (!make_trees(with->admin, node,
                            {partitions.begin() + static_cast<std::ptrdiff_t>(at),
                             partitions.begin() + static_cast<std::ptrdiff_t>(end)})) {
                ++failed_;
                break;
            }
        }
    }
    progress_.clear();
    if (common_.json()) {
        static_cast<void>(write_out(dumped({{"schema", common_.reporter().schema()},
                                            {"trees", made_},
                                            {"wrong", wrong_},
                                            {"failed", failed_}}) +
                                    "\n"));
    } else {
        common_.reporter().remark(
            check_
                ? fmt::format("{} trees compared with their records, {} were wrong", made_, wrong_)
                : fmt::format("{} trees built", made_));
    }
    if (failed_ > 0 || interrupted()) {
        return exits::partial;
    }
    return wrong_ > 0 ? exits::no : exits::done;
}

}  // namespace dynamo::cli
