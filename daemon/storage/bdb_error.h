// What the library's return codes mean here, and what an operator can do about those that are no
// damage.
//
// Threads: any
#pragma once

#include <string>

#include "dynamo/error.h"

namespace dynamo {

/// The error for `code`, met while `doing` ("read objects-0003.db"). `panicked`: it stopped the
/// environment, which now refuses everything. `place` is the environment's directory.
[[nodiscard]] Error bdb_error(int code, bool panicked, std::string_view doing,
                              const std::string& place);

}  // namespace dynamo
