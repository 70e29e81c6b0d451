// What a benchmark asks for: which key next, and what its value is.
//
// A value begins with a header that names the run, the write and the key; the rest is a slice of
// one pool of random octets, chosen by the header. So any value can be checked octet for octet by
// whoever reads it, in this run or a later one, without anything being remembered of it.
//
// Shape:   header: check 4, size 4, run 8, number 8, key 8, in the machine's own order
// Threads: KeyChooser has one owner; Values is read by any
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>

namespace dynamo::cli {

using Dice = std::mt19937_64;

/// Between 0 and 1, without 1.
[[nodiscard]] double fraction(Dice& dice);

/// Chooses key numbers, from 0 to one below `keys`. With zipf, number k comes up in proportion to
/// 1 / (k + 1)^theta: 0 is the hottest key.
class KeyChooser {
  public:
    [[nodiscard]] static KeyChooser uniform(std::uint64_t keys);
    /// `theta` is above 0.
    [[nodiscard]] static KeyChooser zipf(std::uint64_t keys, double theta);
    [[nodiscard]] std::uint64_t next(Dice& dice) const;

  private:
    explicit KeyChooser(std::uint64_t keys) : keys_(keys) {}
    [[nodiscard]] double height(double x) const;
    [[nodiscard]] double area(double x) const;
    [[nodiscard]] double area_inverse(double area) const;

    std::uint64_t keys_;
    double theta_ = 0;  ///< 0: uniform
    double area_first_ = 0;
    double area_last_ = 0;
    double surely_ = 0;
};

/// How many octets values have.
struct SizeRange {
    std::size_t least = 100;
    std::size_t most = 100;
};

/// What the header of a value says.
struct Stamp {
    std::uint64_t run = 0;     ///< which run wrote it
    std::uint64_t number = 0;  ///< which of its writes
    std::uint64_t key = 0;
};

class Values {
  public:
    static constexpr std::size_t header_bytes = 32;

    explicit Values(SizeRange sizes);

    /// A value of a size that the dice choose. One too small for the header has none.
    [[nodiscard]] std::string make(const Stamp& stamp, Dice& dice) const;
    /// What a value says of itself; none when it has no header or an octet differs from what was
    /// written.
    [[nodiscard]] std::optional<Stamp> read(std::string_view value) const;

  private:
    [[nodiscard]] std::string_view slice(const Stamp& stamp, std::size_t size) const;

    SizeRange sizes_;
    std::string pool_;
};

}  // namespace dynamo::cli
