#include <gtest/gtest.h>

#include <map>

#include "libdynamo/ring/route.h"
#include "tests/libdynamo/ring/rings.h"

namespace dynamo {
namespace {

using test::change_to;
using test::member;
using test::members;
using test::ring_of;
using test::row;

// "the output range of a hash function is treated as a fixed circular space or 'ring' (i.e. the
// largest hash value wraps around to the smallest hash value)."
TEST(section_4_2, wraps_the_largest_hash_value_around_to_the_smallest) {
    const RingState ring = ring_of(members(6), {64, 1});
    const Routes routes(ring, {});
    // Whoever stands in for the last partition's owner is found by walking on to the first ones.
    const NodeId last = routes.owners(63).front();
    std::uint16_t p = 0;
    while (routes.owners(p).front() == last) ++p;
    EXPECT_EQ(routes.fallbacks(63).front(), routes.owners(p).front());
}

// "If a node becomes unavailable (due to failures or routine maintenance), the load handled by
// this node is evenly dispersed across the remaining available nodes."
TEST(section_4_2, disperses_the_load_of_an_unavailable_node_over_the_others) {
    const RingState ring = ring_of(members(10), {1024, 3});
    const Routes routes(ring, {});
    for (const Member& gone : routes.members()) {
        std::map<NodeId, int> first_now;
        int primaries = 0;
        for (std::uint16_t p = 0; p < 1024; ++p) {
            if (routes.owners(p).front() != gone.id) continue;
            ++primaries;
            ++first_now[routes.owners(p)[1]];
        }
        EXPECT_EQ(first_now.size(), 9U);
        for (const auto& [node, count] : first_now) EXPECT_LE(count, 3 * primaries / 9);
    }
}

// "When a node becomes available again, or a new node is added to the system, the newly available
// node accepts a roughly equivalent amount of load from each of the other available nodes."
TEST(section_4_2, gives_a_new_node_about_as_much_from_each_of_the_others) {
    RingState ring = ring_of(members(9), {1024, 3});
    change_to(ring, members(10));
    const auto before = test::loads(ring.epochs[1]);
    const auto after = test::loads(ring.head());
    std::map<std::string, std::size_t> gave;
    for (std::size_t i = 0; i < before.size(); ++i)
        gave[ring.epochs[1].members[i].name] += before[i];
    for (std::size_t i = 0; i < after.size(); ++i)
        if (ring.head().members[i].name != "n10") gave[ring.head().members[i].name] -= after[i];
    const double fair = 3.0 * 1024 / 10 / 9;
    for (const auto& [name, copies] : gave)
        EXPECT_NEAR(static_cast<double>(copies), fair, 2) << name;
}

// "The number of virtual nodes that a node is responsible can decided based on its capacity,
// accounting for heterogeneity in the physical infrastructure."
TEST(section_4_2, gives_a_node_as_much_as_its_capacity_says) {
    auto six = members(6);
    six[0].weight = 2;
    const RingState ring = ring_of(six, {1024, 3});
    for (std::size_t i = 0; i < 6; ++i) {
        const double share = 3.0 * 1024 / 7 * ring.head().members[i].weight;
        EXPECT_NEAR(static_cast<double>(test::loads(ring.head())[i]), share, 1);
    }
}

}  // namespace
}  // namespace dynamo
