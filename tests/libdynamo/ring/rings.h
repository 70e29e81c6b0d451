// Rings to test with: members by number, and a cluster that grows by plans.
#pragma once

#include <string>
#include <vector>

#include "libdynamo/ring/ring.h"

namespace dynamo::test {

/// Node `number` of any test: "n7", its own addresses, an id that is a hash of its number.
Member member(unsigned number, std::uint32_t weight = 1, const std::string& zone = "");

std::vector<Member> members(unsigned count);

/// Sorted by id, as an epoch has them.
std::vector<Member> sorted(std::vector<Member> members);

struct Shape {
    std::uint16_t partitions = 64;  ///< Q
    std::uint16_t copies = 3;       ///< N
};

/// A cluster founded by the first of them.
RingState founded(const Member& founder, const Shape& shape = {});

/// Stages, as `state`'s first issuer, all that turns the head's members into these, and appends the
/// planned epoch. Fails the test when there is no plan.
void change_to(RingState& state, const std::vector<Member>& members);

/// A cluster of these members at epoch 2 (1 when there is only one).
RingState ring_of(const std::vector<Member>& members, const Shape& shape = {});

/// The row of a partition, without empty places.
std::vector<Member> row(const Epoch& epoch, std::size_t partition);

/// How many copies each member holds, by its index.
std::vector<std::size_t> loads(const Epoch& epoch);

}  // namespace dynamo::test
