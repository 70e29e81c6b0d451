// What an operator asks to change, checked against the ring as everything staged would make it
// (paper section 4.8.1).
//
// Threads: pure functions
// Errors:  bad_request: it makes no sense; refused: the ring does not allow it
#pragma once

#include <map>
#include <string>

#include "libdynamo/ring/ring.h"
#include "libdynamo/wire/client_messages.h"

namespace dynamo {

struct Change {
    MemberOp::Kind kind = MemberOp::Kind::add;
    Member subject;
    std::string note;
    std::map<NodeId, std::uint64_t> kept{};  ///< of a discard
};

[[nodiscard]] Result<Change> check_change(const RingState& ring, const wire::StageRequest& request);

}  // namespace dynamo
