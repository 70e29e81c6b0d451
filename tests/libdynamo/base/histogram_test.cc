#include "dynamo/histogram.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

namespace dynamo {
namespace {

constexpr std::uint64_t largest = 1ULL << 40;

rc::Gen<std::vector<std::uint64_t>> any_values() {
    // Of every size, not mostly small ones.
    return rc::gen::nonEmpty(rc::gen::container<std::vector<std::uint64_t>>(
        rc::gen::apply([](std::uint64_t bits, int shift) { return bits % largest >> shift; },
                       rc::gen::arbitrary<std::uint64_t>(), rc::gen::inRange(0, 40))));
}

RC_GTEST_PROP(histogram, knows_every_share_within_one_percent, ()) {
    auto values = *any_values();
    const auto percent = *rc::gen::inRange(0, 101);
    Histogram histogram;
    for (const std::uint64_t value : values) histogram.record(value);
    std::ranges::sort(values);
    const auto rank =
        static_cast<std::size_t>(std::ceil(percent / 100.0 * static_cast<double>(values.size())));
    const std::uint64_t exact = values[std::max<std::size_t>(rank, 1) - 1];
    const std::uint64_t told = histogram.at(percent / 100.0);
    RC_ASSERT(told >= exact);
    RC_ASSERT(static_cast<double>(told - exact) <= 0.01 * static_cast<double>(exact));
    RC_ASSERT(histogram.count() == values.size());
    RC_ASSERT(histogram.max() == values.back());
}

RC_GTEST_PROP(histogram, adds_up_to_what_one_would_have_recorded, ()) {
    const auto left = *any_values();
    const auto right = *any_values();
    Histogram sum;
    Histogram other;
    Histogram all;
    for (const std::uint64_t value : left) sum.record(value), all.record(value);
    for (const std::uint64_t value : right) other.record(value), all.record(value);
    sum.add(other);
    for (const double share : {0.0, 0.5, 0.99, 1.0}) RC_ASSERT(sum.at(share) == all.at(share));
    RC_ASSERT(sum.count() == all.count() && sum.max() == all.max());
    RC_ASSERT(sum.mean() == all.mean());
}

TEST(histogram, answers_0_when_empty_and_counts_what_is_too_large_as_the_largest) {
    Histogram histogram;
    EXPECT_EQ(histogram.at(0.5), 0U);
    histogram.record(largest * 2);
    EXPECT_EQ(histogram.max(), largest);
    EXPECT_EQ(histogram.at(0.5), largest);
}

TEST(histogram, tells_its_mean_and_what_was_recorded_in_order) {
    Histogram histogram;
    EXPECT_EQ(histogram.mean(), 0);
    EXPECT_TRUE(histogram.buckets().empty());
    for (const std::uint64_t value : {7, 1000, 7, 2}) histogram.record(value);
    EXPECT_EQ(histogram.mean(), 254);
    const auto buckets = histogram.buckets();
    ASSERT_EQ(buckets.size(), 3U);
    EXPECT_EQ(buckets[0].value, 2U);
    EXPECT_EQ(buckets[1].value, 7U);
    EXPECT_EQ(buckets[1].count, 2U);
    EXPECT_EQ(buckets[2].value, 1000U) << "no bucket reaches beyond the largest record";
}

}  // namespace
}  // namespace dynamo
