#include "daemon/node/membership/vote.h"

#include <algorithm>
#include <utility>

#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

/// How long a voter waits for an outcome, and a proposer at most before it tries again, in times
/// that a message may take.
constexpr int patience = 12;
constexpr Duration shortest_vote = std::chrono::seconds(1);
constexpr Duration longest_vote = std::chrono::minutes(5);

}  // namespace

bool Vote::open() const {
    const RingState* ring = members_.ring();
    return ring && (proposal_ || (!voter_.value.empty() && voter_.number > ring->head().number));
}

void Vote::recall(wire::Ballots ballots) {
    voter_ = std::move(ballots);
    if (open()) takes_over_ = desk_.now.instant + patience * desk_.options.replica_timeout;
}

void Vote::commit(const Operator& who, const wire::CommitRequest& request, Duration timeout) {
    if (proposal_) {
        outcomes_.push_back(
            {who,
             fail(Code::busy, "this node is committing a change already; see dyn-ring status")});
        return;
    }
    auto epoch = members_.proposed(request);
    if (!epoch) {
        outcomes_.push_back({who, std::unexpected(epoch.error())});
        return;
    }
    if (timeout <= Duration::zero()) timeout = desk_.options.request_timeout;
    propose(wire::encode(*epoch), who,
            desk_.now.instant + std::clamp(timeout, shortest_vote, longest_vote));
}

void Vote::propose(Bytes plan, std::optional<Operator> who, Instant deadline) {
    proposal_ = Proposal{};
    proposal_->number = members_.ring()->head().number + 1;
    proposal_->plan = std::move(plan);
    proposal_->who = who;
    proposal_->deadline = deadline;
    begin();
}

void Vote::begin() {
    if (voter_.number == proposal_->number)
        highest_round_ = std::max(highest_round_, voter_.promised.round);
    proposal_->ballot = {++highest_round_, desk_.self()};
    proposal_->accepting = false;
    proposal_->granted.clear();
    proposal_->seen = {};
    proposal_->choice.clear();
    ask_all();
}

void Vote::ask_all() {
    Proposal& proposal = *proposal_;
    proposal.id = desk_.next_id();
    proposal.asks_again = desk_.now.instant + desk_.options.replica_timeout +
                          Duration(static_cast<Duration::rep>(desk_.random.below(
                              static_cast<std::uint64_t>(desk_.options.replica_timeout.count()))));
    const wire::VoteAsk ask{proposal.id, proposal.number, proposal.ballot.round,
                            proposal.accepting ? proposal.choice : Bytes{}};
    for (const Member& member : desk_.routes.members()) {
        if (member.id == desk_.self() || proposal.granted.contains(member.id)) continue;
        members_.tell(member.id);
        desk_.send(member.id, ask);
    }
    if (desk_.routes.is_member(desk_.self()) && !proposal.granted.contains(desk_.self()))
        count(desk_.self(), judge(desk_.self(), ask));
}

std::size_t Vote::majority() const {
    const std::size_t members = desk_.routes.members().size();
    if (desk_.breaks(Mutant::vote_by_minority)) return std::max<std::size_t>(1, members / 2);
    return members / 2 + 1;
}

void Vote::on(const NodeId& from, const wire::VoteReply& reply) {
    if (proposal_ && proposal_->id == reply.id) count(from, reply);
}

void Vote::count(const NodeId& voter, const wire::VoteReply& reply) {
    Proposal& proposal = *proposal_;
    highest_round_ = std::max(highest_round_, reply.promised_round);
    if (!desk_.routes.is_member(voter)) return;
    if (!reply.granted) return;  // tried again, with a later ballot, when it is time
    proposal.granted.insert(voter);
    const wire::Ballot accepted{reply.accepted_round, NodeId::from(reply.accepted_by)};
    if (!proposal.accepting && !reply.value.empty() && proposal.seen < accepted &&
        !desk_.breaks(Mutant::vote_ignores_accepted)) {
        proposal.seen = accepted;
        proposal.choice = reply.value;
    }
    if (proposal.granted.size() < majority()) return;
    if (!proposal.accepting) {
        proposal.accepting = true;
        proposal.granted.clear();
        if (proposal.choice.empty()) proposal.choice = proposal.plan;
        return ask_all();
    }
    const Bytes choice = proposal.choice;
    if (const auto chosen = members_.chosen(choice); !chosen)
        return close(std::unexpected(chosen.error()));
    on_ring();
}

/// The voter's side; what it says is persisted before it leaves.
wire::VoteReply Vote::judge(const NodeId& proposer, const wire::VoteAsk& ask) {
    const wire::Ballot ballot{ask.round, proposer};
    if (voter_.number != ask.number) voter_ = {ask.number, {}, {}, {}};
    const bool accepts = !ask.value.empty();
    const bool late = desk_.breaks(Mutant::vote_ignores_promise) ? false : ballot < voter_.promised;
    const bool granted = accepts ? !late : voter_.promised < ballot;
    if (granted) {
        voter_.promised = ballot;
        if (accepts) {
            voter_.accepted = ballot;
            voter_.value = ask.value;
            takes_over_ = desk_.now.instant + patience * desk_.options.replica_timeout +
                          Duration(static_cast<Duration::rep>(desk_.random.below(
                              static_cast<std::uint64_t>(patience) *
                              static_cast<std::uint64_t>(desk_.options.replica_timeout.count()))));
        }
        desk_.outbox.vote = voter_;
    }
    return {ask.id,
            granted,
            voter_.promised.round,
            voter_.accepted.round,
            Bytes(voter_.accepted.by.bytes()),
            accepts ? Bytes{} : voter_.value};
}

void Vote::on(const wire::PeerEnvelope& from, const wire::VoteAsk& ask) {
    const RingState* ring = members_.ring();
    const NodeId proposer = NodeId::from(from.from);
    if (!ring || !desk_.routes.is_member(desk_.self())) return;
    // Decided: the proposer learns how from the ring. Or it is ahead, and has just told its own.
    if (ask.number <= ring->head().number) return members_.tell(proposer);
    if (ask.number > ring->head().number + 1 || !desk_.routes.is_member(proposer)) return;
    if (!ask.value.empty() && !members_.may_follow(ask.value)) {
        desk_.counters.add("peers.malformed");
        return;
    }
    desk_.send(proposer, judge(proposer, ask));
}

void Vote::on_ring() {
    const std::uint64_t number = members_.ring() ? members_.ring()->head().number : 0;
    if (voter_.number <= number) takes_over_ = Instant::max();
    if (!proposal_ || proposal_->number > number) return;
    const auto& epochs = members_.ring()->epochs;
    const auto decided = std::ranges::find(epochs, proposal_->number, &Epoch::number);
    if (decided != epochs.end() && wire::encode(*decided) == proposal_->plan)
        return close(wire::CommitReply{proposal_->number});
    close(fail(Code::stale_plan, "another change was committed first, as ring " +
                                     std::to_string(proposal_->number) + " by " +
                                     (decided == epochs.end() ? std::string("another node")
                                                              : desk_.name_of(decided->proposer)) +
                                     "; look at the ring and plan again"));
}

void Vote::close(Result<wire::CommitReply> reply) {
    const auto who = proposal_->who;
    proposal_.reset();
    if (who) outcomes_.push_back({*who, std::move(reply)});
}

void Vote::tick() {
    const Instant now = desk_.now.instant;
    if (proposal_ && now >= proposal_->deadline)
        close(std::unexpected(
            Error{Code::quorum_not_met,
                  "no majority of the " + std::to_string(desk_.routes.members().size()) +
                      " members has answered in time; the change may be made later; see dyn-ring "
                      "status",
                  {},
                  Applied::maybe}));
    if (proposal_ && now >= proposal_->asks_again) begin();
    if (now < takes_over_) return;
    takes_over_ = Instant::max();
    if (!proposal_ && open() && desk_.routes.is_member(desk_.self()))
        propose(voter_.value, std::nullopt, now + patience * desk_.options.replica_timeout);
    // As long as it is open somebody goes on.
    if (open()) takes_over_ = now + 2 * patience * desk_.options.replica_timeout;
}

Instant Vote::wake_at() const {
    Instant wake = takes_over_;
    if (proposal_) wake = std::min({wake, proposal_->deadline, proposal_->asks_again});
    return wake;
}

}  // namespace dynamo
