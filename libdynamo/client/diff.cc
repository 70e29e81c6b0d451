#include "dynamo/diff.h"

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <thread>
#include <utility>

#include "libdynamo/client/parts.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

constexpr unsigned levels_at_once = 4;
/// Parents whose children are asked for at once: a reply of 32 KiB at most.
constexpr std::size_t nodes_at_once = 128;
constexpr std::size_t roots_at_once = 1024;
constexpr std::size_t sum_octets = 16;
constexpr std::size_t position_octets = 8;
/// Nodes of which the records are listed at once, a page of each.
constexpr std::size_t lists_at_once = 32;
/// Most trees are small, and there at the second try.
constexpr auto first_pause = std::chrono::milliseconds(1);
constexpr auto longest_pause = std::chrono::milliseconds(50);

const HeldCopy* own_copy(const Held& held) {
    const auto at = std::ranges::find_if(
        held.copies, [](const HeldCopy& copy) { return copy.hint_for.empty(); });
    return at == held.copies.end() ? nullptr : &*at;
}

/// The sums that are told, as octets.
std::map<std::uint16_t, BytesView> sums_by_partition(const wire::RootsReply& reply,
                                                     const std::vector<std::uint16_t>& asked) {
    std::map<std::uint16_t, BytesView> sums;
    BytesView left = reply.sums;
    for (const std::uint16_t partition : asked) {
        if (std::ranges::find(reply.unknown, partition) != reply.unknown.end()) continue;
        if (left.size() < sum_octets) break;
        sums.emplace(partition, left.substr(0, sum_octets));
        left.remove_prefix(sum_octets);
    }
    return sums;
}

std::vector<std::string> live_values_of(const HeldCopy& copy) {
    std::vector<std::string> values;
    for (const Version& version : copy.versions)
        if (!version.tombstone) values.push_back(version.value);
    std::ranges::sort(values);
    return values;
}

bool has_tombstone(const HeldCopy& copy) {
    return std::ranges::any_of(copy.versions, &Version::tombstone);
}

KeyDifference::Kind kind_in(const ClusterId& cluster, std::string_view key, const HeldCopy& first,
                            const HeldCopy& second) {
    using Kind = KeyDifference::Kind;
    if (first.damaged || second.damaged) return Kind::concurrent;
    if ((has_tombstone(first) || has_tombstone(second)) &&
        live_values_of(first) == live_values_of(second))
        return Kind::tombstone;
    if (second.digest.empty()) return Kind::only_first;
    if (first.digest.empty()) return Kind::only_second;
    const Position position = position_of(key);
    const auto a = wire::decode_context(first.seen.octets, cluster, position);
    const auto b = wire::decode_context(second.seen.octets, cluster, position);
    if (!a || !b) return Kind::concurrent;
    const bool first_has_all = a->seen.covers(b->seen);
    const bool second_has_all = b->seen.covers(a->seen);
    if (first_has_all == second_has_all) return Kind::concurrent;
    return first_has_all ? Kind::first_newer : Kind::second_newer;
}

}  // namespace

KeyDifference::Kind kind_of(const RingView& ring, std::string_view key, const HeldCopy& first,
                            const HeldCopy& second) {
    Bytes cluster;
    (void)from_hex(ring.cluster_id, cluster);
    return kind_in(ClusterId::from(cluster), key, first, second);
}

/// One partition's comparison under way.
struct Comparison::Walk {
    Client::Parts& parts;
    const std::vector<std::string>& addresses;
    const CompareOptions& options;
    Cost& cost;
    std::uint16_t partition = 0;
    unsigned depth = 0;
    std::map<Bytes, Suspect> found = {};  // by row

    template <typename Reply>
    using Both = std::array<Reply, 2>;

    template <typename Reply>
    [[nodiscard]] Result<Both<Reply>> ask(const wire::ClientRequest& request) {
        auto answers = parts.ask_each(addresses, request);
        return both<Reply>(answers, 0);
    }

    /// Of two answers in a row.
    template <typename Reply>
    [[nodiscard]] static Result<Both<Reply>> both(std::vector<Client::Parts::Completion>& answers,
                                                  std::size_t first) {
        Both<Reply> replies;
        for (std::size_t i = 0; i < 2; ++i) {
            auto reply = reply_as<Reply>(std::move(answers[first + i]));
            if (!reply) return std::unexpected(reply.error());
            replies[i] = std::move(*reply);
        }
        return replies;
    }

    /// Adds those of the partitions that are to be walked.
    [[nodiscard]] Result<void> compare_roots(std::vector<std::uint16_t> partitions,
                                             std::vector<unsigned>& walked) {
        const auto until = std::chrono::steady_clock::now() + options.patience;
        for (auto pause = first_pause;; pause = std::min(2 * pause, longest_pause)) {
            const auto replies = ask<wire::RootsReply>(wire::RootsRequest{partitions});
            if (!replies) return std::unexpected(replies.error());
            const auto first = sums_by_partition((*replies)[0], partitions);
            const auto second = sums_by_partition((*replies)[1], partitions);
            std::vector<std::uint16_t> unknown;
            for (const std::uint16_t one : partitions)
                if (!first.contains(one) || !second.contains(one))
                    unknown.push_back(one);
                else if (first.at(one) != second.at(one))
                    walked.push_back(one);
            partitions = std::move(unknown);
            const bool late = std::chrono::steady_clock::now() >= until;
            if (late) walked.insert(walked.end(), partitions.begin(), partitions.end());
            if (late || partitions.empty()) return {};
            std::this_thread::sleep_for(pause);
        }
    }

    using Sums = Both<wire::TreeNodesReply>;

    /// Asks until both trees are there; nothing when that takes too long.
    [[nodiscard]] Result<std::optional<Sums>> sums(wire::TreeRequest request) {
        const auto until = std::chrono::steady_clock::now() + options.patience;
        for (auto pause = first_pause;; pause = std::min(2 * pause, longest_pause)) {
            auto replies = ask<wire::TreeNodesReply>(request);
            if (!replies) return std::unexpected(replies.error());
            if ((*replies)[0].complete && (*replies)[1].complete) return std::move(*replies);
            if (std::chrono::steady_clock::now() >= until) return std::nullopt;
            request.anew = false;
            std::this_thread::sleep_for(pause);
        }
    }

    [[nodiscard]] Result<void> run() {
        ++cost.partitions;
        const auto upper = sums({partition, 0, {0}, levels_at_once, options.anew});
        if (!upper) return std::unexpected(upper.error());
        if (!*upper) return list(0, {0});
        depth = std::min((**upper)[0].depth, (**upper)[1].depth);
        cost.leaves += std::uint64_t{1} << depth;
        return compare(0, {0}, std::min(levels_at_once, depth), **upper);
    }

    /// Of nodes that differ: into their children, a part of them at a time.
    [[nodiscard]] Result<void> descend(unsigned level, const std::vector<std::uint32_t>& nodes) {
        for (std::size_t at = 0; at < nodes.size(); at += nodes_at_once) {
            const auto end = std::min(nodes.size(), at + nodes_at_once);
            const std::vector<std::uint32_t> some(nodes.begin() + static_cast<std::ptrdiff_t>(at),
                                                  nodes.begin() + static_cast<std::ptrdiff_t>(end));
            if (const auto done = descend_some(level, some); !done) return done;
        }
        return {};
    }

    [[nodiscard]] Result<void> descend_some(unsigned level,
                                            const std::vector<std::uint32_t>& nodes) {
        const unsigned down = std::min(levels_at_once, depth - std::min(depth, level));
        if (down == 0) return list(level, nodes);
        const auto children = sums({partition, static_cast<std::uint8_t>(level), nodes,
                                    static_cast<std::uint8_t>(down), false});
        if (!children) return std::unexpected(children.error());
        if (!*children) return list(level, nodes);
        return compare(level, nodes, down, **children);
    }

    /// Goes on with the children that differ, `down` levels below their parents.
    [[nodiscard]] Result<void> compare(unsigned level, const std::vector<std::uint32_t>& nodes,
                                       unsigned down, const Sums& children) {
        const std::size_t octets = (nodes.size() << down) * sum_octets;
        // A tree that was begun anew meanwhile may have another depth.
        if (children[0].sums.size() != octets || children[1].sums.size() != octets)
            return list(level, nodes);
        std::vector<std::uint32_t> different;
        std::vector<std::uint32_t> crowded;  // leaves under them that differ are most of all
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            const std::size_t before = different.size();
            add_different(nodes[i], i, down, children, different);
            if (level + down < depth || different.size() - before <= std::size_t{1} << down >> 1)
                continue;
            different.resize(before);
            crowded.push_back(nodes[i]);
        }
        if (level + down < depth) return descend(level + down, different);
        if (const auto done = list(level, crowded); !done) return done;
        return list(depth, different);
    }

    /// Adds the children of the `at`th node that differ.
    static void add_different(std::uint32_t node, std::size_t at, unsigned down, const Sums& sums,
                              std::vector<std::uint32_t>& different) {
        const std::uint32_t children = std::uint32_t{1} << down;
        for (std::uint32_t child = 0; child < children; ++child) {
            const std::size_t place = ((at << down) + child) * sum_octets;
            if (BytesView(sums[0].sums).substr(place, sum_octets) !=
                BytesView(sums[1].sums).substr(place, sum_octets))
                different.push_back(node << down | child);
        }
    }

    /// The records under these nodes, page by page, side by side.
    [[nodiscard]] Result<void> list(unsigned level, const std::vector<std::uint32_t>& nodes) {
        cost.leaves_different += nodes.size();
        std::deque<wire::KeysRequest> left;
        for (const std::uint32_t node : nodes)
            left.push_back(
                {partition, {}, options.prefix, 0, static_cast<std::uint8_t>(level), node});
        while (!left.empty())
            if (const auto done = list_some(left); !done) return done;
        return {};
    }

    /// A page of each of the first of them; those that have more come last.
    [[nodiscard]] Result<void> list_some(std::deque<wire::KeysRequest>& left) {
        const std::size_t count = std::min(left.size(), lists_at_once);
        std::vector<Client::Parts::Asked> requests;
        for (std::size_t i = 0; i < count; ++i)
            for (const std::string& address : addresses) requests.emplace_back(address, left[i]);
        auto answers = parts.ask_all(std::move(requests));
        for (std::size_t i = 0; i < count; ++i) {
            auto pages = both<wire::KeysReply>(answers, 2 * i);
            if (!pages) return std::unexpected(pages.error());
            Bytes next;
            for (const auto& page : *pages)
                if (!page.next.empty() && (next.empty() || page.next < next)) next = page.next;
            for (std::size_t side = 0; side < 2; ++side) take((*pages)[side].rows, side, next);
            wire::KeysRequest request = std::move(left.front());
            left.pop_front();
            if (next.empty()) continue;
            request.first = std::move(next);
            left.push_back(std::move(request));
        }
        return {};
    }

    /// Rows from `next` on are left to the next page: not both nodes have spoken of them.
    void take(const std::vector<wire::KeyRow>& rows, std::size_t from, const Bytes& next) {
        for (const wire::KeyRow& row : rows) {
            if (row.row.size() <= position_octets || (!next.empty() && row.row >= next)) continue;
            const auto at = found.try_emplace(row.row).first;
            at->second.key = row.row.substr(position_octets);
            at->second.partition = partition;
            (from == 0 ? at->second.first : at->second.second) = row.digest;
            // Two damaged records say nothing, so they are not the same.
            if (from == 1 && at->second.first == row.digest && !row.digest.empty()) found.erase(at);
        }
    }
};

Comparison::Comparison(Admin& admin, std::string first, std::string second)
    : admin_(admin),
      addresses_{std::move(first), std::move(second)},
      octets_before_(admin.client_.parts_->octets) {}

Result<std::vector<unsigned>> Comparison::different(const std::vector<unsigned>& partitions,
                                                    const CompareOptions& options) {
    std::vector<unsigned> walked;
    if (options.anew) return partitions;
    Walk walk{*admin_.client_.parts_, addresses_, options, cost_};
    for (std::size_t at = 0; at < partitions.size(); at += roots_at_once) {
        const auto end = std::min(partitions.size(), at + roots_at_once);
        std::vector<std::uint16_t> some;
        for (std::size_t i = at; i < end; ++i)
            some.push_back(static_cast<std::uint16_t>(partitions[i]));
        if (const auto done = walk.compare_roots(std::move(some), walked); !done)
            return std::unexpected(done.error());
    }
    std::ranges::sort(walked);
    return walked;
}

Result<std::vector<Suspect>> Comparison::partition(unsigned partition,
                                                   const CompareOptions& options) {
    Walk walk{*admin_.client_.parts_, addresses_, options, cost_,
              static_cast<std::uint16_t>(partition)};
    if (const auto done = walk.run(); !done) return std::unexpected(done.error());
    std::vector<Suspect> suspects;
    suspects.reserve(walk.found.size());
    for (auto& [row, suspect] : walk.found) suspects.push_back(std::move(suspect));
    return suspects;
}

Result<std::vector<std::optional<KeyDifference>>> Comparison::look(
    std::span<const Suspect> suspects, bool settled) {
    Client::Parts& parts = *admin_.client_.parts_;
    if (!parts.ring)
        if (const auto learnt = parts.learn_ring(); !learnt) return std::unexpected(learnt.error());
    std::vector<Client::Parts::Asked> questions;
    for (const Suspect& suspect : suspects)
        for (const std::string& address : addresses_)
            questions.emplace_back(address, wire::PeekRequest{suspect.key});
    auto answers = parts.ask_all(std::move(questions));
    std::vector<std::optional<KeyDifference>> looked;
    for (std::size_t i = 0; i < suspects.size(); ++i) {
        KeyDifference difference;
        difference.key = suspects[i].key;
        difference.partition = suspects[i].partition;
        for (auto [at, copy] :
             {std::pair{2 * i, &difference.first}, {2 * i + 1, &difference.second}}) {
            auto reply = reply_as<wire::PeekReply>(std::move(answers[at]));
            if (!reply) return std::unexpected(reply.error());
            const Held held = to_held(std::move(*reply), parts.ring_routes);
            if (const HeldCopy* own = own_copy(held)) *copy = *own;
        }
        looked.push_back(judge(suspects[i], std::move(difference), settled));
    }
    return looked;
}

std::optional<KeyDifference> Comparison::judge(const Suspect& suspect, KeyDifference difference,
                                               bool settled) const {
    const HeldCopy& first = difference.first;
    const HeldCopy& second = difference.second;
    const bool damaged = first.damaged || second.damaged;
    if (!damaged && first.digest == second.digest) return std::nullopt;
    if (settled &&
        (to_hex(suspect.first) != first.digest || to_hex(suspect.second) != second.digest))
        return std::nullopt;
    difference.kind = kind_in(admin_.client_.parts_->ring->cluster, suspect.key, first, second);
    return difference;
}

Comparison::Cost Comparison::cost() const {
    Cost cost = cost_;
    cost.octets = admin_.client_.parts_->octets - octets_before_;
    return cost;
}

}  // namespace dynamo
