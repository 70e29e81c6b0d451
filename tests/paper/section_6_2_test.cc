#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "tests/libdynamo/ring/rings.h"

namespace dynamo {
namespace {

using test::change_to;
using test::members;
using test::ring_of;

std::vector<std::size_t> tokens(const Epoch& epoch) {
    std::vector<std::size_t> tokens(epoch.members.size(), 0);
    for (std::size_t p = 0; p < epoch.partitions; ++p) ++tokens.at(epoch.table[p * epoch.copies]);
    return tokens;
}

// "each node is assigned Q/S tokens where S is the number of nodes in the system." (strategy 3)
TEST(section_6_2, assigns_q_over_s_tokens_to_each_node) {
    RingState ring = ring_of(members(1), {256, 3});
    for (unsigned nodes = 2; nodes <= 12; ++nodes) {
        change_to(ring, members(nodes));
        const auto [fewest, most] = std::ranges::minmax(tokens(ring.head()));
        EXPECT_EQ(fewest, 256 / nodes);
        EXPECT_EQ(most, (256 + nodes - 1) / nodes);
    }
}

// "When a node leaves the system, its tokens are randomly distributed to the remaining nodes such
// that these properties are preserved. Similarly, when a node joins the system it 'steals' tokens
// from nodes in the system in a way that preserves these properties."
TEST(section_6_2, preserves_the_balance_when_nodes_leave_and_join) {
    RingState ring = ring_of(members(6), {256, 3});
    auto left = members(6);
    left.erase(left.begin() + 2);
    change_to(ring, left);
    auto [fewest, most] = std::ranges::minmax(tokens(ring.head()));
    EXPECT_EQ(fewest, 51U);
    EXPECT_EQ(most, 52U);
    left.push_back(test::member(7));
    change_to(ring, left);
    std::ranges::minmax_result result = std::ranges::minmax(tokens(ring.head()));
    EXPECT_EQ(result.min, 42U);
    EXPECT_EQ(result.max, 43U);
}

// "the hash space is divided into Q equally sized partitions": what a node holds of it is known
// without looking at keys, and does not depend on who is a member.
TEST(section_6_2, divides_the_hash_space_into_equal_partitions_for_ever) {
    std::array<int, 256> keys{};
    for (int i = 0; i < 256 * 100; ++i)
        ++keys.at(partition_of(position_of("key " + std::to_string(i)), 256));
    for (const int count : keys) EXPECT_NEAR(count, 100, 60);
}

}  // namespace
}  // namespace dynamo
