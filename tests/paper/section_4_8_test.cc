#include <gtest/gtest.h>

#include <set>

#include "libdynamo/wire/state_codec.h"
#include "tests/daemon/node/rig.h"

namespace dynamo {
namespace {

using test::Rig;

// "A node outage rarely signifies a permanent departure and therefore should not result in
// rebalancing of the partition assignment."
TEST(section_4_8, does_not_rebalance_when_a_node_fails) {
    Rig rig({.nodes = 4});
    const Sha256 before = wire::digest_of(rig.node(0).ring()->head());
    rig.stop(2);
    const std::size_t coordinator =
        rig.owners("k")[0] == 2 ? rig.owners("k")[1] : rig.owners("k")[0];
    (void)rig.put(coordinator, "k", "v");
    rig.pass(std::chrono::seconds(120));
    EXPECT_EQ(wire::digest_of(rig.node(0).ring()->head()), before);
}

// "The node that serves the request writes the membership change and its time of issue to
// persistent store. The membership changes form a history."
TEST(section_4_8, keeps_every_change_and_its_time_of_issue) {
    Rig rig({.nodes = 3});
    const auto& history = rig.node(2).ring()->history;
    ASSERT_EQ(history.size(), 1U);
    const auto& [server, changes] = *history.begin();
    EXPECT_EQ(server, rig.id(0)) << "the node that the administrator spoke to";
    ASSERT_EQ(changes.size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(changes[i].subject.id, rig.id(i));
        EXPECT_GT(changes[i].issued.wall_ms, 0);
        if (i > 0) {
            EXPECT_GT(changes[i].issued, changes[i - 1].issued);
        }
    }
}

// "Each node contacts a peer chosen at random every second and the two nodes efficiently reconcile
// their persisted membership change histories."
TEST(section_4_8, reconciles_histories_with_a_random_peer_every_second) {
    Rig rig({.nodes = 5});
    std::multiset<std::pair<std::size_t, std::size_t>> contacts;
    rig.filter = [&](std::size_t from, std::size_t to, const wire::PeerMessage& message) {
        if (std::holds_alternative<wire::GossipDigest>(message)) contacts.insert({from, to});
        return true;
    };
    rig.pass(std::chrono::seconds(60));
    for (std::size_t node = 0; node < 5; ++node) {
        std::size_t sent = 0;
        std::set<std::size_t> peers;
        for (const auto& [from, to] : contacts)
            if (from == node) ++sent, peers.insert(to);
        EXPECT_GE(sent, 55U) << node;
        EXPECT_LE(sent, 65U) << node;
        EXPECT_EQ(peers.size(), 4U) << node;
    }
}

// "node A may consider node B failed if node B does not respond to node A's messages (even if B is
// responsive to node C's messages)."
TEST(section_4_8, detects_failures_locally) {
    Rig rig;
    rig.cut(0, 1);
    rig.cut(1, 0);
    (void)rig.put(0, "k", "v");
    rig.pass(std::chrono::seconds(2));
    const auto suspects = [&](std::size_t observer, std::size_t peer) {
        const auto reply = rig.call(observer, wire::StatusRequest{});
        for (const auto& status : std::get<wire::StatusReply>(reply).peers)
            if (status.node_id == rig.id(peer).bytes()) return status.suspected;
        return false;
    };
    EXPECT_TRUE(suspects(0, 1));
    EXPECT_FALSE(suspects(2, 1));
    rig.heal();
    rig.pass(std::chrono::seconds(2));
    EXPECT_FALSE(suspects(0, 1)) << "A periodically retries B";
}

}  // namespace
}  // namespace dynamo
