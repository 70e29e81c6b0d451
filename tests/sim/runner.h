// Many runs: over a range of seeds, on several threads, and over all planted bugs.
//
// Threads: starts its own, joins them before it returns
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "tests/sim/simulation.h"

namespace dynamo::sim {

struct Range {
    std::uint64_t first = 1;
    std::uint64_t last = 0;
};

struct Batch {
    Range seeds;
    unsigned jobs = 1;
    Mutant mutant = Mutant::none;
    bool check_determinism = false;  ///< one seed in twenty runs twice
    std::size_t stop_after = 1;      ///< failing seeds
};

struct Failure {
    std::uint64_t seed = 0;
    Violation violation;
};

struct Summary;
/// Told of how far it is now and then.
using Progress = std::function<void(const Summary&)>;

struct Summary {
    std::uint64_t runs = 0;
    std::vector<Failure> failures;         ///< by seed
    std::vector<std::uint64_t> differing;  ///< seeds whose two runs had different traces
    Marks marks;
    std::uint64_t ok = 0;
    std::uint64_t failed = 0;
    std::uint64_t unknown = 0;
    std::uint64_t events = 0;
    Duration slowest_convergence{0};
    double seconds = 0;
};

[[nodiscard]] Setup setup_of(std::uint64_t seed, Mutant mutant);
[[nodiscard]] Summary run_all(const Batch& batch, const Progress& progress = {});

/// Makes a failed check of the core name the seed in which it happened.
void name_seed_on_abort();

}  // namespace dynamo::sim
