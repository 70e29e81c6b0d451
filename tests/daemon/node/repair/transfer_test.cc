// What a change of the ring moves: when a gained copy counts, and when one that moved away may go.
#include "daemon/node/repair/transfer.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/daemon/node/membership/workplace.h"

namespace dynamo::test {
namespace {

using Kind = Transfer::Kind;
using Turn = Transfer::Turn;
using Row = std::vector<unsigned>;
using Partitions = std::set<std::uint16_t>;

std::set<NodeId> ids(const Row& row) {
    std::set<NodeId> ids;
    for (const unsigned index : row) ids.insert(node_id(index));
    return ids;
}

/// Appends an epoch of two partitions with these lists; nobody has anything of it yet.
RingState then(RingState ring, const Row& members, const Row& first, const Row& second,
               const Row& lost = {}) {
    Epoch next = ring.head();
    ++next.number;
    next.members.clear();
    for (const unsigned index : members) next.members.push_back(member(index));
    const auto gone = ids(lost);
    next.lost.assign(gone.begin(), gone.end());
    next.table.assign(next.table.size(), Epoch::nobody);
    for (std::uint16_t p = 0; p < 2; ++p) {
        const Row& row = p == 0 ? first : second;
        for (std::size_t rank = 0; rank < row.size(); ++rank)
            next.table[std::size_t{p} * next.copies + rank] = static_cast<std::uint16_t>(
                std::ranges::find(next.members, node_id(row[rank]), &Member::id) -
                next.members.begin());
        const auto owners = owners_in(next, p);
        const auto before = owners_in(ring.head(), p);
        if (std::set<NodeId>(owners.begin(), owners.end()) !=
            std::set<NodeId>(before.begin(), before.end()))
            next.version[p] = next.number;
    }
    ring.epochs.push_back(std::move(next));
    DYN_CHECK(validate(ring).has_value());
    return ring;
}

const Row all{0, 1, 2, 3, 4};
const Row kept{0, 1, 2};

/// Members 0 to 4 at epoch 2, where 0, 1 and 2 own everything and are complete. R and W are 2.
RingState at_rest() {
    RingState ring = found(ClusterId::from("0123456789abcdef"), {.partitions = 2}, member(0), 1000);
    ring = then(ring, all, kept, kept);
    settle(ring);
    return ring;
}

/// Epoch 3: of partition 0 the owner 3 comes in the place of 2.
RingState with_one_moved() { return then(at_rest(), all, {0, 1, 3}, kept); }

RingState completed_by(RingState ring, const Row& owners, std::uint16_t partition = 0) {
    for (const unsigned owner : owners) (void)note_synced(ring, node_id(owner), partition);
    return ring;
}

struct Mover : Workplace {
    Mover(unsigned index, const RingState& ring)
        : Workplace(index, ring), transfer(desk, objects, liveness) {
        transfer.on_ring();
    }
    void follow(const RingState& ring) {
        Workplace::follow(ring);
        transfer.on_ring();
    }
    /// One step, and its commit.
    void step(Duration time) {
        pass(time);
        transfer.tick();
        ASSERT_TRUE(storage.commit(Durability::sync).has_value());
    }
    /// What is complete once all that it has gathered has been written and a step has passed.
    Partitions complete() {
        step(50ms);
        step(1ms);
        return transfer.take_complete();
    }
    /// A pass with that owner under the present lists of partition 0 has come to its end.
    void learn_from(unsigned owner, bool whole = true) {
        transfer.compared(pass_with(owner), whole);
    }
    [[nodiscard]] Turn pass_with(unsigned owner) const {
        const auto& lists = desk.routes.lists(0);
        return {0, node_id(owner), Kind::gain, lists.empty() ? 0 : lists.front().version,
                desk.routes.version(0)};
    }
    [[nodiscard]] Bytes key_in(std::uint16_t partition) const {
        for (unsigned i = 0;; ++i)
            if (Bytes key = "key:" + std::to_string(i); slot(key).partition == partition)
                return key;
    }
    [[nodiscard]] bool holds(BytesView key) { return !kept(key).empty(); }
    /// With whom it would compare, until there is nobody left; each time the pass fails.
    std::set<NodeId> asked() {
        std::set<NodeId> partners;
        for (int turn = 0; turn < 20; ++turn) {
            if (const auto next = transfer.next()) {
                partners.insert(next->partner);
                liveness.unreachable(next->partner);
            }
            pass(1s);
        }
        for (const NodeId& partner : partners) liveness.heard(partner);
        return partners;
    }

    Transfer transfer;
};

// ----------------------------------------------------------------------------- gaining

TEST(gain, is_complete_after_a_fence_of_the_older_list) {
    Mover mover(3, with_one_moved());
    EXPECT_EQ(mover.transfer.gaining(), 1u);
    const auto first = mover.transfer.next();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->partition, 0);
    EXPECT_EQ(first->kind, Kind::gain);
    EXPECT_EQ(first->base, 2u);
    EXPECT_EQ(first->version, 3u);
    mover.transfer.compared(*first, true);
    EXPECT_TRUE(mover.complete().empty()) << "1 of 3 may lack what W=2 have acknowledged";
    const auto second = mover.transfer.next();
    ASSERT_TRUE(second);
    EXPECT_NE(second->partner, first->partner);
    mover.transfer.compared(*second, true);
    EXPECT_FALSE(mover.transfer.next()) << "that is enough";
    EXPECT_EQ(mover.complete(), Partitions{0});
    EXPECT_TRUE(mover.transfer.take_complete().empty()) << "told once";
}

TEST(gain, learns_from_owners_of_the_older_lists_only) {
    Mover mover(3, then(with_one_moved(), all, {0, 3, 4}, kept));
    EXPECT_EQ(mover.asked(), ids({0, 1, 2})) << "4 has nothing to tell yet";
}

TEST(gain, counts_one_owner_once) {
    Mover mover(3, with_one_moved());
    mover.learn_from(1);
    mover.learn_from(1);
    EXPECT_TRUE(mover.complete().empty());
}

TEST(gain, counts_what_the_node_itself_holds_as_an_owner_of_before) {
    Mover mover(0, with_one_moved());
    EXPECT_EQ(mover.asked(), ids({1, 2}));
    EXPECT_TRUE(mover.complete().empty());
    mover.learn_from(2);
    EXPECT_EQ(mover.complete(), Partitions{0});
}

TEST(gain, does_not_count_itself_while_it_rebuilds_its_copy) {
    Mover mover(0, with_one_moved());
    mover.objects.rebuilding().insert(0);
    mover.learn_from(2);
    EXPECT_TRUE(mover.complete().empty());
    mover.learn_from(1);
    EXPECT_EQ(mover.complete(), Partitions{0});
}

TEST(gain, counts_itself_from_when_its_copy_is_rebuilt) {
    Mover mover(0, with_one_moved());
    mover.objects.rebuilding().insert(0);
    mover.follow(with_one_moved());
    mover.learn_from(2);
    mover.objects.rebuilding().erase(0);
    mover.transfer.on_rebuilt();
    EXPECT_EQ(mover.complete(), Partitions{0}) << "there is nobody left to ask";
}

TEST(gain, does_not_count_who_rebuilds_its_copy) {
    Mover mover(3, with_one_moved());
    mover.learn_from(0);
    mover.learn_from(1, false);
    EXPECT_TRUE(mover.complete().empty());
    mover.learn_from(1, true);
    EXPECT_EQ(mover.complete(), Partitions{0}) << "it has rebuilt it since";
}

TEST(gain, needs_a_fence_of_each_older_list) {
    const RingState twice = then(with_one_moved(), all, {2, 3, 4}, kept);
    // Lists 0 1 2, then 0 1 3, then 2 3 4.
    Mover mover(4, twice);
    mover.learn_from(1);
    mover.learn_from(2);
    EXPECT_TRUE(mover.complete().empty()) << "of 0 1 3 only 1";
    mover.learn_from(3);
    EXPECT_EQ(mover.complete(), Partitions{0});
    Mover other(4, twice);
    other.learn_from(3);
    other.learn_from(1);
    EXPECT_TRUE(other.complete().empty()) << "of 0 1 2 only 1";
    other.learn_from(0);
    EXPECT_EQ(other.complete(), Partitions{0});
}

TEST(gain, waits_for_nobody_who_is_lost) {
    Mover one_left(3, then(at_rest(), {0, 3, 4, 5}, {0, 3, 4}, {0, 4, 5}, {1, 2}));
    EXPECT_EQ(one_left.transfer.next()->partner, node_id(0));
    one_left.learn_from(0);
    EXPECT_EQ(one_left.complete(), Partitions{0});

    Mover two_left(3, then(at_rest(), {0, 1, 3, 4}, {0, 1, 3}, {0, 1, 4}, {2}));
    two_left.learn_from(0);
    EXPECT_TRUE(two_left.complete().empty()) << "2 of 3 are left, and both are needed";
    EXPECT_EQ(two_left.asked(), ids({1}));
    two_left.learn_from(1);
    EXPECT_EQ(two_left.complete(), Partitions{0});

    Mover nobody_left(3, then(at_rest(), {3, 4}, {3, 4}, {3, 4}, {0, 1, 2}));
    EXPECT_FALSE(nobody_left.transfer.next());
    EXPECT_EQ(nobody_left.complete(), (Partitions{0, 1})) << "there is nothing to learn";
}

TEST(gain, is_of_owners_that_are_not_noted_complete_already) {
    Mover complete(3, completed_by(with_one_moved(), {3}));
    EXPECT_EQ(complete.transfer.gaining(), 0u);
    EXPECT_FALSE(complete.transfer.next());
    Mover left(2, with_one_moved());
    EXPECT_EQ(left.transfer.gaining(), 0u) << "it is no owner of the newest list";
    Mover none(4, with_one_moved());
    EXPECT_EQ(none.transfer.gaining(), 0u);
    Mover at_its_end(3, completed_by(with_one_moved(), {0, 1}));
    EXPECT_EQ(at_its_end.transfer.gaining(), 0u) << "anti-entropy brings it what it lacks";
}

// ----------------------------------------------------------------------------- sealing

TEST(gain, counts_only_when_it_is_on_the_disk_for_certain) {
    Mover mover(3, with_one_moved());
    mover.learn_from(0);
    mover.learn_from(1);
    EXPECT_TRUE(mover.transfer.take_complete().empty());
    EXPECT_FALSE(mover.desk.outbox.sync);
    EXPECT_LE(mover.transfer.wake_at(), mover.desk.now.instant + 50ms);
    mover.pass(50ms);
    mover.transfer.tick();
    EXPECT_TRUE(mover.desk.outbox.sync) << "the commit of this step waits for the disk";
    EXPECT_TRUE(mover.storage.has_changes()) << "so there must be one";
    EXPECT_TRUE(mover.transfer.take_complete().empty()) << "which it has not done yet";
    mover.transfer.tick();
    EXPECT_TRUE(mover.transfer.take_complete().empty()) << "this is still the same step";
    ASSERT_TRUE(mover.storage.commit(Durability::sync).has_value());
    EXPECT_LE(mover.transfer.wake_at(), mover.desk.now.instant + 1ms);
    mover.step(1ms);
    EXPECT_EQ(mover.transfer.take_complete(), Partitions{0});
    EXPECT_EQ(mover.transfer.wake_at(), Instant::max());
}

TEST(gain, is_forgotten_with_a_commit_that_failed) {
    for (const bool sealed : {false, true}) {
        Mover mover(3, with_one_moved());
        mover.learn_from(0);
        mover.learn_from(1);
        if (sealed) {
            mover.pass(50ms);
            mover.transfer.tick();
        }
        mover.storage.rollback();
        mover.transfer.rolled_back();
        EXPECT_TRUE(mover.complete().empty()) << "what came in that step is gone";
        mover.learn_from(1);
        EXPECT_TRUE(mover.complete().empty()) << "so it counts from the beginning";
        mover.learn_from(2);
        EXPECT_EQ(mover.complete(), Partitions{0});
    }
}

TEST(gain, that_is_forgotten_is_not_told_with_another) {
    Mover mover(3, then(at_rest(), all, {0, 1, 3}, {0, 1, 3}));
    mover.learn_from(0);
    mover.learn_from(1);
    mover.storage.rollback();
    mover.transfer.rolled_back();
    for (const unsigned owner : {0u, 1u})
        mover.transfer.compared({1, node_id(owner), Kind::gain, 2, 3}, true);
    EXPECT_EQ(mover.complete(), Partitions{1});
}

// ----------------------------------------------------------------------------- another ring

TEST(gain, begins_again_when_its_list_changes) {
    Mover mover(3, with_one_moved());
    mover.learn_from(0);
    const Turn under_way = mover.pass_with(2);
    mover.follow(then(with_one_moved(), all, {0, 3, 4}, kept));
    mover.transfer.compared(under_way, true);
    EXPECT_TRUE(mover.complete().empty());
    mover.learn_from(1);
    EXPECT_TRUE(mover.complete().empty()) << "what 0 told it may be older than the newest list";
    mover.learn_from(0);
    EXPECT_EQ(mover.complete(), Partitions{0});
}

TEST(gain, begins_again_when_older_lists_end_meanwhile) {
    // Lists 0 1 2, then 0 1 3, then 2 3 4.
    const RingState before = then(with_one_moved(), all, {2, 3, 4}, kept);
    RingState after = before;
    Bytes& noted = after.synced[3][node_id(0)];
    noted = after.synced[3][node_id(1)] = Bytes(1, '\x80');
    Mover mover(4, before);
    mover.learn_from(0);
    const Turn under_way = mover.pass_with(3);
    mover.follow(after);
    ASSERT_EQ(mover.desk.routes.lists(0).size(), 2u);
    mover.transfer.compared(under_way, true);
    EXPECT_TRUE(mover.complete().empty());
    mover.learn_from(1);
    EXPECT_TRUE(mover.complete().empty());
    mover.learn_from(0);
    EXPECT_EQ(mover.complete(), Partitions{0});
}

TEST(gain, goes_on_when_the_ring_changes_elsewhere) {
    Mover mover(3, with_one_moved());
    mover.learn_from(0);
    mover.follow(then(with_one_moved(), all, {0, 1, 3}, {0, 1, 4}));
    mover.learn_from(1);
    EXPECT_EQ(mover.complete(), Partitions{0});
}

TEST(gain, of_one_list_is_not_told_of_the_next) {
    const RingState next = then(with_one_moved(), all, {0, 3, 4}, kept);
    for (const int steps : {0, 1, 2}) {
        Mover mover(3, with_one_moved());
        mover.learn_from(0);
        mover.learn_from(1);
        if (steps > 0) mover.step(50ms);
        if (steps > 1) mover.step(1ms);
        mover.follow(next);
        EXPECT_TRUE(mover.complete().empty()) << steps;
        EXPECT_EQ(mover.transfer.gaining(), 1u);
    }
}

// ----------------------------------------------------------------------------- who is asked

TEST(gain, asks_nobody_who_is_suspected_and_tries_again_later) {
    Mover mover(3, with_one_moved());
    for (const unsigned owner : {0u, 1u}) mover.liveness.unreachable(node_id(owner));
    const auto turn = mover.transfer.next();
    ASSERT_TRUE(turn);
    EXPECT_EQ(turn->partner, node_id(2));
    mover.learn_from(2);
    EXPECT_FALSE(mover.transfer.next());
    EXPECT_TRUE(mover.complete().empty());
    mover.liveness.heard(node_id(1));
    mover.pass(1s);
    EXPECT_LE(mover.transfer.ready_at(), mover.desk.now.instant);
    ASSERT_TRUE(mover.transfer.next());
    EXPECT_EQ(mover.transfer.next()->partner, node_id(1));
}

TEST(gain, lets_what_failed_rest_and_goes_on_with_another_partition) {
    Mover mover(3, then(at_rest(), all, {0, 1, 3}, {0, 1, 3}));
    const auto first = mover.transfer.next();
    ASSERT_TRUE(first);
    mover.transfer.failed(*first);
    const auto second = mover.transfer.next();
    ASSERT_TRUE(second);
    EXPECT_NE(second->partition, first->partition);
    mover.transfer.failed(*second);
    EXPECT_FALSE(mover.transfer.next());
    EXPECT_GT(mover.transfer.ready_at(), mover.desk.now.instant);
    mover.pass(250ms);
    EXPECT_LE(mover.transfer.ready_at(), mover.desk.now.instant);
    EXPECT_TRUE(mover.transfer.next());
}

// ----------------------------------------------------------------------------- leaving

/// The node 2, whose copy of partition 0 moved to 3, after the older list has ended.
struct Leaver : Mover {
    Leaver() : Mover(2, at_rest()) {
        keep(key_in(0), object("milk"));
        keep(key_in(1), object("bread"));
        follow(moved());
    }
    static RingState moved() { return completed_by(with_one_moved(), {0, 1, 3}); }
    void confirm(unsigned owner, std::uint64_t version = 3) {
        transfer.compared({0, node_id(owner), Kind::leave, 0, version}, true);
    }
};

TEST(leave, gives_to_every_owner_and_drops_only_then) {
    Leaver leaver;
    EXPECT_EQ(leaver.transfer.leaving(), 1u);
    EXPECT_TRUE(leaver.transfer.leaves(0));
    EXPECT_FALSE(leaver.transfer.leaves(1)) << "it still owns that";
    EXPECT_EQ(leaver.asked(), ids({0, 1, 3}));
    for (const unsigned owner : {0u, 1u, 3u}) {
        EXPECT_TRUE(leaver.holds(leaver.key_in(0))) << owner;
        EXPECT_FALSE(leaver.transfer.has_left());
        const auto turn = leaver.transfer.next();
        ASSERT_TRUE(turn);
        EXPECT_EQ(turn->kind, Kind::leave);
        EXPECT_EQ(turn->partner, node_id(owner)) << "whoever has confirmed is not asked again";
        EXPECT_EQ(turn->version, 3u);
        leaver.transfer.compared(*turn, true);
    }
    EXPECT_FALSE(leaver.holds(leaver.key_in(0)));
    EXPECT_TRUE(leaver.holds(leaver.key_in(1)));
    EXPECT_FALSE(leaver.transfer.next());
    leaver.transfer.tick();
    EXPECT_FALSE(leaver.transfer.has_left()) << "the commit of this step may fail";
    EXPECT_LE(leaver.transfer.wake_at(), leaver.desk.now.instant + 1ms);
    leaver.step(1ms);
    EXPECT_TRUE(leaver.transfer.has_left());
    EXPECT_EQ(leaver.transfer.wake_at(), Instant::max());
}

TEST(leave, does_not_begin_while_its_list_is_live) {
    Mover mover(2, at_rest());
    mover.keep(mover.key_in(0), object("milk"));
    mover.follow(completed_by(with_one_moved(), {3}));
    EXPECT_EQ(mover.transfer.leaving(), 0u);
    mover.follow(completed_by(with_one_moved(), {3, 0}));
    EXPECT_EQ(mover.transfer.leaving(), 1u);
}

TEST(leave, is_nothing_where_nothing_is_held) {
    Mover mover(2, at_rest());
    mover.follow(Leaver::moved());
    EXPECT_EQ(mover.transfer.leaving(), 0u);
    EXPECT_TRUE(mover.transfer.has_left());
}

TEST(leave, goes_on_after_a_restart) {
    Mover mover(4, at_rest());
    mover.keep(mover.key_in(0), object("milk"));
    EXPECT_EQ(mover.transfer.leaving(), 0u);
    Transfer restarted(mover.desk, mover.objects, mover.liveness);
    EXPECT_FALSE(restarted.has_left()) << "it has not looked yet";
    restarted.on_ring();
    EXPECT_TRUE(restarted.leaves(0));
    EXPECT_FALSE(restarted.leaves(1));
    EXPECT_FALSE(restarted.has_left());
}

TEST(leave, waits_for_an_owner_that_is_dead) {
    Leaver leaver;
    leaver.confirm(0);
    leaver.confirm(3);
    leaver.liveness.unreachable(node_id(1));
    for (int second = 0; second < 100; ++second) {
        EXPECT_FALSE(leaver.transfer.next());
        leaver.step(1s);
    }
    EXPECT_TRUE(leaver.holds(leaver.key_in(0)));
    EXPECT_FALSE(leaver.transfer.has_left());
    leaver.liveness.heard(node_id(1));
    const auto turn = leaver.transfer.next();
    ASSERT_TRUE(turn);
    EXPECT_EQ(turn->partner, node_id(1));
}

TEST(leave, begins_again_when_the_owners_change) {
    Leaver leaver;
    leaver.confirm(0);
    leaver.confirm(1);
    const RingState next = completed_by(then(Leaver::moved(), all, {0, 1, 4}, kept), {0, 1, 4});
    leaver.follow(next);
    leaver.confirm(3);
    EXPECT_TRUE(leaver.holds(leaver.key_in(0))) << "3 is an owner no more";
    leaver.confirm(0);
    leaver.confirm(1);
    leaver.confirm(4);
    EXPECT_TRUE(leaver.holds(leaver.key_in(0))) << "those passes began before the change";
    leaver.confirm(4, 4);
    EXPECT_TRUE(leaver.holds(leaver.key_in(0))) << "0 and 1 may have been put back since";
    for (const unsigned owner : {0u, 1u}) leaver.confirm(owner, 4);
    EXPECT_FALSE(leaver.holds(leaver.key_in(0)));
}

TEST(leave, ends_when_the_node_serves_the_partition_again) {
    Leaver leaver;
    leaver.confirm(0);
    leaver.confirm(1);
    leaver.follow(then(Leaver::moved(), all, {0, 1, 2}, kept));
    EXPECT_EQ(leaver.transfer.leaving(), 0u);
    leaver.confirm(3);
    EXPECT_TRUE(leaver.holds(leaver.key_in(0)));
    EXPECT_TRUE(leaver.transfer.has_left());
}

TEST(leave, is_still_to_be_done_when_the_commit_of_the_drop_failed) {
    Leaver leaver;
    ASSERT_TRUE(leaver.storage.commit(Durability::sync).has_value());
    for (const unsigned owner : {0u, 1u, 3u}) leaver.confirm(owner);
    ASSERT_EQ(leaver.transfer.leaving(), 0u);
    leaver.storage.rollback();
    leaver.objects.trees().rolled_back();
    leaver.transfer.rolled_back();
    ASSERT_TRUE(leaver.holds(leaver.key_in(0)));
    leaver.step(1ms);
    EXPECT_FALSE(leaver.transfer.has_left());
    EXPECT_TRUE(leaver.transfer.leaves(0));
    for (const unsigned owner : {0u, 1u, 3u}) leaver.confirm(owner);
    EXPECT_FALSE(leaver.holds(leaver.key_in(0)));
}

// Everybody has heard that it holds nothing; nobody takes anything of it any more.
TEST(leave, is_over_for_a_node_that_has_said_so) {
    for (const bool said : {false, true}) {
        RingState ring = then(at_rest(), {0, 1, 3, 4}, {0, 1, 3}, {0, 1, 3});
        settle(ring);
        if (said) ring.released[node_id(2)] = 3;
        Mover mover(2, at_rest());
        mover.keep(mover.key_in(0), object("milk"));
        mover.follow(ring);
        EXPECT_EQ(mover.transfer.leaving(), 1u);
        EXPECT_EQ(mover.transfer.next().has_value(), !said);
        EXPECT_EQ(mover.holds(mover.key_in(0)), !said);
    }
}

TEST(leave, is_never_over_by_itself_for_one_that_was_declared_lost) {
    RingState ring = then(at_rest(), {0, 1, 3, 4}, {0, 1, 3}, {0, 1, 3}, {2});
    settle(ring);
    Mover mover(2, at_rest());
    mover.keep(mover.key_in(0), object("milk"));
    mover.follow(ring);
    (void)mover.transfer.next();
    EXPECT_TRUE(mover.holds(mover.key_in(0))) << "it may be the last that holds it";
}

TEST(leave, comes_after_what_is_gained) {
    Mover both(2, at_rest());
    both.keep(both.key_in(0), object("milk"));
    both.follow(then(Leaver::moved(), all, {0, 1, 3}, {0, 2, 4}));
    ASSERT_EQ(both.transfer.leaving(), 1u);
    ASSERT_EQ(both.transfer.gaining(), 1u);
    EXPECT_EQ(both.transfer.next()->kind, Kind::gain)
        << "others wait for that, and for the other nobody does";
}

}  // namespace
}  // namespace dynamo::test
