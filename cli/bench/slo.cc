#include "cli/bench/slo.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace dynamo::cli {
namespace {

struct Unit {
    std::string_view name;
    double factor;
};
constexpr Unit times[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};

}  // namespace

Result<double> decimal_from_text(const std::string& text) {
    double number = 0;
    const char* end = text.data() + text.size();
    const bool plain = !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
    const auto read = std::from_chars(text.data(), end, number, std::chars_format::fixed);
    if (!plain || read.ec != std::errc() || read.ptr != end) {
        return fail(Code::bad_request, fmt::format("'{}' is not a number", text));
    }
    return number;
}

Result<Slo> Slo::from_text(const std::string& text) {
    const auto wrong = [&text](const std::string& why) {
        return fail(Code::bad_request,
                    fmt::format("'{}': {}; write p99.9<300ms, put.max<1s, errors<0.1% or ops>1000",
                                text, why));
    };
    Slo slo;
    slo.text_ = text;
    const auto sign = text.find_first_of("<>");
    if (sign == std::string::npos) {
        return wrong("it has no < or >");
    }
    const bool or_equal = text.substr(sign + 1).starts_with('=');
    slo.order_ = text[sign] == '<' ? (or_equal ? Order::at_most : Order::less)
                                   : (or_equal ? Order::at_least : Order::more);
    if (const auto measure = slo.read_measure(text.substr(0, sign)); !measure) {
        return wrong(measure.error().message);
    }
    if (const auto limit = slo.read_limit(text.substr(sign + (or_equal ? 2 : 1))); !limit) {
        return wrong(limit.error().message);
    }
    return slo;
}

Result<void> Slo::read_measure(std::string name) {
    if (name.starts_with("get.") || name.starts_with("put.")) {
        scope_ = name.starts_with("get.") ? Scope::gets : Scope::puts;
        name.erase(0, 4);
    }
    if (name == "mean" || name == "max" || name == "errors" || name == "ops") {
        measure_ = name == "mean"  ? Measure::mean
                   : name == "max" ? Measure::max
                   : name == "ops" ? Measure::rate
                                   : Measure::errors;
        return {};
    }
    const auto percent =
        name.starts_with('p') ? decimal_from_text(name.substr(1)) : fail(Code::bad_request, "");
    if (!percent || *percent > 100) {
        return fail(Code::bad_request, fmt::format("there is no '{}'", name));
    }
    share_ = *percent / 100;
    return {};
}

Result<void> Slo::read_limit(const std::string& limit) {
    const auto digits = std::min(limit.find_first_not_of("0123456789."), limit.size());
    const auto number = decimal_from_text(limit.substr(0, digits));
    if (!number) {
        return std::unexpected(number.error());
    }
    const std::string unit = limit.substr(digits);
    limit_ = *number;
    if (measure_ == Measure::errors && unit == "%") {
        measure_ = Measure::error_share;
        limit_ /= 100;
        return {};
    }
    if (measure_ == Measure::errors || measure_ == Measure::rate) {
        return unit.empty() ? Result<void>{}
                            : fail(Code::bad_request, fmt::format("no unit '{}' here", unit));
    }
    const auto* time = std::ranges::find(times, unit, &Unit::name);
    if (time == std::end(times)) {
        return fail(Code::bad_request, "a time needs ns, us, ms or s");
    }
    limit_ *= time->factor;
    return {};
}

double Slo::measured(const Tally& tally, double seconds) const {
    const Histogram latency = scope_ == Scope::gets   ? tally.gets.latency
                              : scope_ == Scope::puts ? tally.puts.latency
                                                      : tally.latency();
    const auto failed = static_cast<double>((scope_ != Scope::puts ? tally.gets.failed : 0) +
                                            (scope_ != Scope::gets ? tally.puts.failed : 0));
    const auto done = static_cast<double>(latency.count());
    switch (measure_) {
        case Measure::percentile:
            return static_cast<double>(latency.at(share_));
        case Measure::mean:
            return latency.mean();
        case Measure::max:
            return static_cast<double>(latency.max());
        case Measure::errors:
            return failed;
        case Measure::error_share:
            return failed + done > 0 ? failed / (failed + done) : 0;
        case Measure::rate:
            return seconds > 0 ? done / seconds : 0;
    }
    return 0;
}

bool Slo::met(const Tally& tally, double seconds) const {
    const bool timed =
        measure_ == Measure::percentile || measure_ == Measure::mean || measure_ == Measure::max;
    const std::uint64_t records = scope_ == Scope::gets   ? tally.gets.latency.count()
                                  : scope_ == Scope::puts ? tally.puts.latency.count()
                                                          : tally.done();
    if (timed && records == 0) {
        return false;  // nothing succeeded: no latency meets a target
    }
    const double value = measured(tally, seconds);
    switch (order_) {
        case Order::less:
            return value < limit_;
        case Order::at_most:
            return value <= limit_;
        case Order::more:
            return value > limit_;
        case Order::at_least:
            return value >= limit_;
    }
    return false;
}

std::string Slo::missed_text(const Tally& tally, double seconds) const {
    const double value = measured(tally, seconds);
    switch (measure_) {
        case Measure::errors:
            return fmt::format("{}: {:.0f}", text_, value);
        case Measure::error_share:
            return fmt::format("{}: {:.4f}%", text_, value * 100);
        case Measure::rate:
            return fmt::format("{}: {:.0f} ops/s", text_, value);
        default:
            return fmt::format("{}: {:.3f} ms", text_, value / 1e6);
    }
}

}  // namespace dynamo::cli
