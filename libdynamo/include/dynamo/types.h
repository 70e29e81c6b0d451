// What clients exchange with the store: keys, values, versions, contexts.
//
// Shape:   keys and values are octets, NUL included; a key has 1 octet or more
// Threads: plain values
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dynamo/error.h"

namespace dynamo {

/// What a reader has seen of one key: opaque octets, given back with the next write of that key.
/// Empty: nothing seen. to_text() and context_from_text() carry it through files and shells.
struct ContextToken {
    std::string octets;
    [[nodiscard]] bool empty() const { return octets.empty(); }
    bool operator==(const ContextToken&) const = default;
};
/// One line of URL-safe base64.
[[nodiscard]] std::string to_text(const ContextToken& token);
/// bad_context when it is no base64. Surrounding white space is ignored. Whether it is a context,
/// and this key's, only the daemon says.
[[nodiscard]] Result<ContextToken> context_from_text(std::string_view text);

/// One version of a key's value.
struct Version {
    std::string value;
    bool tombstone = false;  ///< a delete that a concurrent write has survived; value is empty
    std::int64_t wall_ms =
        0;             ///< when its coordinator took it, milliseconds since 1970; not an order
    std::string node;  ///< who coordinated it: the node's name, or 8 digits of its id
    std::uint64_t birth = 0;    ///< of its dot
    std::uint64_t counter = 0;  ///< of its dot: (node, counter) is how people see it
};

/// One step of a traced request: who was asked what, and who answered when, up to the reply.
struct TraceStep {
    std::chrono::microseconds at{0};  ///< since the coordinator took the request
    std::string node;                 ///< its name, or 8 digits of its id
    std::string what;                 ///< "coordinates", "read asked", "stored": dynamo-wire(7)
};

/// The answer to a get.
struct Got {
    std::vector<Version> versions;  ///< all siblings; empty when never written
    ContextToken context;           ///< covers all of them; given for an absent key as well
    std::uint64_t clock_entries = 0;
    std::string node;              ///< the address that answered
    std::vector<TraceStep> trace;  ///< when it was asked for

    /// The differing live values, tombstones left out: none = absent, one = the value, more = a
    /// conflict. Points into `versions`.
    [[nodiscard]] std::vector<const Version*> values() const;
};

/// The answer to a put or a delete.
struct Stored {
    ContextToken context;  ///< what the write's own context covered, and the new version
    bool existed = false;  ///< the coordinator saw a live value before it. A delete that observed
                           ///< and saw none wrote nothing.
    std::string node;      ///< the address that answered
    std::vector<TraceStep> trace;  ///< when it was asked for
};

/// All that is known of one key: its versions, tombstones among them, and every write that was
/// seen. Opaque octets that any cluster takes, the same wherever the same is known. Empty: never
/// written.
struct KeyState {
    std::string octets;
    [[nodiscard]] bool empty() const { return octets.empty(); }
    bool operator==(const KeyState&) const = default;
};

/// The answer to a merge.
struct Merged {
    bool changed = false;  ///< the coordinator's copy had not seen all of it
    std::string node;      ///< the address that answered
};

/// One key of a listing.
struct KeyInfo {
    std::string key;
    unsigned values = 0;     ///< differing live values: 0 deleted, 1 usual, more a conflict
    bool tombstone = false;  ///< a delete is among its versions
    unsigned partition = 0;
    std::string digest;  ///< of its state, as HeldCopy's; empty where its owners differ
};

/// A part of a listing.
struct KeyPage {
    std::vector<KeyInfo> keys;
    std::string cursor;  ///< where the next page begins; empty: there is none
};

/// The three ways to put (dynamo(7)). The numbers are the wire's.
enum class PutMode : std::uint8_t {
    observe =
        0,  ///< gather clocks first, supersede what they cover; `conflict` on differing siblings
    context = 1,  ///< supersede what the given context covers
    blind = 2,    ///< no context: an existing value becomes a sibling
};

}  // namespace dynamo
