// Clocks against the plainest model of them: a set of dots.
#include "libdynamo/version/clock.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <limits>
#include <set>

namespace dynamo {
namespace {

using Dots = std::set<Dot>;

Actor actor(std::uint8_t number) {
    Actor actor;
    actor.node.octets[0] = number / 2;  // two births of each node
    actor.birth = number % 2U;
    return actor;
}

constexpr std::uint8_t actors = 4;
constexpr std::uint64_t counters = 10;

/// Few actors and low counters, so that intervals meet, touch and overlap.
rc::Gen<std::vector<Dot>> any_dots() {
    return rc::gen::container<std::vector<Dot>>(rc::gen::apply(
        [](std::uint8_t number, std::uint64_t counter) { return Dot{actor(number), counter}; },
        rc::gen::inRange<std::uint8_t>(0, actors),
        rc::gen::inRange<std::uint64_t>(1, counters + 1)));
}

Clock clock_of(const std::vector<Dot>& dots) {
    Clock clock;
    for (const Dot& dot : dots) clock.add(dot);
    return clock;
}

Dots dots_of(const Clock& clock) {
    Dots dots;
    for (const Clock::Entry& entry : clock.entries())
        for (auto counter = entry.interval.first; counter <= entry.interval.last; ++counter)
            dots.insert({entry.actor, counter});
    return dots;
}

Dots set_of(const std::vector<Dot>& dots) { return {dots.begin(), dots.end()}; }

bool is_well_formed(const Clock& clock) {
    const auto& entries = clock.entries();
    const auto wrong = [](const Clock::Entry& a, const Clock::Entry& b) {
        return a.actor > b.actor || (a.actor == b.actor && a.interval.last + 1 >= b.interval.first);
    };
    return std::ranges::adjacent_find(entries, wrong) == entries.end() &&
           std::ranges::all_of(entries, [](const Clock::Entry& entry) {
               return 1 <= entry.interval.first && entry.interval.first <= entry.interval.last;
           });
}

RC_GTEST_PROP(clock, covers_exactly_what_was_added, ()) {
    const auto dots = *any_dots();
    const Clock clock = clock_of(dots);
    for (std::uint8_t number = 0; number < actors; ++number)
        for (std::uint64_t counter = 0; counter <= counters + 1; ++counter) {
            const Dot dot{actor(number), counter};
            RC_ASSERT(clock.covers(dot) == set_of(dots).contains(dot));
        }
    RC_ASSERT(dots_of(clock) == set_of(dots));
    RC_ASSERT(clock.empty() == dots.empty());
    RC_ASSERT(is_well_formed(clock));
}

RC_GTEST_PROP(clock, is_one_value_however_its_dots_arrived, ()) {
    auto dots = *any_dots();
    const Clock clock = clock_of(dots);
    std::ranges::sort(dots);
    RC_ASSERT(clock_of(dots) == clock);
    std::ranges::reverse(dots);
    RC_ASSERT(clock_of(dots) == clock);
}

RC_GTEST_PROP(clock, takes_an_interval_as_all_of_its_dots, ()) {
    const auto dots = *any_dots();
    const auto first = *rc::gen::inRange<std::uint64_t>(1, counters + 1);
    const auto last = *rc::gen::inRange<std::uint64_t>(first, counters + 1);
    Clock clock = clock_of(dots);
    Clock one_by_one = clock;
    clock.add(actor(1), {first, last});
    for (auto counter = first; counter <= last; ++counter) one_by_one.add({actor(1), counter});
    RC_ASSERT(clock == one_by_one);
    RC_ASSERT(is_well_formed(clock));
}

RC_GTEST_PROP(clock, joins_as_sets_unite, ()) {
    const auto a = *any_dots();
    const auto b = *any_dots();
    Dots both = set_of(a);
    both.insert(b.begin(), b.end());
    Clock joined = clock_of(a);
    joined.join(clock_of(b));
    RC_ASSERT(dots_of(joined) == both);
    RC_ASSERT(is_well_formed(joined));
}

RC_GTEST_PROP(clock, covers_another_when_it_holds_all_of_its_dots, ()) {
    const auto a = *any_dots();
    const auto b = *any_dots();
    const Dots all = set_of(a);
    RC_ASSERT(clock_of(a).covers(clock_of(b)) == std::ranges::includes(all, set_of(b)));
    Clock joined = clock_of(a);
    joined.join(clock_of(b));
    RC_ASSERT(joined.covers(clock_of(a)) && joined.covers(clock_of(b)));
}

RC_GTEST_PROP(clock, knows_the_highest_counter_of_each_actor, ()) {
    const auto dots = *any_dots();
    for (std::uint8_t number = 0; number < actors; ++number) {
        std::uint64_t highest = 0;
        for (const Dot& dot : dots)
            if (dot.actor == actor(number)) highest = std::max(highest, dot.counter);
        RC_ASSERT(clock_of(dots).top(actor(number)) == highest);
    }
}

TEST(clock, counts_its_intervals) {
    Clock clock = clock_of({{actor(0), 1}, {actor(0), 2}, {actor(0), 4}, {actor(2), 7}});
    EXPECT_EQ(clock.size(), 3U);
    clock.add({actor(0), 3});
    EXPECT_EQ(clock.size(), 2U);
}

TEST(clock, tells_two_births_of_one_node_apart) {
    const Clock clock = clock_of({{actor(0), 5}});
    EXPECT_EQ(actor(0).node, actor(1).node);
    EXPECT_FALSE(clock.covers({actor(1), 5}));
}

TEST(clock, keeps_the_largest_counters) {
    constexpr auto largest = std::numeric_limits<std::uint64_t>::max();
    Clock clock;
    clock.add(actor(0), {largest - 1, largest - 1});
    clock.add({actor(0), largest});
    clock.add({actor(0), 1});
    EXPECT_EQ(clock.size(), 2U);
    EXPECT_TRUE(clock.covers({actor(0), largest}));
    EXPECT_FALSE(clock.covers({actor(0), largest - 2}));
    clock.add(actor(0), {1, largest});
    EXPECT_EQ(clock.size(), 1U);
    EXPECT_EQ(clock.top(actor(0)), largest);
}

TEST(clock_death, knows_no_counter_0_and_no_interval_that_runs_backwards) {
    Clock clock;
    EXPECT_DEATH(clock.add({actor(0), 0}), "impossible");
    EXPECT_DEATH(clock.add(actor(0), {3, 2}), "impossible");
}

}  // namespace
}  // namespace dynamo
