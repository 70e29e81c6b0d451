#include "daemon/node/budget.h"

#include <gtest/gtest.h>

namespace dynamo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = Budget::Kind;

constexpr Instant start(seconds(1000));

/// A second-hand: requests arrive evenly, and background work takes all that it is given.
struct Node {
    explicit Node(Duration target = Duration{0}) : budget(target, start) {}

    /// Lets time pass with so many requests a second of that latency; answers with the octets that
    /// background work of `kind` did a second.
    std::uint64_t pass(unsigned of_seconds, unsigned requests, Duration latency, bool works = true,
                       Kind kind = Kind::exchange) {
        std::uint64_t done = 0;
        for (unsigned tick = 0; tick < of_seconds * 100; ++tick) {
            now += milliseconds(10);
            for (unsigned i = 0; i < requests / 100; ++i) budget.answered(now, latency);
            while (works && budget.may_go_on(kind, now)) {
                budget.spend(kind, 64, 192u << 10, now);
                done += 256u << 10;
            }
        }
        return done / of_seconds;
    }

    Instant now = start;
    Budget budget;
};

TEST(budget, is_no_bound_while_nobody_asks_anything) {
    Node node;
    EXPECT_GT(node.pass(5, 0, {}), Budget::most_rate / 2);
    EXPECT_TRUE(node.budget.pace(node.now).idle);
}

TEST(budget, begins_at_the_floor_under_load_and_grows_while_nobody_suffers) {
    Node node;
    node.pass(2, 1000, milliseconds(5), false);
    EXPECT_LT(node.pass(2, 1000, milliseconds(5)), 4 * Budget::least_rate);
    const auto later = node.pass(30, 1000, milliseconds(5));
    EXPECT_GT(later, 20 * Budget::least_rate);
    EXPECT_EQ(node.budget.pace(node.now).target_us, 7500u) << "one and a half times undisturbed";
}

TEST(budget, gives_way_when_p99_passes_the_target_and_comes_back) {
    Node node(milliseconds(20));
    node.pass(30, 1000, milliseconds(5));
    const auto before = node.budget.rate();
    ASSERT_GT(before, 20 * Budget::least_rate);
    node.pass(10, 1000, milliseconds(50));
    EXPECT_EQ(node.budget.rate(), Budget::least_rate);
    node.pass(20, 1000, milliseconds(5));
    EXPECT_GT(node.budget.rate(), 10 * Budget::least_rate);
}

TEST(budget, never_starves) {
    Node node(milliseconds(1));
    node.pass(10, 1000, milliseconds(100), false);
    const auto done = node.pass(30, 1000, milliseconds(100));
    EXPECT_GT(done, Budget::least_rate * 9 / 10);
    EXPECT_LT(done, Budget::least_rate * 3 / 2);
}

TEST(budget, shares_among_the_kinds_that_work) {
    Node node(milliseconds(1));
    node.pass(10, 1000, milliseconds(100), false);
    std::uint64_t trees = 0;
    std::uint64_t handback = 0;
    for (unsigned tick = 0; tick < 3000; ++tick) {
        node.now += milliseconds(10);
        for (unsigned i = 0; i < 10; ++i) node.budget.answered(node.now, milliseconds(100));
        while (node.budget.may_go_on(Kind::handback, node.now)) {
            node.budget.spend(Kind::handback, 0, 64u << 10, node.now);
            handback += 64u << 10;
        }
        while (node.budget.may_go_on(Kind::trees, node.now)) {
            node.budget.spend(Kind::trees, 0, 256u << 10, node.now);
            trees += 256u << 10;
        }
    }
    EXPECT_NEAR(static_cast<double>(trees), static_cast<double>(handback), 2e6);
    EXPECT_NEAR(static_cast<double>(trees + handback), 30.0 * Budget::least_rate, 3e6);
}

TEST(budget, learns_what_undisturbed_is_anew_when_the_load_changes) {
    Node node;
    node.pass(10, 1000, milliseconds(5), false);
    ASSERT_EQ(node.budget.pace(node.now).target_us, 7500u);
    // Slower requests, and not through us: at the floor they are as slow.
    node.pass(60, 1000, milliseconds(40));
    EXPECT_GT(node.budget.pace(node.now).target_us, 50'000u);
    EXPECT_GT(node.budget.rate(), Budget::least_rate);
}

TEST(budget, does_as_it_is_told_by_hand_until_it_is_let_go) {
    Node node(milliseconds(1));
    node.pass(10, 1000, milliseconds(100), false);
    node.budget.fix(8u << 20, node.now);
    EXPECT_NEAR(static_cast<double>(node.pass(20, 1000, milliseconds(100))), 8 << 20, 1e6);
    EXPECT_TRUE(node.budget.pace(node.now).fixed);
    node.budget.fix(1024, node.now);
    node.budget.spend(Kind::exchange, 0, 1u << 20, node.now);
    EXPECT_GT(node.budget.owed(Kind::exchange, node.now), seconds(1000));
    // Whoever waits asks again before that, for the pace may be another by then.
    EXPECT_EQ(node.budget.ready(Kind::exchange, node.now), node.now + seconds(1));
    node.budget.fix(0, node.now);
    EXPECT_LT(node.budget.owed(Kind::exchange, node.now), seconds(3))
        << "what is owed is paid at the new rate";
    EXPECT_FALSE(node.budget.pace(node.now).fixed);
}

TEST(budget, holds_a_very_low_rate_though_it_is_asked_all_the_time) {
    Node node;
    node.budget.fix(1024, node.now);
    node.budget.spend(Kind::scrub, 0, 10240, node.now);
    const Instant due = node.now + seconds(10);
    while (!node.budget.may_go_on(Kind::scrub, node.now)) node.now += std::chrono::microseconds(50);
    EXPECT_NEAR(static_cast<double>((node.now - due).count()), 0, 20'000);
}

TEST(budget, forgets_an_old_load) {
    Node node(milliseconds(1));
    node.pass(10, 1000, milliseconds(100));
    ASSERT_EQ(node.budget.rate(), Budget::least_rate);
    node.now += std::chrono::hours(1);
    const auto pace = node.budget.pace(node.now);
    EXPECT_TRUE(pace.idle);
    EXPECT_EQ(pace.p99_us, 0u);
    EXPECT_EQ(pace.rate, Budget::most_rate);
}

}  // namespace
}  // namespace dynamo
