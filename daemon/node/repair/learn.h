// How much somebody who has lost a copy must learn before it may answer for it again.
//
// Threads: plain functions
#pragma once

#include <algorithm>
#include <cstddef>
#include <set>
#include <span>

#include "daemon/node/desk.h"

namespace dynamo {

/// Of how many other owners somebody who has lost its copy must learn, to know of every write that
/// was acknowledged with `quorum` of `copies`: N - W + 1 of them meet every such W. Never more than
/// there are.
[[nodiscard]] inline std::size_t owners_to_learn_from(std::size_t copies, std::size_t quorum) {
    return std::min(copies - 1, copies - std::min(quorum, copies) + 1);
}

/// Whether that is done, for each of the partition's live lists. `whole`: owners that have told all
/// that they ever held; `told`: those and the ones that have lost something themselves. Where all
/// others of a list have been learnt from, or are lost, there is nothing left to learn.
[[nodiscard]] inline bool is_learnt(const Desk& desk, std::uint16_t partition,
                                    const std::set<NodeId>& whole, const std::set<NodeId>& told,
                                    bool one_will_do = false) {
    const auto enough = [&](std::span<const NodeId> owners) {
        std::size_t complete = 0;
        bool left = false;
        for (const NodeId& owner : owners) {
            if (owner == desk.self()) continue;
            complete += whole.contains(owner) ? 1 : 0;
            left = left || (!told.contains(owner) && !desk.routes.is_lost(owner));
        }
        if (!left || (one_will_do && complete > 0)) return true;
        return complete >= owners_to_learn_from(owners.size(), desk.settings.write_quorum);
    };
    const auto& lists = desk.routes.lists(partition);
    if (lists.empty()) return enough(desk.routes.owners(partition));
    return std::ranges::all_of(lists, [&](const OwnerList& list) { return enough(list.owners); });
}

}  // namespace dynamo
