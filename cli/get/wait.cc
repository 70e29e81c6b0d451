#include "cli/get/wait.h"

#include <algorithm>
#include <set>
#include <utility>

#include "cli/common/interrupt.h"

namespace dynamo::cli {
namespace {

constexpr std::chrono::milliseconds pace{200};

using Dots = std::set<std::pair<std::uint64_t, std::uint64_t>>;

Dots dots_of(const Got& got) {
    Dots dots;
    for (const Version& version : got.versions) {
        dots.emplace(version.birth, version.counter);
    }
    return dots;
}

/// Remembers what the first read showed when there is nothing else to compare with.
class Condition {
  public:
    Condition(const RingView& ring, const std::string& key, const WaitFor& wait)
        : ring_(ring), key_(key), wait_(wait) {}

    bool met_by(const Got& got) {
        if (wait_.what != "changed") {
            return got.values().empty() == (wait_.what == "absent");
        }
        if (!wait_.since.empty()) {
            return std::ranges::any_of(got.versions, [&](const Version& version) {
                return !ring_.covers(key_, wait_.since, version);
            });
        }
        const Dots dots = dots_of(got);
        if (!first_) {
            first_ = dots;
        }
        return *first_ != dots;
    }

  private:
    const RingView& ring_;
    const std::string& key_;
    const WaitFor& wait_;
    std::optional<Dots> first_;
};

}  // namespace

Result<std::optional<Got>> wait_for_key(Client& client, const RingView& ring,
                                        const std::string& key, const WaitFor& wait) {
    using std::chrono::steady_clock;
    catch_interrupt();
    const auto begun = steady_clock::now();
    const auto ended = [&] { return wait.limit && steady_clock::now() - begun >= *wait.limit; };
    Condition condition(ring, key, wait);
    for (;;) {
        const auto next = steady_clock::now() + pace;
        auto got = client.get(key, {.r = wait.r});
        if (got && condition.met_by(*got)) {
            return std::optional(std::move(*got));
        }
        if (!got && (!is_retryable(got.error().code) || ended())) {
            return std::unexpected(got.error());
        }
        if (ended() || interrupted()) {
            return std::optional<Got>{};
        }
        const auto last = wait.limit ? std::min(next, begun + *wait.limit) : next;
        static_cast<void>(sleep_until(last));
    }
}

}  // namespace dynamo::cli
