// Errors: one closed set of codes, what each means for a write, and the exit code a tool gives it.
//
// Shape:   a code is a small stable number, sent on the wire as such; new ones are only added
// Threads: plain values
// Errors:  this is them
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace dynamo {

/// What went wrong. The numbers are the wire's and never change their meaning.
enum class Code : std::uint16_t {
    ok = 0,
    bad_request = 1,      ///< malformed, or a field outside its range
    too_large = 2,        ///< key, value or context over the cluster's limit
    bad_context = 3,      ///< not a context token, damaged, or made for another key
    unknown_op = 4,       ///< the daemon does not know this operation
    conflict = 10,        ///< several differing siblings; nothing was written
    exists = 11,          ///< `if_absent` was asked for and the key has a value
    stale_plan = 12,      ///< the plan or the ring is not the one that was planned on
    quorum_not_met = 20,  ///< sent, but too few answered in time
    timed_out = 21,       ///< sent, and no answer came in time
    unreachable = 30,     ///< nothing was sent: no daemon could be reached
    not_joined = 31,      ///< the daemon is not a member of a cluster yet
    too_few_nodes = 32,   ///< fewer healthy nodes than W or R; nothing was sent to any
    busy = 33,            ///< over the admission limits; try again
    wrong_cluster = 40,   ///< the daemon belongs to another cluster
    holds_data = 41,      ///< not given any more: the ring changes while data is stored
    object_full = 42,     ///< one more sibling would pass the object's limits
    refused = 43,         ///< another safety rule; the message names it
    storage = 50,         ///< the storage engine failed
    storage_full = 51,    ///< the disk is full: writes are refused until there is room
    corrupt = 52,         ///< a checksum did not match
    internal = 53,        ///< a defect of the daemon
    not_permitted = 60,   ///< not authenticated, or not allowed to
};

/// Whether the write that failed can have taken effect. Reads are always `no`.
enum class Applied : std::uint8_t { no, maybe, yes };

/// An operating error: what failed, where, and what to do next.
///
/// `message` is one line for a person, without a full stop at its end; `node` names the node that
/// reported it ("n2" or an address), empty when it never left this process.
struct Error {
    Code code = Code::internal;
    std::string message;
    std::string node = {};
    Applied applied = Applied::no;
};

template <typename T>
using Result = std::expected<T, Error>;

/// The stable lower-case name of a code ("quorum_not_met"); "unknown" for a number not listed.
[[nodiscard]] std::string_view name_of(Code code);

/// True when the same request may succeed later without a change by the caller.
[[nodiscard]] bool is_retryable(Code code);

/// What a tool exits with: 0 done, 2 usage, 3 conflict, 4 may be applied, 5 not applied,
/// 6 refused, 8 storage, 9 not permitted (the table in dyn-get(1)).
[[nodiscard]] int exit_code_of(Code code);

/// "no", "maybe" or "yes".
[[nodiscard]] std::string_view name_of(Applied applied);

/// Shorthand for returning an error from a function of type Result<T>.
[[nodiscard]] inline std::unexpected<Error> fail(Code code, std::string message,
                                                 Applied applied = Applied::no) {
    return std::unexpected(Error{code, std::move(message), {}, applied});
}

}  // namespace dynamo
