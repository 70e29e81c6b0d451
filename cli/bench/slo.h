// A target that a benchmark has to meet: "p99.9<300ms", "put.max<=1s", "errors<0.1%", "ops>1000".
//
//     [get.|put.] pNN | mean | max | errors | ops    < | <= | > | >=    number, with a unit
//
// Threads: a plain value
// Errors:  bad_request says how one is written
#pragma once

#include <string>

#include "cli/bench/tally.h"

namespace dynamo::cli {

class Slo {
  public:
    [[nodiscard]] static Result<Slo> from_text(const std::string& text);

    /// `seconds` is the measured time.
    [[nodiscard]] bool met(const Tally& tally, double seconds) const;
    /// "p99.9<300ms: 412.000 ms".
    [[nodiscard]] std::string missed_text(const Tally& tally, double seconds) const;
    [[nodiscard]] const std::string& text() const { return text_; }

  private:
    enum class Scope : std::uint8_t { all, gets, puts };
    enum class Measure : std::uint8_t { percentile, mean, max, errors, error_share, rate };
    enum class Order : std::uint8_t { less, at_most, more, at_least };

    /// In nanoseconds, operations, a share, or operations a second.
    [[nodiscard]] double measured(const Tally& tally, double seconds) const;
    [[nodiscard]] Result<void> read_measure(std::string name);
    [[nodiscard]] Result<void> read_limit(const std::string& limit);

    std::string text_;
    Scope scope_ = Scope::all;
    Measure measure_ = Measure::percentile;
    double share_ = 0;  ///< of Measure::percentile
    Order order_ = Order::less;
    double limit_ = 0;
};

/// A number without a sign: digits, and a fraction if need be. bad_request otherwise.
[[nodiscard]] Result<double> decimal_from_text(const std::string& text);

}  // namespace dynamo::cli
