#include "libdynamo/base/id.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace dynamo {
namespace {

TEST(id, is_none_until_it_is_made) {
    EXPECT_TRUE(NodeId{}.is_none());
    Random random(1);
    EXPECT_FALSE(NodeId::random(random).is_none());
}

TEST(id, is_none_when_it_is_not_spelled_with_16_octets) {
    EXPECT_TRUE(NodeId::from("").is_none());
    EXPECT_TRUE(NodeId::from(Bytes(15, 'a')).is_none());
    EXPECT_TRUE(NodeId::from(Bytes(17, 'a')).is_none());
    EXPECT_FALSE(NodeId::from(Bytes(16, 'a')).is_none());
}

RC_GTEST_PROP(id, is_spelled_and_sorted_by_its_octets, (std::uint64_t seed)) {
    Random random(seed);
    const NodeId a = NodeId::random(random);
    const NodeId b = NodeId::random(random);
    RC_ASSERT(NodeId::from(a.bytes()) == a);
    RC_ASSERT((a < b) == (a.bytes() < b.bytes()));
    RC_ASSERT(a != b);
}

TEST(id, is_shown_by_its_first_8_digits) {
    EXPECT_EQ(NodeId::from("\x01\xab\xcd\xef____________").brief(), "01abcdef");
}

}  // namespace
}  // namespace dynamo
