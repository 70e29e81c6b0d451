// The trace: everything that happens in a run, folded into one number, and printed when asked for.
//
// Threads: one
#pragma once

#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>

#include "libdynamo/base/random.h"
#include "libdynamo/base/time.h"

namespace dynamo::sim {

class Trace {
  public:
    enum class Mode : std::uint8_t {
        hash,   ///< only the number
        print,  ///< every line to standard output
        keep,   ///< the last lines, for the report of a violation
    };
    explicit Trace(Mode mode) : mode_(mode) {}

    /// Folds in one event: its kind and what tells it from others.
    void fold(std::uint64_t kind, std::uint64_t a, std::uint64_t b) {
        hash_ = Random(hash_ ^ Random(kind * 31 + a).bits() ^ (b * 0x9e3779b97f4a7c15ULL)).bits();
    }
    [[nodiscard]] std::uint64_t hash() const { return hash_; }

    /// Whether lines are wanted; making them costs more than the run.
    [[nodiscard]] bool wordy() const { return mode_ != Mode::hash; }
    void say(Instant when, const std::string& line) {
        const auto us = when.time_since_epoch().count();
        char stamp[40];
        std::snprintf(stamp, sizeof stamp, "%8lld.%06lld  ", static_cast<long long>(us / 1000000),
                      static_cast<long long>(us % 1000000));
        if (mode_ == Mode::print) std::printf("%s%s\n", stamp, line.c_str());
        if (mode_ == Mode::keep) lines_.push_back(stamp + line);
        if (lines_.size() > kept_lines) lines_.pop_front();
    }
    [[nodiscard]] const std::deque<std::string>& lines() const { return lines_; }

  private:
    static constexpr std::size_t kept_lines = 20000;

    Mode mode_;
    std::uint64_t hash_ = 0;
    std::deque<std::string> lines_;
};

}  // namespace dynamo::sim
