#include "libdynamo/base/quote.h"

// gtest comes before rapidcheck's part for it.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <clocale>
#include <cwchar>

namespace dynamo {
namespace {

using namespace std::string_literals;

TEST(quote, shows_plain_words_as_they_are) {
    EXPECT_EQ(quote(""), "''");
    EXPECT_EQ(quote("fly"), "'fly'");
    EXPECT_EQ(quote("Zürich ☕ 𝄞"), "'Zürich ☕ 𝄞'");
}

TEST(quote, escapes_what_is_no_text) {
    EXPECT_EQ(quote("\xff"), "'\\xff'");
    EXPECT_EQ(quote("a\0b"s), "'a\\x00b'");
    EXPECT_EQ(quote("a\nb\x1b[31m\x7f"), "'a\\nb\\x1b[31m\\x7f'");
    EXPECT_EQ(quote("\\x41"), "'\\\\x41'");
    EXPECT_EQ(quote("\xc2\x9b"), "'\\xc2\\x9b'") << "a control character of two octets";
}

TEST(quote, takes_only_the_one_form_of_a_character) {
    EXPECT_EQ(quote("\xc0\xaf"), "'\\xc0\\xaf'") << "overlong";
    EXPECT_EQ(quote("\xe0\x80\xaf"), "'\\xe0\\x80\\xaf'") << "overlong";
    EXPECT_EQ(quote("\xf0\x80\x80\xaf"), "'\\xf0\\x80\\x80\\xaf'") << "overlong";
    EXPECT_EQ(quote("\xed\xa0\x80"), "'\\xed\\xa0\\x80'") << "a surrogate";
    EXPECT_EQ(quote("\xf4\x90\x80\x80"), "'\\xf4\\x90\\x80\\x80'") << "past the last";
    EXPECT_EQ(quote("\xe2\x98"), "'\\xe2\\x98'") << "cut off";
    EXPECT_EQ(quote("\xf4\x8f\xbf\xbf"), "'\xf4\x8f\xbf\xbf'") << "the last";
    EXPECT_EQ(quote("\xc2\xa0"), "'\xc2\xa0'") << "the first of two octets that is shown";
}

TEST(quote, cuts_what_is_long_and_says_how_long_it_was) {
    const std::string most(max_quoted_octets, 'a');
    EXPECT_EQ(quote(most), "'" + most + "'");
    EXPECT_EQ(quote(most + "a"), "'" + most + "...' (65 octets)");
    EXPECT_EQ(quote(Bytes(5'000'000, 'a')), "'" + most + "...' (5000000 octets)");
}

TEST(quote, cuts_between_characters) {
    const std::string before(max_quoted_octets - 2, 'a');
    EXPECT_EQ(quote(before + "☕"), "'" + before + "...' (65 octets)");
    EXPECT_EQ(quote(before + "ü"), "'" + before + "ü'");
}

/// By the C library, which knows UTF-8 without us.
bool is_printable_utf8(const std::string& text) {
    std::mbstate_t state{};
    const char* at = text.c_str();
    std::size_t left = text.size();
    while (left > 0) {
        wchar_t character = 0;
        const std::size_t used = std::mbrtowc(&character, at, left, &state);
        if (used == 0 || used > left || character < 0x20) return false;
        at += used;
        left -= used;
    }
    return true;
}

RC_GTEST_PROP(quote, is_short_and_utf8_whatever_it_is_given, ()) {
    RC_ASSERT(std::setlocale(LC_CTYPE, "C.UTF-8") != nullptr);
    const auto octets = *rc::gen::container<std::string>(rc::gen::oneOf(
        rc::gen::arbitrary<char>(), rc::gen::elementOf("\xc2\xe2\xf0\x98\x80\xbfz"s)));
    const std::string shown = quote(octets);
    RC_ASSERT(shown.size() <= 4 * max_quoted_octets + 32);
    RC_ASSERT(is_printable_utf8(shown));
}

}  // namespace
}  // namespace dynamo
