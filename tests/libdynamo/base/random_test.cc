#include "libdynamo/base/random.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>

namespace dynamo {
namespace {

// The simulator's printed seeds must give the same run for ever.
TEST(random, repeats_its_stream_from_the_same_seed) {
    Random random(0);
    EXPECT_EQ(random.bits(), 0xe220a8397b1dcdafU);
    EXPECT_EQ(random.bits(), 0x6e789e6aa1b965f4U);
    EXPECT_EQ(random.bits(), 0x06c45d188009454fU);
}

RC_GTEST_PROP(random, stays_below_its_bound, (std::uint64_t seed)) {
    Random random(seed);
    const auto bound = *rc::gen::inRange<std::uint64_t>(1, 1000);
    for (int i = 0; i < 100; ++i) RC_ASSERT(random.below(bound) < bound);
}

TEST(random, takes_every_chance_about_as_often_as_asked) {
    Random random(7);
    std::array<int, 10> drawn{};
    int taken = 0;
    for (int i = 0; i < 10000; ++i) {
        ++drawn.at(random.below(10));
        if (random.chance(0.25)) ++taken;
        EXPECT_FALSE(random.chance(0));
        EXPECT_TRUE(random.chance(1));
    }
    for (const int count : drawn) EXPECT_NEAR(count, 1000, 150);
    EXPECT_NEAR(taken, 2500, 200);
}

}  // namespace
}  // namespace dynamo
