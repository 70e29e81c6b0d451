// What a node counts of its own work; `stats` shows it under dotted names.
//
// Threads: one; the node's
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dynamo/histogram.h"
#include "libdynamo/wire/client_messages.h"

namespace dynamo {

class Counters {
  public:
    /// Adds to a counter; the first use makes it. Names are literals with dots.
    void add(std::string_view name, std::uint64_t by = 1);
    [[nodiscard]] std::uint64_t of(std::string_view name) const;

    Histogram get_latency;  ///< microseconds, of answered gets
    Histogram put_latency;  ///< microseconds, of answered puts and deletes

    /// All of it, sorted by name; the latencies as p50, p99, p99.9, max and count.
    [[nodiscard]] std::vector<wire::Stat> list() const;

  private:
    std::map<std::string, std::uint64_t, std::less<>> counts_;
};

}  // namespace dynamo
