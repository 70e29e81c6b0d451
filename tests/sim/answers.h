// What an answer claims, held against the ledger.
//
// Called when the answer leaves its node, so that "W nodes hold it durably" is asked at the moment
// at which it is promised.
//
// Threads: one
#pragma once

#include "tests/sim/cluster.h"
#include "tests/sim/workload.h"

namespace dynamo::sim {

/// The writes that W owners of each live list hold for certain, by the newest ring there is: a read
/// that begins now has to see them, whatever changes meanwhile.
[[nodiscard]] WriteSet on_every_list(World& world, Cluster& cluster, const Bytes& key);

/// Invariants 3 and 6 for a get: it shows what was written, and its context covers exactly that and
/// what it supersedes. Fills in what was shown.
void check_got(World& world, const Cluster& cluster, LogEntry& entry, const wire::GetReply& reply);

/// Invariant 1 at the moment of the answer, and 6: the context names the write and what it
/// supersedes, nothing else. Marks the write as acknowledged.
void check_stored(World& world, Cluster& cluster, LogEntry& entry, const Bytes& token,
                  bool existed);

/// A backup shows exactly the newest of the writes that its clock covers.
void check_state_read(World& world, LogEntry& entry, const Bytes& state);
/// What a restore has brought in counts as acknowledged from now on: W nodes hold it.
void check_merged(World& world, Cluster& cluster, LogEntry& entry);

/// Invariant 3: what is not applied is found nowhere.
void check_failed(World& world, LogEntry& entry, const wire::ErrorReply& reply);

/// The writes that a context token covers; a violation when it is no token of this key.
[[nodiscard]] WriteSet token_set(World& world, const Cluster& cluster, const Bytes& key,
                                 const Bytes& token);

}  // namespace dynamo::sim
