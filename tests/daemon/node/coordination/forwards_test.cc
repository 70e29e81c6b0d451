#include "daemon/node/coordination/forwards.h"

#include <gtest/gtest.h>

#include "tests/daemon/node/rig.h"

namespace dynamo {
namespace {

using test::Rig;
using wire::ErrorReply;
using wire::PeerMessage;
using wire::PutRequest;

TEST(forwards, a_write_outside_the_list_goes_to_an_owner_in_one_hop) {
    Rig rig({.nodes = 5});
    const std::size_t stranger = rig.stranger("k");
    int hops = 0;
    rig.filter = [&](std::size_t, std::size_t, const PeerMessage& message) {
        hops += std::holds_alternative<wire::ForwardRequest>(message) ? 1 : 0;
        return true;
    };
    (void)rig.put(stranger, "k", "v");
    EXPECT_EQ(rig.get(stranger, "k"), "v");
    EXPECT_EQ(hops, 1);
    EXPECT_EQ(rig.stored(rig.owners("k")[0], "k").siblings.at(0).dot.actor.node,
              rig.id(rig.owners("k")[0]));
}

TEST(forwards, errors_of_the_coordinator_reach_the_client) {
    Rig rig({.nodes = 5});
    (void)rig.put(0, "k", "v");
    const auto reply =
        rig.call(rig.stranger("k"), PutRequest{.key = "k", .value = "w", .if_absent = true});
    EXPECT_EQ(std::get<ErrorReply>(reply).name, "exists");
}

TEST(forwards, an_owner_that_dies_with_one_leaves_the_outcome_unknown) {
    Rig rig({.nodes = 5});
    const std::size_t stranger = rig.stranger("k");
    const std::size_t request = rig.ask(stranger, PutRequest{.key = "k", .value = "v"});
    rig.stop(rig.owners("k")[0]);
    rig.node(stranger).on_unreachable(rig.id(rig.owners("k")[0]),
                                      {Instant(std::chrono::seconds(5000)), 0});
    rig.pass(std::chrono::seconds(3));
    const auto* reply = rig.answer(request);
    ASSERT_NE(reply, nullptr);
    EXPECT_EQ(std::get<ErrorReply>(*reply).applied, "maybe");
}

TEST(forwards, a_late_copy_does_not_write_again) {
    Rig rig({.nodes = 5});
    const std::size_t stranger = rig.stranger("k");
    const std::size_t owner = rig.owners("k")[0];
    std::vector<wire::ForwardRequest> copies;
    rig.filter = [&](std::size_t, std::size_t, const PeerMessage& message) {
        if (const auto* forward = std::get_if<wire::ForwardRequest>(&message))
            copies.push_back(*forward);
        return true;
    };
    (void)rig.put(stranger, "k", "first");
    (void)rig.put(stranger, "k", "second");
    ASSERT_GE(copies.size(), 2U);

    wire::PeerEnvelope envelope = rig.node(stranger).envelope();
    envelope.to = Bytes(rig.id(owner).bytes());
    rig.node(owner).on_peer(envelope, copies[0], {Instant(std::chrono::seconds(2000)), 0});
    rig.pass(std::chrono::seconds(1));
    EXPECT_EQ(rig.get(0, "k"), "second");
}

TEST(forwards, an_owner_that_started_anew_leaves_the_outcome_unknown_and_takes_the_next) {
    Rig rig({.nodes = 5});
    const std::size_t stranger = rig.stranger("k");
    (void)rig.put(stranger, "k", "first");
    rig.restart(rig.owners("k")[0]);
    // The earlier run might have obeyed it, so nobody can say that it was not.
    const auto reply = rig.call(stranger, PutRequest{.key = "k", .value = "second"});
    EXPECT_EQ(std::get<ErrorReply>(reply).applied, "maybe");
    EXPECT_EQ(rig.get(0, "k"), "first");
    rig.pass(std::chrono::milliseconds(300));  // until it has heard from another member
    (void)rig.put(stranger, "k", "third");
    EXPECT_EQ(rig.get(0, "k"), "third");
}

TEST(forwards, a_stand_in_coordinates_only_when_no_owner_can) {
    Rig rig({.nodes = 6});
    const auto owners = rig.owners("k");
    const std::size_t stranger = rig.stranger("k");
    for (const std::size_t owner : owners) {
        rig.isolate(owner);
        rig.node(stranger).on_unreachable(rig.id(owner), {Instant(std::chrono::seconds(1100)), 0});
    }
    (void)rig.put(stranger, "k", "v", PutMode::blind);
    EXPECT_EQ(rig.stat(stranger, "put.stand_in_coordinated"), 1);
    EXPECT_EQ(rig.stored(stranger, "k", rig.id(owners[0])).siblings.at(0).value, "v");
    rig.heal();
    rig.pass(std::chrono::seconds(20));
    for (const std::size_t owner : owners)
        EXPECT_EQ(rig.stored(owner, "k").siblings.at(0).value, "v") << owner;
    EXPECT_EQ(rig.stat(stranger, "hints.held"), 0);
}

TEST(seen_forwards, obeys_an_id_of_a_run_once_and_forgets_only_old_ones) {
    SeenForwards seen;
    const NodeId from = NodeId::from("0123456789abcdef");
    EXPECT_TRUE(seen.first_time(from, 1, 100));
    EXPECT_FALSE(seen.first_time(from, 1, 100));
    EXPECT_TRUE(seen.first_time(from, 2, 100));
    for (std::uint64_t id = 101; id < 10000; ++id) EXPECT_TRUE(seen.first_time(from, 1, id));
    EXPECT_FALSE(seen.first_time(from, 1, 100));
    EXPECT_FALSE(seen.first_time(from, 1, 9999));
    EXPECT_TRUE(seen.first_time(from, 1, 10000));
}

}  // namespace
}  // namespace dynamo
