// How one epoch gives way to the next, partition by partition (paper section 4.9).
//
//     list of epoch 3   A B C     ──────────────►│ ended: W owners of the next list are complete
//     list of epoch 5   A B D           ├────────────────────────────────────────────────────►
//                               commit  ▲  D learns from A, B or C what they hold
//
// A list of a partition is *live* from the epoch that brings it until a newer one has *ended* those
// before it: W of the newer one's owners hold the partition completely (`RingState::synced`). While
// several are live a write needs W owners in each and a read R owners in each, so that every read
// meets every acknowledged write. A node that stands in no live list hands over what it has to all
// owners of the newest and then forgets it.
//
// Threads: pure functions
#pragma once

#include <vector>

#include "libdynamo/ring/ring.h"

namespace dynamo {

/// One list of a partition.
struct OwnerList {
    std::uint64_t version = 0;   ///< the epoch that brought it
    std::vector<NodeId> owners;  ///< in order of preference
    bool operator==(const OwnerList&) const = default;
};

/// Those of a partition that are live, the oldest first; the last one is the head's.
[[nodiscard]] std::vector<OwnerList> live_lists(const RingState& state, std::uint16_t partition);

/// Whether some partition has more than one.
[[nodiscard]] bool is_moving(const RingState& state);

/// Of how many partitions fewer than W copies would be left if `next` became the head: because its
/// list is shorter than W and than the one before, or because it declares owners of a live list
/// lost.
[[nodiscard]] std::size_t short_partitions(const RingState& state, const Epoch& next);

/// Of how many owners of a list what they hold must be known, to know every write that W of them
/// have acknowledged and a read of R of them would see.
[[nodiscard]] std::size_t fence_of(const ClusterSettings& settings, std::size_t owners);

/// Notes that `node` holds the partition completely as an owner of the head's list. True when that
/// was not known.
bool note_synced(RingState& state, const NodeId& node, std::uint16_t partition);

/// Forgets rings that nothing needs any more, and what is noted of their lists: beyond the last
/// `kept` those are needed in which a live list stands, and those that name a node which was
/// removed and still holds something. Two states that know the same forget the same.
void forget_rings(RingState& state, std::size_t kept);

/// Whether a node that was removed holds nothing any more.
[[nodiscard]] bool is_released(const RingState& state, const NodeId& node);

[[nodiscard]] bool is_synced(const RingState& state, std::uint64_t version, const NodeId& node,
                             std::uint16_t partition);

}  // namespace dynamo
