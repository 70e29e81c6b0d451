#include "tests/sim/fault_atlas.h"

#include <algorithm>

namespace dynamo::sim {

bool FaultAtlas::may_lose(unsigned node, const Bytes& key) {
    // While a ring changes, each list that anybody takes for live has to keep what was promised.
    std::vector<OwnerList> lists;
    for (unsigned other = 0; other < cluster_.size(); ++other)
        for (OwnerList& list : cluster_.lists_at(other, key))
            if (std::ranges::find(lists, list) == lists.end()) lists.push_back(std::move(list));
    if (lists.size() <= 1) return may_lose(node, key, cluster_.owners(key));
    return std::ranges::all_of(lists, [&](const OwnerList& list) {
        std::vector<unsigned> owners;
        for (const NodeId& id : list.owners) owners.push_back(cluster_.index_of(id));
        return may_lose(node, key, owners);
    });
}

bool FaultAtlas::may_lose(unsigned node, const Bytes& key, const std::vector<unsigned>& owners) {
    const auto& writes = world_.ledger.writes(key);
    // Somebody has to be left who can say what there is.
    if (std::ranges::none_of(owners, [&](unsigned owner) {
            return owner != node && !dead_.contains(owner) && cluster_.is_whole(owner) &&
                   !cluster_.is_unsound(owner, key);
        }))
        return false;
    // An owner that lost its copy reads N - W + 1 of the others: W - 1 of them must hold it.
    const std::size_t wanted = std::max<std::size_t>(1, world_.setup.w - 1);
    const WriteSet& purged = world_.ledger.purged(key);
    std::vector<std::size_t> holders(writes.size());
    for (const unsigned owner : owners) {
        if (owner == node || dead_.contains(owner)) continue;
        const auto object = cluster_.stored_whole(owner, key);
        if (!object) continue;
        for (std::size_t i = 0; i < writes.size(); ++i)
            holders[i] += object->clock.covers(writes[i].dot);
    }
    // An acknowledgement may be on its way.
    const Instant recent =
        world_.waiting[key] > 0 ? world_.timeline.now() - std::chrono::seconds(4) : Instant::max();
    for (std::size_t i = 0; i < writes.size(); ++i)
        if (holders[i] < wanted && !purged.has(i) &&
            (writes[i].acknowledged || writes[i].minted_at > recent))
            return false;
    return true;
}

bool FaultAtlas::may_put_back(unsigned node) {
    for (unsigned other = 0; other < cluster_.size(); ++other)
        if (other != node && !cluster_.is_whole(other)) return false;
    return true;
}

bool FaultAtlas::may_lose(unsigned node) {
    for (unsigned other = 0; other < cluster_.size(); ++other)
        if (other != node && cluster_.process(other).was_put_back()) return false;
    // Somebody has to be left who can say what there is.
    std::size_t lost = 1;
    for (unsigned other = 0; other < cluster_.size(); ++other)
        lost += other != node && (dead_.contains(other) || !cluster_.is_whole(other));
    if (lost >= world_.setup.copies) return false;
    return std::ranges::all_of(world_.ledger.keys(),
                               [&](const Bytes& key) { return may_lose(node, key); });
}

}  // namespace dynamo::sim
