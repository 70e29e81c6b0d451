// A ring at rest: what its last change moved is where it belongs.
#pragma once

#include "libdynamo/ring/transition.h"

namespace dynamo::test {

/// Every owner of the head's lists is complete.
inline void settle(RingState& state) {
    for (std::uint16_t p = 0; p < state.head().partitions; ++p) {
        if (state.head().version[p] <= state.epochs.front().number) continue;
        const auto lists = live_lists(state, p);
        for (const NodeId& owner : lists.back().owners) (void)note_synced(state, owner, p);
    }
}

}  // namespace dynamo::test
