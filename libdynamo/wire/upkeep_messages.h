// What operators ask of a node's background work: how far repair is, at what pace, and to read what
// is stored (man/dynamo-wire.7). Part of client_messages.h, whose rules hold here too.
//
// Threads: plain values
#pragma once

#include <string_view>
#include <tuple>
#include <vector>

#include "libdynamo/wire/codec.h"

namespace dynamo::wire {

/// How far anti-entropy, handback and mending are on this one node, and their pace.
struct RepairRequest {
    bool pairs = false;           ///< tell of every partition and co-owner, a page at a time
    std::uint16_t partition = 0;  ///< where the page of pairs begins
    static constexpr std::string_view op = "repair";
    static constexpr auto fields() {
        return std::tuple{field("pairs", &RepairRequest::pairs),
                          field("partition", &RepairRequest::partition)};
    }
};
/// This node's comparisons of one partition with one of its other owners.
struct PairStatus {
    std::uint16_t partition = 0;
    Bytes node_id;
    bool compared = false;          ///< since this process started
    std::uint64_t age_ms = 0;       ///< since that was complete, or else since it has been due
    std::uint64_t differences = 0;  ///< that were found by the last one
    static constexpr auto fields() {
        return std::tuple{
            field("partition", &PairStatus::partition), bin("node_id", &PairStatus::node_id),
            field("compared", &PairStatus::compared), field("age_ms", &PairStatus::age_ms),
            field("differences", &PairStatus::differences)};
    }
};
struct HintCount {
    Bytes node_id;  ///< the owner that they are kept for; it may have left the ring
    std::uint64_t hints = 0;
    static constexpr auto fields() {
        return std::tuple{bin("node_id", &HintCount::node_id), field("hints", &HintCount::hints)};
    }
};
/// The pace of background work (paper section 6.5).
struct Pace {
    std::uint64_t rate = 0;       ///< octets of records a second, all of its kinds together
    bool fixed = false;           ///< by an operator; else requests' latency decides
    bool idle = false;            ///< too few requests to be in anybody's way
    std::uint64_t p99_us = 0;     ///< of the requests of the last seconds
    std::uint64_t target_us = 0;  ///< what p99 is not to pass; 0: not known yet
    static constexpr auto fields() {
        return std::tuple{field("rate", &Pace::rate), field("fixed", &Pace::fixed),
                          field("idle", &Pace::idle), field("p99_us", &Pace::p99_us),
                          field("target_us", &Pace::target_us)};
    }
};
struct RepairReply {
    std::uint64_t pass_bound_ms = 0;  ///< within which all pairs are to be compared
    std::uint64_t pairs_owed = 0;     ///< (partition, other owner): all that there are
    std::uint64_t never = 0;          ///< of them, not compared since this process started
    std::uint64_t late = 0;           ///< of them, not compared for longer than the bound
    std::uint64_t oldest_ms = 0;      ///< the largest PairStatus::age_ms
    std::uint64_t passes = 0;         ///< since this process started, as are the next five
    std::uint64_t taken = 0;          ///< states that others held and this node lacked
    std::uint64_t given = 0;          ///< the other way round
    std::uint64_t damaged = 0;        ///< records that were found unreadable, as often as it was
    std::uint64_t mended = 0;         ///< of them
    std::uint64_t hints_delivered = 0;
    std::uint64_t mending = 0;     ///< records, now
    std::uint64_t rebuilding = 0;  ///< partitions, now
    std::vector<HintCount> hints;
    Pace pace;
    std::vector<PairStatus> pairs;  ///< by partition
    std::uint32_t next = 0;         ///< the partition where the next page begins; 0: none
    static constexpr auto fields() {
        return std::tuple{field("pass_bound_ms", &RepairReply::pass_bound_ms),
                          field("pairs_owed", &RepairReply::pairs_owed),
                          field("never", &RepairReply::never),
                          field("late", &RepairReply::late),
                          field("oldest_ms", &RepairReply::oldest_ms),
                          field("passes", &RepairReply::passes),
                          field("taken", &RepairReply::taken),
                          field("given", &RepairReply::given),
                          field("damaged", &RepairReply::damaged),
                          field("mended", &RepairReply::mended),
                          field("hints_delivered", &RepairReply::hints_delivered),
                          field("mending", &RepairReply::mending),
                          field("rebuilding", &RepairReply::rebuilding),
                          field("hints", &RepairReply::hints),
                          field("pace", &RepairReply::pace),
                          field("pairs", &RepairReply::pairs),
                          field("next", &RepairReply::next)};
    }
};

/// Sets the pace of this one node's background work, until its process ends.
struct ThrottleRequest {
    std::uint64_t rate = 0;  ///< octets of records a second; 0: let requests' latency decide
    static constexpr std::string_view op = "throttle";
    static constexpr auto fields() { return std::tuple{field("rate", &ThrottleRequest::rate)}; }
};
struct ThrottleReply {
    Pace pace;
    static constexpr auto fields() { return std::tuple{field("pace", &ThrottleReply::pace)}; }
};

/// Look for owners of hints at once, those that declined some a moment ago too.
struct FlushRequest {
    static constexpr std::string_view op = "flush";
    static constexpr auto fields() { return std::tuple{}; }
};
struct FlushReply {
    std::uint64_t hints = 0;  ///< held
    static constexpr auto fields() { return std::tuple{field("hints", &FlushReply::hints)}; }
};

/// Reads and verifies a slice of what this one node has stored: of a partition that it owns, or of
/// the hints for one owner. Damaged records of a partition are mended from the other owners.
struct ScrubRequest {
    std::uint16_t partition = 0;
    Bytes hint_for;  ///< the owner; empty: of the partition
    Bytes first;     ///< the row to begin at; empty: the first
    static constexpr std::string_view op = "scrub";
    static constexpr auto fields() {
        return std::tuple{field("partition", &ScrubRequest::partition),
                          bin("hint_for", &ScrubRequest::hint_for),
                          bin("first", &ScrubRequest::first)};
    }
};
struct ScrubReply {
    std::uint64_t records = 0;
    std::uint64_t octets = 0;    ///< of them as they are stored
    std::uint64_t damaged = 0;   ///< of them
    std::int64_t oldest_ms = 0;  ///< wall time of the oldest version among sound hints; 0: none
    Bytes next;                  ///< where the next slice begins; empty: there is none
    std::uint64_t rest_ms = 0;   ///< the node asks to be left alone for so long
    static constexpr auto fields() {
        return std::tuple{
            field("records", &ScrubReply::records), field("octets", &ScrubReply::octets),
            field("damaged", &ScrubReply::damaged), field("oldest_ms", &ScrubReply::oldest_ms),
            bin("next", &ScrubReply::next),         field("rest_ms", &ScrubReply::rest_ms)};
    }
};

/// Builds a partition's tree from the records beside the one that is kept, and compares them.
struct CheckRequest {
    std::uint16_t partition = 0;
    static constexpr std::string_view op = "check";
    static constexpr auto fields() {
        return std::tuple{field("partition", &CheckRequest::partition)};
    }
};
struct CheckReply {
    bool done = false;          ///< else it is under way: ask again
    bool right = false;         ///< done: they were equal; else the new one was put in its place
    std::uint64_t records = 0;  ///< done: in the partition
    static constexpr auto fields() {
        return std::tuple{field("done", &CheckReply::done), field("right", &CheckReply::right),
                          field("records", &CheckReply::records)};
    }
};

/// What this one node keeps of deletes, and what it waits for before they may be forgotten: a page
/// of the records, and with the first page the reasons (man/dynamo-wire.7, gc).
struct GcRequest {
    bool now = false;          ///< take the next step at once, instead of when it is due
    std::uint64_t number = 0;  ///< what GcReply::due counts by; 0: the fence's, now
    Bytes first;               ///< `next` of the page before; empty: the first page
    static constexpr std::string_view op = "gc";
    static constexpr auto fields() {
        return std::tuple{field("now", &GcRequest::now), field("number", &GcRequest::number),
                          bin("first", &GcRequest::first)};
    }
};
struct GcWait {
    std::string reason;        ///< "silent", "hints" and so on; more may come
    Bytes node_id;             ///< the member that it is about; empty: the node that answers
    std::uint64_t number = 0;  ///< how many, how long, at which number: it depends on the reason
    static constexpr auto fields() {
        return std::tuple{str("reason", &GcWait::reason), bin("node_id", &GcWait::node_id),
                          field("number", &GcWait::number)};
    }
};
struct GcReply {
    std::uint64_t fence = 0;    ///< the number of its fence
    std::uint64_t records = 0;  ///< in the page: of which something is to be taken away
    std::uint64_t due = 0;      ///< of them, those that are old enough at the number asked for
    std::uint64_t needed = 0;   ///< the number at which all in the page are; 0: there are none
    std::uint64_t reduced = 0;  ///< records, since this process started
    std::uint64_t next_ms = 0;  ///< until the next step is due
    std::vector<GcWait> waits;  ///< with the first page
    Bytes next;                 ///< where the next page begins; empty: there is none
    static constexpr auto fields() {
        return std::tuple{field("fence", &GcReply::fence),     field("records", &GcReply::records),
                          field("due", &GcReply::due),         field("needed", &GcReply::needed),
                          field("reduced", &GcReply::reduced), field("next_ms", &GcReply::next_ms),
                          field("waits", &GcReply::waits),     bin("next", &GcReply::next)};
    }
};

}  // namespace dynamo::wire
