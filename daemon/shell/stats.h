// What only the loop can count, as `stats` shows it.
//
// Times are of the last half minute to a minute, in microseconds: two histograms in turn.
//
// Threads: one owner
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "daemon/shell/transport.h"
#include "dynamo/histogram.h"
#include "libdynamo/base/time.h"

namespace dynamo {

/// The present and the last half minute of one kind of time.
class RecentTimes {
  public:
    void record(Duration time);
    void turn();
    [[nodiscard]] Histogram recent() const;

  private:
    Histogram present_;
    Histogram before_;
};

struct LoopStats {
    std::uint64_t iterations = 0;
    std::uint64_t commits = 0;
    std::uint64_t commit_failures = 0;
    std::uint64_t requests = 0;         ///< of clients, batches counted by what they hold
    std::uint64_t rejected = 0;         ///< of clients, not understood
    std::uint64_t peer_messages = 0;    ///< that came, frames counted by what they hold
    std::uint64_t peer_frames_bad = 0;  ///< not understood
    RecentTimes iteration;              ///< without waiting: how long a message may wait its turn
    RecentTimes commit;
};

/// By dotted name.
[[nodiscard]] std::vector<std::pair<std::string, double>> gauges_of(const LoopStats& stats,
                                                                    const Transport& transport);

}  // namespace dynamo
