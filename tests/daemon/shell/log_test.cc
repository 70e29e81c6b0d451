#include "daemon/shell/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>

namespace dynamo {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

/// A pipe whose other end is read when the log has been written.
class Pipe {
  public:
    Pipe() { EXPECT_EQ(pipe(ends_.data()), 0); }
    ~Pipe() {
        close(ends_[0]);
        close(ends_[1]);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    [[nodiscard]] int writer() const { return ends_[1]; }
    [[nodiscard]] std::string content() {
        EXPECT_EQ(write(ends_[1], "!", 1), 1);
        std::array<char, 65536> octets{};
        const auto count = read(ends_[0], octets.data(), octets.size());
        return {octets.data(), static_cast<std::size_t>(count - 1)};
    }

  private:
    std::array<int, 2> ends_{};
};

TEST(log, writes_time_and_level) {
    Pipe pipe;
    Log(Severity::info, pipe.writer(), Log::Form::timestamps).write(Severity::warning, "so so");
    EXPECT_THAT(pipe.content(),
                MatchesRegex("[0-9-]{10}T[0-9:]{8}\\.[0-9]{3}Z dynamod\\[[0-9]+\\] warning: so "
                             "so\n"));
}

TEST(log, gives_journald_its_levels) {
    Pipe pipe;
    Log log(Severity::debug, pipe.writer(), Log::Form::journald);
    for (const auto severity :
         {Severity::debug, Severity::info, Severity::warning, Severity::error})
        log.write(severity, "x");
    EXPECT_EQ(pipe.content(), "<7>x\n<6>x\n<4>x\n<3>x\n");
}

TEST(log, leaves_out_what_is_below_its_level_but_not_what_is_announced) {
    Pipe pipe;
    Log log(Severity::error, pipe.writer(), Log::Form::journald);
    log.write(Severity::warning, "quiet");
    log.announce("ready");
    EXPECT_EQ(pipe.content(), "<6>ready\n");
}

TEST(log, is_not_forged_by_what_it_quotes) {
    Pipe pipe;
    Log(Severity::info, pipe.writer(), Log::Form::journald)
        .write(Severity::info, "name 'a\n<3>b\x1b[31m'");
    EXPECT_EQ(pipe.content(), "<6>name 'a\\x0a<3>b\\x1b[31m'\n");
}

TEST(log, says_the_same_rarely) {
    Pipe pipe;
    Log log(Severity::info, pipe.writer(), Log::Form::journald);
    for (int i = 0; i < 100; ++i) log.write_rarely("a", Severity::info, "a");
    log.write_rarely("b", Severity::info, "b");
    EXPECT_EQ(pipe.content(), "<6>a\n<6>b\n");
}

}  // namespace
}  // namespace dynamo
