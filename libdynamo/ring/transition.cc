#include "libdynamo/ring/transition.h"

#include <algorithm>

#include "libdynamo/ring/partition_set.h"

namespace dynamo {
namespace {

/// Whether the lists before this one are over.
bool has_ended_others(const RingState& state, const OwnerList& list, std::uint16_t partition) {
    const auto complete = std::ranges::count_if(list.owners, [&](const NodeId& owner) {
        return is_synced(state, list.version, owner, partition);
    });
    const std::size_t needed =
        std::min<std::size_t>(state.settings.write_quorum, list.owners.size());
    return static_cast<std::size_t>(complete) >= needed;
}

}  // namespace

std::vector<OwnerList> live_lists(const RingState& state, std::uint16_t partition) {
    std::vector<OwnerList> lists;
    // From the head back, past epochs that left the list as it was.
    for (auto epoch = state.epochs.rbegin(); epoch != state.epochs.rend(); ++epoch) {
        const std::uint64_t version = epoch->version[partition];
        if (!lists.empty() && lists.back().version == version) continue;
        lists.push_back({version, owners_in(*epoch, partition)});
        if (has_ended_others(state, lists.back(), partition)) break;
    }
    std::ranges::reverse(lists);
    return lists;
}

bool is_moving(const RingState& state) {
    const Epoch& head = state.head();
    const std::uint64_t first = state.epochs.front().number;
    for (std::uint16_t p = 0; p < head.partitions; ++p) {
        if (head.version[p] <= first) continue;
        if (!has_ended_others(state, {head.version[p], owners_in(head, p)}, p)) return true;
    }
    return false;
}

std::size_t short_partitions(const RingState& state, const Epoch& next) {
    const auto is_lost = [](const Epoch& epoch, const NodeId& node) {
        return std::ranges::binary_search(epoch.lost, node);
    };
    const std::size_t quorum = state.settings.write_quorum;
    std::size_t count = 0;
    for (std::uint16_t p = 0; p < next.partitions; ++p) {
        const auto lists = live_lists(state, p);
        const std::size_t had = lists.back().owners.size();
        bool is_short = owners_in(next, p).size() < std::min(quorum, had);
        for (const OwnerList& list : lists) {
            // What an earlier ring declared lost was agreed to then.
            const auto before = std::ranges::count_if(
                list.owners, [&](const NodeId& node) { return !is_lost(state.head(), node); });
            const auto left = std::ranges::count_if(
                list.owners, [&](const NodeId& node) { return !is_lost(next, node); });
            is_short = is_short || (left < before && static_cast<std::size_t>(left) <
                                                         std::min(quorum, list.owners.size()));
        }
        count += is_short;
    }
    return count;
}

std::size_t fence_of(const ClusterSettings& settings, std::size_t owners) {
    const std::size_t quorum =
        std::min<std::size_t>({settings.read_quorum, settings.write_quorum, owners});
    return owners - quorum + 1;
}

bool note_synced(RingState& state, const NodeId& node, std::uint16_t partition) {
    const std::uint64_t version = state.head().version[partition];
    if (is_synced(state, version, node, partition)) return false;
    Bytes& partitions = state.synced[version][node];
    partitions.resize(set_octets(state.head().partitions), '\0');
    put_in(partitions, partition);
    return true;
}

void forget_rings(RingState& state, std::size_t kept) {
    const std::uint64_t last = state.head().number;
    std::uint64_t first = last > kept ? last - kept + 1 : 1;
    if (first <= state.epochs.front().number) return;
    for (std::uint16_t p = 0; p < state.head().partitions; ++p)
        if (const auto lists = live_lists(state, p); lists.size() > 1)
            first = std::min(first, lists[1].version - 1);
    std::map<NodeId, std::uint64_t> named;
    for (const Epoch& epoch : state.epochs)
        for (const Member& member : epoch.members) named[member.id] = epoch.number;
    for (const auto& [node, number] : named)
        if (number != last && !is_released(state, node) &&
            !std::ranges::binary_search(state.head().lost, node))
            first = std::min(first, number);
    std::erase_if(state.epochs, [&](const Epoch& epoch) { return epoch.number < first; });
    std::erase_if(state.synced,
                  [&](const auto& noted) { return noted.first <= state.epochs.front().number; });
}

bool is_released(const RingState& state, const NodeId& node) {
    const auto noted = state.released.find(node);
    if (noted == state.released.end()) return false;
    return std::ranges::none_of(state.epochs, [&](const Epoch& epoch) {
        return epoch.number > noted->second &&
               std::ranges::binary_search(epoch.members, node, {}, &Member::id);
    });
}

bool is_synced(const RingState& state, std::uint64_t version, const NodeId& node,
               std::uint16_t partition) {
    const auto nodes = state.synced.find(version);
    if (nodes == state.synced.end()) return false;
    const auto partitions = nodes->second.find(node);
    return partitions != nodes->second.end() && is_in(partitions->second, partition);
}

}  // namespace dynamo
