#include "cli/repair/restraint.h"

#include <gtest/gtest.h>

namespace dynamo::cli {
namespace {

TEST(hours, of_one_day_contain_their_beginning_and_not_their_end) {
    const Hours hours = Hours::from_text("08:30-17:00").value();
    EXPECT_FALSE(hours.contain(8 * 60 + 29));
    EXPECT_TRUE(hours.contain(8 * 60 + 30));
    EXPECT_TRUE(hours.contain(16 * 60 + 59));
    EXPECT_FALSE(hours.contain(17 * 60));
}

TEST(hours, may_span_midnight) {
    const Hours hours = Hours::from_text("22:00-06:00").value();
    EXPECT_TRUE(hours.contain(23 * 60));
    EXPECT_TRUE(hours.contain(0));
    EXPECT_TRUE(hours.contain(5 * 60 + 59));
    EXPECT_FALSE(hours.contain(6 * 60));
    EXPECT_FALSE(hours.contain(12 * 60));
}

TEST(hours, that_are_none_are_refused) {
    for (const char* text : {"", "22:00", "22-06", "24:00-06:00", "22:60-06:00", "22:00-22:00",
                             "22:00-06:00-07:00", "a:b-c:d"})
        EXPECT_FALSE(Hours::from_text(text)) << text;
}

TEST(slowness, is_a_percentile_and_a_time) {
    EXPECT_EQ(slowness_from_text("p99>50ms").value(), std::chrono::milliseconds(50));
    EXPECT_EQ(slowness_from_text("p99>2s").value(), std::chrono::seconds(2));
    for (const char* text : {"", "p99", "p99>", "p99>fast", "p99<50ms", "p50>50ms"})
        EXPECT_FALSE(slowness_from_text(text)) << text;
}

}  // namespace
}  // namespace dynamo::cli
