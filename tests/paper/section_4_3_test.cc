#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "libdynamo/ring/route.h"
#include "tests/libdynamo/ring/rings.h"

namespace dynamo {
namespace {

using test::members;
using test::ring_of;

// "each data item is replicated at N hosts, where N is a parameter configured 'per-instance'."
TEST(section_4_3, replicates_each_item_at_n_hosts) {
    for (const std::uint16_t copies : {std::uint16_t{1}, std::uint16_t{3}, std::uint16_t{5}}) {
        const RingState ring = ring_of(members(7), {64, copies});
        const Routes routes(ring, {});
        for (std::uint16_t p = 0; p < 64; ++p) EXPECT_EQ(routes.owners(p).size(), copies);
    }
}

// "every node in the system can determine which nodes should be in this list for any particular
// key."
TEST(section_4_3, lets_every_node_determine_the_list_of_any_key) {
    // Two nodes that learned the same changes, each over its own way.
    const RingState one = ring_of(members(5));
    RingState other = test::founded(members(5).front());
    ASSERT_TRUE(*join(other, one));
    const Routes here(one, {});
    const Routes there(other, {});
    for (const char* key : {"cart:7", "session:a", ""}) {
        const std::uint16_t p = here.partition_of(position_of(key));
        EXPECT_EQ(p, there.partition_of(position_of(key)));
        EXPECT_TRUE(std::ranges::equal(here.owners(p), there.owners(p)));
        EXPECT_EQ(here.fallbacks(p), there.fallbacks(p));
    }
}

// "To account for node failures, preference list contains more than N nodes." and "the preference
// list for a key is constructed by skipping positions in the ring to ensure that the list contains
// only distinct physical nodes."
TEST(section_4_3, lists_more_than_n_nodes_each_a_distinct_physical_one) {
    const RingState ring = ring_of(members(7), {64, 3});
    const Routes routes(ring, {});
    for (std::uint16_t p = 0; p < 64; ++p) {
        const auto fallbacks = routes.fallbacks(p);
        std::set<NodeId> distinct(routes.owners(p).begin(), routes.owners(p).end());
        distinct.insert(fallbacks.begin(), fallbacks.end());
        EXPECT_EQ(distinct.size(), 7U);
        EXPECT_EQ(routes.owners(p).size() + fallbacks.size(), 7U);
    }
}

}  // namespace
}  // namespace dynamo
