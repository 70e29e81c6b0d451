// The laws of merge and the exactness of contexts, on states that can come about (world.h).
#include "libdynamo/version/siblings.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "tests/libdynamo/version/steps.h"

namespace dynamo {
namespace {

using test::any_steps;
using test::World;

Object merged(Object a, const Object& b) {
    (void)merge(a, b);
    return a;
}

World any_world() {
    World world;
    RC_ASSERT(!world.take_all(*any_steps()));
    return world;
}

const Object& object(const World& world, unsigned node) { return world.node(node).object; }

Dot dot(std::uint8_t node, std::uint64_t counter) {
    Dot dot;
    dot.actor.node.octets[0] = node;
    dot.actor.birth = 1;
    dot.counter = counter;
    return dot;
}

Clock clock_of(std::initializer_list<Dot> dots) {
    Clock clock;
    for (const Dot& dot : dots) clock.add(dot);
    return clock;
}

std::vector<Bytes> values_of(const Object& object) {
    std::vector<Bytes> values;
    for (const Sibling* sibling : live_values(object)) values.push_back(sibling->value);
    return values;
}

RC_GTEST_PROP(merge, is_commutative, ()) {
    const World world = any_world();
    RC_ASSERT(merged(object(world, 0), object(world, 1)) ==
              merged(object(world, 1), object(world, 0)));
}

RC_GTEST_PROP(merge, is_associative, ()) {
    const World world = any_world();
    const Object& a = object(world, 0);
    const Object& b = object(world, 1);
    const Object& c = object(world, 2);
    RC_ASSERT(merged(merged(a, b), c) == merged(a, merged(b, c)));
}

RC_GTEST_PROP(merge, is_idempotent_and_nothing_is_its_unit, ()) {
    const World world = any_world();
    const Object& a = object(world, 0);
    RC_ASSERT(merged(a, a) == a);
    RC_ASSERT(merged(a, {}) == a);
    RC_ASSERT(merged({}, a) == a);
    const Object both = merged(a, object(world, 1));
    RC_ASSERT(merged(both, a) == both);
}

RC_GTEST_PROP(merge, says_truly_whether_it_changed_anything, ()) {
    const World world = any_world();
    Object into = object(world, 0);
    const bool changed = merge(into, object(world, 1));
    RC_ASSERT(changed == (into != object(world, 0)));
}

RC_GTEST_PROP(context, removes_exactly_the_versions_it_covers, ()) {
    const World world = any_world();
    const auto client = *rc::gen::inRange(0U, World::clients);
    const Clock& context = world.context(client);
    const Object before = object(world, 0);
    Object after = before;
    const Sibling fresh{dot(99, 1), false, 0, "fresh"};
    add_version(after, context, fresh);

    std::vector<Sibling> expected;
    std::ranges::copy_if(before.siblings, std::back_inserter(expected),
                         [&](const Sibling& sibling) { return !context.covers(sibling.dot); });
    expected.push_back(fresh);
    std::ranges::sort(expected, {}, &Sibling::dot);
    RC_ASSERT(after.siblings == expected);
    Clock clock = before.clock;
    clock.join(context);
    clock.add(fresh.dot);
    RC_ASSERT(after.clock == clock);
}

TEST(siblings, keep_a_version_that_the_other_side_has_not_seen) {
    Object ours;
    add_version(ours, {}, {dot(1, 1), false, 0, "milk"});
    Object theirs;
    add_version(theirs, {}, {dot(2, 1), false, 0, "bread"});
    EXPECT_TRUE(merge(ours, theirs));
    EXPECT_EQ(values_of(ours), (std::vector<Bytes>{"milk", "bread"}));
}

TEST(siblings, drop_a_version_that_the_other_side_has_seen_superseded) {
    Object ours;
    add_version(ours, {}, {dot(1, 1), false, 0, "milk"});
    Object theirs = ours;
    add_version(theirs, theirs.clock, {dot(2, 1), false, 0, "milk, bread"});
    EXPECT_TRUE(merge(ours, theirs));
    EXPECT_EQ(values_of(ours), std::vector<Bytes>{"milk, bread"});
    Object old;
    add_version(old, {}, {dot(1, 1), false, 0, "milk"});
    EXPECT_FALSE(merge(ours, old)) << "a replayed message changes nothing";
}

TEST(siblings, survive_a_delete_that_did_not_see_them) {
    Object object;
    add_version(object, {}, {dot(1, 1), false, 0, "milk"});
    const Clock seen = object.clock;
    add_version(object, {}, {dot(1, 2), false, 0, "bread"});
    add_version(object, seen, {dot(2, 1), true, 0, ""});
    EXPECT_EQ(values_of(object), std::vector<Bytes>{"bread"});
    EXPECT_EQ(object.siblings.size(), 2U) << "the tombstone stays";
}

TEST(siblings, that_are_the_same_octets_read_as_one) {
    Object object;
    add_version(object, {}, {dot(1, 1), false, 5, "milk"});
    add_version(object, {}, {dot(2, 1), false, 9, "milk"});
    add_version(object, {}, {dot(3, 1), false, 9, "bread"});
    EXPECT_EQ(values_of(object), (std::vector<Bytes>{"milk", "bread"}));
    EXPECT_EQ(live_values(object).front()->dot, dot(1, 1)) << "the first in dot order";
    EXPECT_EQ(object.value_bytes(), 13U);
}

TEST(siblings, tell_an_empty_value_from_a_tombstone) {
    Object object;
    add_version(object, {}, {dot(1, 1), true, 0, ""});
    EXPECT_TRUE(live_values(object).empty());
    EXPECT_FALSE(object.empty()) << "a deleted key is not one that was never written";
    add_version(object, {}, {dot(2, 1), false, 0, ""});
    EXPECT_EQ(values_of(object), std::vector<Bytes>{""});
}

TEST(reduced, keeps_live_siblings_and_the_actors_that_they_need) {
    Object both;
    add_version(both, {}, {dot(1, 1), false, 5, "a"});
    add_version(both, {}, {dot(2, 1), true, 6, {}});
    EXPECT_TRUE(reducible(both));
    const Object left = reduced(both, false);
    EXPECT_EQ(values_of(left), std::vector<Bytes>{"a"});
    EXPECT_TRUE(left.clock.covers(dot(1, 1)));
    EXPECT_FALSE(left.clock.covers(dot(2, 1)));
    EXPECT_FALSE(reducible(left));
    EXPECT_EQ(reduced(left, false), left);
}

TEST(reduced, leaves_nothing_of_a_deleted_key) {
    Object gone;
    add_version(gone, {}, {dot(1, 1), false, 5, "a"});
    add_version(gone, clock_of({dot(1, 1)}), {dot(2, 1), true, 6, {}});
    EXPECT_TRUE(reduced(gone, false).empty());
    EXPECT_FALSE(reducible(Object{}));
}

TEST(reduced, shows_nothing_older_again_where_the_last_write_wins_and_was_a_delete) {
    Object both;
    add_version(both, {}, {dot(1, 1), false, 5, "a"});
    add_version(both, {}, {dot(2, 1), true, 6, {}});
    EXPECT_TRUE(reduced(both, true).empty());
    add_version(both, {}, {dot(3, 1), false, 7, "b"});
    EXPECT_FALSE(reduced(both, true).empty());
}

TEST(siblings_death, take_only_a_fresh_dot) {
    Object object;
    add_version(object, {}, {dot(1, 1), false, 0, "milk"});
    EXPECT_DEATH(add_version(object, {}, {dot(1, 1), false, 0, "other"}), "impossible");
    EXPECT_DEATH(add_version(object, clock_of({dot(1, 2)}), {dot(1, 2), false, 0, "other"}),
                 "impossible");
}

}  // namespace
}  // namespace dynamo
