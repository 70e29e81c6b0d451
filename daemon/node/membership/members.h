// Membership: the ring state that this node holds, how it spreads, and how it changes
// (paper section 4.8).
//
//     waiting ──(a gossiped ring names this node)──► member
//     founder: a ring of one from its first moment
//
// Each gossip interval one random other member, or a seed, is told the digest of our ring state;
// whoever differs answers with its whole state, and both end with the join of the two. State is
// handed to the loop to be persisted before anything that depends on it is sent.
//
// A change is staged, planned, then committed: by vote (vote.h), for every number is chosen once.
// What it moves, and what of that is done, transfer.h knows; the ring notes which copies are
// complete and who has handed over all.
//
// Threads: one; the node's
// Errors:  refused, stale_plan, not_joined: what an operator is told
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/node/desk.h"

namespace dynamo {

class Members {
  public:
    /// `ring`: what was persisted. None and no seeds: founds a cluster and has it persisted.
    Members(Desk& desk, std::optional<RingState> ring);

    /// None while waiting.
    [[nodiscard]] const RingState* ring() const { return ring_ ? &*ring_ : nullptr; }
    [[nodiscard]] bool joined() const;

    void on(const wire::PeerEnvelope& from, const wire::GossipDigest& message);
    void on(const wire::PeerEnvelope& from, const wire::GossipState& message);
    /// An envelope named a ring that differs from ours: gossip with its sender now.
    void on_other_ring(const wire::PeerEnvelope& from);

    [[nodiscard]] Result<wire::StageReply> stage(const wire::StageRequest& request);
    [[nodiscard]] Result<wire::PlanReply> plan() const;
    /// The ring that a commit asks for, complete, and on the present one.
    [[nodiscard]] Result<Epoch> proposed(const wire::CommitRequest& request) const;
    /// Whether an encoded epoch could come next.
    [[nodiscard]] bool may_follow(BytesView epoch) const;
    /// It was chosen: the new head.
    [[nodiscard]] Result<void> chosen(BytesView epoch);
    /// This node holds these partitions completely.
    void note_complete(const std::set<std::uint16_t>& partitions);
    /// This node was removed and has handed over all that it held.
    void note_released();
    /// Gives a peer our ring state now.
    void tell(const NodeId& peer);
    /// Another state each time it changes.
    [[nodiscard]] std::uint64_t revision() const { return revision_; }

    void tick();
    /// The next gossip; never while there is nobody to gossip with.
    [[nodiscard]] Instant wake_at() const;

  private:
    void take_up(RingState ring);
    void adopt(RingState ring);
    void adopt_first(RingState ring);
    void warn_of_old_addresses();
    [[nodiscard]] bool is_other_cluster(const wire::PeerEnvelope& from);
    void answer(const wire::PeerEnvelope& from, wire::PeerMessage message);
    void tell_state(const wire::PeerEnvelope& from, bool answer_wanted);
    [[nodiscard]] wire::GossipDigest root_message() const;
    [[nodiscard]] Result<Epoch> planned() const;
    [[nodiscard]] Result<void> check_joined() const;
    [[nodiscard]] Result<RingState> followed_by(BytesView epoch) const;
    void tell_all();
    void log_once(Severity severity, std::string text);

    Desk& desk_;
    std::optional<RingState> ring_;
    std::uint64_t revision_ = 0;
    Sha256 root_{};  ///< digest of `ring_`, kept because gossip compares it each second
    std::vector<std::string> seeds_;       ///< peer addresses with their ports; not our own
    std::map<NodeId, Instant> told_;       ///< who was told our root out of turn, and when
    std::set<std::string> refusals_told_;  ///< what has been logged once
    Instant next_gossip_;
};

}  // namespace dynamo
