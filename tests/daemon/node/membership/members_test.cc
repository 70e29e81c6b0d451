#include "daemon/node/membership/members.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "tests/daemon/node/membership/workplace.h"

namespace dynamo::test {
namespace {

/// Members of several nodes, and the post between them.
class Village {
  public:
    struct House {
        Workplace work;
        Members members;
        House(NodeOptions options, std::optional<RingState> ring)
            : work(std::move(options)), members(work.desk, std::move(ring)) {}
    };

    House& add(NodeOptions options, std::optional<RingState> ring = {}) {
        houses_.push_back(std::make_unique<House>(std::move(options), std::move(ring)));
        return *houses_.back();
    }

    /// Delivers all gossip, and what it causes; returns how many messages there were.
    std::size_t settle() {
        std::size_t delivered = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (auto& from : houses_)
                for (auto& to : from->work.said()) moved = deliver(*from, to) || moved, ++delivered;
        }
        return delivered;
    }

    void pass(Duration time) {
        for (auto& house : houses_) {
            house->work.pass(time);
            house->members.tick();
        }
        settle();
    }

    static wire::PeerEnvelope envelope(const House& from) {
        const Desk& desk = from.work.desk;
        wire::PeerEnvelope envelope;
        if (!desk.cluster.is_none()) envelope.cluster = Bytes(desk.cluster.bytes());
        envelope.from = Bytes(desk.self().bytes());
        envelope.peer_address = desk.options.self.peer_address;
        envelope.ring = desk.routes.number();
        envelope.fingerprint = desk.routes.fingerprint();
        return envelope;
    }

  private:
    bool deliver(const House& from, const Outbox::ToPeer& letter) {
        for (auto& to : houses_) {
            const Member& self = to->work.desk.options.self;
            if (letter.node.is_none() ? self.peer_address != letter.address
                                      : self.id != letter.node)
                continue;
            if (const auto* digest = std::get_if<wire::GossipDigest>(&letter.message))
                to->members.on(envelope(from), *digest);
            if (const auto* state = std::get_if<wire::GossipState>(&letter.message))
                to->members.on(envelope(from), *state);
            return true;
        }
        return false;
    }

    std::vector<std::unique_ptr<House>> houses_;
};

NodeOptions waiting_options(unsigned index) {
    NodeOptions options = options_of(index);
    options.seeds = {member(0).peer_address};
    return options;
}

wire::StageRequest join_request(unsigned index) {
    const Member joining = member(index);
    return {1,   Bytes(joining.id.bytes()), joining.name,         "",
            100, joining.client_address,    joining.peer_address, ""};
}

/// Why a result failed, as the code's name; "ok" when it did not.
template <typename T>
std::string outcome(const Result<T>& result) {
    return result ? "ok" : std::string(name_of(result.error().code));
}

/// As if all had voted for the present plan.
Result<void> commit_planned(Members& members) {
    const auto planned = members.plan();
    if (!planned) return std::unexpected(planned.error());
    const auto epoch = members.proposed({planned->plan});
    if (!epoch) return std::unexpected(epoch.error());
    return members.chosen(wire::encode(*epoch));
}

// ----------------------------------------------------------------------------- beginnings

TEST(members, found_a_cluster_without_seeds_and_have_it_persisted) {
    Village village;
    auto& founder = village.add(options_of(0));
    EXPECT_TRUE(founder.members.joined());
    ASSERT_TRUE(founder.work.desk.outbox.ring.has_value());
    EXPECT_EQ(*founder.work.desk.outbox.ring, *founder.members.ring());
    EXPECT_EQ(founder.work.desk.routes.number(), 1u);
    EXPECT_EQ(founder.work.desk.cluster, founder.members.ring()->cluster);
}

TEST(members, take_up_a_persisted_ring_without_persisting_it_again) {
    Village village;
    auto& house = village.add(options_of(1), ring_of(3));
    EXPECT_TRUE(house.members.joined());
    EXPECT_FALSE(house.work.desk.outbox.ring.has_value());
    EXPECT_EQ(house.work.desk.routes.number(), 2u);
}

TEST(members, warn_when_started_at_another_address_than_the_ring_names) {
    Village village;
    NodeOptions options = options_of(1);
    options.self.peer_address = "10.9.9.9:7101";
    auto& moved = village.add(options, ring_of(3));
    EXPECT_EQ(moved.work.logged("others will look for it at the old address"), 1u);
    EXPECT_EQ(village.add(options_of(2), ring_of(3)).work.logged("old address"), 0u);
}

TEST(members, wait_and_ask_their_seed) {
    Village village;
    auto& waiting = village.add(waiting_options(1));
    EXPECT_FALSE(waiting.members.joined());
    EXPECT_EQ(waiting.members.ring(), nullptr);
    EXPECT_EQ(waiting.members.wake_at(), waiting.work.desk.now.instant);
    waiting.members.tick();
    const auto said = waiting.work.said();
    ASSERT_EQ(said.size(), 1u);
    EXPECT_EQ(said[0].address, member(0).peer_address);
    EXPECT_TRUE(std::get<wire::GossipDigest>(said[0].message).root.empty());
    waiting.members.tick();
    EXPECT_TRUE(waiting.work.said().empty()) << "a tick that comes early does nothing";
}

TEST(members, gossip_with_nobody_while_alone) {
    Village village;
    NodeOptions options = options_of(0);
    auto& founder = village.add(options);
    EXPECT_EQ(founder.members.wake_at(), Instant::max());
    options.seeds = {"10.0.0.1"};  // its own address, with the port left out
    auto& own_seed = village.add(options, ring_of(1));
    EXPECT_EQ(own_seed.members.wake_at(), Instant::max());
    own_seed.members.tick();
    EXPECT_TRUE(own_seed.work.said().empty());
}

// ----------------------------------------------------------------------------- changes

TEST(members, form_a_ring_that_all_new_members_learn_at_once) {
    Village village;
    auto& founder = village.add(options_of(0));
    auto& second = village.add(waiting_options(1));
    auto& third = village.add(waiting_options(2));
    ASSERT_EQ(outcome(founder.members.stage(join_request(1))), "ok");
    const auto staged_two = founder.members.stage(join_request(2));
    ASSERT_EQ(outcome(staged_two), "ok");
    EXPECT_EQ(staged_two->staged, 2u);
    founder.work.desk.outbox.clear();
    const auto committed = commit_planned(founder.members);
    ASSERT_EQ(outcome(committed), "ok");
    EXPECT_EQ(founder.members.ring()->head().number, 2u);
    EXPECT_TRUE(founder.work.desk.outbox.ring.has_value());
    village.settle();
    for (auto* house : {&second, &third}) {
        EXPECT_TRUE(house->members.joined());
        ASSERT_TRUE(house->work.desk.outbox.ring.has_value());
        EXPECT_EQ(*house->work.desk.outbox.ring, *founder.members.ring());
        EXPECT_EQ(house->work.desk.routes.members().size(), 3u);
    }
    EXPECT_EQ(founder.members.ring()->head().proposer, node_id(0));
    EXPECT_TRUE(validate(*founder.members.ring()).has_value());
}

TEST(members, reach_a_new_member_by_gossip_when_the_first_message_is_lost) {
    Village village;
    auto& founder = village.add(options_of(0));
    auto& second = village.add(waiting_options(1));
    ASSERT_EQ(outcome(founder.members.stage(join_request(1))), "ok");
    ASSERT_EQ(outcome(commit_planned(founder.members)), "ok");
    founder.work.said();  // lost
    village.pass(1s);
    EXPECT_TRUE(second.members.joined());
}

TEST(members, plan_the_same_until_something_else_is_staged) {
    Village village;
    auto& founder = village.add(options_of(0));
    ASSERT_EQ(outcome(founder.members.stage(join_request(1))), "ok");
    const auto first = founder.members.plan();
    ASSERT_EQ(outcome(first), "ok");
    EXPECT_EQ(founder.members.plan()->plan, first->plan);
    EXPECT_EQ(wire::plan_id(*wire::decode_epoch(first->epoch)), first->plan);
    ASSERT_EQ(outcome(founder.members.stage(join_request(2))), "ok");
    EXPECT_NE(founder.members.plan()->plan, first->plan);
    EXPECT_EQ(outcome(founder.members.proposed({first->plan})), "stale_plan");
    EXPECT_EQ(founder.members.ring()->head().number, 1u);
}

TEST(members, refuse_to_plan_or_commit_when_nothing_is_staged) {
    Village village;
    auto& founder = village.add(options_of(0));
    EXPECT_EQ(outcome(founder.members.plan()), "refused");
    EXPECT_EQ(outcome(founder.members.proposed({"p-00000000"})), "refused");
}

TEST(members, follow_a_ring_with_none_that_was_planned_on_another) {
    Village village;
    auto& house = village.add(options_of(0), ring_of(3));
    ASSERT_EQ(outcome(house.members.stage(join_request(5))), "ok");
    const auto epoch = house.members.proposed({house.members.plan()->plan});
    ASSERT_EQ(outcome(epoch), "ok");
    EXPECT_TRUE(house.members.may_follow(wire::encode(*epoch)));
    Epoch other = *epoch;
    other.parent[0] ^= 1;
    EXPECT_FALSE(house.members.may_follow(wire::encode(other)));
    EXPECT_FALSE(house.members.may_follow("no epoch"));
    EXPECT_EQ(outcome(house.members.chosen(wire::encode(*epoch))), "ok");
    EXPECT_FALSE(house.members.may_follow(wire::encode(*epoch))) << "a number is given once";
}

TEST(members, take_no_change_while_waiting) {
    Village village;
    auto& waiting = village.add(waiting_options(1));
    EXPECT_EQ(outcome(waiting.members.stage(join_request(2))), "not_joined");
    EXPECT_EQ(outcome(waiting.members.plan()), "not_joined");
    EXPECT_EQ(outcome(waiting.members.proposed({"p-00000000"})), "not_joined");
}

TEST(members, stage_only_what_makes_sense) {
    Village village;
    auto& founder = village.add(options_of(0));
    ASSERT_EQ(outcome(founder.members.stage(join_request(1))), "ok");
    const auto with = [](unsigned index, auto change) {
        wire::StageRequest request = join_request(index);
        change(request);
        return request;
    };
    using Request = wire::StageRequest;
    const std::vector<std::pair<Request, std::string>> cases = {
        {with(2, [](Request& r) { r.node_id = "short"; }), "bad_request"},
        {with(2, [](Request& r) { r.node_id = Bytes(16, '\0'); }), "bad_request"},
        {with(2, [](Request& r) { r.name.clear(); }), "bad_request"},
        {with(2, [](Request& r) { r.name = "two words"; }), "bad_request"},
        {with(2, [](Request& r) { r.name = std::string(65, 'x'); }), "bad_request"},
        {with(2, [](Request& r) { r.zone = "rack\n1"; }), "bad_request"},
        {with(2, [](Request& r) { r.weight = 0; }), "bad_request"},
        {with(2, [](Request& r) { r.weight = 10'001; }), "bad_request"},
        {with(2, [](Request& r) { r.client_address = "[::1"; }), "bad_request"},
        {with(2, [](Request& r) { r.peer_address = "*:7101"; }), "bad_request"},
        {with(2, [](Request& r) { r.peer_address = "10.0.0.3:0"; }), "bad_request"},
        {with(2, [](Request& r) { r.note = std::string(257, 'x'); }), "bad_request"},
        {with(2, [](Request& r) { r.kind = 9; }), "bad_request"},
        {with(2, [](Request& r) { r.kind = 2; }), "refused"},
        {with(2, [](Request& r) { r.kind = 3; }), "refused"},
        {with(2, [](Request& r) { r.name = "n1"; }), "refused"},
        {with(2, [](Request& r) { r.name = "n2"; }), "refused"},
        {with(2, [](Request& r) { r.peer_address = member(0).peer_address; }), "refused"},
        {with(0, [](Request&) {}), "refused"},
        {with(1, [](Request&) {}), "refused"},
        {with(1, [](Request& r) { r.kind = 3, r.weight = 10'000; }), "ok"},
        {with(1, [](Request& r) { r = {2, r.node_id, "", "", 0, "", "", ""}; }), "ok"},
        {with(1, [](Request&) {}), "ok"},
        {with(2, [](Request& r) { r.client_address = "10.0.0.3"; }), "ok"},
    };
    for (std::size_t i = 0; i < cases.size(); ++i)
        EXPECT_EQ(outcome(founder.members.stage(cases[i].first)), cases[i].second) << "case " << i;
    EXPECT_TRUE(validate(*founder.members.ring()).has_value());
    EXPECT_EQ(outcome(commit_planned(founder.members)), "ok");
    EXPECT_EQ(founder.work.desk.routes.members().size(), 3u);
}

// ----------------------------------------------------------------------------- gossip

TEST(members, converge_whoever_gossips_first) {
    Village village;
    const RingState ring = ring_of(5);
    std::vector<Village::House*> houses;
    for (unsigned i = 0; i < 5; ++i) houses.push_back(&village.add(options_of(i), ring));
    // Three of them are told something that the others do not know.
    for (unsigned i = 0; i < 3; ++i)
        ASSERT_EQ(outcome(houses[i]->members.stage(join_request(10 + i))), "ok");
    for (int second = 0; second < 30; ++second) village.pass(1s);
    for (auto* house : houses) {
        EXPECT_EQ(*house->members.ring(), *houses[0]->members.ring());
        EXPECT_EQ(*house->work.desk.outbox.ring, *house->members.ring());
    }
    EXPECT_EQ(staged(*houses[4]->members.ring()).size(), 3u);
    // Equal states have nothing more to say than their digests.
    const std::uint64_t states = houses[0]->work.desk.counters.of("gossip.states_sent");
    village.pass(1s);
    EXPECT_EQ(houses[0]->work.desk.counters.of("gossip.states_sent"), states);
}

TEST(members, tell_a_stray_node_nothing) {
    Village village;
    auto& founder = village.add(options_of(0));
    auto& stray = village.add(waiting_options(1));
    village.pass(1s);
    EXPECT_FALSE(stray.members.joined());
    EXPECT_EQ(founder.work.desk.counters.of("gossip.states_sent"), 0u);
}

TEST(members, do_not_join_a_ring_that_does_not_name_them) {
    Village village;
    auto& stray = village.add(waiting_options(7));
    auto& other = village.add(options_of(0), ring_of(3));
    stray.members.on(Village::envelope(other), wire::GossipState{wire::encode(ring_of(3)), true});
    EXPECT_EQ(stray.members.ring(), nullptr);
    EXPECT_FALSE(stray.work.desk.outbox.ring.has_value());
}

TEST(members, join_only_the_cluster_that_they_were_started_for) {
    Village village;
    NodeOptions options = waiting_options(1);
    options.refuse_other_name = true;
    options.founding.name = "orders";
    auto& choosy = village.add(options);
    auto& other = village.add(options_of(0), ring_of(3));
    for (int i = 0; i < 3; ++i)
        choosy.members.on(Village::envelope(other),
                          wire::GossipState{wire::encode(ring_of(3)), false});
    EXPECT_EQ(choosy.members.ring(), nullptr);
    EXPECT_EQ(choosy.work.logged("waits for cluster orders"), 1u);
    ClusterSettings orders{.name = "orders", .partitions = 8};
    choosy.members.on(Village::envelope(other),
                      wire::GossipState{wire::encode(ring_of(3, orders)), false});
    EXPECT_TRUE(choosy.members.joined());
}

TEST(members, refuse_another_cluster_and_say_so_once) {
    Village village;
    auto& ours = village.add(options_of(0), ring_of(3));
    NodeOptions options = options_of(40);
    options.seeds = {member(0).peer_address};
    RingState foreign =
        found(ClusterId::from("another cluster!"), {.partitions = 8}, member(40), 1);
    auto& theirs = village.add(options, foreign);
    const RingState before = *ours.members.ring();
    for (int i = 0; i < 5; ++i) village.pass(1s);
    EXPECT_EQ(*ours.members.ring(), before);
    EXPECT_EQ(*theirs.members.ring(), foreign);
    EXPECT_GE(ours.work.desk.counters.of("gossip.refused"), 5u);
    EXPECT_EQ(ours.work.logged("belongs to another cluster"), 1u);
    // Even when the envelope does not admit it.
    wire::PeerEnvelope disguised = Village::envelope(theirs);
    disguised.cluster.clear();
    ours.members.on(disguised, wire::GossipState{wire::encode(foreign), true});
    EXPECT_EQ(*ours.members.ring(), before);
}

TEST(members, refuse_a_ring_that_forks_from_theirs) {
    Village village;
    auto& ours = village.add(options_of(0), ring_of(2));
    auto& theirs = village.add(options_of(1), ring_of(3));
    const RingState before = *ours.members.ring();
    ours.members.on(Village::envelope(theirs), wire::GossipState{wire::encode(ring_of(3)), true});
    EXPECT_EQ(*ours.members.ring(), before);
    EXPECT_EQ(ours.work.logged("SPLIT"), 1u);
    EXPECT_TRUE(ours.work.said().empty());
}

TEST(members, drop_gossip_that_is_no_ring) {
    Village village;
    auto& ours = village.add(options_of(0), ring_of(2));
    auto& theirs = village.add(options_of(1), ring_of(2));
    for (const Bytes& state : {Bytes{}, Bytes("nonsense"), wire::encode(ring_of(2)).substr(0, 50)})
        ours.members.on(Village::envelope(theirs), wire::GossipState{state, true});
    EXPECT_EQ(ours.work.desk.counters.of("gossip.bad"), 3u);
    EXPECT_TRUE(ours.work.said().empty());
}

TEST(members, ask_whoever_names_another_ring_at_once_but_not_at_every_message) {
    Village village;
    auto& behind = village.add(options_of(0), ring_of(1));
    auto& ahead = village.add(options_of(1), ring_of(3));
    for (int i = 0; i < 10; ++i) behind.members.on_other_ring(Village::envelope(ahead));
    EXPECT_EQ(village.settle(), 2u);
    EXPECT_EQ(*behind.members.ring(), *ahead.members.ring());
    behind.work.pass(1s);
    behind.members.on_other_ring(Village::envelope(ahead));
    EXPECT_EQ(behind.work.said().size(), 1u);
}

}  // namespace
}  // namespace dynamo::test
