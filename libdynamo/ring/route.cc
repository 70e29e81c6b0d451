#include "libdynamo/ring/route.h"

#include <algorithm>
#include <set>

namespace dynamo {

Routes::Routes(const Epoch& head, const Sha256& digest)
    : number_(head.number),
      partitions_(head.partitions),
      members_(head.members),
      owners_(head.partitions) {
    for (std::size_t i = 0; i < sizeof fingerprint_; ++i)
        fingerprint_ = fingerprint_ << 8 | digest[i];
    for (std::uint16_t p = 0; p < partitions_; ++p) {
        for (std::size_t rank = 0; rank < head.copies; ++rank) {
            const std::uint16_t index = head.table[std::size_t{p} * head.copies + rank];
            if (index == Epoch::nobody) continue;
            owners_[p].push_back(members_[index].id);
            owned_[members_[index].id].push_back(p);
        }
    }
}

std::uint16_t Routes::partition_of(const Position& position) const {
    return partitions_ == 0 ? std::uint16_t{0} : dynamo::partition_of(position, partitions_);
}

const Member* Routes::find(const NodeId& id) const {
    const auto at = std::ranges::lower_bound(members_, id, {}, &Member::id);
    return at != members_.end() && at->id == id ? &*at : nullptr;
}

std::span<const NodeId> Routes::owners(std::uint16_t partition) const {
    if (partition >= partitions_) return {};
    return owners_[partition];
}

bool Routes::is_owner(const NodeId& node, std::uint16_t partition) const {
    return std::ranges::count(owners(partition), node) > 0;
}

std::vector<NodeId> Routes::fallbacks(std::uint16_t partition) const {
    if (partition >= partitions_) return {};
    std::set<NodeId> seen(owners_[partition].begin(), owners_[partition].end());
    std::vector<NodeId> standing_in;
    const auto take = [&](const NodeId& node) {
        if (seen.insert(node).second) standing_in.push_back(node);
    };
    for (std::size_t step = 1; step < partitions_ && seen.size() < members_.size(); ++step) {
        const auto& list = owners_[(partition + step) % partitions_];
        if (!list.empty()) take(list.front());
    }
    for (const Member& member : members_) take(member.id);
    return standing_in;
}

const std::vector<std::uint16_t>& Routes::owned_by(const NodeId& node) const {
    static const std::vector<std::uint16_t> nothing;
    const auto at = owned_.find(node);
    return at == owned_.end() ? nothing : at->second;
}

}  // namespace dynamo
