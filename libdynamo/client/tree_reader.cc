// Reading a node's trees, all of them or what has changed (paper section 4.7).
#include <algorithm>
#include <bit>
#include <set>
#include <thread>
#include <utility>

#include "dynamo/saved_tree.h"
#include "libdynamo/base/hash.h"
#include "libdynamo/client/parts.h"

namespace dynamo {
namespace {

constexpr unsigned levels_at_once = 4;
/// Parents whose children are asked for at once: a reply of 32 KiB at most.
constexpr std::size_t nodes_at_once = 128;
constexpr std::size_t sum_octets = 16;
constexpr std::size_t position_octets = 8;
/// With more of its children different than this the records of the parent are listed at once.
constexpr std::size_t most_different_children = (std::size_t{1} << levels_at_once) / 2;
constexpr auto first_pause = std::chrono::milliseconds(1);
constexpr auto longest_pause = std::chrono::milliseconds(50);
/// A tree that is begun anew while it is read may have another depth.
constexpr int most_tries = 5;

std::uint64_t number_of(BytesView octets) {
    std::uint64_t value = 0;
    for (const char octet : octets) value = value << 8 | static_cast<unsigned char>(octet);
    return value;
}

}  // namespace

/// What the node tells of some nodes' descendants.
struct TreeReader::Sums {
    unsigned depth = 0;  ///< of its tree
    unsigned level = 0;  ///< of the sums
    Bytes octets;
    [[nodiscard]] TreeWorth at(std::size_t index) const {
        const BytesView octets_of_it = BytesView(octets).substr(index * sum_octets, sum_octets);
        return {number_of(octets_of_it.substr(0, 8)), number_of(octets_of_it.substr(8))};
    }
};

TreeReader::TreeReader(Admin& admin, std::string address, unsigned partitions,
                       std::chrono::milliseconds patience)
    : admin_(admin),
      address_(std::move(address)),
      partition_bits_(static_cast<unsigned>(std::bit_width(partitions)) - 1),
      patience_(patience),
      octets_before_(admin.client_.parts_->octets) {}

std::uint64_t TreeReader::octets() const { return admin_.client_.parts_->octets - octets_before_; }

/// Asks until the tree is there.
Result<TreeReader::Sums> TreeReader::sums(wire::TreeRequest request) {
    const auto until = std::chrono::steady_clock::now() + patience_;
    for (auto pause = first_pause;; pause = std::min(2 * pause, longest_pause)) {
        auto reply = reply_as<wire::TreeNodesReply>(admin_.client_.parts_->ask(request, address_));
        if (!reply) return std::unexpected(reply.error());
        if (reply->complete) return Sums{reply->depth, reply->level, std::move(reply->sums)};
        if (std::chrono::steady_clock::now() >= until)
            return fail(Code::busy, "the tree of partition " + std::to_string(request.partition) +
                                        " of " + address_ + " is being built still");
        request.anew = false;
        std::this_thread::sleep_for(pause);
    }
}

/// Level by level; nothing when the tree became another one meanwhile.
Result<std::optional<PartitionTree>> TreeReader::descend(unsigned partition, unsigned most_deep,
                                                         bool anew, const Wanted& wanted) {
    std::optional<unsigned> depth;  // of the node's tree, or `most_deep` if that is less
    std::vector<PartitionTree::Leaf> found = {{}};
    for (unsigned level = 0;;) {
        const std::vector<PartitionTree::Leaf> parents = std::exchange(found, {});
        const unsigned down = std::min(levels_at_once, depth.value_or(most_deep) - level);
        unsigned reached = level;
        for (std::size_t at = 0; at < parents.size(); at += nodes_at_once) {
            wire::TreeRequest request{static_cast<std::uint16_t>(partition),
                                      static_cast<std::uint8_t>(level),
                                      {},
                                      static_cast<std::uint8_t>(down),
                                      anew && !depth};
            for (std::size_t i = at; i < std::min(parents.size(), at + nodes_at_once); ++i)
                request.nodes.push_back(parents[i].place);
            const auto told = sums(request);
            if (!told) return std::unexpected(told.error());
            const unsigned its_depth = std::min(told->depth, most_deep);
            if (depth.value_or(its_depth) != its_depth ||
                told->level != std::min(level + down, its_depth))
                return std::nullopt;
            depth = its_depth;
            reached = told->level;
            const unsigned went = reached - level;
            if (told->octets.size() != (request.nodes.size() << went) * sum_octets)
                return std::nullopt;
            for (std::size_t i = 0; i < request.nodes.size() << went; ++i) {
                const auto node = static_cast<std::uint32_t>(request.nodes[i >> went] << went |
                                                             (i & ((std::size_t{1} << went) - 1)));
                if (const TreeWorth worth = told->at(i); wanted(reached, node, worth))
                    found.push_back({node, worth});
            }
        }
        if (found.empty() || reached == *depth)
            return PartitionTree{partition, *depth, std::move(found)};
        level = reached;
    }
}

Result<PartitionTree> TreeReader::leaves(unsigned partition, unsigned most_deep, bool anew,
                                         const Wanted& wanted) {
    for (int tries = 0; tries < most_tries; ++tries) {
        auto tree = descend(partition, most_deep, anew && tries == 0, wanted);
        if (!tree) return std::unexpected(tree.error());
        if (*tree) return std::move(**tree);
    }
    return fail(Code::busy, "the tree of partition " + std::to_string(partition) + " of " +
                                address_ + " is begun anew all the time");
}

Result<PartitionTree> TreeReader::fetch(unsigned partition, bool anew) {
    return leaves(
        partition, PartitionTree::most_deep, anew,
        [](unsigned, std::uint32_t, const TreeWorth& worth) { return worth != TreeWorth{}; });
}

Result<TreeReader::Changes> TreeReader::changes(const PartitionTree& saved, bool anew) {
    const auto different = leaves(saved.partition, saved.depth, anew,
                                  [&](unsigned level, std::uint32_t node, const TreeWorth& worth) {
                                      return worth != saved.worth(level, node);
                                  });
    if (!different) return std::unexpected(different.error());
    Changes changes;
    changes.leaves = std::uint64_t{1} << different->depth;
    changes.leaves_different = different->leaves.size();
    const auto& all = different->leaves;
    for (std::size_t at = 0; at < all.size();) {
        // Sisters together: where most of them differ one listing is cheaper than many.
        const unsigned up = std::min(levels_at_once, different->depth);
        std::size_t end = at;
        std::set<std::uint32_t> sisters;
        while (end < all.size() && all[end].place >> up == all[at].place >> up)
            sisters.insert(all[end++].place);
        const Scope scope{saved.partition, different->depth, sisters};
        if (sisters.size() > most_different_children) {
            if (auto done = list(scope, different->depth - up, all[at].place >> up, changes); !done)
                return std::unexpected(done.error());
        } else {
            for (const std::uint32_t leaf : sisters)
                if (auto done = list(scope, different->depth, leaf, changes); !done)
                    return std::unexpected(done.error());
        }
        at = end;
    }
    return changes;
}

/// The keys under a node of the tree that lie under the leaves in scope.
Result<void> TreeReader::list(const Scope& scope, unsigned level, std::uint32_t node,
                              Changes& changes) {
    std::set<std::uint32_t> filled;
    wire::KeysRequest request{static_cast<std::uint16_t>(scope.partition),
                              {},
                              {},
                              0,
                              static_cast<std::uint8_t>(level),
                              node};
    for (;;) {
        auto page = reply_as<wire::KeysReply>(admin_.client_.parts_->ask(request, address_));
        if (!page) return std::unexpected(page.error());
        for (const wire::KeyRow& row : page->rows) {
            if (row.row.size() <= position_octets) continue;
            const std::uint64_t position = number_of(BytesView(row.row).substr(0, position_octets));
            const auto leaf = static_cast<std::uint32_t>(
                scope.depth == 0 ? 0 : position << partition_bits_ >> (64 - scope.depth));
            if (!scope.leaves.contains(leaf)) continue;
            filled.insert(leaf);
            changes.keys.push_back(row.row.substr(position_octets));
        }
        if (page->next <= request.first) break;
        request.first = std::move(page->next);
    }
    const std::size_t looked_at = level == scope.depth ? 1 : scope.leaves.size();
    changes.leaves_empty += looked_at - std::min(looked_at, filled.size());
    return {};
}

}  // namespace dynamo
