// The planted bugs: every one must be found, or a checker is blind.
//
// Threads: constants
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "daemon/node/options.h"

namespace dynamo::sim {

struct PlantedBug {
    Mutant mutant;
    std::string_view name;
    std::string_view breaks;  ///< the rule, in words
};

[[nodiscard]] std::span<const PlantedBug> planted_bugs();
[[nodiscard]] std::optional<Mutant> mutant_named(std::string_view name);
[[nodiscard]] std::string_view name_of(Mutant mutant);

/// Seeds within which each must be found.
inline constexpr std::uint64_t mutant_seeds = 2000;

}  // namespace dynamo::sim
