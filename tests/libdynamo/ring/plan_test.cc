#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "tests/libdynamo/ring/rings.h"
#include "tests/libdynamo/ring/settled.h"

namespace dynamo {
namespace {

using Kind = MemberOp::Kind;
using test::change_to;
using test::founded;
using test::member;
using test::members;
using test::ring_of;
using test::row;

const NodeId issuer = member(1).id;

void commit(RingState& state) {
    auto planned = plan(state, {});
    ASSERT_TRUE(planned) << planned.error().message;
    state.epochs.push_back(*std::move(planned));
    test::settle(state);
    ASSERT_TRUE(validate(state)) << validate(state).error().message;
}

std::vector<std::string> names(const Epoch& epoch) {
    std::vector<std::string> names;
    for (const Member& member : epoch.members) names.push_back(member.name);
    std::ranges::sort(names);
    return names;
}

Error refusal(const RingState& state) {
    const auto planned = plan(state, {});
    EXPECT_FALSE(planned);
    return planned ? Error{Code::ok, "planned"} : planned.error();
}

TEST(founding, makes_a_ring_of_one_that_keeps_its_promises) {
    const RingState state = founded(member(1));
    EXPECT_TRUE(validate(state));
    EXPECT_EQ(state.head().number, 1U);
    EXPECT_EQ(names(state.head()), std::vector<std::string>{"n1"});
    EXPECT_TRUE(staged(state).empty());
    for (std::size_t p = 0; p < 64; ++p) EXPECT_EQ(row(state.head(), p).size(), 1U);
}

TEST(staging, numbers_the_changes_of_each_issuer_and_lists_them_oldest_first) {
    RingState state = ring_of(members(2));
    stage(state, member(2).id, Kind::add, member(4), "from n2", 3000);
    stage(state, member(1).id, Kind::add, member(3), "from n1", 5000);
    stage(state, member(2).id, Kind::remove, member(4), "no, not yet", 7000);
    const auto changes = staged(state);
    ASSERT_EQ(changes.size(), 3U);
    EXPECT_EQ(changes[0].note, "from n2");
    EXPECT_EQ(changes[0].seq, 1U);
    EXPECT_EQ(changes[1].note, "from n1");
    EXPECT_EQ(changes[1].seq, 3U) << "n1 founded the cluster and added n2 before";
    EXPECT_EQ(changes[2].seq, 2U);
    EXPECT_TRUE(validate(state));
}

TEST(staging, is_later_than_all_it_knows_of_also_when_the_clock_is_behind) {
    RingState state = founded(member(1));
    stage(state, member(1).id, Kind::add, member(2), "", 9000);
    stage(state, member(3).id, Kind::add, member(4), "", 10);
    stage(state, member(3).id, Kind::add, member(5), "", 10);
    const auto changes = staged(state);
    ASSERT_EQ(changes.size(), 3U);
    EXPECT_LT(changes[0].issued, changes[1].issued);
    EXPECT_LT(changes[1].issued, changes[2].issued);
    EXPECT_EQ(changes[2].subject.name, "n5");
}

TEST(plan, folds_all_that_is_staged_into_one_epoch) {
    RingState state = founded(member(1));
    stage(state, issuer, Kind::add, member(2), "", 1);
    stage(state, issuer, Kind::add, member(3), "", 2);
    Member moved = member(2);
    moved.client_address = "[::1]:9";
    stage(state, issuer, Kind::set, moved, "", 3);
    const Sha256 parent = sha256("the head");
    const auto planned = plan(state, parent);
    ASSERT_TRUE(planned);
    EXPECT_EQ(planned->number, 2U);
    EXPECT_EQ(planned->parent, parent);
    EXPECT_TRUE(planned->proposer.is_none());
    EXPECT_EQ(planned->issued, Issued{});
    EXPECT_EQ(names(*planned), (std::vector<std::string>{"n1", "n2", "n3"}));
    EXPECT_EQ(*std::ranges::find(planned->members, moved.id, &Member::id), moved);
    EXPECT_EQ(planned->covers, (std::map<NodeId, std::uint64_t>{{issuer, 4}}));
    state.epochs.push_back(*planned);
    EXPECT_TRUE(staged(state).empty());
}

TEST(plan, is_the_same_on_every_node_that_knows_the_same) {
    RingState state = ring_of(members(5));
    stage(state, member(2).id, Kind::add, member(6), "", 1);
    stage(state, member(4).id, Kind::remove, member(3), "", 1);
    const RingState copy = state;
    EXPECT_EQ(*plan(state, {}), *plan(copy, {}));
}

TEST(plan, gives_a_new_version_only_to_lists_that_change) {
    RingState state = ring_of(members(3));
    change_to(state, members(4));
    const Epoch& before = state.epochs[1];
    const Epoch& after = state.head();
    int changed = 0;
    for (std::size_t p = 0; p < after.partitions; ++p) {
        const bool differs = test::sorted(row(before, p)) != test::sorted(row(after, p));
        EXPECT_EQ(after.version[p], differs ? 3U : 2U) << p;
        changed += differs ? 1 : 0;
    }
    EXPECT_GT(changed, 0);
    EXPECT_LT(changed, after.partitions);
}

TEST(plan, keeps_the_lists_when_only_an_address_changes) {
    RingState state = ring_of(members(4));
    Member moved = member(2);
    moved.peer_address = "127.0.0.1:1";
    stage(state, issuer, Kind::set, moved, "", 1);
    commit(state);
    EXPECT_EQ(state.head().table, state.epochs[1].table);
    EXPECT_EQ(state.head().version, state.epochs[1].version);
}

TEST(plan, sets_nothing_of_a_node_that_is_no_member) {
    RingState state = ring_of(members(2));
    stage(state, issuer, Kind::set, member(7), "", 1);
    commit(state);
    EXPECT_EQ(names(state.head()), (std::vector<std::string>{"n1", "n2"}));
}

// A change that was issued first and arrives last has been overtaken, not the other way round.
TEST(plan, lets_no_late_old_change_undo_a_newer_one) {
    RingState here = ring_of(members(2));
    RingState elsewhere = here;
    Member old_address = member(2);
    old_address.client_address = "127.0.0.1:1";
    stage(elsewhere, member(2).id, Kind::set, old_address, "", 5000);
    Member new_address = member(2);
    new_address.client_address = "127.0.0.1:2";
    stage(here, member(1).id, Kind::set, new_address, "", 6000);
    commit(here);
    ASSERT_TRUE(*join(here, elsewhere));
    ASSERT_EQ(staged(here).size(), 1U);
    commit(here);
    EXPECT_EQ(std::ranges::find(here.head().members, member(2).id, &Member::id)->client_address,
              "127.0.0.1:2");
}

TEST(plan, is_refused_when_nothing_is_staged) {
    EXPECT_EQ(refusal(ring_of(members(3))).code, Code::refused);
    EXPECT_EQ(refusal(ring_of(members(3))).message, "no change is staged");
}

TEST(plan, is_refused_when_nobody_would_be_left) {
    RingState state = founded(member(1));
    stage(state, issuer, Kind::remove, member(1), "", 1);
    EXPECT_EQ(refusal(state).code, Code::refused);
    EXPECT_EQ(refusal(state).message, "no member would be left");
}

TEST(plan, is_refused_when_two_would_bear_one_name) {
    RingState state = ring_of(members(2));
    Member twin = member(3);
    twin.name = "n2";
    stage(state, issuer, Kind::add, twin, "", 1);
    EXPECT_EQ(refusal(state).code, Code::refused);
    EXPECT_NE(refusal(state).message.find("named n2"), std::string::npos);
    stage(state, issuer, Kind::remove, twin, "", 1);
    EXPECT_TRUE(plan(state, {})) << "taking it back makes the rest possible";
}

TEST(plan, is_refused_when_one_that_was_removed_would_return) {
    RingState state = ring_of(members(3));
    stage(state, issuer, Kind::remove, member(3), "", 1);
    commit(state);
    stage(state, issuer, Kind::add, member(3), "", 1);
    EXPECT_EQ(refusal(state).code, Code::refused);
    EXPECT_NE(refusal(state).message.find("cannot return"), std::string::npos);
}

TEST(plan, takes_one_that_was_only_staged_and_taken_back_before) {
    RingState state = ring_of(members(2));
    stage(state, issuer, Kind::add, member(3), "", 1);
    stage(state, issuer, Kind::remove, member(3), "", 1);
    commit(state);
    stage(state, issuer, Kind::add, member(3), "", 1);
    commit(state);
    EXPECT_EQ(names(state.head()).back(), "n3");
}

TEST(copies_moved, counts_copies_that_were_not_there_before) {
    RingState state = ring_of(members(3));
    EXPECT_EQ(copies_moved(state.head(), state.head()), 0U);
    EXPECT_EQ(copies_moved(state.epochs[0], state.head()), 2U * 64);
    EXPECT_EQ(copies_moved(state.head(), state.epochs[0]), 0U) << "leaving is no move";
}

}  // namespace
}  // namespace dynamo
