// Chance: every random decision of a run, each one a function of (seed, stream, a, b).
//
// Nothing is drawn from a common sequence, so leaving one event out does not reshuffle the others:
// that is what makes a failing run small enough to be read.
//
// Threads: plain values
#pragma once

#include <cstdint>

#include "libdynamo/base/random.h"

namespace dynamo::sim {

/// What a decision is about. The numbers are part of what a seed means.
enum class Stream : std::uint64_t {
    setup = 1,
    link = 2,
    late = 3,
    workload = 4,
    nemesis = 5,
    node = 6,
    turn = 7,
    disk = 8,
    heal = 9,
    identity = 10,
    jobs = 11,
    ring = 12,
};

class Chance {
  public:
    explicit Chance(std::uint64_t seed) : seed_(seed) {}

    /// The decisions about one thing: a message of a link, one turn of one node.
    [[nodiscard]] Random at(Stream stream, std::uint64_t a = 0, std::uint64_t b = 0) const {
        return Random(mix(mix(mix(mix(0, seed_), static_cast<std::uint64_t>(stream)), a), b));
    }

  private:
    static std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
        return Random(hash ^ (value + 0x632be59bd9b4e019ULL) * 0xd6e8feb86659fd93ULL).bits();
    }

    std::uint64_t seed_;
};

}  // namespace dynamo::sim
