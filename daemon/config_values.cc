#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <numeric>
#include <utility>

#include "daemon/config.h"

namespace dynamo {

namespace {

struct Unit {
    std::string_view name;
    std::uint64_t factor;
};

constexpr std::array<Unit, 6> size_units = {{{"", 1},
                                             {"B", 1},
                                             {"KiB", 1ULL << 10},
                                             {"MiB", 1ULL << 20},
                                             {"GiB", 1ULL << 30},
                                             {"TiB", 1ULL << 40}}};

constexpr std::array<Unit, 5> duration_units = {
    {{"us", 1}, {"ms", 1000}, {"s", 1'000'000}, {"m", 60'000'000}, {"h", 3'600'000'000}}};

/// A whole number followed by one of the units; nothing when it is not that or overflows.
std::optional<std::uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
    for (const auto& unit : units) {
        if (unit.name != name) continue;
        if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) return std::nullopt;
        return number * unit.factor;
    }
    return std::nullopt;
}

/// How many octets must be inserted, removed, replaced or swapped with a neighbour to get from one
/// word to the other.
std::size_t edits_between(std::string_view from, std::string_view to) {
    std::vector<std::vector<std::size_t>> edits(from.size() + 1,
                                                std::vector<std::size_t>(to.size() + 1));
    for (std::size_t i = 0; i <= from.size(); ++i) edits[i][0] = i;
    std::iota(edits[0].begin(), edits[0].end(), std::size_t{0});
    for (std::size_t i = 1; i <= from.size(); ++i)
        for (std::size_t j = 1; j <= to.size(); ++j) {
            const std::size_t replaced = edits[i - 1][j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
            edits[i][j] = std::min({replaced, edits[i - 1][j] + 1, edits[i][j - 1] + 1});
            if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1])
                edits[i][j] = std::min(edits[i][j], edits[i - 2][j - 2] + 1);
        }
    return edits[from.size()][to.size()];
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
    if (const auto size = parse_with_unit(text, size_units)) return *size;
    return fail(Code::bad_request,
                fmt::format("'{}' is no size: write octets, or a whole number with KiB, MiB, GiB "
                            "or TiB, as in 64MiB",
                            text));
}

Result<Duration> parse_duration(std::string_view text) {
    if (const auto duration = parse_with_unit(text, duration_units))
        return Duration(static_cast<Duration::rep>(*duration));
    return fail(Code::bad_request, fmt::format("'{}' is no duration: write a whole number with us, "
                                               "ms, s, m or h, as in 400ms",
                                               text));
}

std::optional<std::string> closest_name(std::string_view name, std::span<const std::string> names) {
    std::optional<std::string> best;
    // More than a third of the word changed is another word.
    std::size_t fewest = std::max<std::size_t>(2, name.size() / 3) + 1;
    for (const auto& candidate : names) {
        const auto edits = edits_between(name, candidate);
        if (edits < fewest) {
            fewest = edits;
            best = candidate;
        }
    }
    if (best) return best;
    // Half a name typed is as clear as a misspelt one.
    for (const auto& candidate : names)
        if (name.size() >= 3 && candidate.starts_with(name)) return candidate;
    return std::nullopt;
}

}  // namespace dynamo
