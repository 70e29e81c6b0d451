// The vote: how the members choose the next ring, so that each number is chosen once (past paper
// section 4.8, which lets two operators' changes meet; libdynamo/ring/transition.h).
//
//     proposer  VoteAsk{number, ballot}         ──►  members of the head: promise, if no later
//               ◄── VoteReply: promised, and what it has accepted before
//     a majority: what was accepted under the latest ballot, else the plan
//               VoteAsk{number, ballot, ring}   ──►  accept, unless promised to a later ballot
//               ◄── VoteReply: accepted
//     a majority: chosen ──► appended, persisted, gossiped
//
// That is Paxos for one decree, number by number. Before each question the proposer gives its ring,
// so that nobody votes on what it cannot check. Two that propose at once hinder each other for a
// while; each waits a random time before it tries again. Who has accepted a ring and hears no
// outcome brings the vote to its end itself: else a chosen ring could sleep with a dead proposer.
//
// New members do not vote on their own joining; those that leave vote on their leaving.
//
// Threads: one; the node's
// Errors:  what an operator is told: stale_plan when another ring was chosen, quorum_not_met (it
// may
//          still be chosen) when no majority answers in time, busy
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/node/membership/members.h"

namespace dynamo {

class Vote {
  public:
    Vote(Desk& desk, Members& members) : desk_(desk), members_(members) {}

    /// What this node has promised and accepted, as it was persisted.
    void recall(wire::Ballots ballots);

    /// Who waits for the outcome of a commit.
    struct Operator {
        ClientHandle client = 0;
        std::uint64_t request = 0;
    };
    struct Outcome {
        Operator who;
        Result<wire::CommitReply> reply;
    };
    /// An operator commits a plan; what comes of it is among the outcomes, at once or later.
    void commit(const Operator& who, const wire::CommitRequest& request, Duration timeout);
    [[nodiscard]] std::vector<Outcome> take_outcomes() { return std::exchange(outcomes_, {}); }
    void on(const wire::PeerEnvelope& from, const wire::VoteAsk& ask);
    void on(const NodeId& from, const wire::VoteReply& reply);
    /// Another ring: a number may be decided.
    void on_ring();
    void tick();
    [[nodiscard]] Instant wake_at() const;
    /// Whether one is open here, as a proposer or as a voter that waits for the outcome.
    [[nodiscard]] bool open() const;

  private:
    struct Proposal {
        std::uint64_t id = 0;  ///< of the present question
        std::uint64_t number = 0;
        wire::Ballot ballot;
        Bytes plan;  ///< the ring that is proposed
        bool accepting = false;
        std::set<NodeId> granted;
        wire::Ballot seen;  ///< the latest under which something was accepted
        Bytes choice;       ///< and that, or the plan
        std::optional<Operator> who;
        Instant deadline;
        Instant asks_again;
    };
    void propose(Bytes plan, std::optional<Operator> who, Instant deadline);
    /// With the next ballot, from the beginning.
    void begin();
    void ask_all();
    void count(const NodeId& voter, const wire::VoteReply& reply);
    [[nodiscard]] wire::VoteReply judge(const NodeId& proposer, const wire::VoteAsk& ask);
    [[nodiscard]] std::size_t majority() const;
    void close(Result<wire::CommitReply> reply);

    Desk& desk_;
    Members& members_;
    wire::Ballots voter_;
    std::uint64_t highest_round_ = 0;  ///< that was heard of
    std::optional<Proposal> proposal_;
    std::vector<Outcome> outcomes_;
    Instant takes_over_ = Instant::max();  ///< what it has accepted, and whose outcome it waits for
};

}  // namespace dynamo
