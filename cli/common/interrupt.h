// Ctrl-C, for tools that end a long task in order: the first one is noted, one that comes a second
// later or more has its usual effect.
//
// Threads: one owner; the process has one such flag
#pragma once

#include <chrono>

namespace dynamo::cli {

/// From now on Ctrl-C and a termination are noted.
void catch_interrupt();
/// One has come.
[[nodiscard]] bool interrupted();
/// Sleeps until then, or until one comes: true when the time has come.
bool sleep_until(std::chrono::steady_clock::time_point end);

}  // namespace dynamo::cli
