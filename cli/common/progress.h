// A line on stderr that says how far a long task is; on a terminal only.
//
// Threads: one owner
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace dynamo::cli {

class Progress {
  public:
    Progress();
    /// Redrawn at most five times a second. `share` is between 0 and 1 when the end is known.
    void show(std::uint64_t done, std::uint64_t failed, std::optional<double> share);
    /// Takes the line away.
    void clear();

  private:
    bool wanted_;
    bool drawn_ = false;
    std::chrono::steady_clock::time_point begun_;
    std::chrono::steady_clock::time_point next_;
};

/// What show() draws, without the terminal's control characters.
[[nodiscard]] std::string progress_line(std::uint64_t done, std::uint64_t failed,
                                        std::optional<double> share, double seconds);

}  // namespace dynamo::cli
