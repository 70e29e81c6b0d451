// The vote on the next ring: what a voter says and keeps, and what becomes chosen.
#include "daemon/node/membership/vote.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>

#include "daemon/node/node.h"
#include "tests/daemon/node/membership/workplace.h"

namespace dynamo::test {
namespace {

using wire::Ballot;
using wire::VoteAsk;
using wire::VoteReply;

/// Longer than a voter waits for an outcome, whatever the chance in it.
constexpr Duration until_taken_over = 10s;

/// A ring of so many at number 2, where a change is staged.
RingState about_to_change(unsigned members) {
    RingState ring = ring_of(members);
    stage(ring, node_id(0), MemberOp::Kind::add, member(7), "", 4000);
    return ring;
}

/// That change, as this node would propose it.
Epoch next_ring(const RingState& ring, unsigned proposer) {
    auto next = plan(ring, wire::digest_of(ring.head()));
    DYN_CHECK(next.has_value());
    next->proposer = node_id(proposer);
    next->issued = {5000, proposer};
    return *std::move(next);
}

Bytes plan_of(const RingState& ring, unsigned proposer) {
    return wire::encode(next_ring(ring, proposer));
}

/// One member with its part in the vote.
struct Seat {
    Workplace work;
    Members members;
    Vote vote;
    std::optional<wire::Ballots> kept;  ///< on its disk

    Seat(unsigned index, const RingState& ring)
        : work(options_of(index)), members(work.desk, ring), vote(work.desk, members) {}

    /// Does something, then what a node does after each step; what is to be kept is on the disk
    /// before anything is sent.
    std::vector<Outbox::ToPeer> step(const std::function<void()>& action) {
        const std::uint64_t revision = members.revision();
        action();
        if (members.revision() != revision) vote.on_ring();
        if (work.desk.outbox.vote) kept = std::exchange(work.desk.outbox.vote, {});
        return work.said();
    }
    [[nodiscard]] std::uint64_t number() const { return members.ring()->head().number; }
};

wire::PeerEnvelope envelope_from(unsigned index) {
    wire::PeerEnvelope envelope;
    envelope.from = Bytes(node_id(index).bytes());
    envelope.peer_address = member(index).peer_address;
    return envelope;
}

// ----------------------------------------------------------------------------- a voter

/// The second of a ring of three, asked by hand.
struct Voter : Seat {
    explicit Voter(RingState its_ring = about_to_change(3))
        : Seat(1, its_ring), ring(std::move(its_ring)) {}

    std::vector<Outbox::ToPeer> hear(unsigned from, const VoteAsk& ask) {
        return step([&] { vote.on(envelope_from(from), ask); });
    }
    /// The answer; none when there is none.
    std::optional<VoteReply> asked(unsigned from, std::uint64_t round, const Bytes& value = {},
                                   std::uint64_t number = 3) {
        const auto said = hear(from, {17, number, round, value});
        if (said.size() != 1 || said[0].node != node_id(from)) return std::nullopt;
        const auto* reply = std::get_if<VoteReply>(&said[0].message);
        if (!reply || reply->id != 17) return std::nullopt;
        return *reply;
    }
    bool grants(unsigned from, std::uint64_t round, const Bytes& value = {}) {
        const auto reply = asked(from, round, value);
        return reply && reply->granted;
    }

    RingState ring;
};

TEST(voter, keeps_a_promise_before_it_gives_it) {
    Voter voter;
    const auto reply = voter.asked(0, 4);
    ASSERT_TRUE(reply);
    EXPECT_TRUE(reply->granted);
    EXPECT_EQ(reply->promised_round, 4u);
    EXPECT_TRUE(reply->value.empty());
    ASSERT_TRUE(voter.kept);
    EXPECT_EQ(*voter.kept, (wire::Ballots{3, {4, node_id(0)}, {}, {}}));
    EXPECT_FALSE(voter.vote.open()) << "a promise is nothing to bring to an end";
    EXPECT_EQ(voter.vote.wake_at(), Instant::max());
}

TEST(voter, keeps_what_it_accepts_before_it_says_so) {
    Voter voter;
    const Bytes value = plan_of(voter.ring, 0);
    ASSERT_TRUE(voter.grants(0, 4));
    const auto reply = voter.asked(0, 4, value);
    ASSERT_TRUE(reply);
    EXPECT_TRUE(reply->granted);
    EXPECT_EQ(*voter.kept, (wire::Ballots{3, {4, node_id(0)}, {4, node_id(0)}, value}));
    EXPECT_TRUE(voter.vote.open());
    EXPECT_LE(voter.vote.wake_at(), voter.work.desk.now.instant + until_taken_over);
    EXPECT_EQ(voter.number(), 2u) << "one voter chooses nothing";
}

TEST(voter, refuses_what_is_older_than_its_promise_and_says_how_late_it_is) {
    Voter voter;
    ASSERT_TRUE(voter.grants(2, 5));
    voter.kept.reset();
    const auto promise = voter.asked(0, 4);
    ASSERT_TRUE(promise);
    EXPECT_FALSE(promise->granted);
    EXPECT_EQ(promise->promised_round, 5u);
    const auto accept = voter.asked(0, 4, plan_of(voter.ring, 0));
    ASSERT_TRUE(accept);
    EXPECT_FALSE(accept->granted);
    EXPECT_FALSE(voter.kept) << "a refusal changes nothing";
    EXPECT_FALSE(voter.vote.open());
    EXPECT_FALSE(voter.asked(2, 5)->granted) << "a ballot is promised once";
    EXPECT_TRUE(voter.grants(2, 5, plan_of(voter.ring, 2)));
}

// Two proposers may come to the same round; only one of their ballots is the later one.
TEST(voter, takes_the_node_into_account_where_rounds_are_the_same) {
    Voter voter;
    ASSERT_TRUE(voter.grants(2, 5));
    EXPECT_FALSE(voter.grants(0, 5));
    EXPECT_FALSE(voter.grants(0, 5, plan_of(voter.ring, 0)));
    Voter other;
    ASSERT_TRUE(other.grants(0, 5));
    EXPECT_TRUE(other.grants(2, 5));
    EXPECT_FALSE(other.grants(0, 5, plan_of(other.ring, 0)));
}

TEST(voter, accepts_under_a_later_ballot_than_it_has_promised) {
    Voter voter;
    ASSERT_TRUE(voter.grants(0, 4));
    ASSERT_TRUE(voter.grants(2, 6, plan_of(voter.ring, 2)));
    EXPECT_EQ(voter.kept->promised, (Ballot{6, node_id(2)}));
    EXPECT_FALSE(voter.grants(0, 5));
}

TEST(voter, tells_a_later_proposer_what_it_has_accepted_and_under_which_ballot) {
    Voter voter;
    const Bytes first = plan_of(voter.ring, 0);
    ASSERT_TRUE(voter.grants(0, 4, first));
    const auto reply = voter.asked(2, 5);
    ASSERT_TRUE(reply);
    EXPECT_TRUE(reply->granted);
    EXPECT_EQ(reply->promised_round, 5u);
    EXPECT_EQ(reply->accepted_round, 4u);
    EXPECT_EQ(reply->accepted_by, Bytes(node_id(0).bytes()));
    EXPECT_EQ(reply->value, first);
    EXPECT_EQ(voter.kept->value, first) << "the promise does not forget it";
    EXPECT_EQ(voter.kept->accepted, (Ballot{4, node_id(0)}));

    const Bytes second = plan_of(voter.ring, 2);
    ASSERT_TRUE(voter.grants(2, 5, second));
    EXPECT_EQ(voter.asked(0, 9)->value, second) << "what is accepted last counts";
}

TEST(voter, still_stands_to_its_word_after_a_restart) {
    Voter before;
    const Bytes value = plan_of(before.ring, 0);
    ASSERT_TRUE(before.grants(0, 4, value));
    ASSERT_TRUE(before.grants(2, 6));
    Voter voter;
    voter.vote.recall(*wire::decode_ballots(wire::encode(*before.kept)));
    EXPECT_TRUE(voter.vote.open());
    EXPECT_FALSE(voter.grants(0, 5));
    EXPECT_FALSE(voter.grants(0, 5, value));
    const auto reply = voter.asked(2, 7);
    ASSERT_TRUE(reply);
    EXPECT_TRUE(reply->granted);
    EXPECT_EQ(reply->accepted_round, 4u);
    EXPECT_EQ(reply->value, value);
}

TEST(voter, is_free_again_with_the_next_number) {
    Voter voter;
    const Bytes chosen = plan_of(voter.ring, 0);
    ASSERT_TRUE(voter.grants(0, 9, chosen));
    voter.step([&] { ASSERT_TRUE(voter.members.chosen(chosen)); });
    EXPECT_EQ(voter.vote.wake_at(), Instant::max()) << "the outcome is there";
    const auto reply = voter.asked(0, 1, {}, 4);
    ASSERT_TRUE(reply);
    EXPECT_TRUE(reply->granted);
    EXPECT_TRUE(reply->value.empty());
    EXPECT_EQ(*voter.kept, (wire::Ballots{4, {1, node_id(0)}, {}, {}}));
}

TEST(voter, answers_who_asks_for_a_decided_number_with_the_ring) {
    Voter voter;
    const auto said = voter.hear(0, {17, 2, 99, {}});
    ASSERT_EQ(said.size(), 1u);
    EXPECT_EQ(said[0].node, node_id(0));
    const auto* told = std::get_if<wire::GossipState>(&said[0].message);
    ASSERT_NE(told, nullptr);
    EXPECT_EQ(told->state, wire::encode(voter.ring));
    EXPECT_FALSE(voter.kept);
}

TEST(voter, that_is_behind_says_nothing_of_a_number_that_it_cannot_judge) {
    Voter voter;
    EXPECT_TRUE(voter.hear(0, {17, 4, 1, {}}).empty());
    EXPECT_FALSE(voter.kept);
    EXPECT_TRUE(voter.grants(0, 1)) << "the number that is open is not touched by it";
}

TEST(voter, gives_its_vote_to_members_only_and_only_as_one) {
    Voter voter;
    EXPECT_TRUE(voter.hear(7, {17, 3, 1, {}}).empty()) << "7 is about to join and no member yet";
    EXPECT_FALSE(voter.kept);

    RingState without = about_to_change(3);
    stage(without, node_id(0), MemberOp::Kind::remove, member(1), "", 4000);
    without.epochs.push_back(next_ring(without, 0));
    Voter removed(without);
    EXPECT_TRUE(removed.hear(0, {17, 4, 1, {}}).empty());
    EXPECT_FALSE(removed.kept);
}

TEST(voter, accepts_no_ring_that_cannot_come_next) {
    Voter voter;
    const Epoch good = next_ring(voter.ring, 0);
    Epoch foreign = good;
    foreign.parent[0] ^= 1;
    Epoch skips = good;
    ++skips.number;
    Epoch twice = good;
    twice.table[1] = twice.table[0];
    Epoch forgets = good;
    forgets.covers.clear();
    Epoch unversioned = good;
    for (auto& version : unversioned.version) version = 2;
    std::size_t refused = 0;
    for (const Bytes& value :
         {Bytes("nonsense"), wire::encode(good).substr(1), wire::encode(voter.ring.head()),
          wire::encode(foreign), wire::encode(skips), wire::encode(twice), wire::encode(forgets),
          wire::encode(unversioned)}) {
        EXPECT_TRUE(voter.hear(0, {17, 3, 1, value}).empty()) << refused;
        EXPECT_FALSE(voter.kept) << refused;
        EXPECT_EQ(voter.work.desk.counters.of("peers.malformed"), ++refused);
    }
    EXPECT_TRUE(voter.grants(0, 1, wire::encode(good)));
}

// ----------------------------------------------------------------------------- a proposer

/// The first of a ring, whose questions are answered by hand.
struct Proposer : Seat {
    explicit Proposer(unsigned count)
        : Seat(0, about_to_change(count)), ring(about_to_change(count)) {
        commit();
    }
    void commit() {
        questions(step([&] {
            const auto planned = members.plan();
            ASSERT_TRUE(planned);
            vote.commit({1, 1}, {planned->plan}, 60s);
        }));
    }
    void questions(const std::vector<Outbox::ToPeer>& said) {
        for (const auto& to : said)
            if (const auto* ask = std::get_if<VoteAsk>(&to.message)) asks.push_back(*ask);
    }
    void reply(unsigned from, const VoteReply& reply) {
        questions(step([&] { vote.on(node_id(from), reply); }));
    }
    /// Grants the last question.
    void grant(unsigned from, std::uint64_t accepted_round = 0, unsigned accepted_by = 0,
               const Bytes& value = {}) {
        const VoteAsk& ask = asks.back();
        reply(from, {ask.id, true, ask.round, accepted_round,
                     Bytes(accepted_round ? node_id(accepted_by).bytes() : ""), value});
    }
    void pass(Duration time) {
        work.pass(time);
        questions(step([&] { vote.tick(); }));
    }
    /// Whether it asks to accept something, and then what.
    [[nodiscard]] const Bytes& accepts() const { return asks.back().value; }

    RingState ring;
    std::vector<VoteAsk> asks;
};

TEST(proposer, gives_its_ring_before_each_question_and_asks_every_other_member) {
    Seat seat(0, about_to_change(3));
    const auto said =
        seat.step([&] { seat.vote.commit({1, 1}, {seat.members.plan()->plan}, 60s); });
    ASSERT_EQ(said.size(), 4u);
    for (const std::size_t at : {0u, 2u}) {
        EXPECT_EQ(said[at].node, said[at + 1].node);
        EXPECT_EQ(std::get<wire::GossipState>(said[at].message).state,
                  wire::encode(about_to_change(3)));
        const auto& ask = std::get<VoteAsk>(said[at + 1].message);
        EXPECT_EQ(ask.number, 3u);
        EXPECT_EQ(ask.round, 1u);
        EXPECT_TRUE(ask.value.empty());
    }
    EXPECT_NE(said[0].node, said[2].node);
    ASSERT_TRUE(seat.kept) << "its own promise, so that it does not use that ballot again";
    EXPECT_EQ(seat.kept->promised, (Ballot{1, node_id(0)}));
}

TEST(proposer, asks_to_accept_once_a_majority_has_promised) {
    Proposer proposer(5);
    proposer.grant(1);
    EXPECT_TRUE(proposer.accepts().empty()) << "2 of 5";
    proposer.grant(1);
    EXPECT_TRUE(proposer.accepts().empty()) << "said twice counts once";
    proposer.grant(9);
    EXPECT_TRUE(proposer.accepts().empty()) << "no member";
    proposer.grant(2);
    ASSERT_FALSE(proposer.accepts().empty());
    EXPECT_EQ(wire::decode_epoch(proposer.accepts())->proposer, node_id(0));
    EXPECT_EQ(proposer.kept->value, proposer.accepts()) << "it is a voter too";
}

TEST(proposer, needs_more_than_half_of_an_even_number) {
    Proposer proposer(4);
    proposer.grant(1);
    EXPECT_TRUE(proposer.accepts().empty()) << "2 of 4";
    proposer.grant(3);
    ASSERT_FALSE(proposer.accepts().empty());
    proposer.grant(1);
    EXPECT_EQ(proposer.number(), 2u);
    proposer.grant(3);
    EXPECT_EQ(proposer.number(), 3u);
}

TEST(proposer, takes_a_ring_for_chosen_once_a_majority_has_accepted_it) {
    Proposer proposer(5);
    const VoteReply promise{proposer.asks.back().id, true, 1, 0, {}, {}};
    proposer.grant(1);
    proposer.grant(2);
    ASSERT_FALSE(proposer.accepts().empty());
    // What is said of the first question says nothing of the second.
    for (const unsigned voter : {1u, 2u, 3u, 4u}) proposer.reply(voter, promise);
    EXPECT_EQ(proposer.number(), 2u);
    proposer.grant(3);
    proposer.grant(3);
    proposer.grant(9);
    EXPECT_EQ(proposer.number(), 2u) << "2 of 5";
    EXPECT_TRUE(proposer.vote.take_outcomes().empty());
    proposer.grant(4);
    EXPECT_EQ(proposer.number(), 3u);
    const auto outcomes = proposer.vote.take_outcomes();
    ASSERT_EQ(outcomes.size(), 1u);
    ASSERT_TRUE(outcomes[0].reply);
    EXPECT_EQ(outcomes[0].reply->ring, 3u);
    EXPECT_FALSE(proposer.vote.open());
    EXPECT_EQ(proposer.vote.wake_at(), Instant::max());
}

TEST(proposer, counts_no_refusal) {
    Proposer proposer(3);
    const VoteAsk ask = proposer.asks.back();
    for (const unsigned voter : {1u, 2u}) proposer.reply(voter, {ask.id, false, 9, 0, {}, {}});
    EXPECT_TRUE(proposer.accepts().empty());
    EXPECT_EQ(proposer.asks.back().id, ask.id) << "it tries again when it is time, not at once";
    proposer.pass(1s);
    EXPECT_EQ(proposer.asks.back().round, 10u) << "with a later ballot than any it was told of";
    proposer.grant(1);
    EXPECT_FALSE(proposer.accepts().empty());
}

// What was accepted by some may have been chosen.
TEST(proposer, takes_over_what_was_accepted_under_the_latest_ballot) {
    for (const bool latest_first : {false, true}) {
        Proposer proposer(5);
        const Bytes older = plan_of(proposer.ring, 3);
        const Bytes latest = plan_of(proposer.ring, 4);
        if (latest_first) {
            proposer.grant(1, 3, 4, latest);
            proposer.grant(2, 2, 3, older);
        } else {
            proposer.grant(1, 2, 3, older);
            proposer.grant(2, 3, 4, latest);
        }
        EXPECT_EQ(proposer.accepts(), latest);
        proposer.grant(1);
        proposer.grant(2);
        ASSERT_EQ(proposer.number(), 3u);
        EXPECT_EQ(proposer.members.ring()->head().proposer, node_id(4));
        const auto outcomes = proposer.vote.take_outcomes();
        ASSERT_EQ(outcomes.size(), 1u);
        ASSERT_FALSE(outcomes[0].reply);
        EXPECT_EQ(outcomes[0].reply.error().code, Code::stale_plan)
            << "the operator's own plan has lost its number";
        EXPECT_NE(outcomes[0].reply.error().message.find("as ring 3"), std::string::npos);
    }
}

TEST(proposer, takes_over_what_it_has_accepted_itself) {
    Seat seat(0, about_to_change(3));
    const Bytes accepted = plan_of(about_to_change(3), 2);
    seat.vote.recall({3, {4, node_id(2)}, {4, node_id(2)}, accepted});
    auto said = seat.step([&] { seat.vote.commit({1, 1}, {seat.members.plan()->plan}, 60s); });
    const auto& ask = std::get<VoteAsk>(said.back().message);
    EXPECT_EQ(ask.round, 5u) << "later than it has promised before its restart";
    said = seat.step([&] { seat.vote.on(node_id(1), {ask.id, true, ask.round, 0, {}, {}}); });
    EXPECT_EQ(std::get<VoteAsk>(said.back().message).value, accepted);
}

TEST(proposer, asks_again_with_a_later_ballot_and_counts_anew) {
    Proposer proposer(5);
    proposer.grant(1);
    proposer.pass(2 * proposer.work.desk.options.replica_timeout);
    EXPECT_EQ(proposer.asks.back().round, 2u);
    proposer.grant(2);
    EXPECT_TRUE(proposer.accepts().empty()) << "1 has not promised to this ballot";
    proposer.grant(3);
    ASSERT_FALSE(proposer.accepts().empty());
    proposer.grant(3);
    proposer.pass(2 * proposer.work.desk.options.replica_timeout);
    EXPECT_EQ(proposer.asks.back().round, 3u);
    EXPECT_TRUE(proposer.accepts().empty()) << "from the beginning";
    for (const unsigned voter : {4u, 1u}) proposer.grant(voter);
    EXPECT_EQ(proposer.number(), 2u) << "that were promises";
    for (const unsigned voter : {4u, 1u}) proposer.grant(voter);
    EXPECT_EQ(proposer.number(), 3u);
}

TEST(proposer, tells_its_operator_when_no_majority_answers_in_time_that_it_may_be_made_later) {
    Seat seat(0, about_to_change(3));
    seat.step([&] { seat.vote.commit({8, 9}, {seat.members.plan()->plan}, 3s); });
    seat.work.pass(2999ms);
    seat.step([&] { seat.vote.tick(); });
    EXPECT_TRUE(seat.vote.take_outcomes().empty());
    EXPECT_TRUE(seat.vote.open());
    seat.work.pass(1ms);
    seat.step([&] { seat.vote.tick(); });
    const auto outcomes = seat.vote.take_outcomes();
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes[0].who.client, 8u);
    EXPECT_EQ(outcomes[0].who.request, 9u);
    ASSERT_FALSE(outcomes[0].reply);
    EXPECT_EQ(outcomes[0].reply.error().code, Code::quorum_not_met);
    EXPECT_EQ(outcomes[0].reply.error().applied, Applied::maybe);
    EXPECT_FALSE(seat.vote.open());
}

TEST(proposer, takes_one_commit_at_a_time_and_only_of_the_present_plan) {
    Proposer proposer(3);
    proposer.commit();
    auto outcomes = proposer.vote.take_outcomes();
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes[0].reply.error().code, Code::busy);

    Seat seat(0, about_to_change(3));
    EXPECT_TRUE(seat.step([&] { seat.vote.commit({1, 1}, {"p-00000000"}, 60s); }).empty());
    outcomes = seat.vote.take_outcomes();
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_EQ(outcomes[0].reply.error().code, Code::stale_plan);
    EXPECT_FALSE(seat.vote.open());
}

TEST(proposer, that_is_alone_has_its_majority_at_once) {
    Seat seat(0, about_to_change(1));
    seat.step([&] { seat.vote.commit({1, 1}, {seat.members.plan()->plan}, 60s); });
    EXPECT_EQ(seat.number(), 3u - 1u);
    const auto outcomes = seat.vote.take_outcomes();
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_TRUE(outcomes[0].reply);
}

TEST(proposer, learns_from_another_ring_that_its_number_is_gone) {
    Proposer proposer(3);
    proposer.step([&] { ASSERT_TRUE(proposer.members.chosen(plan_of(proposer.ring, 2))); });
    const auto outcomes = proposer.vote.take_outcomes();
    ASSERT_EQ(outcomes.size(), 1u);
    ASSERT_FALSE(outcomes[0].reply);
    EXPECT_EQ(outcomes[0].reply.error().code, Code::stale_plan);
    EXPECT_NE(outcomes[0].reply.error().message.find("by n3"), std::string::npos)
        << outcomes[0].reply.error().message;
    EXPECT_FALSE(proposer.vote.open());
}

// ----------------------------------------------------------------------------- all of them

/// Members of one ring and the messages between them, which the test may lose.
class Assembly {
  public:
    explicit Assembly(unsigned members) {
        for (unsigned i = 0; i < members; ++i)
            seats_.push_back(std::make_unique<Seat>(i, about_to_change(members)));
    }

    /// False loses the message.
    std::function<bool(unsigned from, unsigned to, const wire::PeerMessage&)> filter;

    Seat& operator[](unsigned index) { return *seats_[index]; }
    /// A dead one hears and does nothing.
    void stop(unsigned index) { stopped_.insert(index); }
    /// As another process over the same disk.
    void restart(unsigned index) {
        Seat& before = *seats_[index];
        auto seat = std::make_unique<Seat>(index, *before.members.ring());
        seat->work.pass(passed_);
        seat->kept = before.kept;
        if (seat->kept) seat->vote.recall(*seat->kept);
        seats_[index] = std::move(seat);
        stopped_.erase(index);
    }
    void commit(unsigned index, Duration timeout = 60s) {
        Seat& seat = *seats_[index];
        const auto planned = seat.members.plan();
        ASSERT_TRUE(planned);
        send(index, seat.step([&] { seat.vote.commit({1, 1}, {planned->plan}, timeout); }));
    }
    void settle() {
        while (!letters_.empty()) {
            const Letter letter = std::move(letters_.front());
            letters_.pop_front();
            if (stopped_.contains(letter.to)) continue;
            if (filter && !filter(letter.from, letter.to, letter.message)) continue;
            Seat& seat = *seats_[letter.to];
            const auto envelope = envelope_from(letter.from);
            send(letter.to, seat.step([&] {
                if (const auto* state = std::get_if<wire::GossipState>(&letter.message))
                    seat.members.on(envelope, *state);
                if (const auto* ask = std::get_if<VoteAsk>(&letter.message))
                    seat.vote.on(envelope, *ask);
                if (const auto* reply = std::get_if<VoteReply>(&letter.message))
                    seat.vote.on(node_id(letter.from), *reply);
            }));
        }
    }
    void pass(Duration time) {
        for (Duration step = 10ms; time > Duration::zero(); time -= step) {
            passed_ += step;
            for (unsigned i = 0; i < seats_.size(); ++i) {
                Seat& seat = *seats_[i];
                seat.work.pass(step);
                if (!stopped_.contains(i)) send(i, seat.step([&] { seat.vote.tick(); }));
            }
            settle();
        }
    }
    /// How many know a ring with that number.
    [[nodiscard]] std::size_t at(std::uint64_t number) const {
        return static_cast<std::size_t>(std::ranges::count_if(
            seats_, [&](const auto& seat) { return seat->number() == number; }));
    }

  private:
    struct Letter {
        unsigned from;
        unsigned to;
        wire::PeerMessage message;
    };
    void send(unsigned from, const std::vector<Outbox::ToPeer>& said) {
        for (const auto& to : said)
            for (unsigned i = 0; i < seats_.size(); ++i)
                if (node_id(i) == to.node) letters_.push_back({from, i, to.message});
    }

    std::vector<std::unique_ptr<Seat>> seats_;
    std::set<unsigned> stopped_;
    std::deque<Letter> letters_;
    Duration passed_{0};
};

bool is_acceptance(const wire::PeerMessage& message) {
    const auto* ask = std::get_if<VoteAsk>(&message);
    return ask && !ask->value.empty();
}

/// The proposer hears nothing of it.
auto accepted_by_second_only(Assembly& assembly) {
    return [&](unsigned, unsigned to, const wire::PeerMessage& message) {
        if (is_acceptance(message)) return to == 1;
        return !std::holds_alternative<VoteReply>(message) || !assembly[1].vote.open();
    };
}

TEST(vote, chooses_what_one_operator_commits_though_one_of_three_is_dead) {
    Assembly assembly(3);
    assembly.stop(2);
    assembly.commit(0);
    assembly.settle();
    EXPECT_EQ(assembly.at(3), 2u) << "1 is told at once";
    EXPECT_FALSE(assembly[1].vote.open());
    const auto outcomes = assembly[0].vote.take_outcomes();
    ASSERT_EQ(outcomes.size(), 1u);
    EXPECT_TRUE(outcomes[0].reply);
}

TEST(vote, chooses_nothing_by_a_half_and_goes_on_when_another_comes) {
    Assembly assembly(4);
    assembly.stop(2);
    assembly.stop(3);
    assembly.commit(0, 5min);
    assembly.pass(20s);
    EXPECT_EQ(assembly.at(2), 4u);
    EXPECT_TRUE(assembly[0].vote.take_outcomes().empty());
    assembly.restart(2);
    assembly.pass(2s);
    EXPECT_EQ(assembly.at(3), 3u);
    EXPECT_TRUE(assembly[0].vote.take_outcomes().at(0).reply);
}

TEST(vote, brings_a_voter_that_is_behind_up_to_the_ring_first) {
    Assembly assembly(3);
    assembly.stop(2);
    assembly.commit(0);
    assembly.settle();
    ASSERT_EQ(assembly[2].number(), 2u);
    assembly.restart(2);
    Seat& first = assembly[0];
    first.step([&] {
        RingState settled = *first.members.ring();
        settle(settled);
        first.members.on(envelope_from(1), wire::GossipState{wire::encode(settled), false});
        const auto& leaver = member(1);
        ASSERT_TRUE(first.members.stage({2, Bytes(leaver.id.bytes()), "", "", 0, "", "", ""}));
    });
    assembly.commit(0);
    assembly.settle();
    EXPECT_EQ(assembly.at(4), 3u) << "ring 3 has four members, so 2 was needed";
}

TEST(vote, lets_one_of_two_operators_win_and_tells_the_other) {
    Assembly assembly(5);
    for (const unsigned operators : {0u, 1u}) assembly.commit(operators);
    assembly.pass(30s);
    EXPECT_EQ(assembly.at(3), 5u);
    std::size_t won = 0;
    for (const unsigned index : {0u, 1u}) {
        EXPECT_EQ(*assembly[index].members.ring(), *assembly[2].members.ring());
        const auto outcomes = assembly[index].vote.take_outcomes();
        ASSERT_EQ(outcomes.size(), 1u);
        const bool mine = assembly[index].members.ring()->head().proposer == node_id(index);
        EXPECT_EQ(outcomes[0].reply.has_value(), mine);
        if (!mine) {
            EXPECT_EQ(outcomes[0].reply.error().code, Code::stale_plan);
        }
        won += mine ? 1 : 0;
    }
    EXPECT_EQ(won, 1u);
}

TEST(vote, is_ended_by_a_voter_that_has_accepted_when_the_proposer_is_dead) {
    Assembly assembly(3);
    // The proposer dies once 1 alone has heard what it is to accept.
    assembly.filter = accepted_by_second_only(assembly);
    assembly.commit(0);
    assembly.pass(10ms);
    assembly.filter = {};
    assembly.stop(0);
    ASSERT_TRUE(assembly[1].vote.open());
    ASSERT_FALSE(assembly[2].vote.open()) << "it has only promised";
    assembly.pass(4s);
    EXPECT_EQ(assembly.at(3), 0u) << "the proposer may still be at it";
    assembly.pass(until_taken_over - 4s);
    EXPECT_EQ(assembly[1].number(), 3u);
    EXPECT_EQ(assembly[2].number(), 3u);
    EXPECT_EQ(assembly[1].members.ring()->head().proposer, node_id(0)) << "what it had proposed";
    EXPECT_FALSE(assembly[1].vote.open());
    EXPECT_TRUE(assembly[1].vote.take_outcomes().empty()) << "no operator asked here";
}

TEST(vote, is_nothing_when_the_proposer_dies_before_anybody_has_accepted) {
    Assembly assembly(3);
    assembly.filter = [](unsigned, unsigned, const wire::PeerMessage& message) {
        return !is_acceptance(message);
    };
    assembly.commit(0);
    assembly.pass(10ms);
    assembly.filter = {};
    assembly.stop(0);
    assembly.pass(60s);
    EXPECT_EQ(assembly.at(2), 3u);
    EXPECT_FALSE(assembly[1].vote.open());
    assembly.commit(1);
    assembly.pass(2s);
    EXPECT_EQ(assembly[1].number(), 3u) << "and it is in nobody's way";
    EXPECT_EQ(assembly[1].members.ring()->head().proposer, node_id(1));
}

// All die when the ring has been chosen and none of them knows.
TEST(vote, is_ended_after_a_restart_of_all) {
    Assembly assembly(3);
    assembly.filter = [&](unsigned, unsigned to, const wire::PeerMessage& message) {
        return !(std::holds_alternative<VoteReply>(message) && to == 0 && assembly[1].vote.open());
    };
    assembly.commit(0);
    assembly.pass(10ms);
    assembly.filter = {};
    for (const unsigned index : {0u, 1u, 2u}) {
        ASSERT_EQ(assembly[index].number(), 2u);
        ASSERT_TRUE(assembly[index].kept && !assembly[index].kept->value.empty()) << index;
        assembly.restart(index);
    }
    assembly.stop(0);
    assembly.pass(4s);
    EXPECT_EQ(assembly.at(3), 0u);
    assembly.pass(until_taken_over - 4s);
    EXPECT_EQ(assembly[1].number(), 3u);
    EXPECT_EQ(assembly[2].number(), 3u);
}

// Accepted by a majority: chosen, whoever proposes something else afterwards.
TEST(vote, stays_with_what_was_chosen_though_nobody_knew) {
    Assembly assembly(3);
    assembly.filter = [&](unsigned, unsigned to, const wire::PeerMessage& message) {
        return !(to == 2 && is_acceptance(message)) &&
               !(std::holds_alternative<VoteReply>(message) && assembly[1].vote.open());
    };
    assembly.commit(0);
    assembly.settle();
    assembly.filter = {};
    ASSERT_EQ(assembly.at(2), 3u);
    ASSERT_TRUE(assembly[1].vote.open());
    assembly.stop(0);
    assembly.restart(1);
    assembly.commit(2);
    assembly.pass(2s);
    EXPECT_EQ(assembly[2].number(), 3u);
    EXPECT_EQ(assembly[2].members.ring()->head().proposer, node_id(0));
    const auto outcomes = assembly[2].vote.take_outcomes();
    ASSERT_EQ(outcomes.size(), 1u);
    ASSERT_FALSE(outcomes[0].reply);
    EXPECT_EQ(outcomes[0].reply.error().code, Code::stale_plan);
}

TEST(vote, goes_on_until_there_is_a_majority_again) {
    Assembly assembly(3);
    assembly.filter = accepted_by_second_only(assembly);
    assembly.commit(0);
    assembly.pass(10ms);
    assembly.filter = {};
    assembly.stop(0);
    assembly.stop(2);
    assembly.pass(2min);
    EXPECT_EQ(assembly.at(3), 0u);
    EXPECT_TRUE(assembly[1].vote.open());
    assembly.restart(2);
    assembly.pass(30s);
    EXPECT_EQ(assembly[1].number(), 3u);
    EXPECT_EQ(assembly[2].number(), 3u);
}

// ----------------------------------------------------------------------------- the node

TEST(node, ends_a_vote_of_its_last_run) {
    const RingState ring = about_to_change(3);
    const Now start{Instant(1000s), 1'700'000'000'000};
    MemoryStorage storage;
    Node node(options_of(1), ring, storage, Random(3), start);
    EXPECT_FALSE(node.vote_open());
    const Bytes accepted = plan_of(ring, 0);
    node.recall({3, {4, node_id(0)}, {4, node_id(0)}, accepted});
    EXPECT_TRUE(node.vote_open());
    node.outbox().clear();
    const Now later{start.instant + until_taken_over, start.wall_ms + 10'000};
    EXPECT_LE(node.wake_at(), later.instant);
    node.tick(later);
    std::size_t asked = 0;
    for (const auto& to : node.outbox().peers)
        if (const auto* ask = std::get_if<VoteAsk>(&to.message)) {
            ++asked;
            EXPECT_EQ(ask->number, 3u);
            EXPECT_EQ(ask->round, 5u);
        }
    EXPECT_EQ(asked, 2u);
    ASSERT_TRUE(node.outbox().vote) << "to be kept before the questions leave";
    EXPECT_EQ(node.outbox().vote->promised, (Ballot{5, node_id(1)}));
    EXPECT_EQ(node.outbox().vote->value, accepted);
    const auto early = node.outbox().take_early();
    EXPECT_TRUE(std::ranges::none_of(early, [](const auto& to) {
        return std::holds_alternative<VoteAsk>(to.message) ||
               std::holds_alternative<VoteReply>(to.message);
    }));
}

}  // namespace
}  // namespace dynamo::test
