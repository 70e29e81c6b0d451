// Running a command as a filter: octets in on its stdin, octets out from its stdout.
//
// Threads: any, one at a time
// Errors:  bad_request when it cannot be run, fails, or is ended by a signal
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dynamo/error.h"

namespace dynamo::cli {

/// Runs `words` without a shell. It may leave its input unread; it keeps this process's stderr.
[[nodiscard]] Result<std::string> run_filter(const std::vector<std::string>& words,
                                             std::string_view input);

}  // namespace dynamo::cli
