// What a benchmark counts.
//
// Shape:   latencies in nanoseconds, of operations that succeeded
// Threads: a plain value
#pragma once

#include <cstdint>
#include <map>

#include "dynamo/error.h"
#include "dynamo/histogram.h"

namespace dynamo::cli {

/// Of gets, or of puts.
struct OpTally {
    Histogram latency;
    std::map<Code, std::uint64_t> errors;
    std::uint64_t failed = 0;   ///< the sum of `errors`
    std::uint64_t unknown = 0;  ///< those of them that may have been applied

    void fail(const Error& error);
    void add(const OpTally& other);
};

struct Tally {
    OpTally gets;
    OpTally puts;
    std::uint64_t in_time = 0;        ///< succeeded before the end of the measured time
    std::uint64_t absent = 0;         ///< gets that found no value
    std::uint64_t with_siblings = 0;  ///< gets that found more than one version
    std::uint64_t most_siblings = 0;
    std::uint64_t damaged = 0;  ///< values that are not what was written; only with --verify
    std::uint64_t stale = 0;    ///< a canary's gets that did not show the put before them

    void add(const Tally& other);
    [[nodiscard]] std::uint64_t done() const { return gets.latency.count() + puts.latency.count(); }
    [[nodiscard]] std::uint64_t failed() const { return gets.failed + puts.failed; }
    /// Gets and puts together.
    [[nodiscard]] Histogram latency() const;
    [[nodiscard]] std::map<Code, std::uint64_t> errors() const;
};

}  // namespace dynamo::cli
