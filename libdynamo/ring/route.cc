#include "libdynamo/ring/route.h"

#include <algorithm>
#include <set>

namespace dynamo {

namespace {

/// Who was a member, by the last that was said of it.
std::map<NodeId, Member> former_members(const RingState& state) {
    std::map<NodeId, Member> former;
    for (const Epoch& epoch : state.epochs)
        for (const Member& member : epoch.members) former[member.id] = member;
    for (const Member& member : state.head().members) former.erase(member.id);
    return former;
}

}  // namespace

Routes::Routes(const RingState& state, const Sha256& digest)
    : number_(state.head().number),
      partitions_(state.head().partitions),
      members_(state.head().members),
      peers_(members_),
      lost_(state.head().lost),
      version_(state.head().version),
      owners_(partitions_) {
    const Epoch& head = state.head();
    for (std::size_t i = 0; i < sizeof fingerprint_; ++i)
        fingerprint_ = fingerprint_ << 8 | digest[i];
    for (auto& [id, member] : former_members(state))
        if (!is_released(state, id) && !is_lost(id)) peers_.push_back(std::move(member));
    std::ranges::sort(peers_, {}, &Member::id);
    for (std::uint16_t p = 0; p < partitions_; ++p) {
        for (std::size_t rank = 0; rank < head.copies; ++rank) {
            const std::uint16_t index = head.table[std::size_t{p} * head.copies + rank];
            if (index == Epoch::nobody) continue;
            owners_[p].push_back(members_[index].id);
            owned_[members_[index].id].push_back(p);
        }
        if (auto lists = live_lists(state, p); lists.size() > 1)
            moving_[p].lists = std::move(lists);
    }
    if (moving_.empty()) return;
    for (auto& [p, moving] : moving_) {
        for (const OwnerList& list : moving.lists)
            for (const NodeId& owner : list.owners)
                if (std::ranges::find(moving.serving, owner) == moving.serving.end())
                    moving.serving.push_back(owner);
        for (const NodeId& owner : owners_[p])
            if (dynamo::is_synced(state, version_[p], owner, p)) moving.synced.push_back(owner);
    }
    for (std::uint16_t p = 0; p < partitions_; ++p)
        for (const NodeId& node : serving(p)) served_[node].push_back(p);
}

std::uint16_t Routes::partition_of(const Position& position) const {
    return partitions_ == 0 ? std::uint16_t{0} : dynamo::partition_of(position, partitions_);
}

const Member* Routes::find(const NodeId& id) const {
    const auto at = std::ranges::lower_bound(peers_, id, {}, &Member::id);
    return at != peers_.end() && at->id == id ? &*at : nullptr;
}

bool Routes::is_member(const NodeId& id) const {
    return std::ranges::binary_search(members_, id, {}, &Member::id);
}

bool Routes::is_lost(const NodeId& id) const { return std::ranges::binary_search(lost_, id); }

std::span<const NodeId> Routes::owners(std::uint16_t partition) const {
    if (partition >= partitions_) return {};
    return owners_[partition];
}

bool Routes::is_owner(const NodeId& node, std::uint16_t partition) const {
    return std::ranges::count(owners(partition), node) > 0;
}

std::uint64_t Routes::version(std::uint16_t partition) const {
    return partition < partitions_ ? version_[partition] : 0;
}

const std::vector<OwnerList>& Routes::lists(std::uint16_t partition) const {
    static const std::vector<OwnerList> none;
    if (moving_.empty()) return none;
    const auto at = moving_.find(partition);
    return at == moving_.end() ? none : at->second.lists;
}

std::span<const NodeId> Routes::serving(std::uint16_t partition) const {
    if (moving_.empty()) return owners(partition);
    const auto at = moving_.find(partition);
    return at == moving_.end() ? owners(partition) : at->second.serving;
}

bool Routes::serves(const NodeId& node, std::uint16_t partition) const {
    return std::ranges::count(serving(partition), node) > 0;
}

Routes::Standing Routes::standing(std::uint64_t number, std::uint16_t partition) const {
    if (number > number_) return Standing::behind;
    return number < version(partition) ? Standing::newer : Standing::same;
}

bool Routes::is_synced(const NodeId& node, std::uint16_t partition) const {
    const auto at = moving_.find(partition);
    return at != moving_.end() &&
           std::ranges::find(at->second.synced, node) != at->second.synced.end();
}

std::vector<NodeId> Routes::fallbacks(std::uint16_t partition) const {
    if (partition >= partitions_) return {};
    const auto in_lists = serving(partition);
    std::set<NodeId> seen(in_lists.begin(), in_lists.end());
    const auto serving_members =
        std::ranges::count_if(in_lists, [this](const NodeId& node) { return is_member(node); });
    const std::size_t others = members_.size() - static_cast<std::size_t>(serving_members);
    std::vector<NodeId> standing_in;
    const auto take = [&](const NodeId& node) {
        if (seen.insert(node).second) standing_in.push_back(node);
    };
    for (std::size_t step = 1; step < partitions_ && standing_in.size() < others; ++step) {
        const auto& list = owners_[(partition + step) % partitions_];
        if (!list.empty()) take(list.front());
    }
    for (const Member& member : members_) take(member.id);
    return standing_in;
}

namespace {

const std::vector<std::uint16_t>& partitions_in(
    const std::map<NodeId, std::vector<std::uint16_t>>& nodes, const NodeId& node) {
    static const std::vector<std::uint16_t> nothing;
    const auto at = nodes.find(node);
    return at == nodes.end() ? nothing : at->second;
}

}  // namespace

const std::vector<std::uint16_t>& Routes::owned_by(const NodeId& node) const {
    return partitions_in(owned_, node);
}

const std::vector<std::uint16_t>& Routes::served_by(const NodeId& node) const {
    return partitions_in(moving_.empty() ? owned_ : served_, node);
}

std::vector<std::uint16_t> Routes::moving() const {
    std::vector<std::uint16_t> partitions;
    for (const auto& [partition, moving] : moving_) partitions.push_back(partition);
    return partitions;
}

}  // namespace dynamo
