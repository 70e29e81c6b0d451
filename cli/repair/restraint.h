// When a long task of an operator's may go on: not faster than a rate, not outside of certain
// hours, not while the cluster's requests are slow.
//
// Threads: one owner
// Errors:  bad_request with the sentence that the user sees; a node that does not answer pauses
//          nothing
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cli/common/app.h"
#include "cli/common/exit.h"
#include "dynamo/admin.h"

namespace dynamo::cli {

/// "p99>50ms".
[[nodiscard]] Result<std::chrono::milliseconds> slowness_from_text(const std::string& text);

/// Hours of a day, by this machine's clock; they may span midnight.
struct Hours {
    int from = 0;  ///< minutes after midnight
    int to = 0;
    /// "22:00-06:00".
    [[nodiscard]] static Result<Hours> from_text(const std::string& text);
    [[nodiscard]] bool contain(int minute_of_day) const;
};

class Restraint {
  public:
    /// `what` is counted by --max-rate: "keys to mend".
    void declare(App& app, const std::string& what);

    /// Waits until the task may go on, `done` being counted so far. False when Ctrl-C came.
    [[nodiscard]] bool wait(Admin& admin, const RingView& ring, std::uint64_t done,
                            const Reporter& reporter);
    /// The same for a job, which nodes hold to it by themselves.
    [[nodiscard]] JobTerms terms() const;
    /// 0: not bounded.
    [[nodiscard]] unsigned rate() const { return rate_; }

  private:
    /// Why the task has to wait, or empty.
    [[nodiscard]] std::string reason(Admin& admin, const RingView& ring) const;

    unsigned rate_ = 0;
    std::optional<std::chrono::milliseconds> slow_;
    std::optional<Hours> hours_;
    std::optional<std::chrono::steady_clock::time_point> begun_;
    std::chrono::steady_clock::duration paused_{0};
    std::chrono::steady_clock::time_point next_look_;
};

}  // namespace dynamo::cli
