#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "libdynamo/ring/ring.h"

namespace dynamo {
namespace {

constexpr std::uint64_t top = std::numeric_limits<std::uint64_t>::max();

std::uint16_t any_count() { return static_cast<std::uint16_t>(1U << *rc::gen::inRange(0, 15)); }

TEST(partition, begins_and_ends_where_the_positions_do) {
    EXPECT_EQ(partition_of({0, 0}, 256), 0);
    EXPECT_EQ(partition_of({top, top}, 256), 255);
    EXPECT_EQ(partition_of({0, 0}, max_partitions), 0);
    EXPECT_EQ(partition_of({top, top}, max_partitions), max_partitions - 1);
}

TEST(partition, is_always_0_when_there_is_one) {
    EXPECT_EQ(partition_of({0, 0}, 1), 0);
    EXPECT_EQ(partition_of({top, top}, 1), 0);
}

RC_GTEST_PROP(partition, holds_the_positions_from_its_start_to_the_next_ones, ()) {
    const std::uint16_t count = any_count();
    const auto p = *rc::gen::inRange<std::uint16_t>(0, count);
    // With one partition there is no boundary: 2^64 / 1 is no number of 64 bits.
    RC_PRE(count > 1);
    const std::uint64_t width = top / count + 1;
    RC_ASSERT(partition_of({p * width, 0}, count) == p);
    RC_ASSERT(partition_of({p * width + (width - 1), top}, count) == p);
    RC_ASSERT(partition_of({(p + 1) * width, 0}, count) == (p + 1) % count);
}

RC_GTEST_PROP(partition, never_sorts_against_positions, (std::uint64_t a, std::uint64_t b)) {
    const std::uint16_t count = any_count();
    RC_ASSERT(partition_of({std::min(a, b), top}, count) <=
              partition_of({std::max(a, b), 0}, count));
}

}  // namespace
}  // namespace dynamo
