// What one node tells of its background work, and what it can be told: anti-entropy, handback,
// mending, and their pace (dyn-repair(1)). The calls are Admin's.
//
// Threads: plain values
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dynamo {

/// The pace of background work.
struct BackgroundPace {
    std::uint64_t rate = 0;       ///< octets of records a second
    bool fixed = false;           ///< by an operator; else the latency of requests decides
    bool idle = false;            ///< too few requests to be in anybody's way
    std::uint64_t p99_us = 0;     ///< of the requests of the last seconds
    std::uint64_t target_us = 0;  ///< what p99 is not to pass; 0: not known yet
};

/// A node's comparisons of one partition with one of its other owners.
struct PairAge {
    unsigned partition = 0;
    std::string node_id;            ///< the other owner's, 32 hexadecimal digits
    bool compared = false;          ///< since the daemon started
    std::uint64_t age_ms = 0;       ///< since that was complete, or else since it has been due
    std::uint64_t differences = 0;  ///< that were found by the last one
};

struct HeldHints {
    std::string node_id;  ///< whom they are kept for, 32 hexadecimal digits
    std::uint64_t hints = 0;
};

struct UpkeepStatus {
    std::uint64_t pass_bound_ms = 0;  ///< within which every pair is to be compared
    std::uint64_t pairs_owed = 0;     ///< (partition, other owner): all that there are
    std::uint64_t never = 0;          ///< of them, not compared since the daemon started
    std::uint64_t late = 0;           ///< of them, not compared for longer than the bound
    std::uint64_t oldest_ms = 0;      ///< of them, the largest age
    std::uint64_t passes = 0;         ///< comparisons since the daemon started, as are the next
    std::uint64_t taken = 0;          ///< states that others held and the node lacked
    std::uint64_t given = 0;          ///< the other way round
    std::uint64_t damaged = 0;        ///< reads of a damaged record
    std::uint64_t mended = 0;         ///< damaged records
    std::uint64_t hints_delivered = 0;
    std::uint64_t mending = 0;     ///< records, now
    std::uint64_t rebuilding = 0;  ///< partitions, now
    std::vector<HeldHints> hints;
    BackgroundPace pace;
    std::vector<PairAge> pairs;  ///< by partition, when they were asked for
};

/// Where a scrub reads, and how far it is.
struct ScrubPlace {
    unsigned partition = 0;
    std::string hints_for;  ///< an owner's id, 32 hexadecimal digits: of the hints for it instead
    std::string next;       ///< where the next slice begins; empty: at the first record
};
struct ScrubSlice {
    std::uint64_t records = 0;
    std::uint64_t octets = 0;
    std::uint64_t damaged = 0;
    std::int64_t oldest_ms = 0;  ///< wall time of the oldest version among hints; 0: none
    std::uint64_t rest_ms = 0;   ///< the node asks to be left alone for so long
    bool ended = false;          ///< there is no further slice
};

/// Why a node keeps what was deleted.
struct PurgeWait {
    /// One of the node itself: starting, out_of_date, rebuilding, hints, uncounted, strays,
    /// damaged; or of a member: silent, other_ring, starting, behind, refuses, differs
    /// (dynamo-wire(7), gc).
    std::string reason;
    std::string node_id;       ///< the member's, 32 hexadecimal digits; empty: the node itself
    std::uint64_t number = 0;  ///< how many, how long, at which number: it depends on the reason
};

/// What a node keeps of deletes, and how far it is with forgetting them. The fence is a number that
/// all members raise together; a record may go some numbers after its last change.
struct PurgeStatus {
    std::uint64_t fence = 0;    ///< the node's number
    std::uint64_t records = 0;  ///< with a tombstone, or more of a clock than they need
    std::uint64_t due = 0;      ///< of them, those that are old enough at the number asked for
    std::uint64_t needed = 0;   ///< the number at which all of them are; 0: there are none
    std::uint64_t reduced = 0;  ///< records, since the daemon started
    std::uint64_t next_ms = 0;  ///< until it takes the next step
    std::vector<PurgeWait> waits;
};

struct TreeCheck {
    bool right = false;
    std::uint64_t records = 0;
};

}  // namespace dynamo
