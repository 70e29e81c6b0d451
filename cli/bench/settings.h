// What a benchmark is told to do.
//
// Threads: a plain value
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cli/bench/workload.h"
#include "dynamo/client.h"

namespace dynamo::cli {

struct Settings {
    ClientOptions client;
    std::string prefix = "bench:";
    std::uint64_t keys = 100'000;
    bool zipf = false;
    double theta = 0.99;
    SizeRange sizes;
    unsigned reads_percent = 50;
    PutMode put_mode = PutMode::observe;
    unsigned observe_r = 1;
    unsigned r = 0;
    unsigned w = 0;
    std::optional<double> rate;  ///< operations a second; none: closed loop
    unsigned clients = 1;
    unsigned in_flight = 64;  ///< of all clients together
    std::uint64_t random_seed = 1;
    bool verify = false;
};

/// The key with that number.
[[nodiscard]] std::string key_of(const Settings& settings, std::uint64_t number);

/// Nanoseconds of the clock that all times of a benchmark are read from.
[[nodiscard]] inline std::int64_t clock_now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

constexpr std::int64_t nanoseconds_of_second = 1'000'000'000;

}  // namespace dynamo::cli
