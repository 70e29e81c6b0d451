// What a node is started with, and what the loop tells it of the outside.
//
// Threads: plain values
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "libdynamo/base/time.h"
#include "libdynamo/ring/ring.h"
#include "libdynamo/wire/frames.h"

namespace dynamo {

/// Rules that the simulator breaks on purpose, one at a time, to prove that its checkers see it
/// (tests/sim/mutants.h). Only its own build of the core asks for them (desk.h).
enum class Mutant : std::uint8_t {
    none,
    replica_overwrites,           ///< a replica write replaces the record instead of merging
    error_is_not_found,           ///< a failed read answers as an absent key
    actor_outlives_run,           ///< goes on with a record's actor after a restart
    full_clock_returned,          ///< a put's reply covers everything that the coordinator has seen
    hint_dropped_when_sent,       ///< a hint is erased before its owner has acknowledged it
    acknowledged_before_commit,   ///< (simulator's loop) sends before it commits
    hint_counts_for_coordinator,  ///< a hint that the coordinator keeps counts towards W
    answers_counted_twice,        ///< a replica that answers twice counts twice
    context_drops_all,            ///< a put drops siblings that its context does not cover
    delete_erases,                ///< a delete removes the record instead of leaving a tombstone
    hint_erased_though_changed,   ///< a hint that changed since it was sent is erased on the answer
    blind_supersedes,             ///< a blind put supersedes what the coordinator holds
    exchange_one_way,             ///< anti-entropy takes from the peer and never gives
    w_minus_one,                  ///< acknowledges with one durable copy too few
    r_minus_one,                  ///< answers a get with one answer too few
    damaged_is_absent,            ///< a record whose checksum is wrong answers as an absent key
    damaged_is_replaced,          ///< what comes first makes a damaged record whole
    mended_from_one,              ///< one other owner's answer makes a damaged record whole
    wiped_answers_reads,          ///< a replica whose copy was lost answers reads at once
    rebuilt_from_one,             ///< one pass makes a lost copy whole
    rebuild_not_noted,            ///< what is being rebuilt is forgotten by a restart
    foreign_dot_flattened,        ///< a context's isolated dots become an interval from 1
    clock_truncated,              ///< a clock is cut at its newest entries (the paper's ten)
    wall_clock_decides,           ///< the largest timestamp wins though siblings are to be kept
    clocks_not_joined,            ///< a merge keeps siblings and forgets what the other had seen
    delete_drops_all,             ///< a delete removes what its context does not cover
    forward_obeyed_twice,         ///< a repeated forward is a second write
    subset_returned,              ///< one sibling, with a context that covers all
    acknowledged_unstored,        ///< a replica whose storage refuses acknowledges all the same
    failed_commit_answered,       ///< a commit fails, and its answers leave
    undone_actor_goes_on,         ///< after a failed commit the run, and so the actor, stays
    acknowledged_early,           ///< a replica's acknowledgement leaves before its commit
    hint_erased_on_refusal,       ///< a hint is erased when its owner has declined it
    reply_lacks_own_write,        ///< a put's context does not cover the put
    failed_sync_forgotten,        ///< (simulator's disk) goes on after an fsync that failed
    short_log_accepted,           ///< (simulator's start) a shortened log is taken for all there is
    empty_stand_ins_answer,       ///< stand-ins that hold nothing make a read by themselves
    tree_misses_changes,          ///< a Merkle tree is not told of changes
    tree_keeps_undone,            ///< a Merkle tree keeps what a failed commit has undone
    kept_part_goes_on,            ///< a stored part of a tree stays when a record of it changes
    tree_always_equal,            ///< whoever is asked finds its tree to be equal
    job_asks_one_owner,           ///< a job takes a partition for done with one of its owners
    job_counts_abandoned,         ///< a job counts comparisons that were not brought to an end
    old_states_taken,             ///< a state is stored however long ago it was read
    fence_raised_alone,           ///< the fence goes up though not every member has been there
    fence_raised_with_hints,      ///< it goes up though hints are kept
    purged_at_once,               ///< a tombstone goes though it changed a moment ago
    purged_from_some,             ///< it goes though one owner was not asked
    put_back_goes_on,             ///< a node that was put back keeps what it holds
    reduced_actor_goes_on,        ///< a record mints on with an actor that its clock has dropped
    writes_newest_list,           ///< a write counts owners of the newest list only
    writes_oldest_list,           ///< a write counts owners of the oldest live list only
    reads_newest_list,            ///< a read counts owners of the newest list only
    reads_oldest_list,            ///< a read counts owners of the oldest live list only
    old_ring_writes,              ///< a write is stored whatever ring its coordinator knows
    gained_at_once,               ///< a gained partition is complete before anything is learnt
    learnt_from_one,              ///< one other owner's copy makes a gained partition complete
    dropped_at_once,              ///< what moved away is dropped before it is handed over
    dropped_after_one,            ///< it is dropped when one owner has it
    departed_hint_dropped,        ///< a hint for a node that is no owner any more is forgotten
    departed_hint_to_one,         ///< it is forgotten when one owner has it
    vote_by_minority,             ///< half of the members choose a ring
    vote_forgets,                 ///< a voter's promise does not survive a restart
    vote_ignores_accepted,        ///< a proposer does not take over what may have been chosen
    vote_ignores_promise,         ///< a voter accepts what comes before its promise
    complete_for_all,             ///< one owner notes a partition complete at all owners
    released_with_hints,          ///< who has left is done though it keeps hints
    released_unsynced,            ///< ... before it is on the disk that it holds nothing
    sent_again_as_new,            ///< a state that is sent later is stamped when it is sent
    merge_mints,                  ///< a merged state's versions are written as if they were new
    merge_replaces,               ///< a merged state takes the place of what is held
};

struct NodeOptions {
    Member self;                     ///< as announced to others
    std::vector<std::string> seeds;  ///< peer addresses; empty: this node founds a cluster
    ClusterSettings founding;        ///< what it founds with
    bool refuse_other_name = false;  ///< waiting: adopt only a cluster called founding.name
    wire::Limits limits;
    Duration request_timeout = std::chrono::milliseconds(2000);  ///< when a client names none
    Duration replica_timeout =
        std::chrono::milliseconds(400);  ///< silence before a stand-in is asked
    Duration gossip_interval = std::chrono::milliseconds(1000);
    /// Rings that are remembered though nothing needs them; on all nodes the same, or their states
    /// never agree.
    std::size_t kept_rings = 8;
    Duration probe_interval = std::chrono::milliseconds(500);      ///< of suspected peers
    Duration handback_interval = std::chrono::milliseconds(500);   ///< between looks at held hints
    Duration exchange_interval = std::chrono::milliseconds(1000);  ///< between anti-entropy turns
    Duration purge_interval = std::chrono::seconds(60);            ///< between steps of the fence
    /// Within which every other owner of every partition is compared with.
    Duration exchange_pass = std::chrono::hours(1);
    /// p99 of requests that background work keeps below (section 6.5); 0: learnt.
    Duration background_p99{0};
    /// A part of a tree that has not changed for so long is stored.
    Duration keep_trees_every = std::chrono::seconds(60);
    std::size_t exchange_rows = 256;   ///< that one offer of an exchange spans at most
    std::size_t scrub_every = 8;       ///< of so many turns with an owner, one reads all records
    std::size_t hints_in_flight = 64;  ///< being handed back
    std::size_t max_requests = 65536;  ///< in progress; one more is answered `busy`
    std::size_t max_siblings = 64;     ///< of one object
    std::size_t max_object_bytes = 8u << 20;
    std::size_t max_clock_entries = 4096;  ///< of a state that a client merges
    std::string version = "0";             ///< for `hello`
    std::string durability = "sync";       ///< for `status`; the loop does the committing
    Mutant mutant = Mutant::none;
};

/// What the loop knows of the outside (paper section 6.5).
struct LoadSample {
    std::uint64_t free_bytes = UINT64_MAX;
    std::uint64_t stored_bytes = 0;
    bool refuse_writes = false;  ///< the disk is below its low-water mark
    Duration last_commit{0};
    /// What only the loop can count, by dotted name; added to `stats` as it is.
    std::vector<std::pair<std::string, double>> gauges;
};

}  // namespace dynamo
