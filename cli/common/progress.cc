#include "cli/common/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "cli/common/output.h"

namespace dynamo::cli {

Progress::Progress()
    : wanted_(::isatty(STDERR_FILENO) == 1),
      begun_(std::chrono::steady_clock::now()),
      next_(begun_) {
    const char* terminal = std::getenv("TERM");
    wanted_ = wanted_ && terminal && std::string_view(terminal) != "dumb";
}

void Progress::show(std::uint64_t done, std::uint64_t failed, std::optional<double> share) {
    const auto now = std::chrono::steady_clock::now();
    if (!wanted_ || now < next_) {
        return;
    }
    next_ = now + std::chrono::milliseconds(200);
    const double seconds = std::chrono::duration<double>(now - begun_).count();
    write_error("\r" + progress_line(done, failed, share, seconds) + "\x1b[K");
    drawn_ = true;
}

void Progress::clear() {
    if (drawn_) {
        write_error("\r\x1b[K");
        drawn_ = false;
    }
}

std::string progress_line(std::uint64_t done, std::uint64_t failed, std::optional<double> share,
                          double seconds) {
    std::string line;
    if (share) {
        constexpr int width = 24;
        const double known = std::clamp(*share, 0.0, 1.0);
        const auto filled = static_cast<std::size_t>(std::lround(known * width));
        line += "[" + std::string(filled, '#') + std::string(width - filled, '.') + "] ";
        line += fmt::format("{:3.0f}%  ", known * 100);
    }
    line += fmt::format("{} done", done);
    line += failed > 0 ? fmt::format("  {} failed", failed) : "";
    if (seconds > 0) {
        line += fmt::format("  {:.0f}/s", static_cast<double>(done) / seconds);
    }
    if (share && *share > 0 && *share < 1 && seconds > 1) {
        line += fmt::format("  {:.0f} s left", seconds * (1 - *share) / *share);
    }
    return line;
}

}  // namespace dynamo::cli
