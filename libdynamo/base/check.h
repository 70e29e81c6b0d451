// DYN_CHECK: what cannot happen. Always on; never applied to bytes from outside.
#pragma once

namespace dynamo {

/// Prints the place and the condition, then aborts.
[[noreturn]] void check_failed(const char* file, int line, const char* condition);

}  // namespace dynamo

// A macro because it names the place and the condition.
// NOLINTNEXTLINE(cppcoreguidelines-macro-usage)
#define DYN_CHECK(condition) \
    ((condition) ? void() : ::dynamo::check_failed(__FILE__, __LINE__, #condition))
