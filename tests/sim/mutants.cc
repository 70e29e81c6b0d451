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
    PlantedBug{Mutant::r_minus_one, "r_minus_one", "a get means R answers"},
    PlantedBug{Mutant::damaged_is_absent, "damaged_is_absent",
               "a damaged record is not an absent key"},
    PlantedBug{Mutant::damaged_is_replaced, "damaged_is_replaced",
               "a damaged record is not made whole by what comes first"},
    PlantedBug{Mutant::mended_from_one, "mended_from_one",
               "a damaged record is whole when enough others have told"},
    PlantedBug{Mutant::wiped_answers_reads, "wiped_answers_reads",
               "a lost copy answers no read before it is rebuilt"},
    PlantedBug{Mutant::rebuilt_from_one, "rebuilt_from_one",
               "a lost copy is rebuilt from N - W + 1 others"},
    PlantedBug{Mutant::rebuild_not_noted, "rebuild_not_noted", "a rebuild goes on after a restart"},
    PlantedBug{Mutant::foreign_dot_flattened, "foreign_dot_flattened",
               "isolated dots stay isolated"},
    PlantedBug{Mutant::clock_truncated, "clock_truncated", "clocks are never cut"},
    PlantedBug{Mutant::wall_clock_decides, "wall_clock_decides",
               "wall clocks do not decide between versions"},
    PlantedBug{Mutant::clocks_not_joined, "clocks_not_joined", "a merge joins the clocks"},
    PlantedBug{Mutant::delete_drops_all, "delete_drops_all",
               "a delete drops only what its context covers"},
    PlantedBug{Mutant::forward_obeyed_twice, "forward_obeyed_twice",
               "a repeated forward is obeyed once"},
    PlantedBug{Mutant::subset_returned, "subset_returned",
               "a context covers what is shown and no more"},
    PlantedBug{Mutant::acknowledged_unstored, "acknowledged_unstored",
               "what is acknowledged is stored"},
    PlantedBug{Mutant::failed_commit_answered, "failed_commit_answered", "a failed commit is told"},
    PlantedBug{Mutant::undone_actor_goes_on, "undone_actor_goes_on",
               "an undone dot is never given again"},
    PlantedBug{Mutant::acknowledged_early, "acknowledged_early",
               "replicas acknowledge after their commit"},
    PlantedBug{Mutant::hint_erased_on_refusal, "hint_erased_on_refusal",
               "a hint stays until its owner has stored it"},
    PlantedBug{Mutant::reply_lacks_own_write, "reply_lacks_own_write",
               "a put's context covers the put"},
    PlantedBug{Mutant::failed_sync_forgotten, "failed_sync_forgotten",
               "after a failed sync the process ends"},
    PlantedBug{Mutant::short_log_accepted, "short_log_accepted",
               "a log that ends early is noticed"},
    PlantedBug{Mutant::tree_misses_changes, "tree_misses_changes",
               "a tree is told of every change"},
    PlantedBug{Mutant::tree_keeps_undone, "tree_keeps_undone", "a tree forgets what was undone"},
    PlantedBug{Mutant::kept_part_goes_on, "kept_part_goes_on",
               "a stored part of a tree is what its records make"},
    PlantedBug{Mutant::tree_always_equal, "tree_always_equal", "trees that differ are told apart"},
    PlantedBug{Mutant::merge_mints, "merge_mints", "a merged version keeps its dot"},
    PlantedBug{Mutant::merge_replaces, "merge_replaces",
               "a merged state takes no newer one's place"},
    PlantedBug{Mutant::empty_stand_ins_answer, "empty_stand_ins_answer",
               "stand-ins that know nothing are no answer"},
    PlantedBug{Mutant::old_states_taken, "old_states_taken",
               "a state that was read long ago is refused"},
    PlantedBug{Mutant::job_asks_one_owner, "job_asks_one_owner",
               "a job compares a partition with all of its owners"},
    PlantedBug{Mutant::job_counts_abandoned, "job_counts_abandoned",
               "a job counts comparisons that were brought to an end"},
    PlantedBug{Mutant::fence_raised_alone, "fence_raised_alone",
               "the fence waits for every member"},
    PlantedBug{Mutant::fence_raised_with_hints, "fence_raised_with_hints",
               "the fence waits for hints to be delivered"},
    PlantedBug{Mutant::purged_at_once, "purged_at_once", "a tombstone stays for three numbers"},
    PlantedBug{Mutant::purged_from_some, "purged_from_some",
               "a tombstone goes when all owners hold it alike"},
    PlantedBug{Mutant::put_back_goes_on, "put_back_goes_on",
               "a node that was put back gives up what it holds"},
    PlantedBug{Mutant::reduced_actor_goes_on, "reduced_actor_goes_on",
               "an actor ends with its entry in the clock"},
    PlantedBug{Mutant::sent_again_as_new, "sent_again_as_new",
               "a state is as old as when it was read"},
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
