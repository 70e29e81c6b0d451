#include <gtest/gtest.h>

#include <algorithm>

#include "tests/daemon/node/rig.h"

namespace dynamo {
namespace {

using test::Rig;

bool holds(Rig& rig, std::size_t node) { return !rig.stored(node, "k").siblings.empty(); }

// "Any storage node in Dynamo is eligible to receive client get and put operations for any key."
TEST(section_4_5, takes_any_key_at_any_node) {
    Rig rig({.nodes = 5});
    for (std::size_t node = 0; node < 5; ++node) {
        const Bytes value = "by way of " + std::to_string(node);
        (void)rig.put(node, "k", value);
        for (std::size_t reader = 0; reader < 5; ++reader) EXPECT_EQ(rig.get(reader, "k"), value);
    }
}

// "the node that receives the request will not coordinate it if the node is not in the top N of the
// requested key's preference list. Instead, that node will forward the request to the first among
// the top N nodes in the preference list."
TEST(section_4_5, forwards_a_write_to_the_first_of_the_list) {
    Rig rig({.nodes = 5});
    const std::size_t stranger = rig.stranger("k");
    std::vector<std::size_t> asked;
    rig.filter = [&](std::size_t from, std::size_t to, const wire::PeerMessage& message) {
        if (from == stranger && std::holds_alternative<wire::ForwardRequest>(message))
            asked.push_back(to);
        return true;
    };
    (void)rig.put(stranger, "k", "v");
    EXPECT_EQ(asked, std::vector{rig.owners("k").front()});
    EXPECT_FALSE(holds(rig, stranger));
}

// "Read and write operations involve the first N healthy nodes in the preference list, skipping
// over those that are down or inaccessible."
TEST(section_4_5, involves_the_first_n_healthy_nodes) {
    Rig rig({.nodes = 5});
    const auto owners = rig.owners("k");
    rig.stop(owners[0]);
    (void)rig.put(owners[1], "k", "v");
    rig.pass(std::chrono::seconds(1));
    const NodeId first_stand_in =
        rig.routes().fallbacks(rig.routes().partition_of(position_of("k"))).front();
    const Object kept = rig.stored(rig.index_of(first_stand_in), "k", rig.id(owners[0]));
    EXPECT_EQ(kept.siblings.size(), 1U);
    EXPECT_TRUE(holds(rig, owners[1]) && holds(rig, owners[2]));
    EXPECT_EQ(rig.get(owners[2], "k"), "v");
}

// "the coordinator [...] writes the new version locally. The coordinator then sends the new version
// to the N highest-ranked reachable nodes. If at least W-1 nodes respond then the write is
// considered successful."
TEST(section_4_5, is_successful_when_w_minus_1_others_have_responded) {
    Rig rig;
    std::size_t arrived = 0;
    rig.filter = [&](std::size_t, std::size_t, const wire::PeerMessage& message) {
        return !std::holds_alternative<wire::WriteRequest>(message) || ++arrived <= 1;
    };
    const std::size_t request = rig.ask(0, wire::PutRequest{.key = "k", .value = "v", .w = 2});
    rig.settle();
    ASSERT_NE(rig.answer(request), nullptr);
    EXPECT_TRUE(std::holds_alternative<wire::PutReply>(*rig.answer(request)));
    EXPECT_TRUE(holds(rig, 0));
    EXPECT_EQ(arrived, 2U) << "both others were sent it, one has it";
    EXPECT_EQ(holds(rig, 1) + holds(rig, 2), 1);
}

// "If the coordinator ends up gathering multiple versions of the data, it returns all the versions
// it deems to be causally unrelated."
TEST(section_4_5, returns_all_causally_unrelated_versions) {
    Rig rig;
    const Bytes seen = rig.put(0, "k", "base");
    (void)rig.put(1, "k", "left", PutMode::context, seen);
    (void)rig.put(2, "k", "right", PutMode::context, seen);
    EXPECT_EQ(rig.get(0, "k"), "left,right");
}

}  // namespace
}  // namespace dynamo
