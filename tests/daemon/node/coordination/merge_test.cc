// Reading the whole state of a key and merging it, in the same cluster later or in another one.
#include <gtest/gtest.h>

#include "daemon/node/local/given_state.h"
#include "libdynamo/wire/state_codec.h"
#include "tests/daemon/node/rig.h"

namespace dynamo {
namespace {

using test::Rig;
using wire::ErrorReply;
using wire::MergeReply;
using wire::MergeRequest;
using wire::StateRequest;

Bytes state_of(Rig& rig, std::size_t node, const Bytes& key) {
    return std::get<wire::StateReply>(rig.call(node, StateRequest{key})).state;
}

bool merged(Rig& rig, std::size_t node, const Bytes& key, const Bytes& state, std::uint32_t w = 0) {
    return std::get<MergeReply>(rig.call(node, MergeRequest{key, state, w})).changed;
}

std::string refusal(Rig& rig, const Bytes& state) {
    return std::get<ErrorReply>(rig.call(0, MergeRequest{"k", state})).name;
}

Object with_one(const Bytes& value, std::uint64_t counter = 1, WallMs wall_ms = 1) {
    const Actor actor{NodeId::from(Bytes(16, '\x77')), 7};
    Object object;
    object.clock.add(actor, {1, counter});
    object.siblings.push_back({{actor, counter}, false, wall_ms, value});
    return object;
}

TEST(state, is_all_that_the_owners_store_of_a_key) {
    Rig rig;
    (void)rig.put(0, "k", "a", PutMode::blind);
    (void)rig.put(1, "k", "b", PutMode::blind);
    EXPECT_EQ(state_of(rig, 2, "k"), wire::encode(rig.stored(0, "k")));
    EXPECT_EQ(state_of(rig, 1, "never written"), "");
    EXPECT_EQ(std::get<ErrorReply>(rig.call(0, StateRequest{"k", 4})).name, "bad_request");
}

TEST(merge, of_a_state_of_another_cluster_stores_the_same_octets_at_every_owner) {
    Rig here({.nodes = 5});
    (void)here.put(0, "k", "a", PutMode::blind);
    (void)here.put(1, "k", "b", PutMode::blind);
    (void)here.call(2, wire::DelRequest{.key = "gone", .mode = PutMode::blind});
    Rig there({.nodes = 5});
    for (const Bytes key : {"k", "gone"}) {
        const Bytes state = state_of(here, 0, key);
        EXPECT_TRUE(merged(there, there.stranger(key), key, state));
        for (const std::size_t owner : there.owners(key))
            EXPECT_EQ(wire::encode(there.stored(owner, key)), state);
        EXPECT_EQ(state_of(there, 0, key), state);
        EXPECT_FALSE(merged(there, there.owners(key)[0], key, state));
    }
    EXPECT_EQ(there.get(0, "k"), "a,b");
    EXPECT_EQ(there.get(0, "gone"), "(gone)");
}

TEST(merge, of_an_old_state_brings_nothing_back_and_supersedes_nothing) {
    Rig rig;
    (void)rig.put(0, "k", "old");
    const Bytes before = state_of(rig, 0, "k");
    (void)rig.put(1, "k", "new");
    EXPECT_FALSE(merged(rig, 2, "k", before));
    EXPECT_EQ(rig.get(0, "k"), "new");
    (void)rig.call(0, wire::DelRequest{.key = "k"});
    EXPECT_FALSE(merged(rig, 1, "k", before));
    EXPECT_EQ(rig.get(0, "k"), "(gone)");
}

TEST(merge, leaves_what_the_state_has_not_seen_as_a_sibling) {
    Rig rig;
    (void)rig.put(0, "k", "here");
    EXPECT_TRUE(merged(rig, 1, "k", wire::encode(with_one("there"))));
    EXPECT_EQ(rig.get(2, "k"), "here,there");
    // A put that has seen both is newer than either.
    (void)rig.put(0, "k", "both", PutMode::context,
                  std::get<wire::GetReply>(rig.call(0, wire::GetRequest{"k"})).context);
    EXPECT_FALSE(merged(rig, 1, "k", wire::encode(with_one("there"))));
    EXPECT_EQ(rig.get(2, "k"), "both");
}

TEST(merge, is_acknowledged_by_w_nodes_and_hinted_for_the_others) {
    Rig rig({.nodes = 4});
    const auto owners = rig.owners("k");
    rig.isolate(owners[2]);
    const std::size_t asked = rig.ask(owners[0], MergeRequest{"k", wire::encode(with_one("v")), 3});
    rig.settle();
    EXPECT_FALSE(rig.answer(asked));
    rig.pass(std::chrono::seconds(2));
    ASSERT_TRUE(rig.answer(asked));
    EXPECT_TRUE(std::holds_alternative<MergeReply>(*rig.answer(asked)));
    const std::size_t stand_in = rig.stranger("k");
    EXPECT_EQ(rig.stored(stand_in, "k", rig.id(owners[2])), with_one("v"));
    rig.heal();
    rig.pass(std::chrono::seconds(10));
    EXPECT_EQ(rig.stored(owners[2], "k"), with_one("v"));
}

TEST(merge, that_a_failed_commit_undoes_promises_nothing) {
    Rig rig;
    rig.node(0).on_client(
        1, {7, Duration(0), {}, MergeRequest{"k", wire::encode(with_one("v")), 1}}, {});
    (void)rig.node(0).outbox().take_early();
    rig.storage(0).rollback();
    rig.node(0).commit_failed({Code::storage, "the disk said no"});
    ASSERT_EQ(rig.node(0).outbox().clients.size(), 1U);
    EXPECT_EQ(std::get<ErrorReply>(rig.node(0).outbox().clients[0].reply.body).applied, "maybe");
}

TEST(merge, refuses_what_no_cluster_gives_out) {
    Rig rig;
    EXPECT_EQ(refusal(rig, ""), "bad_request");
    EXPECT_EQ(refusal(rig, "no state"), "bad_request");
    EXPECT_EQ(refusal(rig, wire::encode(Object{})), "bad_request");
    Object claims_all = with_one("v");
    claims_all.siblings.clear();
    EXPECT_EQ(refusal(rig, wire::encode(claims_all)), "bad_request");
    EXPECT_EQ(refusal(rig, wire::encode(with_one("v", 1, INT64_MAX))), "bad_request");
    EXPECT_EQ(refusal(rig, wire::encode(with_one(Bytes((1 << 20) + 1, 'v')))), "too_large");
    Object many;
    for (std::uint64_t i = 1; i <= 65; ++i) {
        const Actor actor{NodeId::from(Bytes(16, '\x77')), i};
        many.clock.add(actor, {1, 1});
        many.siblings.push_back({{actor, 1}, false, 1, "v"});
    }
    EXPECT_EQ(refusal(rig, wire::encode(many)), "too_large");
    Object scattered = with_one("v");
    for (std::uint64_t i = 0; i < 5000; ++i)
        scattered.clock.add({scattered.siblings[0].dot.actor, 3 + 2 * i});
    EXPECT_EQ(refusal(rig, wire::encode(scattered)), "too_large");
    EXPECT_EQ(rig.stored(0, "k"), Object{});
}

TEST(merge, refuses_another_value_of_a_dot_that_is_stored) {
    Rig rig;
    EXPECT_TRUE(merged(rig, 0, "k", wire::encode(with_one("v"))));
    EXPECT_EQ(refusal(rig, wire::encode(with_one("forged"))), "refused");
    EXPECT_EQ(rig.get(0, "k"), "v");
}

TEST(merge, past_the_sibling_limit_is_refused_and_one_that_supersedes_is_not) {
    Rig rig;
    for (int i = 0; i < 64; ++i) (void)rig.put(0, "k", std::to_string(i), PutMode::blind);
    EXPECT_EQ(refusal(rig, wire::encode(with_one("one more"))), "object_full");
    Object newer = with_one("newer");
    newer.clock.join(rig.stored(0, "k").clock);
    EXPECT_TRUE(merged(rig, 0, "k", wire::encode(newer)));
    EXPECT_EQ(rig.get(0, "k"), "newer");
}

TEST(merge, of_claims_beyond_this_nodes_own_counter_does_not_swallow_its_next_write) {
    Rig rig;
    (void)rig.put(0, "k", "first");
    const std::size_t owner = rig.owners("k")[0];
    Object claims = rig.stored(owner, "k");
    const Actor own = claims.siblings[0].dot.actor;
    claims.clock.add(own, {1, UINT64_MAX});
    EXPECT_TRUE(merged(rig, owner, "k", wire::encode(claims)));
    (void)rig.put(rig.index_of(own.node), "k", "second", PutMode::blind);
    EXPECT_EQ(rig.get(0, "k"), "first,second");
}

TEST(merge, where_the_last_write_wins_shows_the_youngest) {
    Rig rig({.cluster = {.partitions = 8, .last_write_wins = true}});
    (void)rig.put(0, "k", "now");
    (void)merged(rig, 0, "k", wire::encode(with_one("of long ago")));
    EXPECT_EQ(rig.get(1, "k"), "now");
    const Bytes state = state_of(rig, 0, "k");
    EXPECT_EQ(wire::decode_object(state)->siblings.size(), 2U);
}

}  // namespace
}  // namespace dynamo
