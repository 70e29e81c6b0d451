#include "dynamo/types.h"

#include <gtest/gtest.h>

namespace dynamo {
namespace {

Version live(std::string value) { return {.value = std::move(value), .node = {}}; }
Version dead() { return {.value = {}, .tombstone = true, .node = {}}; }

std::vector<std::string> values_of(const Got& got) {
    std::vector<std::string> values;
    for (const auto* version : got.values()) values.push_back(version->value);
    return values;
}

TEST(got, has_no_value_when_never_written) { EXPECT_TRUE(Got{}.values().empty()); }

TEST(got, has_no_value_when_only_deletes_are_left) {
    Got got;
    got.versions = {dead(), dead()};
    EXPECT_TRUE(got.values().empty());
}

TEST(got, shows_siblings_of_the_same_octets_once) {
    Got got;
    got.versions = {live("milk"), dead(), live("bread"), live("milk")};
    EXPECT_EQ(values_of(got), (std::vector<std::string>{"milk", "bread"}));
}

TEST(got, counts_an_empty_value_as_a_value) {
    Got got;
    got.versions = {live(""), dead()};
    EXPECT_EQ(values_of(got), std::vector<std::string>{""});
}

TEST(context, survives_its_text) {
    for (std::size_t length = 0; length < 40; ++length) {
        ContextToken token;
        for (std::size_t i = 0; i < length; ++i)
            token.octets.push_back(static_cast<char>(i * 37 + length));
        const auto text = to_text(token);
        EXPECT_EQ(text.find_first_of("\n +/="), std::string::npos) << text;
        const auto back = context_from_text("  " + text + "\n");
        ASSERT_TRUE(back);
        EXPECT_EQ(*back, token);
    }
}

TEST(context, of_white_space_has_seen_nothing) { EXPECT_TRUE(context_from_text(" \n")->empty()); }

TEST(context, refuses_what_is_not_base64) {
    const auto token = context_from_text("not a context!");
    ASSERT_FALSE(token);
    EXPECT_EQ(token.error().code, Code::bad_context);
}

}  // namespace
}  // namespace dynamo
