#include "cli/bench/tally.h"

#include <algorithm>

namespace dynamo::cli {

void OpTally::fail(const Error& error) {
    ++errors[error.code];
    ++failed;
    unknown += error.applied == Applied::maybe ? 1 : 0;
}

void OpTally::add(const OpTally& other) {
    latency.add(other.latency);
    for (const auto& [code, count] : other.errors) {
        errors[code] += count;
    }
    failed += other.failed;
    unknown += other.unknown;
}

void Tally::add(const Tally& other) {
    gets.add(other.gets);
    puts.add(other.puts);
    in_time += other.in_time;
    absent += other.absent;
    with_siblings += other.with_siblings;
    most_siblings = std::max(most_siblings, other.most_siblings);
    damaged += other.damaged;
    stale += other.stale;
}

Histogram Tally::latency() const {
    Histogram all = gets.latency;
    all.add(puts.latency);
    return all;
}

std::map<Code, std::uint64_t> Tally::errors() const {
    auto all = gets.errors;
    for (const auto& [code, count] : puts.errors) {
        all[code] += count;
    }
    return all;
}

}  // namespace dynamo::cli
