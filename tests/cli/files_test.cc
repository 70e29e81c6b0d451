#include "cli/common/files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "cli/common/lines.h"

namespace dynamo::cli {
namespace {

class Files : public testing::Test {
  protected:
    std::string path(const std::string& name) const { return scratch_->path() / name; }
    std::string file(const std::string& name, const std::string& text) const {
        std::ofstream(path(name), std::ios::binary) << text;
        return path(name);
    }

    Result<ScratchDirectory> scratch_ = ScratchDirectory::make();
};

std::vector<std::string> all_lines(LineReader& reader) {
    std::vector<std::string> lines;
    while (!reader.at_end()) {
        EXPECT_TRUE(reader.fill(std::chrono::milliseconds(1000)));
        while (const auto line = reader.next()) {
            lines.push_back(line->text + (line->too_long ? "..." : ""));
        }
    }
    return lines;
}

using files = Files;

TEST_F(files, are_replaced_whole_and_readable_by_their_owner_only) {
    file("c", "old");
    ASSERT_TRUE(write_file(path("c"), "new"));
    EXPECT_EQ(read_file(path("c"), 100), "new");
    struct stat status{};
    ASSERT_EQ(::stat(path("c").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0600u);
    const auto count = std::distance(std::filesystem::directory_iterator(scratch_->path()),
                                     std::filesystem::directory_iterator());
    EXPECT_EQ(count, 1);
}

TEST_F(files, are_refused_over_the_limit) {
    EXPECT_EQ(read_file(file("f", "12345"), 4).error().code, Code::too_large);
    EXPECT_TRUE(read_file(file("f", "1234"), 4));
}

TEST_F(files, hold_a_context_that_comes_back) {
    const ContextToken token{"some octets of a context, more than a few"};
    ASSERT_TRUE(write_context(path("c"), token));
    const auto read = read_context(path("c"));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->token, token);
    EXPECT_TRUE(read->from_file);
    const auto direct = read_context(to_text(token));
    ASSERT_TRUE(direct);
    EXPECT_EQ(direct->token, token);
    EXPECT_FALSE(direct->from_file);
}

TEST_F(files, that_are_missing_are_not_taken_for_contexts) {
    const auto missing = read_context("cart.ctx");
    ASSERT_FALSE(missing);
    EXPECT_NE(missing.error().message.find("no context file cart.ctx"), std::string::npos);
    EXPECT_EQ(exit_code_of(missing.error().code), 2);
    EXPECT_EQ(exit_code_of(read_context(file("empty", "")).error().code), 2);
    EXPECT_EQ(exit_code_of(read_context(file("bad", "{no base64}")).error().code), 2);
}

TEST_F(files, vanish_with_their_scratch_directory) {
    std::filesystem::path gone;
    {
        const auto other = ScratchDirectory::make();
        ASSERT_TRUE(other);
        gone = other->path();
        ASSERT_TRUE(write_values(gone, {"a", "b"}));
        EXPECT_TRUE(std::filesystem::exists(gone / "2"));
    }
    EXPECT_FALSE(std::filesystem::exists(gone));
}

TEST_F(files, are_given_to_a_command_after_its_words) {
    const auto names = write_values(scratch_->path() / "s", {"b\na\n", "c\na\n"});
    ASSERT_TRUE(names);
    EXPECT_EQ(run_command("sort -u", *names), "a\nb\nc\n");
    EXPECT_EQ(run_command("cat \"$2\" \"$1\" | head -1", *names), "c\n");
    EXPECT_EQ(run_command("cat \"$@\" | sort -u", *names), "a\nb\nc\n");
    EXPECT_EQ(run_command("printf 'a\\0b' #", *names), std::string("a\0b", 3));
}

TEST_F(files, a_command_that_fails_gives_no_output) {
    const auto failed = run_command("echo half; exit 3 #", {});
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().message.find("exited with 3"), std::string::npos);
    EXPECT_NE(run_command("kill -9 $$ #", {}).error().message.find("signal 9"), std::string::npos);
}

TEST_F(files, of_lines_are_read_item_by_item) {
    auto reader = LineReader::open("@" + file("l", "a\n\nb\r\nlast"), '\n', 100);
    ASSERT_TRUE(reader);
    EXPECT_EQ(all_lines(*reader), (std::vector<std::string>{"a", "", "b\r", "last"}));
    EXPECT_EQ(reader->share_read(), 1.0);
}

TEST_F(files, of_items_that_end_with_nul_may_hold_line_feeds) {
    auto reader = LineReader::open("@" + file("l", std::string("a\nb\0c\0", 6)), '\0', 100);
    ASSERT_TRUE(reader);
    EXPECT_EQ(all_lines(*reader), (std::vector<std::string>{"a\nb", "c"}));
}

TEST_F(files, of_lines_that_are_too_long_lose_only_those) {
    const std::string lengthy(300'000, 'x');
    auto reader = LineReader::open("@" + file("l", "a\n" + lengthy + "\nb\n" + lengthy), '\n', 10);
    ASSERT_TRUE(reader);
    EXPECT_EQ(all_lines(*reader),
              (std::vector<std::string>{"a", "xxxxxxxxxx...", "b", "xxxxxxxxxx..."}));
}

TEST_F(files, of_lines_are_numbered_past_those_that_are_too_long) {
    auto reader = LineReader::open("@" + file("l", std::string(200'000, 'x') + "\nb\n"), '\n', 10);
    ASSERT_TRUE(reader);
    std::uint64_t last = 0;
    while (!reader->at_end()) {
        ASSERT_TRUE(reader->fill(std::chrono::milliseconds(1000)));
        while (const auto line = reader->next()) last = line->number;
    }
    EXPECT_EQ(last, 2u);
}

TEST_F(files, that_hold_nothing_are_an_empty_list) {
    auto reader = LineReader::open("@" + file("l", ""), '\n', 10);
    ASSERT_TRUE(reader);
    EXPECT_TRUE(all_lines(*reader).empty());
}

TEST_F(files, of_lists_must_be_named_with_an_at_sign) {
    EXPECT_EQ(LineReader::open("list", '\n', 10).error().code, Code::bad_request);
    EXPECT_EQ(LineReader::open("@" + path("none"), '\n', 10).error().code, Code::bad_request);
}

}  // namespace
}  // namespace dynamo::cli
