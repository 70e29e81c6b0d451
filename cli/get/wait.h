// Waiting until a key is present, absent or changed.
//
// Threads: one owner; blocks
// Errors:  those that may pass are waited out; timed_out when the limit is reached
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "dynamo/admin.h"

namespace dynamo::cli {

struct WaitFor {
    std::string what;                                ///< "present", "absent" or "changed"
    std::optional<std::chrono::milliseconds> limit;  ///< none: until interrupted
    ContextToken since;                              ///< changed: against this; empty: first seen
    unsigned r = 0;
};

/// The read that showed it; none when the limit was reached or Ctrl-C came.
[[nodiscard]] Result<std::optional<Got>> wait_for_key(Client& client, const RingView& ring,
                                                      const std::string& key, const WaitFor& wait);

}  // namespace dynamo::cli
