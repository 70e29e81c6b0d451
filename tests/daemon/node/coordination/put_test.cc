#include "daemon/node/coordination/put.h"

#include <gtest/gtest.h>

#include "tests/daemon/node/rig.h"

namespace dynamo {
namespace {

using test::Rig;
using wire::ErrorReply;
using wire::PeerMessage;
using wire::PutRequest;

TEST(put, reaches_all_n_owners_and_nobody_else) {
    Rig rig({.nodes = 5});
    (void)rig.put(0, "k", "v");
    const auto owners = rig.owners("k");
    ASSERT_EQ(owners.size(), 3U);
    for (std::size_t i = 0; i < 5; ++i) {
        const bool owner = std::ranges::find(owners, i) != owners.end();
        EXPECT_EQ(rig.stored(i, "k").siblings.size(), owner ? 1U : 0U) << i;
    }
}

TEST(put, that_observes_leaves_one_value_however_often_it_is_repeated) {
    Rig rig;
    for (int i = 0; i < 50; ++i)
        (void)rig.put(static_cast<std::size_t>(i % 3), "k", "v" + std::to_string(i));
    EXPECT_EQ(rig.get(0, "k"), "v49");
}

TEST(put, that_is_blind_leaves_the_old_value_as_a_sibling) {
    Rig rig;
    (void)rig.put(0, "k", "a");
    (void)rig.put(0, "k", "b", PutMode::blind);
    EXPECT_EQ(rig.get(1, "k"), "a,b");
}

TEST(put, with_a_context_supersedes_exactly_what_the_context_covers) {
    Rig rig;
    const Bytes first = rig.put(0, "k", "a", PutMode::blind);
    (void)rig.put(1, "k", "b", PutMode::blind);
    (void)rig.put(2, "k", "c", PutMode::context, first);
    EXPECT_EQ(rig.get(0, "k"), "b,c");
}

TEST(put, returns_a_context_that_covers_nothing_its_writer_was_not_shown) {
    Rig rig;
    (void)rig.put(0, "k", "unseen", PutMode::blind);
    const Bytes mine = rig.put(0, "k", "mine", PutMode::blind);
    (void)rig.put(0, "k", "mine again", PutMode::context, mine);
    EXPECT_EQ(rig.get(0, "k"), "mine again,unseen");
}

TEST(put, that_observes_differing_siblings_writes_nothing_unless_told_to) {
    Rig rig;
    (void)rig.put(0, "k", "a", PutMode::blind);
    (void)rig.put(1, "k", "b", PutMode::blind);
    const auto reply = rig.call(2, PutRequest{.key = "k", .value = "c"});
    EXPECT_EQ(std::get<ErrorReply>(reply).name, "conflict");
    EXPECT_EQ(std::get<ErrorReply>(reply).applied, "no");
    EXPECT_EQ(rig.get(0, "k"), "a,b");
    (void)rig.call(2, PutRequest{.key = "k", .value = "c", .overwrite = true});
    EXPECT_EQ(rig.get(0, "k"), "c");
}

TEST(put, that_observes_equal_siblings_is_no_conflict) {
    Rig rig;
    (void)rig.put(0, "k", "same", PutMode::blind);
    (void)rig.put(1, "k", "same", PutMode::blind);
    (void)rig.put(2, "k", "next");
    EXPECT_EQ(rig.get(0, "k"), "next");
}

TEST(put, of_a_key_that_must_be_absent_is_refused_when_it_exists) {
    Rig rig;
    const auto first = rig.call(0, PutRequest{.key = "k", .value = "a", .if_absent = true});
    EXPECT_TRUE(std::holds_alternative<wire::PutReply>(first));
    const auto second = rig.call(1, PutRequest{.key = "k", .value = "b", .if_absent = true});
    EXPECT_EQ(std::get<ErrorReply>(second).name, "exists");
    EXPECT_EQ(rig.get(0, "k"), "a");
}

TEST(put, with_a_damaged_context_or_another_keys_writes_nothing) {
    Rig rig;
    Bytes context = rig.put(0, "k", "a");
    for (const auto& [key, token] :
         {std::pair<Bytes, Bytes>{"other", context}, {"k", context + "x"}, {"k", "garbage"}}) {
        const auto reply = rig.call(
            0, PutRequest{.key = key, .value = "b", .mode = PutMode::context, .context = token});
        EXPECT_EQ(std::get<ErrorReply>(reply).name, "bad_context");
    }
    EXPECT_EQ(rig.get(0, "k"), "a");
    EXPECT_EQ(rig.get(0, "other"), "");
}

TEST(put, is_not_acknowledged_before_w_nodes_have_it) {
    Rig rig;
    rig.filter = [](std::size_t, std::size_t, const PeerMessage& message) {
        return !std::holds_alternative<wire::WriteReply>(message);
    };
    const auto reply = rig.call(0, PutRequest{.key = "k", .value = "v", .mode = PutMode::blind});
    EXPECT_EQ(std::get<ErrorReply>(reply).name, "quorum_not_met");
    EXPECT_EQ(std::get<ErrorReply>(reply).applied, "maybe");
}

TEST(put, is_stored_by_a_slow_replica_that_answers_before_the_deadline) {
    Rig rig;
    std::optional<PeerMessage> held;
    rig.filter = [&](std::size_t, std::size_t to, const PeerMessage& message) {
        if (!std::holds_alternative<wire::WriteRequest>(message)) return true;
        if (to == 1 && !held) held = message;
        return false;
    };
    const std::size_t request =
        rig.ask(0, PutRequest{.key = "k", .value = "v", .mode = PutMode::blind});
    rig.pass(std::chrono::milliseconds(1500));
    ASSERT_TRUE(held.has_value());
    EXPECT_EQ(rig.answer(request), nullptr);
    rig.deliver(0, 1, *held);
    ASSERT_NE(rig.answer(request), nullptr);
    EXPECT_TRUE(std::holds_alternative<wire::PutReply>(*rig.answer(request)));
}

TEST(put, with_too_few_healthy_nodes_is_refused_before_anything_is_written) {
    Rig rig;
    rig.isolate(0);
    (void)rig.get(0, "k");  // learns that nobody answers
    const auto reply = rig.call(0, PutRequest{.key = "k", .value = "v", .mode = PutMode::blind});
    EXPECT_EQ(std::get<ErrorReply>(reply).name, "too_few_nodes");
    EXPECT_EQ(std::get<ErrorReply>(reply).applied, "no");
    EXPECT_TRUE(rig.stored(0, "k").empty());
}

TEST(put, for_a_dead_owner_is_kept_by_a_stand_in_in_its_own_table) {
    Rig rig({.nodes = 4});
    const auto owners = rig.owners("k");
    const std::size_t stand_in = rig.stranger("k");
    rig.isolate(owners[2]);
    (void)rig.call(owners[0], PutRequest{.key = "k", .value = "v", .w = 3});
    EXPECT_TRUE(rig.stored(stand_in, "k").empty());
    EXPECT_EQ(rig.stored(stand_in, "k", rig.id(owners[2])).siblings.at(0).value, "v");
    rig.heal();
    rig.pass(std::chrono::seconds(10));
    EXPECT_EQ(rig.stored(owners[2], "k").siblings.at(0).value, "v");
    EXPECT_EQ(rig.stat(stand_in, "hints.held"), 0);
}

TEST(put, keeps_the_hint_itself_when_nobody_can_stand_in_and_does_not_count_it) {
    Rig rig;
    rig.isolate(2);
    const auto reply = rig.call(0, PutRequest{.key = "k", .value = "v", .w = 3});
    EXPECT_EQ(std::get<ErrorReply>(reply).name, "quorum_not_met");
    EXPECT_EQ(rig.stored(0, "k", rig.id(2)).siblings.at(0).value, "v");
    EXPECT_EQ(rig.stat(0, "hints.held"), 1);
}

TEST(put, mints_with_a_new_actor_after_a_restart) {
    Rig rig;
    (void)rig.put(0, "k", "a");
    const auto owner = rig.owners("k")[0];
    (void)rig.put(owner, "k", "b");
    const Dot before = rig.stored(owner, "k").siblings.at(0).dot;
    (void)rig.put(owner, "k", "c");
    EXPECT_EQ(rig.stored(owner, "k").siblings.at(0).dot.actor, before.actor);
    rig.restart(owner);
    rig.pass(std::chrono::seconds(5));
    (void)rig.put(owner, "k", "d");
    const Dot after = rig.stored(owner, "k").siblings.at(0).dot;
    EXPECT_EQ(after.actor.node, before.actor.node);
    EXPECT_NE(after.actor.birth, before.actor.birth);
    EXPECT_EQ(after.counter, 1U);
}

TEST(put, past_the_sibling_limit_is_refused_and_a_merging_one_is_not) {
    Rig rig;
    for (int i = 0; i < 64; ++i) (void)rig.put(0, "k", std::to_string(i), PutMode::blind);
    const auto reply =
        rig.call(0, PutRequest{.key = "k", .value = "one more", .mode = PutMode::blind});
    EXPECT_EQ(std::get<ErrorReply>(reply).name, "object_full");
    const auto got = rig.call(0, wire::GetRequest{"k"});
    (void)rig.put(0, "k", "merged", PutMode::context, std::get<wire::GetReply>(got).context);
    EXPECT_EQ(rig.get(0, "k"), "merged");
}

TEST(put, is_refused_while_the_disk_is_nearly_full) {
    Rig rig;
    LoadSample full;
    full.refuse_writes = true;
    rig.node(0).on_load(full);
    const auto reply = rig.call(0, PutRequest{.key = "k", .value = "v", .mode = PutMode::blind});
    EXPECT_EQ(std::get<ErrorReply>(reply).name, "storage_full");
    EXPECT_EQ(std::get<ErrorReply>(reply).applied, "no");
    // The others go on: what the full one should hold is kept for it.
    (void)rig.put(1, "k", "v");
    EXPECT_EQ(rig.stored(1, "k", rig.id(0)).siblings.at(0).value, "v");
}

TEST(put, is_on_its_way_to_the_other_owners_before_its_own_commit) {
    Rig rig;
    rig.node(0).on_client(
        1,
        {7, Duration(0), {}, PutRequest{.key = "k", .value = "v", .mode = PutMode::blind, .w = 1}},
        {});
    Outbox& outbox = rig.node(0).outbox();
    const auto early = outbox.take_early();
    ASSERT_EQ(early.size(), 2U);
    for (const auto& to : early)
        EXPECT_TRUE(std::holds_alternative<wire::WriteRequest>(to.message));
    // The answer, though W of 1 is met, waits.
    EXPECT_EQ(outbox.clients.size(), 1U);
    EXPECT_TRUE(outbox.peers.empty());
}

TEST(put, leaves_only_requests_before_the_commit_and_nothing_before_a_ring_is_saved) {
    Outbox outbox;
    outbox.peers.push_back({{}, "a:1", wire::WriteReply{1, wire::PeerStatusCode::ok}});
    outbox.peers.push_back({{}, "a:1", wire::ReadRequest{2, "k"}});
    outbox.peers.push_back({{}, "a:1", wire::GossipDigest{}});
    outbox.ring.emplace();
    EXPECT_TRUE(outbox.take_early().empty());
    outbox.ring.reset();
    const auto early = outbox.take_early();
    ASSERT_EQ(early.size(), 1U);
    EXPECT_TRUE(std::holds_alternative<wire::ReadRequest>(early[0].message));
    ASSERT_EQ(outbox.peers.size(), 2U);
    EXPECT_TRUE(std::holds_alternative<wire::WriteReply>(outbox.peers[0].message));
}

TEST(put, that_a_failed_commit_undoes_promises_nothing) {
    Rig rig;
    rig.node(0).on_client(
        1,
        {7, Duration(0), {}, PutRequest{.key = "k", .value = "v", .mode = PutMode::blind, .w = 1}},
        {});
    (void)rig.node(0).outbox().take_early();
    rig.storage(0).rollback();
    rig.node(0).commit_failed({Code::storage, "the disk said no"});
    const Outbox& outbox = rig.node(0).outbox();
    ASSERT_EQ(outbox.clients.size(), 1U);
    const auto& error = std::get<ErrorReply>(outbox.clients[0].reply.body);
    EXPECT_EQ(error.name, "storage");
    EXPECT_EQ(error.applied, "maybe");
    EXPECT_TRUE(outbox.peers.empty());
}

TEST(del, leaves_a_tombstone_that_hides_the_key_and_says_whether_it_was_there) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    const auto first = rig.call(1, wire::DelRequest{.key = "k"});
    EXPECT_TRUE(std::get<wire::DelReply>(first).existed);
    EXPECT_EQ(rig.get(2, "k"), "(gone)");
    const auto second = rig.call(2, wire::DelRequest{.key = "k"});
    EXPECT_FALSE(std::get<wire::DelReply>(second).existed);
}

TEST(del, does_not_take_a_value_that_it_has_not_seen) {
    Rig rig;
    const Bytes seen = rig.put(0, "k", "seen");
    (void)rig.put(1, "k", "unseen", PutMode::blind);
    (void)rig.call(2, wire::DelRequest{.key = "k", .mode = PutMode::context, .context = seen});
    EXPECT_EQ(rig.get(0, "k"), "(gone),unseen");
}

TEST(del, stays_deleted_when_an_owner_that_missed_it_returns) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    rig.isolate(2);
    (void)rig.call(0, wire::DelRequest{.key = "k"});
    rig.heal();
    rig.pass(std::chrono::seconds(20));
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(rig.get(i, "k"), "(gone)") << i;
}

}  // namespace
}  // namespace dynamo
