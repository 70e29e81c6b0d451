// The checks at the end of a run, each one an invariant, each one naming what it saw.
//
// Those that hold at every moment are made where things happen: ledger (every committed record),
// answers (every reply), cluster (every erased hint).
//
// Threads: one
#pragma once

#include <vector>

#include "tests/sim/cluster.h"
#include "tests/sim/workload.h"

namespace dynamo::sim {

/// The cluster as it is at the end: who is alive, which keys were used.
struct Scene {
    World& world;
    Cluster& cluster;
    std::vector<unsigned> alive;
    std::vector<Bytes> keys;
    /// The owners of a key that are alive.
    [[nodiscard]] std::vector<unsigned> owners(const Bytes& key) const;
};

/// 5: why replicas are not identical yet; empty when they are.
[[nodiscard]] std::string not_converged(Scene& scene);
/// 8: who still holds hints for living nodes; empty when nobody does.
[[nodiscard]] std::string undelivered_hints(Scene& scene);

/// What is still kept of a key for owners that never come back.
[[nodiscard]] Object undeliverable(Scene& scene, const Bytes& key);

/// 1: every acknowledged write is shown, or superseded by something that the final state has seen.
void check_nothing_lost(Scene& scene, const Bytes& key, const Object& final);
/// 2: nothing that is shown was superseded by an acknowledged write.
void check_nothing_returned(Scene& scene, const Bytes& key, const Object& final);
/// 4: no more values than concurrent writes.
void check_no_explosion(Scene& scene, const Bytes& key, const Object& final);
/// 12: on states that this run has met.
void check_merge_laws(Verdict& verdict, const Bytes& key, const std::vector<Object>& states);
/// 9: one digest per epoch on all nodes.
void check_one_ring(Scene& scene);
/// 10: the trees of all nodes are those that their records make.
void check_trees(Scene& scene);
/// A get through any living node shows the final state.
void check_final_gets(Scene& scene, const Bytes& key, const Object& final);
/// The same once an owner of the key is gone for good, for which stand-ins hold nothing: whoever
/// was never given the key may not answer for those that have it. Ends that owner; a last check.
void check_gets_without_an_owner(Scene& scene, const Bytes& key);
/// 11: a put through each living owner of the key succeeds within two request time-outs.
void check_available(Scene& scene, Workload& workload, const Bytes& key);

/// Waits until replicas are identical, hints delivered and clients answered; a violation when that
/// takes longer than two full rounds of anti-entropy.
void settle(Scene& scene, const Workload& workload);
/// All of the above that ask for the final state.
void judge(Scene& scene);

}  // namespace dynamo::sim
