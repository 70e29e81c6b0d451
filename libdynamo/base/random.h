// A deterministic source of random numbers; the caller decides what seeds it.
//
// The daemon seeds from the operating system, the simulator from its seed, so the core that draws
// from it replays exactly. Not for secrets.
//
// Threads: one owner
#pragma once

#include <cstdint>

namespace dynamo {

class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    /// 64 random bits (SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
    std::uint64_t bits() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }

    /// A number in [0, bound); bound is at least 1. The bias of the remainder is below 2^-32 for
    /// the bounds used here.
    std::uint64_t below(std::uint64_t bound) { return bits() % bound; }

    /// True with the given probability.
    bool chance(double probability) {
        return static_cast<double>(bits() >> 11) * 0x1.0p-53 < probability;
    }

  private:
    std::uint64_t state_;
};

}  // namespace dynamo
