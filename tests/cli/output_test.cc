#include "cli/common/output.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/common/exit.h"
#include "cli/common/progress.h"

namespace dynamo::cli {
namespace {

using namespace std::string_literals;

TEST(utf8, accepts_what_is_and_nothing_else) {
    for (const std::string& good :
         {""s, "abc"s, "ä€😀"s, "\0x"s, "\xEF\xBF\xBD"s, "\xF4\x8F\xBF\xBF"s}) {
        EXPECT_TRUE(is_utf8(good)) << hex_of(good);
    }
    for (const std::string& bad : {"\x80"s, "\xC3"s, "\xC0\xAF"s, "\xE0\x80\xAF"s, "\xED\xA0\x80"s,
                                   "\xF4\x90\x80\x80"s, "\xFF"s, "a\xE2\x82"s}) {
        EXPECT_FALSE(is_utf8(bad)) << hex_of(bad);
    }
}

TEST(printable, shows_control_characters_and_broken_octets) {
    EXPECT_EQ(printable("a\nb\x1b[0m\xff ä"), "a\\x0ab\\x1b[0m\\xff ä");
}

TEST(base64, is_read_as_it_was_written) {
    EXPECT_EQ(base64_of(""), "");
    EXPECT_EQ(base64_of("f"), "Zg==");
    EXPECT_EQ(base64_of("fo"), "Zm8=");
    EXPECT_EQ(base64_of("foo"), "Zm9v");
    EXPECT_EQ(base64_of("\xff\xfe\xfd"), "//79");
    for (const std::string& octets : {""s, "a"s, "\0\0"s, "\xff\x00\x80\x7f"s}) {
        EXPECT_EQ(from_base64_text(base64_of(octets)), octets);
    }
    EXPECT_EQ(from_base64_text("__79"), "\xff\xfe\xfd");
    EXPECT_FALSE(from_base64_text("A"));
    EXPECT_FALSE(from_base64_text("A b="));
}

TEST(hex, is_read_as_it_was_written) {
    EXPECT_EQ(hex_of("\x00\xAf"s), "00af");
    EXPECT_EQ(from_hex_text("00aF"), "\x00\xAf"s);
    EXPECT_FALSE(from_hex_text("0"));
    EXPECT_FALSE(from_hex_text("0g"));
}

TEST(json, puts_octets_that_are_no_text_in_base64) {
    nlohmann::ordered_json object;
    put_octets(object, "key", "cart:7");
    put_octets(object, "value", "\xff");
    EXPECT_EQ(dumped(object), R"({"key":"cart:7","value_b64":"/w=="})");
}

TEST(json, says_of_an_error_what_a_program_must_know) {
    const Error error{Code::timed_out, "no answer", "n2", Applied::maybe};
    EXPECT_EQ(dumped(error_fields(error)),
              R"({"code":"timed_out","exit":4,"retryable":true,"applied":"maybe",)"
              R"("message":"no answer","node":"n2"})");
}

TEST(table, aligns_columns_by_code_points) {
    Table table({{"NODE"}, {"BYTES", true}, {"ZONE"}});
    table.add({"n1", "5", "ä"});
    table.add({"north", "1234567", ""});
    EXPECT_EQ(table.text(),
              "NODE     BYTES  ZONE\n"
              "n1           5  ä\n"
              "north  1234567\n");
    EXPECT_EQ(table.tsv(), "n1\t5\tä\nnorth\t1234567\t\n");
}

TEST(texts, say_amounts_times_and_ages) {
    EXPECT_EQ(bytes_text(1023), "1023 B");
    EXPECT_EQ(bytes_text(1536), "1.5 KiB");
    EXPECT_EQ(bytes_text(19'800'000'000), "18.4 GiB");
    EXPECT_EQ(time_text(1'700'000'000'123), "2023-11-14T22:13:20.123Z");
    EXPECT_EQ(time_text(-1), "-1ms");
    EXPECT_EQ(age_text(59'999), "59s");
    EXPECT_EQ(age_text(61'000), "1m01s");
    EXPECT_EQ(age_text(3'660'000), "1h01m");
}

TEST(progress, shows_a_bar_only_when_the_end_is_known) {
    EXPECT_EQ(progress_line(100, 0, std::nullopt, 2), "100 done  50/s");
    EXPECT_EQ(progress_line(100, 3, 0.5, 2),
              "[############............]  50%  100 done  3 failed  50/s  2 s left");
}

TEST(reporter, has_the_exit_of_the_code) {
    testing::internal::CaptureStderr();
    const int exit =
        Reporter("dyn-put", false)
            .error(Error{Code::quorum_not_met, "1 of 2 answered", "n1", Applied::maybe}, "cart:7");
    EXPECT_EQ(exit, 4);
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "dyn-put: cart:7: 1 of 2 answered (node n1); it may have been applied: read the key "
              "before writing it again\n");
}

TEST(reporter, writes_one_object_in_json) {
    testing::internal::CaptureStderr();
    const int exit = Reporter("dyn-put", true).error(Error{Code::exists, "it has a value"}, "\xff");
    EXPECT_EQ(exit, 3);
    const auto object = nlohmann::json::parse(testing::internal::GetCapturedStderr());
    EXPECT_EQ(object["schema"], "dyn.error/1");
    EXPECT_EQ(object["tool"], "dyn-put");
    EXPECT_EQ(object["code"], "exists");
    EXPECT_EQ(object["applied"], "no");
    EXPECT_EQ(object["about"], "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace dynamo::cli
