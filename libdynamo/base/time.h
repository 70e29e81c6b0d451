// Time as the core sees it: an instant handed in by the loop, never read from a clock.
//
// Shape: microseconds. Instant counts from an arbitrary start and never goes back; wall time is
//        milliseconds since 1970, may jump, and decides nothing (it is shown to people).
#pragma once

#include <chrono>
#include <cstdint>

namespace dynamo {

using Duration = std::chrono::microseconds;

/// The clock type only names the time line; it has no now().
struct LoopClock {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<LoopClock, Duration>;
    static constexpr bool is_steady = true;
};
using Instant = LoopClock::time_point;

/// Milliseconds since 1970-01-01 UTC.
using WallMs = std::int64_t;

/// What the loop tells a step about time.
struct Now {
    Instant instant;
    WallMs wall_ms = 0;
};

}  // namespace dynamo
