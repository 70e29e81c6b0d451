// Routes: from a key to the nodes that answer for it, without a hop (paper sections 4.3, 4.6).
//
// Built once per ring state; every lookup is a table access. While a partition moves, several lists
// of it are live (transition.h): `owners` and whatever is named after it speak of the newest, the
// head's; `lists`, `serving` and `serves` of all that are live.
//
// Shape:   owners are distinct, at most N; fallbacks are the other members, clockwise
// Threads: immutable after construction; any
#pragma once

#include <map>
#include <span>
#include <vector>

#include "libdynamo/ring/ring.h"
#include "libdynamo/ring/transition.h"

namespace dynamo {

class Routes {
  public:
    Routes() = default;  ///< of no members: every list is empty
    /// `digest` is the head's (wire/state_codec.h).
    Routes(const RingState& state, const Sha256& digest);

    [[nodiscard]] std::uint64_t number() const { return number_; }
    /// First four octets of the head's digest, big-endian: with the number, what peers compare.
    [[nodiscard]] std::uint32_t fingerprint() const { return fingerprint_; }
    [[nodiscard]] std::uint16_t partitions() const { return partitions_; }
    [[nodiscard]] std::uint16_t partition_of(const Position& position) const;

    [[nodiscard]] const std::vector<Member>& members() const { return members_; }
    /// Members, and those who were and have not handed over all that they hold yet.
    [[nodiscard]] const std::vector<Member>& peers() const { return peers_; }
    /// Among the peers.
    [[nodiscard]] const Member* find(const NodeId& id) const;
    [[nodiscard]] bool is_member(const NodeId& id) const;
    /// Whether its storage was declared gone.
    [[nodiscard]] bool is_lost(const NodeId& id) const;

    /// The preference list of a partition, most preferred first.
    [[nodiscard]] std::span<const NodeId> owners(std::uint16_t partition) const;
    [[nodiscard]] bool is_owner(const NodeId& node, std::uint16_t partition) const;
    /// The epoch that brought that list.
    [[nodiscard]] std::uint64_t version(std::uint16_t partition) const;
    /// Whether only one list of the partition is live.
    [[nodiscard]] bool stable(std::uint16_t partition) const { return lists(partition).empty(); }
    /// The live lists, the oldest first; none while the partition is stable, for then there is
    /// only owners().
    [[nodiscard]] const std::vector<OwnerList>& lists(std::uint16_t partition) const;
    /// The nodes of all live lists, each once: those of the oldest list first.
    [[nodiscard]] std::span<const NodeId> serving(std::uint16_t partition) const;
    [[nodiscard]] bool serves(const NodeId& node, std::uint16_t partition) const;
    /// How this ring stands to a request for the partition from one who knows ring `number`.
    enum class Standing : std::uint8_t {
        same,    ///< both know the newest list
        newer,   ///< the partition's list has changed since
        behind,  ///< there is a ring that is not known here
    };
    [[nodiscard]] Standing standing(std::uint64_t number, std::uint16_t partition) const;
    /// The members beyond all live lists, in the order in which they stand in: the first owners of
    /// the following partitions, clockwise, distinct, then whoever is left.
    [[nodiscard]] std::vector<NodeId> fallbacks(std::uint16_t partition) const;
    /// The partitions that the node owns, ascending.
    [[nodiscard]] const std::vector<std::uint16_t>& owned_by(const NodeId& node) const;
    /// Those that it serves.
    [[nodiscard]] const std::vector<std::uint16_t>& served_by(const NodeId& node) const;
    /// Whether it is known to hold a moving partition completely, as an owner of the newest list.
    [[nodiscard]] bool is_synced(const NodeId& node, std::uint16_t partition) const;
    /// Those with more than one live list.
    [[nodiscard]] std::vector<std::uint16_t> moving() const;

  private:
    std::uint64_t number_ = 0;
    std::uint32_t fingerprint_ = 0;
    std::uint16_t partitions_ = 0;
    std::vector<Member> members_;
    std::vector<Member> peers_;  ///< sorted by id
    std::vector<NodeId> lost_;   ///< sorted
    std::vector<std::uint64_t> version_;
    std::vector<std::vector<NodeId>> owners_;
    std::map<NodeId, std::vector<std::uint16_t>> owned_;
    struct Moving {
        std::vector<OwnerList> lists;
        std::vector<NodeId> serving;
        std::vector<NodeId> synced;
    };
    std::map<std::uint16_t, Moving> moving_;
    std::map<NodeId, std::vector<std::uint16_t>> served_;  ///< of nodes where it is not owned_
};

}  // namespace dynamo
