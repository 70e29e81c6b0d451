// Random histories of one key against the oracle of world.h; then planted mistakes, to prove that
// the oracle sees them.
#include "tests/libdynamo/version/world.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "libdynamo/base/random.h"
#include "tests/libdynamo/version/steps.h"

namespace dynamo::test {
namespace {

std::vector<Step> drawn_steps(std::uint64_t seed) {
    Random random(seed);
    std::vector<Step> steps;
    for (int i = 0; i < 60; ++i) {
        const auto number = [&] { return static_cast<unsigned>(random.below(12)); };
        steps.push_back(
            {static_cast<Step::Kind>(random.below(step_kinds)), number(), number(), number()});
    }
    return steps;
}

/// Whether one of a thousand histories goes wrong under these rules.
bool go_wrong(const Rules& rules) {
    for (std::uint64_t seed = 0; seed < 1000; ++seed)
        if (World(rules).take_all(drawn_steps(seed))) return true;
    return false;
}

RC_GTEST_PROP(versions, lose_nothing_and_bring_nothing_back, ()) {
    const auto steps = *any_steps();
    World world;
    const auto wrong = world.take_all(steps);
    if (wrong) RC_LOG() << *wrong;
    RC_ASSERT(!wrong);
}

TEST(versions, hold_in_a_thousand_longer_histories) { EXPECT_FALSE(go_wrong({})); }

TEST(versions_oracle, sees_a_put_that_drops_what_its_context_does_not_cover) {
    Rules rules;
    rules.put = [](Object& object, const Clock& context, Sibling sibling) {
        object.siblings.clear();
        add_version(object, context, std::move(sibling));
    };
    EXPECT_TRUE(go_wrong(rules));
}

TEST(versions_oracle, sees_a_put_that_keeps_what_its_context_covers) {
    Rules rules;
    rules.put = [](Object& object, const Clock& context, Sibling sibling) {
        const auto kept = object.siblings;
        const Dot dot = sibling.dot;
        add_version(object, context, std::move(sibling));
        for (const Sibling& old : kept)
            if (context.covers(old.dot) && old.dot < dot)
                object.siblings.insert(object.siblings.begin(), old);
    };
    EXPECT_TRUE(go_wrong(rules));
}

TEST(versions_oracle, sees_a_replica_that_overwrites) {
    Rules rules;
    rules.merge = [](Object& into, const Object& from) { into = from; };
    EXPECT_TRUE(go_wrong(rules));
}

TEST(versions_oracle, sees_a_merge_that_unites_siblings_without_looking_at_the_clocks) {
    Rules rules;
    rules.merge = [](Object& into, const Object& from) {
        Object united = from;
        for (const Sibling& sibling : into.siblings) {
            const auto at =
                std::ranges::lower_bound(united.siblings, sibling.dot, {}, &Sibling::dot);
            if (at == united.siblings.end() || at->dot != sibling.dot)
                united.siblings.insert(at, sibling);
        }
        united.clock.join(into.clock);
        into = std::move(united);
    };
    EXPECT_TRUE(go_wrong(rules));
}

TEST(versions_oracle, sees_a_foreign_dot_flattened_into_the_vector) {
    Rules rules;
    rules.put = [](Object& object, const Clock& context, Sibling sibling) {
        add_version(object, context, std::move(sibling));
        const Clock exact = object.clock;
        for (const Clock::Entry& entry : exact.entries())
            object.clock.add(entry.actor, {1, exact.top(entry.actor)});
    };
    EXPECT_TRUE(go_wrong(rules));
}

TEST(versions_oracle, sees_a_full_clock_returned_with_a_put) {
    Rules rules;
    rules.context_is_full_clock = true;
    EXPECT_TRUE(go_wrong(rules));
}

TEST(versions_oracle, sees_an_actor_that_outlives_its_run) {
    Rules rules;
    rules.new_run_on_start = false;
    EXPECT_TRUE(go_wrong(rules));
}

}  // namespace
}  // namespace dynamo::test
