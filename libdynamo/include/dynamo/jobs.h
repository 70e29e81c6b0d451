// Jobs: comparisons of many partitions that nodes make at once because an operator wants them
// (dyn-repair(1)). Each member does its share of a job by itself; the calls are Admin's.
//
// Threads: plain values
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dynamo {

/// When a job may go on, at each node.
struct JobTerms {
    std::uint64_t rate = 0;      ///< records a second that differ; 0: not bounded
    std::uint64_t pause_us = 0;  ///< it rests while the p99 of requests is above; 0: never
    unsigned from_minute = 0;    ///< of the hours in which it works: after midnight UTC
    unsigned to_minute = 0;      ///< where they end; equal: it works all day
};

/// A job to begin.
struct NewJob {
    std::string id;  ///< 1 to 32 small letters and digits
    std::vector<unsigned> partitions;
    std::string scope;          ///< the same for people, at most 256 octets
    std::int64_t began_ms = 0;  ///< wall time
    JobTerms terms;
};

enum class JobState : std::uint8_t { running, paused, done, cancelled };
/// "running".
[[nodiscard]] std::string_view name_of(JobState state);
/// What keeps a running job from going on.
enum class JobWaits : std::uint8_t { no, for_hours, for_latency, for_owners };
enum class JobStep : std::uint8_t { pause, resume, cancel };

/// What one node does for a job: it compares each partition of it that it owns with each other
/// owner.
struct JobShare {
    std::string id;
    std::string scope;
    std::int64_t began_ms = 0;
    JobTerms terms;
    JobState state = JobState::running;
    JobWaits waits = JobWaits::no;
    std::uint64_t pairs = 0;        ///< (partition, other owner): all of the share
    std::uint64_t compared = 0;     ///< of them
    std::uint64_t different = 0;    ///< records that were given or taken
    std::uint64_t octets = 0;       ///< of them
    std::vector<std::string> away;  ///< waits for_owners: their ids, 32 hexadecimal digits
};

}  // namespace dynamo
