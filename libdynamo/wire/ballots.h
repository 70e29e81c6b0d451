// What a member has promised and accepted in the present vote (daemon/node/membership/vote.h), as
// it is persisted beside the ring.
//
//     [1, number, round, by, round, by, value]     promised, accepted
//
// Threads: plain values
// Errors:  bad_request
#pragma once

#include "dynamo/error.h"
#include "libdynamo/base/bytes.h"
#include "libdynamo/base/id.h"

namespace dynamo::wire {

struct Ballot {
    std::uint64_t round = 0;
    NodeId by;
    auto operator<=>(const Ballot&) const = default;
};

struct Ballots {
    std::uint64_t number = 0;  ///< of the ring that is chosen
    Ballot promised;
    Ballot accepted;
    Bytes value;  ///< encode(Epoch), accepted; empty: nothing
    bool operator==(const Ballots&) const = default;
};

[[nodiscard]] Bytes encode(const Ballots& ballots);
[[nodiscard]] Result<Ballots> decode_ballots(BytesView bytes);

}  // namespace dynamo::wire
