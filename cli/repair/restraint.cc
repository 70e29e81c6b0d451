#include "cli/repair/restraint.h"

#include <fmt/format.h>

#include <ctime>
#include <utility>

#include "cli/common/interrupt.h"

namespace dynamo::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
/// Between two looks at the clock and at the nodes.
constexpr auto between_looks = std::chrono::seconds(1);
constexpr int minutes_of_a_day = 24 * 60;

Result<int> minutes_from_text(const std::string& text) {
    const auto colon = text.find(':');
    const auto hours = number_from_text(text.substr(0, colon), 23);
    const auto minutes =
        colon == std::string::npos ? hours : number_from_text(text.substr(colon + 1), 59);
    if (colon == std::string::npos || !hours || !minutes) {
        return fail(Code::bad_request, fmt::format("'{}' is no time of day", text));
    }
    return static_cast<int>(*hours * 60 + *minutes);
}

int minute_of_day() {
    const std::time_t now = std::time(nullptr);
    std::tm local{};
    ::localtime_r(&now, &local);
    return local.tm_hour * 60 + local.tm_min;
}

}  // namespace

Result<milliseconds> slowness_from_text(const std::string& text) {
    constexpr std::string_view measure = "p99>";
    const auto limit = text.starts_with(measure) ? duration_from_text(text.substr(measure.size()))
                                                 : fail(Code::bad_request, "");
    if (!limit) {
        return fail(Code::bad_request,
                    fmt::format("'{}' is no condition; write one such as p99>50ms", text));
    }
    return *limit;
}

Result<Hours> Hours::from_text(const std::string& text) {
    const auto dash = text.find('-');
    const auto from = minutes_from_text(text.substr(0, dash));
    const auto to = dash == std::string::npos ? from : minutes_from_text(text.substr(dash + 1));
    if (dash == std::string::npos || !from || !to || *from == *to) {
        return fail(Code::bad_request,
                    fmt::format("'{}' are no hours; write such as 22:00-06:00", text));
    }
    return Hours{*from, *to};
}

bool Hours::contain(int minute) const {
    return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}

void Restraint::declare(App& app, const std::string& what) {
    app.option(
        {.letter = "", .name = "--max-rate", .help = what + " in a second, at most", .value = "N"},
        rate_);
    app.option({.letter = "",
                .name = "--pause-if",
                .help = "pause while requests are slow: p99>50ms, of the last seconds, at any node",
                .value = "CONDITION"},
               [this](const std::string& text) -> Result<void> {
                   const auto slow = slowness_from_text(text);
                   if (!slow) {
                       return std::unexpected(slow.error());
                   }
                   slow_ = *slow;
                   return {};
               });
    app.option({.letter = "",
                .name = "--window",
                .help = "pause outside of these hours of the day, local time: 22:00-06:00",
                .value = "HOURS"},
               [this](const std::string& text) -> Result<void> {
                   const auto hours = Hours::from_text(text);
                   if (!hours) {
                       return std::unexpected(hours.error());
                   }
                   hours_ = *hours;
                   return {};
               });
}

JobTerms Restraint::terms() const {
    JobTerms terms;
    terms.rate = rate_;
    if (slow_) {
        terms.pause_us = static_cast<std::uint64_t>(slow_->count()) * 1000;
    }
    if (hours_) {
        const std::time_t now = std::time(nullptr);
        std::tm local{};
        ::localtime_r(&now, &local);
        const int east = static_cast<int>(local.tm_gmtoff / 60);
        const auto at_utc = [&](int minute) {
            return static_cast<unsigned>((minute - east + 2 * minutes_of_a_day) % minutes_of_a_day);
        };
        terms.from_minute = at_utc(hours_->from);
        terms.to_minute = at_utc(hours_->to);
    }
    return terms;
}

std::string Restraint::reason(Admin& admin, const RingView& ring) const {
    if (hours_ && !hours_->contain(minute_of_day())) {
        return fmt::format("until {:02}:{:02}", hours_->from / 60, hours_->from % 60);
    }
    if (!slow_) {
        return {};
    }
    for (const NodeInfo& node : ring.nodes) {
        const auto stats = admin.stats_at(node.client_address);
        const auto p99 = stats ? stats->find("requests.recent_p99") : decltype(stats->end()){};
        if (stats && p99 != stats->end() &&
            p99->second > static_cast<double>(slow_->count()) * 1000) {
            return fmt::format("p99 is {:.1f} ms at {}", p99->second / 1000, node.name);
        }
    }
    return {};
}

bool Restraint::wait(Admin& admin, const RingView& ring, std::uint64_t done,
                     const Reporter& reporter) {
    if (!begun_) {
        begun_ = steady_clock::now();
    }
    if ((slow_ || hours_) && steady_clock::now() >= next_look_) {
        const auto since = steady_clock::now();
        bool told = false;
        for (auto why = reason(admin, ring); !why.empty(); why = reason(admin, ring)) {
            if (!std::exchange(told, true)) {
                reporter.remark("pauses: " + why);
            }
            if (!sleep_until(steady_clock::now() + between_looks)) {
                return false;
            }
        }
        if (told) {
            reporter.remark("goes on");
            paused_ += steady_clock::now() - since;
        }
        next_look_ = steady_clock::now() + between_looks;
    }
    if (rate_ == 0) {
        return !interrupted();
    }
    return sleep_until(*begun_ + paused_ + std::chrono::microseconds(done * 1'000'000 / rate_));
}

}  // namespace dynamo::cli
