#include "libdynamo/base/check.h"

#include <gtest/gtest.h>

namespace dynamo {
namespace {

TEST(check, lets_pass_what_holds_and_looks_only_once) {
    int looked = 0;
    DYN_CHECK(++looked == 1);
    EXPECT_EQ(looked, 1);
}

TEST(check_death, names_the_place_and_the_condition) {
    EXPECT_DEATH(DYN_CHECK(1 + 1 == 3), "check_test.cc:[0-9]+: impossible: !\\(1 \\+ 1 == 3\\)");
}

}  // namespace
}  // namespace dynamo
