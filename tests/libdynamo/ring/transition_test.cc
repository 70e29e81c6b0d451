// Lists of a partition that are live at once: which they are, what ends them, and how they come
// from one change of the ring after another.
#include "libdynamo/ring/transition.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "libdynamo/ring/placement.h"
#include "libdynamo/ring/route.h"
#include "tests/libdynamo/ring/rings.h"
#include "tests/libdynamo/ring/settled.h"

namespace dynamo {
namespace {

using Kind = MemberOp::Kind;
using test::member;
using test::members;
using test::ring_of;
using Numbers = std::vector<unsigned>;

NodeId id(unsigned number) { return member(number).id; }

std::vector<NodeId> ids(const Numbers& numbers) {
    std::vector<NodeId> ids;
    for (const unsigned number : numbers) ids.push_back(id(number));
    return ids;
}

std::set<NodeId> set_of(const Numbers& numbers) {
    const auto all = ids(numbers);
    return {all.begin(), all.end()};
}

std::set<NodeId> owner_set(const Epoch& epoch, std::uint16_t partition) {
    const auto owners = owners_in(epoch, partition);
    return {owners.begin(), owners.end()};
}

// ------------------------------------------------------------------------- rings made by hand

/// Two partitions, N=3, and R=W=2 unless said.
RingState founding(std::uint16_t quorum = 2) {
    RingState state = test::founded(member(1), {2, 3});
    state.settings.read_quorum = state.settings.write_quorum = quorum;
    return state;
}

/// Appends an epoch with just these lists; nobody has anything of it yet.
void append(RingState& state, const Numbers& all, const std::vector<Numbers>& rows,
            const Numbers& lost = {}) {
    Epoch next = state.head();
    ++next.number;
    next.members.clear();
    for (const unsigned number : all) next.members.push_back(member(number));
    next.members = test::sorted(next.members);
    next.lost = ids(lost);
    std::ranges::sort(next.lost);
    for (std::size_t p = 0; p < rows.size(); ++p)
        for (std::size_t rank = 0; rank < next.copies; ++rank) {
            std::uint16_t& place = next.table[p * next.copies + rank];
            place = Epoch::nobody;
            for (std::uint16_t i = 0; rank < rows[p].size() && i < next.members.size(); ++i)
                if (next.members[i].id == id(rows[p][rank])) place = i;
        }
    for (std::uint16_t p = 0; p < next.partitions; ++p)
        if (owner_set(next, p) != owner_set(state.head(), p)) next.version[p] = next.number;
    state.epochs.push_back(std::move(next));
    ASSERT_TRUE(validate(state)) << validate(state).error().message;
}

/// Epoch 2: members 1 to 4, where 4 holds nothing of partition 0; all are complete.
RingState settled_four(std::uint16_t quorum = 2) {
    RingState state = founding(quorum);
    append(state, {1, 2, 3, 4}, {{1, 2, 3}, {2, 3, 4}});
    test::settle(state);
    return state;
}

std::vector<std::uint64_t> versions_live(const RingState& state, std::uint16_t partition) {
    std::vector<std::uint64_t> versions;
    for (const OwnerList& list : live_lists(state, partition)) versions.push_back(list.version);
    return versions;
}

using Versions = std::vector<std::uint64_t>;

// ---------------------------------------------------------------------------------- live lists

TEST(live_lists, of_a_founding_ring_are_its_own_though_nobody_says_that_it_is_complete) {
    const RingState state = founding();
    EXPECT_EQ(live_lists(state, 0), (std::vector<OwnerList>{{1, ids({1})}}));
    EXPECT_FALSE(is_moving(state));
}

TEST(live_lists, stay_until_enough_owners_of_the_next_are_complete) {
    RingState state = settled_four();
    append(state, {1, 2, 3, 4}, {{4, 1, 2}, {2, 3, 4}});
    const std::vector<OwnerList> both{{2, ids({1, 2, 3})}, {3, ids({4, 1, 2})}};
    EXPECT_EQ(live_lists(state, 0), both) << "the oldest first, owners as they are preferred";
    EXPECT_TRUE(is_moving(state));
    ASSERT_TRUE(note_synced(state, id(4), 0));
    EXPECT_EQ(live_lists(state, 0), both) << "W is 2";
    EXPECT_TRUE(is_moving(state));
    ASSERT_TRUE(note_synced(state, id(1), 0));
    EXPECT_EQ(live_lists(state, 0), (std::vector<OwnerList>{both[1]}));
    EXPECT_FALSE(is_moving(state));
}

TEST(live_lists, of_one_partition_do_not_depend_on_another) {
    RingState state = settled_four();
    append(state, {1, 2, 3, 4}, {{1, 2, 4}, {2, 3, 1}});
    test::settle(state);
    append(state, {1, 2, 3, 4}, {{1, 2, 3}, {2, 3, 4}});
    ASSERT_TRUE(note_synced(state, id(2), 0));
    ASSERT_TRUE(note_synced(state, id(3), 0));
    EXPECT_EQ(versions_live(state, 0), Versions{4});
    EXPECT_EQ(versions_live(state, 1), (Versions{3, 4}));
    EXPECT_TRUE(is_moving(state));
}

TEST(live_lists, of_a_partition_that_did_not_move_are_one) {
    RingState state = settled_four();
    append(state, {1, 2, 3, 4}, {{1, 2, 4}, {2, 3, 4}});
    EXPECT_EQ(versions_live(state, 0), (Versions{2, 3}));
    EXPECT_EQ(versions_live(state, 1), Versions{2});
}

TEST(live_lists, are_ended_by_their_owners_only) {
    RingState state = settled_four();
    append(state, {1, 2, 3, 4}, {{1, 2, 4}, {2, 3, 4}});
    ASSERT_TRUE(note_synced(state, id(3), 0));
    ASSERT_TRUE(note_synced(state, id(1), 0));
    EXPECT_EQ(versions_live(state, 0), (Versions{2, 3})) << "3 was an owner and is none now";
    ASSERT_TRUE(note_synced(state, id(4), 0));
    EXPECT_EQ(versions_live(state, 0), Versions{3});
}

// Who was complete for a list of before may lack what was written since to other owners.
TEST(live_lists, are_not_ended_by_what_was_complete_under_an_older_one) {
    RingState state = settled_four();
    for (const unsigned owner : {1U, 2U, 3U}) ASSERT_TRUE(is_synced(state, 2, id(owner), 0));
    append(state, {1, 2, 3, 4}, {{1, 2, 4}, {2, 3, 4}});
    EXPECT_EQ(versions_live(state, 0), (Versions{2, 3}));
    EXPECT_FALSE(is_synced(state, 3, id(1), 0));
}

TEST(live_lists, pile_up_when_the_ring_changes_again_before_one_has_ended) {
    RingState state = settled_four();
    append(state, {1, 2, 3, 4}, {{1, 2, 4}, {2, 3, 4}});
    RingState ended_later = state;
    append(state, {1, 2, 3, 4}, {{1, 3, 4}, {2, 3, 4}});
    EXPECT_EQ(versions_live(state, 0), (Versions{2, 3, 4}));

    // The middle one ends: what came before it is over, it stays itself.
    for (const unsigned owner : {2U, 4U}) ASSERT_TRUE(note_synced(ended_later, id(owner), 0));
    ASSERT_TRUE(join(state, ended_later).has_value());
    EXPECT_EQ(live_lists(state, 0),
              (std::vector<OwnerList>{{3, ids({1, 2, 4})}, {4, ids({1, 3, 4})}}));
}

TEST(live_lists, are_all_ended_by_the_newest_whatever_became_of_those_between) {
    RingState state = settled_four();
    append(state, {1, 2, 3, 4}, {{1, 2, 4}, {2, 3, 4}});
    append(state, {1, 2, 3, 4}, {{1, 3, 4}, {2, 3, 4}});
    ASSERT_TRUE(note_synced(state, id(3), 0));
    ASSERT_TRUE(note_synced(state, id(4), 0));
    EXPECT_EQ(versions_live(state, 0), Versions{4});
    EXPECT_FALSE(is_moving(state));
}

TEST(live_lists, are_no_more_by_a_ring_that_changes_another_partition) {
    RingState state = settled_four();
    append(state, {1, 2, 3, 4}, {{1, 2, 4}, {2, 3, 4}});
    append(state, {1, 2, 3, 4}, {{4, 1, 2}, {1, 3, 4}});
    EXPECT_EQ(live_lists(state, 0),
              (std::vector<OwnerList>{{2, ids({1, 2, 3})}, {3, ids({4, 1, 2})}}))
        << "who comes first has changed, and with it no list";
    EXPECT_EQ(versions_live(state, 1), (Versions{2, 4}));
}

// Taken back: the owners are those of before, but what was written meanwhile is elsewhere too.
TEST(live_lists, of_a_change_that_was_taken_back_are_three) {
    RingState state = settled_four();
    append(state, {1, 2, 3, 4}, {{1, 2, 4}, {2, 3, 4}});
    append(state, {1, 2, 3, 4}, {{1, 2, 3}, {2, 3, 4}});
    EXPECT_EQ(
        live_lists(state, 0),
        (std::vector<OwnerList>{{2, ids({1, 2, 3})}, {3, ids({1, 2, 4})}, {4, ids({1, 2, 3})}}));
}

TEST(live_lists, with_fewer_owners_than_W_are_ended_by_all_of_them) {
    RingState state = settled_four(3);
    append(state, {1, 2}, {{1, 2}, {1, 2}});
    ASSERT_TRUE(note_synced(state, id(1), 0));
    EXPECT_EQ(versions_live(state, 0), (Versions{2, 3}));
    ASSERT_TRUE(note_synced(state, id(2), 0));
    EXPECT_EQ(versions_live(state, 0), Versions{3});
}

TEST(live_lists, end_at_W_also_where_that_is_one) {
    RingState state = settled_four(1);
    append(state, {1, 2, 3, 4}, {{1, 2, 4}, {2, 3, 4}});
    EXPECT_EQ(versions_live(state, 0), (Versions{2, 3}));
    ASSERT_TRUE(note_synced(state, id(2), 0));
    EXPECT_EQ(versions_live(state, 0), Versions{3});
}

RC_GTEST_PROP(live_lists, are_several_of_some_partition_just_while_the_ring_is_moving, ()) {
    RingState state = settled_four();
    const auto steps = *rc::gen::container<std::vector<std::pair<unsigned, unsigned>>>(
        rc::gen::pair(rc::gen::inRange(0U, 5U), rc::gen::inRange(1U, 5U)));
    for (const auto& [what, number] : steps) {
        Numbers rest;
        for (unsigned other = 1; other <= 4; ++other)
            if (other != number) rest.push_back(other);
        const Numbers kept = number == 4 ? Numbers{1, 2, 3} : Numbers{2, 3, 4};
        if (what == 0)
            append(state, {1, 2, 3, 4}, {rest, kept});
        else
            (void)note_synced(state, id(number), static_cast<std::uint16_t>(what % 2));
        bool several = false;
        for (std::uint16_t p = 0; p < 2; ++p) {
            const auto lists = live_lists(state, p);
            several = several || lists.size() > 1;
            RC_ASSERT(lists.back().version == state.head().version[p]);
            RC_ASSERT(lists.back().owners == owners_in(state.head(), p));
            RC_ASSERT(std::ranges::is_sorted(lists, std::ranges::less{}, &OwnerList::version));
        }
        RC_ASSERT(several == is_moving(state));
    }
}

// ------------------------------------------------------------------------------------- notes

TEST(synced, is_noted_once_and_of_one_node_one_partition_and_the_newest_list_only) {
    RingState state = ring_of(members(4), {16, 3});
    state.synced.clear();
    EXPECT_TRUE(note_synced(state, id(2), 9));
    EXPECT_FALSE(note_synced(state, id(2), 9));
    EXPECT_TRUE(note_synced(state, id(2), 10));
    for (std::uint16_t p = 0; p < 16; ++p) {
        EXPECT_EQ(is_synced(state, 2, id(2), p), p == 9 || p == 10) << p;
        EXPECT_FALSE(is_synced(state, 2, id(3), p));
        EXPECT_FALSE(is_synced(state, 1, id(2), p));
    }
    EXPECT_TRUE(validate(state)) << "it is as long as the partitions are many";
}

// Some of W owners and some of R that were read meet in each of them; the fence is what is left to
// be asked when as many as possible of either are missing.
TEST(fence, meets_every_write_and_is_as_small_as_that_allows) {
    const auto fence = [](std::uint16_t read, std::uint16_t write, std::size_t owners) {
        ClusterSettings settings;
        settings.read_quorum = read;
        settings.write_quorum = write;
        return fence_of(settings, owners);
    };
    EXPECT_EQ(fence(2, 2, 3), 2U);
    EXPECT_EQ(fence(1, 3, 3), 3U);
    EXPECT_EQ(fence(3, 1, 3), 3U);
    EXPECT_EQ(fence(3, 3, 3), 1U);
    EXPECT_EQ(fence(2, 3, 3), 2U);
    EXPECT_EQ(fence(3, 2, 5), 4U);
    EXPECT_EQ(fence(2, 2, 2), 1U);
    EXPECT_EQ(fence(2, 2, 1), 1U) << "a list that is shorter than the quorums";
}

TEST(released, is_who_was_said_to_be_until_a_later_ring_names_it) {
    RingState state = settled_four();
    append(state, {1, 2, 3}, {{1, 2, 3}, {1, 2, 3}});
    EXPECT_FALSE(is_released(state, id(4)));
    state.released[id(4)] = 3;
    EXPECT_TRUE(is_released(state, id(4))) << "ring 2, which named it, is older than that";
    EXPECT_FALSE(is_released(state, id(3)));
    append(state, {1, 2, 3, 5}, {{1, 2, 3}, {1, 2, 5}});
    EXPECT_TRUE(is_released(state, id(4)));
    append(state, {1, 2, 3, 4}, {{1, 2, 3}, {1, 2, 4}});
    EXPECT_FALSE(is_released(state, id(4)));
    append(state, {1, 2, 3}, {{1, 2, 3}, {1, 2, 3}});
    EXPECT_FALSE(is_released(state, id(4))) << "it has something to hand over again";
    state.released[id(4)] = 6;
    EXPECT_TRUE(is_released(state, id(4)));
}

// --------------------------------------------------------------------------------- short rings

std::size_t short_after(RingState state, const Numbers& all, const std::vector<Numbers>& rows,
                        const Numbers& lost = {}) {
    const RingState before = state;
    append(state, all, rows, lost);
    return short_partitions(before, state.head());
}

TEST(short_partitions, are_those_whose_list_gets_shorter_than_W) {
    const RingState four = settled_four();
    EXPECT_EQ(short_after(four, {1, 2}, {{1, 2}, {1, 2}}), 0U);
    EXPECT_EQ(short_after(four, {1}, {{1}, {1}}), 2U);
    const RingState one = founding();
    EXPECT_EQ(short_after(one, {2}, {{2}, {2}}), 0U) << "it has had no more before";
}

TEST(short_partitions, are_those_that_the_lost_leave_with_fewer_than_W) {
    const RingState four = settled_four();
    EXPECT_EQ(short_after(four, {1, 2, 3}, {{1, 2, 3}, {1, 2, 3}}, {4}), 0U);
    EXPECT_EQ(short_after(four, {2, 3}, {{2, 3}, {2, 3}}, {1, 4}), 0U)
        << "each partition has lost one";
    EXPECT_EQ(short_after(four, {1, 2}, {{1, 2}, {1, 2}}, {3, 4}), 1U)
        << "partition 1 had 2, 3 and 4";
}

TEST(short_partitions, are_counted_in_every_live_list_and_once) {
    RingState moving = settled_four();
    append(moving, {1, 2, 3, 4}, {{1, 2, 4}, {2, 3, 4}});
    // Of the older list of partition 0 only 1 would be left, of the newer one 1 and 4.
    EXPECT_EQ(short_after(moving, {1, 4}, {{1, 4}, {1, 4}}, {2, 3}), 2U);
    RingState settled = moving;
    test::settle(settled);
    EXPECT_EQ(short_after(settled, {1, 4}, {{1, 4}, {1, 4}}, {2, 3}), 1U);
}

TEST(short_partitions, do_not_count_again_whom_an_earlier_ring_declared_lost) {
    RingState state = settled_four();
    append(state, {1, 2}, {{1, 2}, {1, 2}}, {3, 4});
    ASSERT_EQ(versions_live(state, 1), (Versions{2, 3}));
    EXPECT_EQ(short_after(state, {1, 2, 5}, {{1, 2, 5}, {1, 2, 5}}, {3, 4}), 0U);
}

// -------------------------------------------------------------------------------------- routes

TEST(moving_routes, tell_owners_from_those_that_serve) {
    RingState state = settled_four();
    append(state, {1, 2, 3, 4, 5}, {{5, 4, 1}, {2, 3, 4}});
    const Routes routes(state, {});
    EXPECT_EQ(routes.moving(), std::vector<std::uint16_t>{0});
    EXPECT_FALSE(routes.stable(0));
    EXPECT_EQ(routes.lists(0), live_lists(state, 0));
    const auto serving = routes.serving(0);
    EXPECT_EQ(std::vector<NodeId>(serving.begin(), serving.end()), ids({1, 2, 3, 5, 4}))
        << "each once, those of the oldest list first";
    const auto owners = routes.owners(0);
    EXPECT_EQ(std::vector<NodeId>(owners.begin(), owners.end()), ids({5, 4, 1}));
    EXPECT_TRUE(routes.serves(id(3), 0));
    EXPECT_FALSE(routes.is_owner(id(3), 0));
    EXPECT_TRUE(routes.serves(id(5), 0));
    EXPECT_EQ(routes.served_by(id(3)), (std::vector<std::uint16_t>{0, 1}));
    EXPECT_EQ(routes.owned_by(id(3)), std::vector<std::uint16_t>{1});
    EXPECT_EQ(routes.version(0), 3U);

    EXPECT_TRUE(routes.stable(1));
    EXPECT_TRUE(routes.lists(1).empty());
    EXPECT_EQ(std::ranges::distance(routes.serving(1)), 3);
    EXPECT_FALSE(routes.serves(id(1), 1));
    EXPECT_FALSE(routes.serves(id(5), 1));
    EXPECT_EQ(routes.version(1), 2U);
}

TEST(moving_routes, are_still_again_when_the_older_lists_have_ended) {
    RingState state = settled_four();
    append(state, {1, 2, 3, 4}, {{1, 2, 4}, {2, 3, 4}});
    test::settle(state);
    const Routes routes(state, {});
    EXPECT_TRUE(routes.moving().empty());
    EXPECT_TRUE(routes.stable(0));
    EXPECT_FALSE(routes.serves(id(3), 0));
    EXPECT_EQ(routes.served_by(id(3)), routes.owned_by(id(3)));
}

TEST(moving_routes, know_who_is_complete_for_the_newest_list_while_it_is_not_alone) {
    RingState state = settled_four();
    append(state, {1, 2, 3, 4}, {{1, 2, 4}, {2, 3, 4}});
    ASSERT_TRUE(note_synced(state, id(3), 0));
    ASSERT_TRUE(note_synced(state, id(4), 0));
    const Routes routes(state, {});
    EXPECT_TRUE(routes.is_synced(id(4), 0));
    EXPECT_FALSE(routes.is_synced(id(1), 0)) << "for the list of before, and not for this one";
    EXPECT_FALSE(routes.is_synced(id(3), 0)) << "no owner";
    EXPECT_FALSE(routes.is_synced(id(2), 1)) << "nothing moves there";
}

TEST(moving_routes, let_nobody_stand_in_who_is_in_a_live_list) {
    RingState state = settled_four();
    append(state, {1, 2, 4, 5, 6}, {{5, 4, 1}, {2, 5, 4}});
    const Routes routes(state, {});
    ASSERT_EQ(std::ranges::distance(routes.serving(0)), 5);
    EXPECT_EQ(routes.fallbacks(0), ids({6}))
        << "3 has left and still serves; that leaves no room for another";
}

// One that has left and still serves takes no place among the members that may stand in.
TEST(moving_routes, let_stand_in_who_comes_first_clockwise) {
    RingState state = ring_of(members(10));
    for (const unsigned number : {4U, 6U, 9U})
        stage(state, id(1), Kind::remove, member(number), "", 1);
    auto planned = plan(state, {});
    ASSERT_TRUE(planned);
    state.epochs.push_back(*std::move(planned));
    const Routes routes(state, {});
    ASSERT_FALSE(routes.moving().empty());
    for (const std::uint16_t p : routes.moving()) {
        const auto distance = [&](const NodeId& node) {
            std::uint16_t steps = 1;
            while (routes.owners(static_cast<std::uint16_t>((p + steps) % 64)).front() != node)
                ++steps;
            return steps;
        };
        const auto leavers = std::ranges::count_if(
            routes.serving(p), [&](const NodeId& node) { return !routes.is_member(node); });
        EXPECT_TRUE(std::ranges::is_sorted(routes.fallbacks(p), {}, distance)) << p;
        EXPECT_EQ(routes.fallbacks(p).size() + routes.serving(p).size(), 7U + leavers) << p;
    }
}

TEST(standing, tells_who_is_behind_and_whose_list_is_newer) {
    RingState state = settled_four();
    append(state, {1, 2, 3, 4}, {{1, 2, 4}, {2, 3, 4}});
    append(state, {1, 2, 3, 4}, {{1, 2, 4}, {2, 3, 1}});
    const Routes routes(state, {});
    using Standing = Routes::Standing;
    EXPECT_EQ(routes.standing(5, 0), Standing::behind);
    EXPECT_EQ(routes.standing(4, 0), Standing::same);
    EXPECT_EQ(routes.standing(3, 0), Standing::same) << "ring 4 left the list as it was";
    EXPECT_EQ(routes.standing(2, 0), Standing::newer);
    EXPECT_EQ(routes.standing(4, 1), Standing::same);
    EXPECT_EQ(routes.standing(3, 1), Standing::newer);
    EXPECT_EQ(routes.standing(1, 1), Standing::newer);
}

std::set<NodeId> peers_of(const RingState& state) {
    std::set<NodeId> peers;
    const Routes routes(state, {});
    for (const Member& peer : routes.peers()) peers.insert(peer.id);
    EXPECT_TRUE(std::ranges::is_sorted(routes.peers(), {}, &Member::id));
    return peers;
}

TEST(peers, are_members_and_who_has_left_until_it_has_handed_over_all) {
    RingState state = settled_four();
    append(state, {1, 2, 3}, {{1, 2, 3}, {1, 2, 3}});
    EXPECT_EQ(peers_of(state), set_of({1, 2, 3, 4}));
    const Routes routes(state, {});
    ASSERT_NE(routes.find(id(4)), nullptr);
    EXPECT_EQ(*routes.find(id(4)), member(4));
    EXPECT_FALSE(routes.is_member(id(4)));
    EXPECT_TRUE(routes.is_member(id(3)));
    test::settle(state);
    EXPECT_EQ(peers_of(state), set_of({1, 2, 3, 4})) << "it may hold something that others lack";
    state.released[id(4)] = 3;
    EXPECT_EQ(peers_of(state), set_of({1, 2, 3}));
}

TEST(peers, are_not_those_whose_storage_is_gone) {
    RingState state = settled_four();
    append(state, {1, 2, 3}, {{1, 2, 3}, {1, 2, 3}}, {4});
    EXPECT_EQ(peers_of(state), set_of({1, 2, 3}));
    const Routes routes(state, {});
    EXPECT_TRUE(routes.is_lost(id(4)));
    EXPECT_FALSE(routes.is_lost(id(3)));
    EXPECT_EQ(routes.find(id(4)), nullptr);
    EXPECT_TRUE(routes.serves(id(4), 1)) << "the older list stays as it was agreed on";
}

TEST(peers, who_have_left_are_found_where_they_were_last_said_to_be) {
    RingState state = settled_four();
    append(state, {1, 2, 3, 4}, {{1, 2, 3}, {2, 3, 4}});
    std::ranges::find(state.epochs.back().members, id(4), &Member::id)->peer_address = "[::1]:9";
    append(state, {1, 2, 3}, {{1, 2, 3}, {1, 2, 3}});
    const Routes routes(state, {});
    ASSERT_NE(routes.find(id(4)), nullptr);
    EXPECT_EQ(routes.find(id(4))->peer_address, "[::1]:9");
}

// --------------------------------------------------------------------------------------- plans

constexpr std::uint16_t partitions = 64;

/// Stages and appends, and nobody has anything of it yet.
void commit(RingState& state) {
    auto planned = plan(state, {});
    ASSERT_TRUE(planned) << planned.error().message;
    state.epochs.push_back(*std::move(planned));
    ASSERT_TRUE(validate(state)) << validate(state).error().message;
}

void commit(RingState& state, Kind kind, const Member& subject) {
    stage(state, id(1), kind, subject, "", 1);
    commit(state);
}

Error refusal(const RingState& state) {
    const auto planned = plan(state, {});
    EXPECT_FALSE(planned);
    return planned ? Error{Code::ok, "planned"} : planned.error();
}

void expect_versions_follow_the_owners(const RingState& state) {
    const Epoch& head = state.head();
    const Epoch& before = state.epochs[state.epochs.size() - 2];
    for (std::uint16_t p = 0; p < head.partitions; ++p) {
        const bool same = owner_set(head, p) == owner_set(before, p);
        EXPECT_EQ(head.version[p], same ? before.version[p] : head.number) << p;
    }
}

TEST(leaving, moves_what_the_leaver_held_and_nothing_else) {
    RingState state = ring_of(members(5));
    const auto held = Routes(state, {}).owned_by(id(3)).size();
    const Epoch before = state.head();
    commit(state, Kind::remove, member(3));
    EXPECT_EQ(copies_moved(before, state.head()), held);
    expect_versions_follow_the_owners(state);
    const Routes routes(state, {});
    EXPECT_EQ(routes.moving().size(), held);
    for (const std::uint16_t p : routes.moving()) EXPECT_TRUE(routes.serves(id(3), p)) << p;
    EXPECT_TRUE(routes.owned_by(id(3)).empty());
}

RC_GTEST_PROP(versions, change_where_the_set_of_owners_does_and_nowhere_else, ()) {
    RingState state = ring_of(members(4));
    const auto steps = *rc::gen::container<std::vector<std::tuple<unsigned, unsigned, unsigned>>>(
        3, rc::gen::tuple(rc::gen::inRange(0U, 3U), rc::gen::inRange(1U, 7U),
                          rc::gen::inRange(1U, 6U)));
    for (const auto& [kind, number, weight] : steps) {
        stage(state, id(1), std::array{Kind::add, Kind::remove, Kind::set}.at(kind),
              member(number, weight), "", 1);
        auto planned = plan(state, {});
        if (!planned) continue;
        state.epochs.push_back(*std::move(planned));
        test::settle(state);
        expect_versions_follow_the_owners(state);
        RC_ASSERT(!::testing::Test::HasFailure());
    }
}

TEST(change_under_way, lets_no_other_begin_before_its_end) {
    RingState state = ring_of(members(3));
    commit(state, Kind::add, member(4));
    ASSERT_TRUE(is_moving(state));
    stage(state, id(1), Kind::add, member(5), "", 1);
    EXPECT_EQ(refusal(state).code, Code::refused);
    EXPECT_NE(refusal(state).message.find("under way"), std::string::npos);
    test::settle(state);
    EXPECT_TRUE(plan(state, {}));
}

TEST(change_under_way, lets_no_other_begin_though_that_would_move_nothing) {
    RingState state = ring_of(members(3));
    commit(state, Kind::add, member(4));
    Member moved = member(2);
    moved.peer_address = "127.0.0.1:1";
    stage(state, id(1), Kind::set, moved, "", 1);
    EXPECT_NE(refusal(state).message.find("under way"), std::string::npos);
}

TEST(change_under_way, lets_no_other_begin_where_it_moves_copies_among_the_same_nodes) {
    RingState state = ring_of(members(5));
    commit(state, Kind::set, member(2, 3));
    ASSERT_TRUE(is_moving(state));
    stage(state, id(1), Kind::set, member(3, 2), "", 1);
    EXPECT_NE(refusal(state).message.find("under way"), std::string::npos);
}

TEST(change_under_way, lets_a_node_be_declared_lost) {
    RingState state = ring_of(members(4));
    commit(state, Kind::add, member(5));
    commit(state, Kind::lost, member(2));
    EXPECT_EQ(state.head().lost, ids({2}));
    EXPECT_FALSE(Routes(state, {}).is_member(id(2)));
    expect_versions_follow_the_owners(state);
    // What is known to be lost is no reason for yet another change.
    stage(state, id(1), Kind::lost, member(2), "", 1);
    stage(state, id(1), Kind::add, member(6), "", 1);
    EXPECT_NE(refusal(state).message.find("under way"), std::string::npos);
}

TEST(lost, stays_lost_whatever_is_said_or_taken_back) {
    RingState state = ring_of(members(4));
    const auto before = state.head().covers;
    commit(state, Kind::lost, member(2));
    const auto stays_lost = [&] {
        EXPECT_EQ(state.head().lost, ids({2}));
        EXPECT_FALSE(Routes(state, {}).is_member(id(2)));
        EXPECT_TRUE(Routes(state, {}).is_lost(id(2)));
    };
    stays_lost();
    test::settle(state);
    stage_discard(state, id(1), before, "", 1);
    commit(state);
    stays_lost();
    test::settle(state);
    commit(state, Kind::add, member(2));
    stays_lost();
}

TEST(lost, may_be_one_that_has_left_and_has_not_handed_over_all) {
    RingState state = ring_of(members(4));
    commit(state, Kind::remove, member(2));
    ASSERT_TRUE(is_moving(state));
    const Epoch before = state.head();
    commit(state, Kind::lost, member(2));
    EXPECT_EQ(state.head().lost, ids({2}));
    EXPECT_EQ(state.head().version, before.version) << "nothing moves by that";
}

TEST(discard, voids_what_is_staged_and_nothing_that_comes_later) {
    RingState state = ring_of(members(3));
    stage(state, id(1), Kind::add, member(4), "", 1);
    stage(state, id(2), Kind::remove, member(3), "", 2);
    stage_discard(state, id(3), state.head().covers, "", 3);
    EXPECT_TRUE(staged(state).empty());
    EXPECT_EQ(refusal(state).message, "no change is staged");
    stage(state, id(2), Kind::add, member(5), "", 4);
    ASSERT_EQ(staged(state).size(), 1U);
    commit(state);
    const Routes routes(state, {});
    EXPECT_TRUE(routes.is_member(id(5)));
    EXPECT_TRUE(routes.is_member(id(3)));
    EXPECT_FALSE(routes.is_member(id(4)));
}

TEST(discard, that_is_discarded_itself_voids_nothing) {
    RingState state = ring_of(members(3));
    const auto covered = state.head().covers;
    stage(state, id(1), Kind::add, member(4), "", 1);
    auto kept = covered;
    kept[id(1)] = state.history.at(id(1)).size();
    stage_discard(state, id(2), covered, "", 2);
    ASSERT_TRUE(staged(state).empty());
    stage_discard(state, id(3), kept, "", 3);
    ASSERT_EQ(staged(state).size(), 1U);
    EXPECT_EQ(staged(state).front().subject, member(4));
}

/// As an operator does: all that the last ring changed, and what has been staged since.
void take_back(RingState& state) {
    stage_discard(state, id(1), state.epochs[state.epochs.size() - 2].covers, "", 1);
}

TEST(taking_back, gives_every_partition_its_list_of_before) {
    RingState state = ring_of(members(4));
    const Epoch before = state.head();
    stage(state, id(1), Kind::add, member(5), "", 1);
    stage(state, id(1), Kind::add, member(6), "", 1);
    stage(state, id(1), Kind::remove, member(2), "", 1);
    commit(state);
    ASSERT_TRUE(is_moving(state));
    take_back(state);
    const std::vector<std::uint16_t> otherwise =
        place(before.members, partitions, 3, &state.head());
    ASSERT_NE(otherwise, before.table) << "what fits as well, and is not what was";
    commit(state);
    EXPECT_EQ(state.head().table, before.table);
    EXPECT_EQ(state.head().members, before.members);
    expect_versions_follow_the_owners(state);
    const Routes routes(state, {});
    for (const std::uint16_t p : routes.moving()) {
        EXPECT_EQ(routes.version(p), 4U);
        EXPECT_EQ(routes.lists(p).size(), 3U);
    }
    EXPECT_FALSE(routes.moving().empty());
    EXPECT_LT(routes.moving().size(), partitions);
}

TEST(taking_back, also_takes_back_what_has_been_staged_since) {
    RingState state = ring_of(members(3));
    commit(state, Kind::add, member(4));
    stage(state, id(2), Kind::add, member(5), "", 1);
    take_back(state);
    commit(state);
    EXPECT_EQ(state.head().members, state.epochs[1].members);
    EXPECT_TRUE(staged(state).empty());
}

TEST(taking_back, goes_with_no_other_change) {
    RingState state = ring_of(members(3));
    commit(state, Kind::add, member(4));
    take_back(state);
    stage(state, id(1), Kind::add, member(5), "", 1);
    EXPECT_NE(refusal(state).message.find("under way"), std::string::npos);
}

TEST(taking_back, is_not_done_by_staging_nothing_of_weight) {
    RingState state = ring_of(members(3));
    commit(state, Kind::add, member(4));
    Member moved = member(4);
    moved.client_address = "127.0.0.1:1";
    stage(state, id(1), Kind::set, moved, "", 1);
    EXPECT_NE(refusal(state).message.find("under way"), std::string::npos)
        << "the members are those of the change itself, not those of before";
}

TEST(taking_back, is_a_change_under_way_itself) {
    RingState state = ring_of(members(3));
    commit(state, Kind::add, member(4));
    take_back(state);
    commit(state);
    ASSERT_TRUE(is_moving(state));
    stage(state, id(1), Kind::add, member(5), "", 1);
    EXPECT_NE(refusal(state).message.find("under way"), std::string::npos);
}

TEST(taking_back, lets_one_that_was_removed_return_while_it_holds_what_it_held) {
    RingState state = ring_of(members(4));
    commit(state, Kind::remove, member(3));
    RingState handed_over = state;
    take_back(state);
    commit(state);
    EXPECT_TRUE(Routes(state, {}).is_member(id(3)));

    handed_over.released[id(3)] = 3;
    take_back(handed_over);
    EXPECT_NE(refusal(handed_over).message.find("cannot return"), std::string::npos);
}

TEST(taking_back, of_what_came_to_its_end_lets_nobody_return) {
    RingState state = ring_of(members(4));
    commit(state, Kind::remove, member(3));
    test::settle(state);
    take_back(state);
    EXPECT_NE(refusal(state).message.find("cannot return"), std::string::npos);
}

TEST(taking_back, is_of_weights_as_well_as_of_nodes) {
    RingState state = ring_of(members(5));
    Member heavier = member(2);
    heavier.weight *= 3;
    commit(state, Kind::set, heavier);
    ASSERT_TRUE(is_moving(state));
    take_back(state);
    commit(state);
    EXPECT_EQ(state.head().members, state.epochs[1].members);
    EXPECT_EQ(state.head().table, state.epochs[1].table);
}

TEST(taking_back, may_come_with_a_loss) {
    RingState state = ring_of(members(4));
    const auto covered = state.head().covers;
    commit(state, Kind::add, member(5));
    stage_discard(state, id(1), covered, "", 1);
    stage(state, id(1), Kind::lost, member(5), "", 1);
    commit(state);
    EXPECT_EQ(state.head().members, state.epochs[1].members);
    EXPECT_EQ(state.head().lost, ids({5}));
    expect_versions_follow_the_owners(state);
    for (std::uint16_t p = 0; p < partitions; ++p)
        EXPECT_EQ(owners_in(state.head(), p).size(), 3U) << p;
}

}  // namespace
}  // namespace dynamo
