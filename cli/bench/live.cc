#include "cli/bench/live.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "cli/common/output.h"

namespace dynamo::cli {

LiveLine::LiveLine(bool quiet) : wanted_(!quiet && ::isatty(STDERR_FILENO) == 1) {
    const char* terminal = std::getenv("TERM");
    wanted_ = wanted_ && terminal && std::string_view(terminal) != "dumb";
}

LiveLine::~LiveLine() { clear(); }

void LiveLine::show(const std::string& text) {
    if (wanted_) {
        write_error("\r" + text + "\x1b[K");
        drawn_ = true;
    }
}

void LiveLine::clear() {
    if (drawn_) {
        write_error("\r\x1b[K");
        drawn_ = false;
    }
}

}  // namespace dynamo::cli
