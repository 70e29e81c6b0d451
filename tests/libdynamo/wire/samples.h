// One sample of everything that has bytes, and how to read it and write it again.
//
// The golden files (tests/golden/wire) are their bytes, the hostile tests and the fuzzers damage
// them.
#pragma once

#include <string>
#include <vector>

#include "dynamo/error.h"
#include "libdynamo/base/bytes.h"
#include "libdynamo/ring/ring.h"
#include "libdynamo/version/context.h"
#include "libdynamo/version/siblings.h"

namespace dynamo::wire {

/// The frames of a ZeroMQ message, or one part that is bytes by itself.
using Parts = std::vector<Bytes>;

struct Sample {
    std::string name;  ///< of its golden file
    Parts parts;
    /// Decodes and encodes again.
    Result<Parts> (*again)(const Parts&);
    bool canonical = false;  ///< what decodes is written again octet by octet
};

[[nodiscard]] const std::vector<Sample>& samples();

/// The node whose id is sixteen times this octet.
[[nodiscard]] NodeId node(std::uint8_t octet);
[[nodiscard]] ClusterId sample_cluster();
[[nodiscard]] Position sample_position();
/// Two actors, a cloud, a value, a tombstone.
[[nodiscard]] Object sample_object();
[[nodiscard]] Context sample_context();
/// Two members, the second one staged and committed; N=2, Q=4.
[[nodiscard]] RingState sample_ring();

}  // namespace dynamo::wire
