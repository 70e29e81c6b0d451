#include "libdynamo/ring/ring.h"

#include <algorithm>
#include <bit>
#include <set>

#include "libdynamo/base/check.h"
#include "libdynamo/ring/placement.h"

namespace dynamo {
namespace {

const Epoch* epoch_of(const RingState& state, std::uint64_t number) {
    const std::uint64_t first = state.epochs.front().number;
    return number < first || number > state.head().number ? nullptr : &state.epochs[number - first];
}

Result<void> check_epochs_agree(const RingState& ours, const RingState& theirs) {
    for (const Epoch& epoch : ours.epochs) {
        const Epoch* const other = epoch_of(theirs, epoch.number);
        if (!other || epoch == *other) continue;
        return fail(Code::refused, "SPLIT: two different rings bear the number " +
                                       std::to_string(epoch.number) +
                                       "; keep one of them and reset the nodes of the other");
    }
    return {};
}

Result<void> check_histories_agree(const RingState& ours, const RingState& theirs) {
    for (const auto& [issuer, operations] : theirs.history) {
        const auto known = ours.history.find(issuer);
        if (known == ours.history.end()) continue;
        const auto [left, right] = std::ranges::mismatch(known->second, operations);
        if (left == known->second.end() || right == operations.end()) continue;
        return fail(Code::refused, "SPLIT: node " + issuer.brief() +
                                       " issued two different changes as its number " +
                                       std::to_string(left->seq) +
                                       "; was its data directory copied or restored?");
    }
    return {};
}

/// Newer rings follow ours. Those before their first are needed by nothing, as they know, and the
/// notes that would tell us so may be forgotten too.
bool join_epochs(RingState& ours, const RingState& theirs) {
    const std::uint64_t first = theirs.epochs.front().number;
    bool changed =
        std::erase_if(ours.epochs, [&](const Epoch& epoch) { return epoch.number < first; }) > 0;
    for (const Epoch& epoch : theirs.epochs) {
        if (!ours.epochs.empty() && epoch.number <= ours.head().number) continue;
        ours.epochs.push_back(epoch);
        changed = true;
    }
    return changed;
}

/// What is noted of single nodes: noted once, it stays until its ring is forgotten.
bool join_notes(RingState& ours, const RingState& theirs) {
    bool changed = false;
    for (const auto& [version, nodes] : theirs.synced)
        for (const auto& [node, partitions] : nodes) {
            if (version <= ours.epochs.front().number) continue;
            Bytes& known = ours.synced[version][node];
            const Bytes before = known;
            known.resize(partitions.size(), '\0');
            for (std::size_t i = 0; i < partitions.size(); ++i)
                known[i] = static_cast<char>(known[i] | partitions[i]);
            changed = changed || known != before;
        }
    for (const auto& [node, number] : theirs.released) {
        std::uint64_t& known = ours.released[node];
        changed = changed || known < number;
        known = std::max(known, number);
    }
    return changed;
}

}  // namespace

Result<bool> join(RingState& ours, const RingState& theirs) {
    if (ours.cluster != theirs.cluster)
        return fail(Code::wrong_cluster,
                    "this is cluster " + ours.cluster.brief() + " (" + ours.settings.name +
                        "), not " + theirs.cluster.brief() + " (" + theirs.settings.name + ")");
    if (ours == theirs) return false;
    if (auto valid = validate(theirs); !valid) return std::unexpected(valid.error());
    if (ours.settings != theirs.settings)
        return fail(Code::refused, "SPLIT: cluster " + ours.cluster.brief() +
                                       " has two different settings; they are fixed for ever");
    if (auto agree = check_epochs_agree(ours, theirs); !agree)
        return std::unexpected(agree.error());
    if (auto agree = check_histories_agree(ours, theirs); !agree)
        return std::unexpected(agree.error());

    bool changed = false;
    for (const auto& [issuer, operations] : theirs.history) {
        auto& known = ours.history[issuer];
        if (known.size() >= operations.size()) continue;
        known = operations;
        changed = true;
    }
    changed = join_epochs(ours, theirs) || changed;
    changed = join_notes(ours, theirs) || changed;
    // Where rings are forgotten, so are the notes of them.
    std::erase_if(ours.synced,
                  [&](const auto& noted) { return noted.first <= ours.epochs.front().number; });
    return changed;
}

RingState found(const ClusterId& cluster, const ClusterSettings& settings, const Member& founder,
                WallMs wall_ms) {
    RingState state;
    state.cluster = cluster;
    state.settings = settings;
    stage(state, founder.id, MemberOp::Kind::add, founder, "founded the cluster", wall_ms);

    Epoch first;
    first.number = 1;
    first.proposer = founder.id;
    first.issued = state.history.at(founder.id).front().issued;
    first.members = {founder};
    first.copies = settings.copies;
    first.partitions = settings.partitions;
    first.table = place(first.members, first.partitions, first.copies, nullptr);
    first.version.assign(first.partitions, 1);
    first.covers = {{founder.id, 1}};
    state.epochs.push_back(std::move(first));
    return state;
}

std::vector<NodeId> owners_in(const Epoch& epoch, std::uint16_t partition) {
    std::vector<NodeId> owners;
    for (std::size_t rank = 0; rank < epoch.copies; ++rank) {
        const std::uint16_t index = epoch.table[std::size_t{partition} * epoch.copies + rank];
        if (index != Epoch::nobody) owners.push_back(epoch.members[index].id);
    }
    return owners;
}

std::size_t copies_moved(const Epoch& before, const Epoch& after) {
    const auto copies_of = [](const Epoch& epoch) {
        std::set<std::pair<std::size_t, NodeId>> copies;
        for (std::size_t i = 0; i < epoch.table.size(); ++i)
            if (epoch.table[i] != Epoch::nobody)
                copies.emplace(i / epoch.copies, epoch.members[epoch.table[i]].id);
        return copies;
    };
    const auto old_copies = copies_of(before);
    const auto new_copies = copies_of(after);
    return static_cast<std::size_t>(std::ranges::count_if(
        new_copies, [&](const auto& copy) { return !old_copies.contains(copy); }));
}

std::uint16_t partition_of(const Position& position, std::uint16_t partitions) {
    DYN_CHECK(std::has_single_bit(partitions));
    const int bits = std::countr_zero(partitions);
    return bits == 0 ? std::uint16_t{0} : static_cast<std::uint16_t>(position.high >> (64 - bits));
}

}  // namespace dynamo
