#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "libdynamo/ring/route.h"
#include "tests/libdynamo/ring/rings.h"

namespace dynamo {
namespace {

using test::member;
using test::ring_of;

// "the preference list of a key is constructed such that the storage nodes are spread across
// multiple data centers."
TEST(section_4_6, spreads_each_list_across_data_centers) {
    std::vector<Member> twelve;
    for (unsigned i = 1; i <= 12; ++i) twelve.push_back(member(i, 1, "dc" + std::to_string(i % 3)));
    const RingState ring = ring_of(twelve, {256, 3});
    for (std::size_t p = 0; p < 256; ++p) {
        std::set<std::string> centers;
        for (const Member& owner : test::row(ring.head(), p)) centers.insert(owner.zone);
        EXPECT_EQ(centers.size(), 3U) << p;
    }
}

// "This scheme of replicating across multiple datacenters allows us to handle entire data center
// failures without a data outage."
TEST(section_4_6, keeps_every_item_when_a_data_center_fails) {
    std::vector<Member> nine;
    for (unsigned i = 1; i <= 9; ++i) nine.push_back(member(i, 1, i <= 7 ? "big" : "small"));
    const RingState ring = ring_of(nine, {256, 3});
    for (const std::string failed : {"big", "small"})
        for (std::size_t p = 0; p < 256; ++p) {
            const auto owners = test::row(ring.head(), p);
            EXPECT_LT(std::ranges::count(owners, failed, &Member::zone), 3) << failed << p;
        }
}

}  // namespace
}  // namespace dynamo
