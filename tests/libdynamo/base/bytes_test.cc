#include "libdynamo/base/bytes.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace dynamo {
namespace {

const Bytes untouched = "as it was";

TEST(hex, writes_two_lower_case_digits_an_octet) {
    EXPECT_EQ(to_hex(""), "");
    EXPECT_EQ(to_hex(Bytes("\x00\x0f\xa0\xff", 4)), "000fa0ff");
}

TEST(hex, reads_both_cases) {
    Bytes out;
    ASSERT_TRUE(from_hex("00fFAa", out));
    EXPECT_EQ(out, Bytes("\x00\xff\xaa", 3));
}

TEST(hex, refuses_what_is_no_even_number_of_digits) {
    for (const char* text : {"0", "000", "0g", "g0", " 00", "00 ", "0x00", "-1", "\xff\xff"}) {
        Bytes out = untouched;
        EXPECT_FALSE(from_hex(text, out)) << text;
        EXPECT_EQ(out, untouched);
    }
}

RC_GTEST_PROP(hex, reads_back_what_it_wrote, (const Bytes& bytes)) {
    Bytes out;
    RC_ASSERT(from_hex(to_hex(bytes), out));
    RC_ASSERT(out == bytes);
}

// The vectors of RFC 4648 section 10, without padding.
TEST(base64, agrees_with_the_standard) {
    const std::vector<std::pair<Bytes, std::string>> vectors{
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    for (const auto& [bytes, text] : vectors) {
        EXPECT_EQ(to_base64(bytes), text);
        Bytes out;
        ASSERT_TRUE(from_base64(text, out));
        EXPECT_EQ(out, bytes);
        const std::string padded = text + std::string((4 - text.size() % 4) % 4, '=');
        ASSERT_TRUE(from_base64(padded, out)) << padded;
        EXPECT_EQ(out, bytes);
    }
}

TEST(base64, writes_the_alphabet_of_urls_and_reads_the_other_as_well) {
    const Bytes bytes("\xfb\xff\xfe", 3);
    EXPECT_EQ(to_base64(bytes), "-__-");
    Bytes out;
    ASSERT_TRUE(from_base64("+//+", out));
    EXPECT_EQ(out, bytes);
}

TEST(base64, refuses_foreign_characters_impossible_lengths_and_stray_bits) {
    for (const char* text : {"A", "AAAAA", "Zg.", "Zm9v Zm9v", "Z\ng", "Zh", "Zm9", "Zm8==", "Zg=",
                             "Zg===", "=", "====", "Zm9v=", "Zm=9", "\xff\xff\xff\xff"}) {
        Bytes out = untouched;
        EXPECT_FALSE(from_base64(text, out)) << text;
        EXPECT_EQ(out, untouched);
    }
}

RC_GTEST_PROP(base64, reads_back_what_it_wrote_and_needs_no_quoting, (const Bytes& bytes)) {
    const std::string text = to_base64(bytes);
    RC_ASSERT(std::ranges::all_of(text, [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
    }));
    Bytes out;
    RC_ASSERT(from_base64(text, out));
    RC_ASSERT(out == bytes);
}

}  // namespace
}  // namespace dynamo
