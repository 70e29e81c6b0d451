// Jobs: comparisons of many partitions that an operator has nodes make at once (man/dynamo-wire.7).
// Part of client_messages.h, whose rules hold here too.
//
// Threads: plain values
#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "libdynamo/wire/codec.h"

namespace dynamo::wire {

enum class JobAction : std::uint8_t { begin, pause, resume, cancel };
template <>
struct LastOf<JobAction> {
    static constexpr JobAction value = JobAction::cancel;
};

enum class JobState : std::uint8_t { running, paused, done, cancelled };
template <>
struct LastOf<JobState> {
    static constexpr JobState value = JobState::cancelled;
};

/// What keeps a running job from going on.
enum class JobWaits : std::uint8_t { no, for_hours, for_latency, for_owners };
template <>
struct LastOf<JobWaits> {
    static constexpr JobWaits value = JobWaits::for_owners;
};

/// When a job may go on.
struct JobTerms {
    std::uint64_t rate = 0;         ///< records a second that differ; 0: not bounded
    std::uint64_t pause_us = 0;     ///< it rests while the p99 of requests is above; 0: never
    std::uint16_t from_minute = 0;  ///< of the hours of a day in which it works: after midnight UTC
    std::uint16_t to_minute = 0;    ///< where they end; equal: it works all day
};

/// Begins a job on this one node, or steers one. What has been done already is done once.
struct JobRequest : JobTerms {
    std::string id;
    JobAction action = JobAction::begin;
    // Of one that begins.
    Bytes partitions;           ///< a bit for each, the first in the highest bit of the first octet
    std::string scope;          ///< the same, as the operator wrote it
    std::int64_t began_ms = 0;  ///< wall time, by the operator's clock
    static constexpr std::string_view op = "job";
    static constexpr auto fields() {
        return std::tuple{str("id", &JobRequest::id),
                          field("action", &JobRequest::action),
                          bin("partitions", &JobRequest::partitions),
                          str("scope", &JobRequest::scope),
                          field("began_ms", &JobRequest::began_ms),
                          field("rate", &JobRequest::rate),
                          field("pause_us", &JobRequest::pause_us),
                          field("from_minute", &JobRequest::from_minute),
                          field("to_minute", &JobRequest::to_minute)};
    }
};
/// One node's share of a job: to compare each of the partitions that it owns with each other owner.
struct JobShare : JobTerms {
    std::string id;
    std::string scope;
    std::int64_t began_ms = 0;
    JobState state = JobState::running;
    JobWaits waits = JobWaits::no;
    std::uint64_t pairs = 0;      ///< (partition, other owner): all of the share
    std::uint64_t compared = 0;   ///< of them
    std::uint64_t different = 0;  ///< records that differed
    std::uint64_t octets = 0;     ///< of the states that were given and taken for them
    std::vector<Bytes> away;      ///< waits for_owners: those
    static constexpr auto fields() {
        return std::tuple{str("id", &JobShare::id),
                          str("scope", &JobShare::scope),
                          field("began_ms", &JobShare::began_ms),
                          field("rate", &JobShare::rate),
                          field("pause_us", &JobShare::pause_us),
                          field("from_minute", &JobShare::from_minute),
                          field("to_minute", &JobShare::to_minute),
                          field("state", &JobShare::state),
                          field("waits", &JobShare::waits),
                          field("pairs", &JobShare::pairs),
                          field("compared", &JobShare::compared),
                          field("different", &JobShare::different),
                          field("octets", &JobShare::octets),
                          bin("away", &JobShare::away)};
    }
};
struct JobReply {
    JobShare share;
    static constexpr auto fields() { return std::tuple{field("share", &JobReply::share)}; }
};

/// This node's shares of all jobs that it knows, the youngest first.
struct JobsRequest {
    static constexpr std::string_view op = "jobs";
    static constexpr auto fields() { return std::tuple{}; }
};
struct JobsReply {
    std::vector<JobShare> shares;
    static constexpr auto fields() { return std::tuple{field("shares", &JobsReply::shares)}; }
};

}  // namespace dynamo::wire
