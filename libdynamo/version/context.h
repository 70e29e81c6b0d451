// Contexts: what a reader has seen of one key, handed back with its next write (paper section 4.1).
//
// A client holds it as an opaque token and only gives it back. The token is bound to its key and to
// its cluster and carries a checksum, so a damaged one or another key's is refused, never guessed.
//
// Threads: a plain value
#pragma once

#include "libdynamo/base/hash.h"
#include "libdynamo/base/id.h"
#include "libdynamo/version/clock.h"

namespace dynamo {

struct Context {
    ClusterId cluster;
    Position key;  ///< the position of the key that it was made for
    Clock seen;    ///< every write that its holder has seen, and no other
    /// The owner that answered the read first: the best coordinator of a write that follows, since
    /// it certainly holds what was read (paper section 5). None when no owner did.
    NodeId fastest;
    bool operator==(const Context&) const = default;
};

}  // namespace dynamo
