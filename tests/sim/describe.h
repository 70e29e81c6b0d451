// Messages in words, for traces.
#pragma once

#include <string>

#include "libdynamo/wire/peer_frames.h"

namespace dynamo::sim {

[[nodiscard]] std::string describe(const wire::Request& request);
[[nodiscard]] std::string describe(const wire::Reply& reply);
[[nodiscard]] std::string describe(const wire::PeerMessage& message);

}  // namespace dynamo::sim
