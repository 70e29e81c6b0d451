#include "libdynamo/ring/transition.h"

#include <algorithm>

#include "libdynamo/ring/partition_set.h"

namespace dynamo {
namespace {

std::vector<NodeId> owners_in(const Epoch& epoch, std::uint16_t partition) {
    std::vector<NodeId> owners;
    for (std::size_t rank = 0; rank < epoch.copies; ++rank) {
        const std::uint16_t index = epoch.table[std::size_t{partition} * epoch.copies + rank];
        if (index != Epoch::nobody) owners.push_back(epoch.members[index].id);
    }
    return owners;
}

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
        if (head.version[p] == first) continue;
        if (!has_ended_others(state, {head.version[p], owners_in(head, p)}, p)) return true;
    }
    return false;
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
