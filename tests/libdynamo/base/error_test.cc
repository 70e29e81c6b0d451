#include "dynamo/error.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace dynamo {
namespace {

/// Every number that is a code: those with a name of their own.
std::set<Code> all_codes() {
    std::set<Code> codes;
    for (int number = 0; number <= 0xffff; ++number)
        if (name_of(static_cast<Code>(number)) != "unknown")
            codes.insert(static_cast<Code>(number));
    return codes;
}

// The numbers travel on the wire and scripts read the exit codes: neither may ever change.
TEST(error, keeps_every_number_name_and_exit_code_for_ever) {
    const std::vector<std::tuple<int, std::string, int>> frozen{
        {0, "ok", 0},
        {1, "bad_request", 2},
        {2, "too_large", 2},
        {3, "bad_context", 2},
        {4, "unknown_op", 2},
        {10, "conflict", 3},
        {11, "exists", 3},
        {12, "stale_plan", 3},
        {20, "quorum_not_met", 4},
        {21, "timed_out", 4},
        {30, "unreachable", 5},
        {31, "not_joined", 5},
        {32, "too_few_nodes", 5},
        {33, "busy", 5},
        {40, "wrong_cluster", 6},
        {41, "holds_data", 6},
        {42, "object_full", 6},
        {43, "refused", 6},
        {50, "storage", 8},
        {51, "storage_full", 8},
        {52, "corrupt", 8},
        {53, "internal", 8},
        {60, "not_permitted", 9},
    };
    EXPECT_EQ(all_codes().size(), frozen.size());
    for (const auto& [number, name, exit_code] : frozen) {
        EXPECT_EQ(name_of(static_cast<Code>(number)), name);
        EXPECT_EQ(exit_code_of(static_cast<Code>(number)), exit_code) << name;
    }
}

TEST(error, treats_a_code_of_a_later_release_as_a_defect_and_does_not_retry_it) {
    EXPECT_EQ(exit_code_of(static_cast<Code>(9999)), 8);
    EXPECT_FALSE(is_retryable(static_cast<Code>(9999)));
}

TEST(error, never_calls_a_mistake_of_the_caller_retryable) {
    for (const Code code : all_codes()) {
        const int exit_code = exit_code_of(code);
        if (exit_code == 2 || exit_code == 3 || exit_code == 6 || exit_code == 9) {
            EXPECT_FALSE(is_retryable(code)) << name_of(code);
        }
        if (exit_code == 5) {
            EXPECT_TRUE(is_retryable(code)) << name_of(code);
        }
    }
}

TEST(error, says_whether_the_write_took_effect) {
    const Result<int> failed = fail(Code::timed_out, "no answer from n1", Applied::maybe);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Code::timed_out);
    EXPECT_EQ(failed.error().message, "no answer from n1");
    EXPECT_EQ(name_of(failed.error().applied), "maybe");
    EXPECT_EQ(name_of(Error{}.applied), "no");
    EXPECT_EQ(name_of(Applied::yes), "yes");
}

}  // namespace
}  // namespace dynamo
