// Routes: from a key to the nodes that answer for it, without a hop (paper sections 4.3, 4.6).
//
// Built once per epoch; every lookup is a table access.
//
// Shape:   owners are distinct, at most N; fallbacks are the other members, clockwise
// Threads: immutable after construction; any
#pragma once

#include <map>
#include <span>
#include <vector>

#include "libdynamo/ring/ring.h"

namespace dynamo {

class Routes {
  public:
    Routes() = default;  ///< of no members: every list is empty
    /// `digest` is the head's (wire/state_codec.h).
    Routes(const Epoch& head, const Sha256& digest);

    [[nodiscard]] std::uint64_t number() const { return number_; }
    /// First four octets of the head's digest, big-endian: with the number, what peers compare.
    [[nodiscard]] std::uint32_t fingerprint() const { return fingerprint_; }
    [[nodiscard]] std::uint16_t partitions() const { return partitions_; }
    [[nodiscard]] std::uint16_t partition_of(const Position& position) const;

    [[nodiscard]] const std::vector<Member>& members() const { return members_; }
    [[nodiscard]] const Member* find(const NodeId& id) const;

    /// The preference list of a partition, most preferred first.
    [[nodiscard]] std::span<const NodeId> owners(std::uint16_t partition) const;
    [[nodiscard]] bool is_owner(const NodeId& node, std::uint16_t partition) const;
    /// The members beyond the list, in the order in which they stand in: the first owners of the
    /// following partitions, clockwise, distinct, then whoever is left.
    [[nodiscard]] std::vector<NodeId> fallbacks(std::uint16_t partition) const;
    /// The partitions that the node owns, ascending.
    [[nodiscard]] const std::vector<std::uint16_t>& owned_by(const NodeId& node) const;

  private:
    std::uint64_t number_ = 0;
    std::uint32_t fingerprint_ = 0;
    std::uint16_t partitions_ = 0;
    std::vector<Member> members_;
    std::vector<std::vector<NodeId>> owners_;
    std::map<NodeId, std::vector<std::uint16_t>> owned_;
};

}  // namespace dynamo
