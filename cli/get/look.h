// What dyn-get prints of a key without reading it: its replicas, its place.
//
// Threads: one owner
// Errors:  said on stderr; the exit code is answered
#pragma once

#include <string>
#include <vector>

#include "cli/common/options.h"

namespace dynamo::cli {

/// What each replica holds. 1 when none holds a value, 7 when a node did not answer.
[[nodiscard]] int print_replicas(const CommonOptions& common, const std::vector<std::string>& keys);
/// Which nodes hold each key, and which of them would coordinate now.
[[nodiscard]] int print_places(const CommonOptions& common, const std::vector<std::string>& keys);

}  // namespace dynamo::cli
