#include "tests/sim/mutants.h"

#include <algorithm>
#include <array>

namespace dynamo::sim {
namespace {

constexpr std::array bugs = {
    PlantedBug{Mutant::replica_overwrites, "replica_overwrites", "replicas merge"},
    PlantedBug{Mutant::error_is_not_found, "error_is_not_found",
               "a read error is not an absent key"},
    PlantedBug{Mutant::actor_outlives_run, "actor_outlives_run", "an actor ends with its run"},
    PlantedBug{Mutant::full_clock_returned, "full_clock_returned",
               "a put's reply covers its own context and write only"},
    PlantedBug{Mutant::hint_dropped_when_sent, "hint_dropped_when_sent",
               "a hint stays until its owner has it"},
    PlantedBug{Mutant::acknowledged_before_commit, "acknowledged_before_commit",
               "nothing is said before it is durable"},
    PlantedBug{Mutant::hint_counts_for_coordinator, "hint_counts_for_coordinator",
               "the coordinator's own hint does not count towards W"},
    PlantedBug{Mutant::answers_counted_twice, "answers_counted_twice", "a replica counts once"},
    PlantedBug{Mutant::context_drops_all, "context_drops_all",
               "a put drops only what its context covers"},
    PlantedBug{Mutant::delete_erases, "delete_erases", "a delete leaves a tombstone"},
    PlantedBug{Mutant::hint_erased_though_changed, "hint_erased_though_changed",
               "a hint that changed stays"},
    PlantedBug{Mutant::blind_supersedes, "blind_supersedes", "a blind put supersedes nothing"},
    PlantedBug{Mutant::exchange_one_way, "exchange_one_way", "an exchange gives and takes"},
    PlantedBug{Mutant::w_minus_one, "w_minus_one", "an acknowledgement means W copies"},
};

}  // namespace

std::span<const PlantedBug> planted_bugs() { return bugs; }

std::optional<Mutant> mutant_named(std::string_view name) {
    const auto at = std::ranges::find(bugs, name, &PlantedBug::name);
    return at == bugs.end() ? std::nullopt : std::optional(at->mutant);
}

std::string_view name_of(Mutant mutant) {
    const auto at = std::ranges::find(bugs, mutant, &PlantedBug::mutant);
    return at == bugs.end() ? "none" : at->name;
}

}  // namespace dynamo::sim
