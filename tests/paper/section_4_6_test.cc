#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "libdynamo/ring/route.h"
#include "tests/daemon/node/rig.h"
#include "tests/libdynamo/ring/rings.h"

namespace dynamo {
namespace {

using test::member;
using test::Rig;
using test::ring_of;

// "if node A is temporarily down or unreachable during a write operation then a replica that would
// normally have lived on A will now be sent to node D. [...] The replica sent to D will have a hint
// in its metadata that suggests which node was the intended recipient of the replica."
TEST(section_4_6, sends_the_replica_of_a_node_that_is_down_to_another_with_a_hint) {
    Rig rig({.nodes = 4});
    const std::size_t down = rig.owners("k").front();
    const std::size_t other = rig.stranger("k");
    rig.stop(down);
    (void)rig.put(rig.owners("k")[1], "k", "v");
    rig.pass(std::chrono::seconds(1));
    EXPECT_EQ(rig.stored(other, "k", rig.id(down)).siblings.size(), 1U);
    EXPECT_TRUE(rig.stored(other, "k").empty()) << "kept apart from what the node owns";
}

// "Upon detecting that A has recovered, D will attempt to deliver the replica to A. Once the
// transfer succeeds, D may delete the object from its local store without decreasing the total
// number of replicas in the system."
TEST(section_4_6, delivers_the_replica_when_the_node_has_recovered) {
    Rig rig({.nodes = 4});
    const std::size_t down = rig.owners("k").front();
    const std::size_t other = rig.stranger("k");
    rig.isolate(down);
    (void)rig.put(rig.owners("k")[1], "k", "v");
    rig.pass(std::chrono::seconds(1));
    ASSERT_EQ(rig.stored(other, "k", rig.id(down)).siblings.size(), 1U);
    rig.filter = [&](std::size_t from, std::size_t to, const wire::PeerMessage& message) {
        const bool confirms =
            from == down && to == other && std::holds_alternative<wire::WriteReply>(message);
        if (confirms) {
            EXPECT_EQ(rig.stored(down, "k").siblings.size(), 1U);
            EXPECT_EQ(rig.stored(other, "k", rig.id(down)).siblings.size(), 1U);
        }
        return true;
    };
    rig.heal();
    rig.pass(std::chrono::seconds(10));
    EXPECT_EQ(rig.stored(down, "k").siblings.size(), 1U);
    EXPECT_TRUE(rig.stored(other, "k", rig.id(down)).empty());
}

// "Applications that need the highest level of availability can set W to 1, which ensures that a
// write is accepted as long as a single node in the system has durably written the key."
TEST(section_4_6, accepts_a_write_at_w_1_while_a_single_node_is_up) {
    Rig rig;
    rig.stop(1);
    rig.stop(2);
    const auto reply =
        rig.call(0, wire::PutRequest{.key = "k", .value = "v", .mode = PutMode::blind, .w = 1});
    EXPECT_TRUE(std::holds_alternative<wire::PutReply>(reply));
    EXPECT_EQ(rig.stored(0, "k").siblings.size(), 1U);
}

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
