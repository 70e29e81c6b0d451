#include "daemon/node/repair/handback.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/daemon/node/membership/workplace.h"
#include "tests/libdynamo/ring/settled.h"

namespace dynamo::test {
namespace {

using wire::PeerStatusCode;

/// The first node of a ring of four, which keeps hints for the others. N is 3.
class Keeper : public Workplace {
  public:
    explicit Keeper(Mutant mutant = Mutant::none)
        : Workplace(0, ring_of(4), mutant), handback(desk, objects, liveness) {}

    /// A key that the node owns.
    [[nodiscard]] Bytes key_of(const NodeId& owner, unsigned number = 0) const {
        for (unsigned i = 0, found = 0;; ++i) {
            Bytes key = "key:" + std::to_string(i);
            if (desk.routes.is_owner(owner, slot(key).partition) && found++ == number) return key;
        }
    }
    std::vector<wire::WriteRequest> tick() {
        handback.tick();
        return said_of<wire::WriteRequest>();
    }
    bool answer(const NodeId& from, const wire::WriteRequest& request,
                PeerStatusCode status = PeerStatusCode::ok) {
        return handback.on(from, {request.id, status});
    }

    Handback handback;
};

TEST(handback, erases_a_hint_only_after_its_owner_has_confirmed) {
    Keeper keeper;
    const Bytes key = keeper.key_of(node_id(1));
    keeper.keep(key, object("milk"), node_id(1));
    const auto sent = keeper.tick();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].key, key);
    EXPECT_TRUE(sent[0].hint_for.empty());
    EXPECT_EQ(*wire::decode_object(sent[0].object), object("milk"));
    EXPECT_EQ(keeper.objects.hints_held(), 1u);
    EXPECT_TRUE(keeper.answer(node_id(1), sent[0]));
    EXPECT_EQ(keeper.objects.hints_held(), 0u);
    EXPECT_TRUE(keeper.kept(key, node_id(1)).empty());
    EXPECT_EQ(keeper.desk.counters.of("hints.delivered"), 1u);
    EXPECT_EQ(keeper.handback.wake_at(), Instant::max());
}

TEST(handback, keeps_a_hint_that_changed_on_the_way_and_sends_it_again) {
    Keeper keeper;
    const Bytes key = keeper.key_of(node_id(1));
    keeper.keep(key, object("milk"), node_id(1));
    const auto first = keeper.tick();
    ASSERT_EQ(first.size(), 1u);
    keeper.keep(key, object("bread", 2), node_id(1));
    EXPECT_TRUE(keeper.answer(node_id(1), first[0]));
    EXPECT_EQ(keeper.objects.hints_held(), 1u);
    keeper.pass(keeper.desk.options.handback_interval);
    const auto second = keeper.tick();
    ASSERT_EQ(second.size(), 1u);
    EXPECT_EQ(wire::decode_object(second[0].object)->siblings.size(), 2u);
    EXPECT_TRUE(keeper.answer(node_id(1), second[0]));
    EXPECT_EQ(keeper.objects.hints_held(), 0u);
}

TEST(handback, takes_an_answer_only_from_whom_it_asked) {
    Keeper keeper;
    keeper.keep(keeper.key_of(node_id(1)), object("milk"), node_id(1));
    const auto sent = keeper.tick();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_TRUE(keeper.answer(node_id(2), sent[0]));
    EXPECT_EQ(keeper.objects.hints_held(), 1u);
    EXPECT_FALSE(keeper.handback.on(node_id(1), {sent[0].id + 1, PeerStatusCode::ok}));
    EXPECT_EQ(keeper.objects.hints_held(), 1u);
}

TEST(handback, sleeps_while_the_owner_is_suspected_and_starts_when_it_is_heard) {
    Keeper keeper;
    keeper.liveness.unreachable(node_id(1));
    keeper.keep(keeper.key_of(node_id(1)), object("milk"), node_id(1));
    EXPECT_TRUE(keeper.tick().empty());
    EXPECT_EQ(keeper.handback.wake_at(), Instant::max());
    keeper.liveness.heard(node_id(1));
    keeper.handback.on_heard(node_id(1));
    EXPECT_LE(keeper.handback.wake_at(), keeper.desk.now.instant);
    EXPECT_EQ(keeper.tick().size(), 1u);
}

TEST(handback, suspects_a_silent_owner_and_never_gives_up) {
    Keeper keeper;
    keeper.keep(keeper.key_of(node_id(1)), object("milk"), node_id(1));
    for (int attempt = 0; attempt < 20; ++attempt) {
        ASSERT_EQ(keeper.tick().size(), 1u) << "attempt " << attempt;
        EXPECT_TRUE(keeper.tick().empty()) << "it is on the way";
        keeper.pass(keeper.desk.options.replica_timeout);
        EXPECT_TRUE(keeper.tick().empty());
        EXPECT_FALSE(keeper.liveness.healthy(node_id(1)));
        EXPECT_EQ(keeper.objects.hints_held(), 1u);
        keeper.pass(10s);
        keeper.liveness.heard(node_id(1));
        keeper.handback.on_heard(node_id(1));
    }
}

TEST(handback, tries_again_later_when_the_owner_has_no_room) {
    for (const auto status :
         {PeerStatusCode::full, PeerStatusCode::storage, PeerStatusCode::not_owner}) {
        Keeper keeper;
        keeper.keep(keeper.key_of(node_id(1)), object("milk"), node_id(1));
        const auto first = keeper.tick();
        ASSERT_EQ(first.size(), 1u);
        EXPECT_TRUE(keeper.answer(node_id(1), first[0], status));
        EXPECT_EQ(keeper.objects.hints_held(), 1u);
        EXPECT_TRUE(keeper.tick().empty());
        EXPECT_GT(keeper.handback.wake_at(), keeper.desk.now.instant);
        keeper.pass(keeper.handback.wake_at() - keeper.desk.now.instant);
        EXPECT_EQ(keeper.tick().size(), 1u);
    }
}

TEST(handback, keeps_a_bounded_number_on_the_way_and_goes_on_as_they_land) {
    Keeper keeper;
    constexpr unsigned hints = 300;
    for (unsigned i = 0; i < hints; ++i)
        keeper.keep(keeper.key_of(node_id(1), i), object("milk"), node_id(1));
    std::set<Bytes> delivered;
    std::vector<wire::WriteRequest> sent = keeper.tick();
    EXPECT_EQ(sent.size(), 64u);
    EXPECT_GT(keeper.handback.wake_at(), keeper.desk.now.instant) << "there is no room to work in";
    for (int round = 0; round < 100 && !sent.empty(); ++round) {
        EXPECT_LE(sent.size(), 64u);
        for (const auto& request : sent) {
            EXPECT_TRUE(keeper.answer(node_id(1), request));
            EXPECT_TRUE(delivered.insert(request.key).second) << "none is sent twice";
        }
        sent = keeper.tick();
    }
    EXPECT_EQ(delivered.size(), hints);
    EXPECT_EQ(keeper.objects.hints_held(), 0u);
}

TEST(handback, bounds_the_octets_on_the_way_too_but_lets_one_large_hint_pass) {
    Keeper keeper;
    const std::string large(3u << 20, 'x');
    const std::string huge(6u << 20, 'x');
    for (unsigned i = 0; i < 3; ++i)
        keeper.keep(keeper.key_of(node_id(1), i), object(i == 1 ? huge : large), node_id(1));
    std::set<Bytes> delivered;
    for (int round = 0; round < 10 && delivered.size() < 3; ++round) {
        const auto sent = keeper.tick();
        ASSERT_EQ(sent.size(), 1u);
        EXPECT_GT(keeper.handback.wake_at(), keeper.desk.now.instant);
        delivered.insert(sent[0].key);
        EXPECT_TRUE(keeper.answer(node_id(1), sent[0]));
    }
    EXPECT_EQ(keeper.objects.hints_held(), 0u);
}

TEST(handback, lets_every_owner_have_its_turn) {
    Keeper keeper;
    for (unsigned i = 0; i < 200; ++i)
        keeper.keep(keeper.key_of(node_id(1), i), object("milk"), node_id(1));
    keeper.keep(keeper.key_of(node_id(2)), object("bread"), node_id(2));
    auto sent = keeper.tick();
    bool second_served = false;
    for (int round = 0; round < 2 && !second_served; ++round) {
        for (const auto& request : sent) keeper.answer(node_id(1), request);
        keeper.handback.tick();
        const auto said = keeper.said();
        sent.clear();
        for (const auto& to : said) {
            if (to.node == node_id(2)) second_served = true;
            sent.push_back(std::get<wire::WriteRequest>(to.message));
        }
    }
    EXPECT_TRUE(second_served);
}

TEST(handback, gives_a_departed_owners_hint_to_all_present_owners) {
    Keeper keeper;
    // The hint is for a node that the ring does not name; its key is one that we do not own.
    const NodeId departed = node_id(60);
    Bytes key;
    for (unsigned i = 0; key.empty(); ++i) {
        const Bytes candidate = "other:" + std::to_string(i);
        if (!keeper.desk.routes.is_owner(node_id(0), keeper.slot(candidate).partition))
            key = candidate;
    }
    keeper.keep(key, object("milk"), departed);
    const auto owners = keeper.desk.routes.owners(keeper.slot(key).partition);
    keeper.liveness.unreachable(owners[2]);
    EXPECT_TRUE(keeper.tick().empty()) << "all of them have to confirm, and one cannot";
    keeper.liveness.heard(owners[2]);
    keeper.handback.on_heard(owners[2]);
    const auto sent = keeper.tick();
    ASSERT_EQ(sent.size(), 3u);
    EXPECT_TRUE(keeper.answer(owners[0], sent[0]));
    EXPECT_TRUE(keeper.answer(owners[1], sent[0]));
    EXPECT_TRUE(keeper.answer(owners[0], sent[0]));
    EXPECT_EQ(keeper.objects.hints_held(), 1u);
    EXPECT_TRUE(keeper.answer(owners[2], sent[0]));
    EXPECT_EQ(keeper.objects.hints_held(), 0u);
}

TEST(handback, takes_over_what_it_keeps_for_somebody_whose_place_it_has) {
    Keeper keeper;
    const NodeId departed = node_id(60);
    const Bytes key = keeper.key_of(node_id(0));
    keeper.keep(key, object("milk"), departed);
    const auto sent = keeper.tick();
    EXPECT_EQ(sent.size(), 2u);
    EXPECT_EQ(keeper.kept(key), object("milk"));
    for (const NodeId& owner : keeper.desk.routes.owners(keeper.slot(key).partition))
        if (owner != node_id(0)) keeper.answer(owner, sent[0]);
    EXPECT_EQ(keeper.objects.hints_held(), 0u);
}

TEST(handback, counts_again_when_the_ring_changed_on_the_way) {
    Keeper keeper;
    const Bytes key = keeper.key_of(node_id(1));
    keeper.keep(key, object("milk"), node_id(1));
    const auto sent = keeper.tick();
    ASSERT_EQ(sent.size(), 1u);
    RingState ring = ring_of(4);
    stage(ring, node_id(0), MemberOp::Kind::add, member(9), "", 9000);
    ring.epochs.push_back(*plan(ring, wire::digest_of(ring.head())));
    test::settle(ring);
    keeper.follow(ring);
    EXPECT_TRUE(keeper.answer(node_id(1), sent[0]));
    EXPECT_EQ(keeper.objects.hints_held(), 1u);
    keeper.pass(1s);
    EXPECT_FALSE(keeper.tick().empty());
}

TEST(handback, leaves_a_damaged_hint_where_it_is_and_hands_back_the_others) {
    Keeper keeper;
    const Bytes bad = keeper.key_of(node_id(1), 0);
    const Bytes good = keeper.key_of(node_id(1), 1);
    keeper.keep(bad, object("milk"), node_id(1));
    keeper.keep(good, object("bread"), node_id(1));
    ASSERT_TRUE(
        keeper.storage.put(Table::hints(), keeper.slot(bad, node_id(1)).storage_key(), "damaged")
            .has_value());
    const auto sent = keeper.tick();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].key, good);
    EXPECT_EQ(keeper.logged("is damaged"), 1u);
}

TEST(handback, would_lose_hints_if_it_erased_them_when_they_are_sent) {
    Keeper keeper(Mutant::hint_dropped_when_sent);
    keeper.keep(keeper.key_of(node_id(1)), object("milk"), node_id(1));
    EXPECT_EQ(keeper.tick().size(), 1u);
    EXPECT_EQ(keeper.objects.hints_held(), 0u);
}

}  // namespace
}  // namespace dynamo::test
