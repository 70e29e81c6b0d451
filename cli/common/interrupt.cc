#include "cli/common/interrupt.h"

#include <poll.h>

#include <algorithm>
#include <csignal>
#include <ctime>

namespace dynamo::cli {
namespace {

// A signal handler reaches nothing but a global.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
volatile std::sig_atomic_t seen = 0;
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
timespec first_time{};

/// timeout(1) and terminals may send one interrupt twice; a person who insists does so later.
void on_interrupt(int signal) {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    if (seen == 0) {
        first_time = now;
        seen = 1;
    } else if (now.tv_sec - first_time.tv_sec >= 1) {
        ::signal(signal, SIG_DFL);
        ::raise(signal);
    }
}

}  // namespace

void catch_interrupt() {
    struct sigaction action{};
    action.sa_handler = on_interrupt;
    ::sigaction(SIGINT, &action, nullptr);
    ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return seen != 0; }

bool sleep_until(std::chrono::steady_clock::time_point end) {
    using std::chrono::milliseconds;
    while (!interrupted()) {
        const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
        if (left.count() <= 0) {
            return true;
        }
        // In steps: a signal just before poll() is noticed by the next one.
        ::poll(nullptr, 0, static_cast<int>(std::min(left, milliseconds(200)).count()));
    }
    return false;
}

}  // namespace dynamo::cli
