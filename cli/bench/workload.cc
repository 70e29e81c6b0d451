#include "cli/bench/workload.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace dynamo::cli {
namespace {

constexpr std::size_t pool_starts = 1U << 16;  // places where a slice may begin

struct Header {
    std::uint32_t check = 0;  ///< of all that follows
    std::uint32_t size = 0;
    Stamp stamp;
};
static_assert(sizeof(Header) == Values::header_bytes);

/// Every bit of the result depends on every bit of the stamp and the size.
std::uint64_t mixed(const Stamp& stamp, std::size_t size) {
    std::uint64_t hash = 0x44'59'4e'42;
    for (const std::uint64_t part : {stamp.run, stamp.number, stamp.key, std::uint64_t{size}}) {
        hash = (hash ^ part) * 0x9e3779b97f4a7c15;
        hash ^= hash >> 32;
    }
    return hash;
}

/// ln(1 + x) / x, near 0 as well.
double log_ratio(double x) {
    return std::abs(x) > 1e-8 ? std::log1p(x) / x : 1 - x * (0.5 - x / 3);
}

/// (e^x - 1) / x, near 0 as well.
double exp_ratio(double x) {
    return std::abs(x) > 1e-8 ? std::expm1(x) / x : 1 + x * 0.5 * (1 + x / 3);
}

}  // namespace

double fraction(Dice& dice) { return static_cast<double>(dice() >> 11) * 0x1p-53; }

// ------------------------------------------------------------------------------------------ keys

// Zipf by rejection-inversion (W. Hormann, G. Derflinger: Rejection-inversion to generate variates
// from monotone discrete distributions, 1996): a point under the curve x^-theta is chosen by
// inverting its integral, and taken when it also lies under the histogram's bar of its number. It
// needs no table, however many keys there are, and seldom a second try.

KeyChooser KeyChooser::uniform(std::uint64_t keys) { return KeyChooser(keys); }

KeyChooser KeyChooser::zipf(std::uint64_t keys, double theta) {
    KeyChooser chooser(keys);
    chooser.theta_ = theta;
    chooser.area_first_ = chooser.area(1.5) - 1;
    chooser.area_last_ = chooser.area(static_cast<double>(keys) + 0.5);
    chooser.surely_ = 2 - chooser.area_inverse(chooser.area(2.5) - chooser.height(2));
    return chooser;
}

double KeyChooser::height(double x) const { return std::exp(-theta_ * std::log(x)); }

double KeyChooser::area(double x) const {
    const double log = std::log(x);
    return exp_ratio((1 - theta_) * log) * log;
}

double KeyChooser::area_inverse(double area) const {
    // Rounding must not push it past where the logarithm ends.
    const double scaled = std::max(area * (1 - theta_), -1.0);
    return std::exp(log_ratio(scaled) * area);
}

std::uint64_t KeyChooser::next(Dice& dice) const {
    if (theta_ == 0) {
        return std::min(static_cast<std::uint64_t>(fraction(dice) * static_cast<double>(keys_)),
                        keys_ - 1);
    }
    for (;;) {
        const double at = area_last_ + fraction(dice) * (area_first_ - area_last_);
        const double x = area_inverse(at);
        const double number = std::clamp(std::floor(x + 0.5), 1.0, static_cast<double>(keys_));
        if (number - x <= surely_ || at >= area(number + 0.5) - height(number)) {
            return static_cast<std::uint64_t>(number) - 1;
        }
    }
}

// ---------------------------------------------------------------------------------------- values

Values::Values(SizeRange sizes) : sizes_(sizes) {
    // The same octets in every run, so that one can check what another has written.
    Dice dice(20071014);
    pool_.resize(pool_starts + std::max<std::size_t>(sizes.most, 1U << 16));
    for (std::size_t at = 0; at < pool_.size(); at += sizeof(std::uint64_t)) {
        const std::uint64_t octets = dice();
        std::memcpy(&pool_[at], &octets, std::min(sizeof octets, pool_.size() - at));
    }
}

std::string_view Values::slice(const Stamp& stamp, std::size_t size) const {
    return std::string_view(pool_).substr((mixed(stamp, size) >> 32) % pool_starts, size);
}

std::string Values::make(const Stamp& stamp, Dice& dice) const {
    std::size_t size = sizes_.least;
    if (sizes_.most > sizes_.least) {
        const auto sizes = static_cast<double>(sizes_.most - sizes_.least + 1);
        size += static_cast<std::size_t>(fraction(dice) * sizes);
    }
    std::string value(slice(stamp, size));
    if (size >= header_bytes) {
        const Header header{static_cast<std::uint32_t>(mixed(stamp, size)),
                            static_cast<std::uint32_t>(size), stamp};
        std::memcpy(value.data(), &header, sizeof header);
    }
    return value;
}

std::optional<Stamp> Values::read(std::string_view value) const {
    Header header;
    if (value.size() < sizeof header) {
        return std::nullopt;
    }
    std::memcpy(&header, value.data(), sizeof header);
    if (header.size != value.size() ||
        header.check != static_cast<std::uint32_t>(mixed(header.stamp, value.size()))) {
        return std::nullopt;
    }
    // A longer one, of a run with larger values, is checked as far as this pool reaches.
    const std::string_view written = slice(header.stamp, value.size());
    if (written.substr(sizeof header) !=
        value.substr(sizeof header, written.size() - sizeof header)) {
        return std::nullopt;
    }
    return header.stamp;
}

}  // namespace dynamo::cli
