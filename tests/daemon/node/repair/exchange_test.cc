#include "daemon/node/repair/exchange.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "tests/daemon/node/membership/workplace.h"

namespace dynamo::test {
namespace {

using wire::ExchangeOffer;
using wire::ExchangeReply;
using wire::PeerStatusCode;

struct Replica : Workplace {
    Replica(unsigned index, const RingState& ring, RingCame came = RingCame::just_now,
            Mutant mutant = Mutant::none)
        : Workplace(index, ring, mutant),
          jobs(desk, liveness),
          transfer(desk, objects, liveness),
          exchange(desk, objects, liveness, jobs, transfer) {
        EXPECT_TRUE(exchange.on_ring(came).has_value());
    }
    void on(const NodeId& from, const wire::PeerMessage& message) {
        liveness.heard(from);
        if (const auto* offer = std::get_if<ExchangeOffer>(&message))
            exchange.on(from, desk.routes.number(), *offer);
        if (const auto* reply = std::get_if<ExchangeReply>(&message)) exchange.on(from, *reply);
        if (const auto* offer = std::get_if<wire::TreeOffer>(&message))
            exchange.on(from, desk.routes.number(), *offer);
        if (const auto* reply = std::get_if<wire::TreeReply>(&message)) exchange.on(from, *reply);
        if (const auto* write = std::get_if<wire::WriteRequest>(&message)) {
            EXPECT_EQ(write->id, 0u);
            keep(write->key, *wire::decode_object(write->object));
        }
    }
    /// Damages what is stored of a key.
    void damage(BytesView key) {
        EXPECT_TRUE(storage.put(slot(key).table(), slot(key).storage_key(), "damaged").has_value());
    }
    /// Rows of all partitions, with the objects' octets.
    std::map<Bytes, Bytes> everything() {
        std::map<Bytes, Bytes> rows;
        for (std::uint16_t p = 0; p < desk.routes.partitions(); ++p)
            EXPECT_TRUE(objects
                            .scan_objects(p, {},
                                          [&](BytesView row, BytesView record) {
                                              const auto object = object_bytes(row, record);
                                              rows[Bytes(row)] =
                                                  object ? Bytes(*object) : "damaged";
                                              return true;
                                          })
                            .has_value());
        return rows;
    }

    Jobs jobs;
    Transfer transfer;
    Exchange exchange;
};

/// Replicas with a perfect post between them, except where a test wants it otherwise.
struct Group {
    explicit Group(unsigned members, const ClusterSettings& settings = {.partitions = 4},
                   Mutant mutant = Mutant::none)
        : ring(ring_of(members, settings)) {
        for (unsigned i = 0; i < members; ++i)
            replicas.push_back(std::make_unique<Replica>(i, ring, RingCame::just_now, mutant));
    }
    Replica& at(std::size_t index) { return *replicas[index]; }

    /// The storage of a replica is lost, and its process starts again.
    void lose(unsigned index) {
        replicas[index] = std::make_unique<Replica>(index, ring, RingCame::at_start);
    }

    void settle() {
        for (bool moved = true; moved;) {
            moved = false;
            for (auto& from : replicas)
                for (auto& to : from->said()) {
                    moved = true;
                    for (auto& other : replicas)
                        if (other->desk.self() == to.node && deliverable(*from, *other, to.message))
                            other->on(from->desk.self(), to.message);
                }
        }
    }
    bool deliverable(const Replica& from, const Replica& to, const wire::PeerMessage& message) {
        if (lost && lost(from.desk.self(), to.desk.self(), message)) return false;
        if (const auto* offer = std::get_if<ExchangeOffer>(&message)) {
            ++offers;
            EXPECT_LE(offer->items.size(), 256u);
        }
        if (const auto* reply = std::get_if<ExchangeReply>(&message)) {
            EXPECT_LE(reply->states.size(), 32u);
            EXPECT_LE(reply->want.size(), 256u);
        }
        return true;
    }
    void pass(Duration time) {
        for (auto& replica : replicas) {
            replica->pass(time);
            replica->exchange.tick();
        }
        settle();
    }
    /// Two full rounds over all pairs, by every replica.
    void rounds() {
        for (int turn = 0; turn < 2 * 4 * 2; ++turn) pass(1s);
    }
    [[nodiscard]] std::uint64_t passes() {
        std::uint64_t count = 0;
        for (auto& replica : replicas) count += replica->exchange.passes();
        return count;
    }

    RingState ring;
    std::vector<std::unique_ptr<Replica>> replicas;
    std::function<bool(const NodeId&, const NodeId&, const wire::PeerMessage&)> lost;
    std::size_t offers = 0;
};

Bytes key(unsigned number) { return "key:" + std::to_string(number); }

// ----------------------------------------------------------------------------- comparing

TEST(exchange, gives_each_of_two_what_only_the_other_has) {
    Group group(2);
    for (unsigned i = 0; i < 20; ++i) group.at(i % 2).keep(key(i), object(key(i)));
    // Both have a version of this one that the other has not seen.
    group.at(0).keep("both", object("milk", 1));
    group.at(1).keep("both", object("bread", 2));
    group.rounds();
    EXPECT_EQ(group.at(0).everything().size(), 21u);
    EXPECT_EQ(group.at(0).everything(), group.at(1).everything());
    EXPECT_EQ(group.at(0).kept("both").siblings.size(), 2u);
}

TEST(exchange, converges_three_replicas_to_identical_octets) {
    Group group(3);
    for (unsigned i = 0; i < 90; ++i) group.at(i % 3).keep(key(i / 2), object(key(i), i + 1));
    group.rounds();
    EXPECT_EQ(group.at(0).everything().size(), 45u);
    EXPECT_EQ(group.at(0).everything(), group.at(1).everything());
    EXPECT_EQ(group.at(1).everything(), group.at(2).everything());
}

TEST(exchange, lets_both_ends_take_part_in_one_pass) {
    Group group(2, {.partitions = 1});
    for (unsigned i = 0; i < 10; ++i) group.at(i % 2).keep(key(i), object("milk"));
    group.at(0).pass(1s);
    group.at(0).exchange.tick();
    group.settle();
    EXPECT_EQ(group.at(0).exchange.passes(), 1u);
    EXPECT_EQ(group.at(0).everything().size(), 10u);
    EXPECT_EQ(group.at(0).everything(), group.at(1).everything());
}

TEST(exchange, would_not_converge_if_it_never_gave) {
    Group group(2, {.partitions = 4}, Mutant::exchange_one_way);
    for (unsigned i = 0; i < 20; ++i) group.at(i % 2).keep(key(i), object(key(i)));
    group.rounds();
    EXPECT_NE(group.at(0).everything(), group.at(1).everything());
}

TEST(exchange, keeps_a_delete_against_the_value_that_it_superseded) {
    Group group(2);
    group.at(0).keep("cart", object("milk"));
    Object deleted = object("milk");
    const Dot dot{{node_id(98), 1}, 1};
    add_version(deleted, object("milk").clock, {dot, true, 0, {}});
    group.at(1).keep("cart", deleted);
    group.rounds();
    EXPECT_EQ(group.at(0).kept("cart"), deleted);
    EXPECT_EQ(group.at(1).kept("cart"), deleted);
}

TEST(exchange, mends_a_damaged_record_whichever_end_has_it) {
    Group group(2, {.partitions = 1});
    for (const Bytes& each : {key(1), key(2), key(3), key(4)}) {
        group.at(0).keep(each, object("milk"));
        group.at(1).keep(each, object("milk"));
    }
    group.at(0).damage(key(1));
    group.at(1).damage(key(2));
    group.at(0).damage(key(3));
    group.at(1).damage(key(3));
    group.at(0).damage("only here");
    group.at(0).pass(1s);
    group.at(0).exchange.tick();
    group.settle();
    EXPECT_EQ(group.at(0).exchange.passes(), 1u) << "what nobody can mend ends no pass";
    EXPECT_EQ(group.at(0).kept(key(1)), object("milk"));
    EXPECT_EQ(group.at(1).kept(key(2)), object("milk"));
    EXPECT_EQ(group.at(0).everything().at(group.at(0).slot(key(3)).row), "damaged");
    EXPECT_EQ(group.at(1).everything().count(group.at(0).slot("only here").row), 0u);
}

TEST(exchange, compares_two_thousand_rows_in_bounded_stretches) {
    Group group(2, {.partitions = 1});
    for (unsigned i = 0; i < 2000; ++i) {
        if (i % 3 != 0) group.at(0).keep(key(i), object(key(i)));
        if (i % 3 != 1) group.at(1).keep(key(i), object(key(i)));
    }
    group.at(0).pass(1s);
    group.at(0).exchange.tick();
    group.settle();
    EXPECT_EQ(group.at(0).exchange.passes(), 1u);
    EXPECT_GE(group.offers, 2000u / 3 / 32);
    EXPECT_EQ(group.at(0).everything().size(), 2000u);
    EXPECT_EQ(group.at(0).everything(), group.at(1).everything());
    // Equal copies take only the comparing.
    group.offers = 0;
    group.at(0).pass(1s);
    group.at(0).exchange.tick();
    group.settle();
    EXPECT_EQ(group.offers, 8u);
    EXPECT_EQ(group.at(0).exchange.passes(), 2u);
}

TEST(exchange, bounds_the_octets_of_a_stretch_but_lets_one_large_object_pass) {
    Group group(2, {.partitions = 1});
    for (unsigned i = 0; i < 6; ++i)
        group.at(i % 2).keep(key(i), object(std::string(i < 2 ? 3u << 20 : 700'000u, 'x')));
    std::size_t largest = 0;
    group.lost = [&](const NodeId&, const NodeId&, const wire::PeerMessage& message) {
        if (const auto* reply = std::get_if<ExchangeReply>(&message)) {
            std::size_t octets = 0;
            for (const auto& state : reply->states) octets += state.object.size();
            EXPECT_TRUE(reply->states.size() <= 1 || octets <= 1u << 20);
            largest = std::max(largest, octets);
        }
        return false;
    };
    group.at(0).pass(1s);
    group.at(0).exchange.tick();
    group.settle();
    EXPECT_GT(largest, 3u << 20);
    EXPECT_EQ(group.at(0).everything(), group.at(1).everything());
}

// ----------------------------------------------------------------------------- turns

TEST(exchange, waits_for_its_turn_and_wakes_exactly_then) {
    Group group(2, {.partitions = 1});
    Replica& replica = group.at(0);
    const Duration interval = replica.desk.options.exchange_interval;
    EXPECT_EQ(replica.exchange.wake_at(), replica.desk.now.instant + interval);
    replica.pass(interval - 1us);
    replica.exchange.tick();
    EXPECT_TRUE(replica.said().empty());
    replica.pass(1us);
    replica.exchange.tick();
    EXPECT_EQ(replica.said_of<ExchangeOffer>().size(), 1u);
    EXPECT_EQ(replica.exchange.wake_at(),
              replica.desk.now.instant + replica.desk.options.replica_timeout);
    replica.exchange.tick();
    EXPECT_TRUE(replica.said().empty());
}

TEST(exchange, never_wakes_where_nobody_else_owns_anything) {
    Replica alone(0, ring_of(1));
    EXPECT_EQ(alone.exchange.wake_at(), Instant::max());
    Replica unshared(
        0, ring_of(3, {.copies = 1, .partitions = 4, .read_quorum = 1, .write_quorum = 1}));
    EXPECT_EQ(unshared.exchange.wake_at(), Instant::max());
}

TEST(exchange, visits_every_other_owner_of_every_partition_in_turn) {
    Group group(3, {.partitions = 4});
    std::set<std::pair<std::uint16_t, NodeId>> visited;
    Replica& replica = group.at(0);
    for (int turn = 0; turn < 8; ++turn) {
        replica.pass(1s);
        replica.exchange.tick();
        for (auto& to : replica.said())
            if (const auto* offer = std::get_if<ExchangeOffer>(&to.message)) {
                visited.emplace(offer->partition, to.node);
                replica.on(to.node, ExchangeReply{offer->id, PeerStatusCode::ok, {}, {}, {}});
            }
    }
    EXPECT_EQ(visited.size(), 8u);
    EXPECT_EQ(replica.exchange.passes(), 8u);
}

TEST(exchange, leaves_the_suspected_alone) {
    Group group(3, {.partitions = 4});
    Replica& replica = group.at(0);
    replica.liveness.unreachable(node_id(1));
    for (int turn = 0; turn < 10; ++turn) {
        replica.pass(1s);
        replica.exchange.tick();
        for (auto& to : replica.said()) {
            EXPECT_EQ(to.node, node_id(2));
            if (const auto* offer = std::get_if<ExchangeOffer>(&to.message))
                replica.on(to.node, ExchangeReply{offer->id, PeerStatusCode::ok, {}, {}, {}});
        }
    }
    EXPECT_EQ(replica.exchange.passes(), 10u);
}

TEST(exchange, asks_twice_then_abandons_and_suspects) {
    Group group(2, {.partitions = 1});
    Replica& replica = group.at(0);
    replica.pass(1s);
    replica.exchange.tick();
    const auto first = replica.said_of<ExchangeOffer>();
    ASSERT_EQ(first.size(), 1u);
    replica.pass(replica.desk.options.replica_timeout);
    replica.exchange.tick();
    const auto second = replica.said_of<ExchangeOffer>();
    ASSERT_EQ(second.size(), 1u);
    EXPECT_TRUE(replica.liveness.healthy(node_id(1)));
    replica.pass(replica.desk.options.replica_timeout);
    replica.exchange.tick();
    EXPECT_TRUE(replica.said_of<ExchangeOffer>().empty());
    EXPECT_FALSE(replica.liveness.healthy(node_id(1)));
    EXPECT_GT(replica.exchange.wake_at(), replica.desk.now.instant);
    // The answers come after all, and find nobody.
    replica.on(node_id(1), ExchangeReply{first[0].id, PeerStatusCode::ok, {}, {}, {}});
    replica.on(node_id(1), ExchangeReply{second[0].id, PeerStatusCode::ok, {}, {}, {}});
    EXPECT_EQ(replica.exchange.passes(), 0u);
}

TEST(exchange, converges_over_a_network_that_loses_a_tenth) {
    Group group(3);
    for (unsigned i = 0; i < 600; ++i) group.at(i % 3).keep(key(i / 2), object(key(i), i + 1));
    Random random(5);
    group.lost = [&](const NodeId&, const NodeId&, const wire::PeerMessage&) {
        return random.chance(0.1);
    };
    for (int second = 0; second < 60; ++second) {
        group.pass(500ms);
        for (auto& replica : group.replicas)
            for (unsigned i = 0; i < 3; ++i) replica->liveness.heard(node_id(i));
    }
    group.lost = nullptr;
    group.rounds();
    EXPECT_EQ(group.at(0).everything().size(), 300u);
    EXPECT_EQ(group.at(0).everything(), group.at(1).everything());
    EXPECT_EQ(group.at(1).everything(), group.at(2).everything());
}

// ----------------------------------------------------------------------------- odd messages

TEST(exchange, takes_nothing_from_an_answer_that_does_not_belong_to_its_offer) {
    Group group(3, {.partitions = 2});
    Replica& replica = group.at(0);
    for (unsigned i = 0; i < 10; ++i) replica.keep(key(i), object("milk"));
    replica.pass(1s);
    replica.exchange.tick();
    auto said = replica.said();
    ASSERT_EQ(said.size(), 1u);
    const auto offer = std::get<ExchangeOffer>(said[0].message);
    const NodeId partner = said[0].node;
    const NodeId other = partner == node_id(1) ? node_id(2) : node_id(1);
    const auto before = replica.everything();
    Bytes here = "new:0";
    Bytes elsewhere = "new:0";
    while (replica.slot(here).partition != offer.partition) here += '0';
    while (replica.slot(elsewhere).partition == offer.partition) elsewhere += '0';
    const Bytes bytes = wire::encode(object("bread"));
    const auto ok = PeerStatusCode::ok;
    replica.on(other, ExchangeReply{offer.id, ok, {}, {}, {{here, bytes}}});
    replica.on(partner, ExchangeReply{offer.id + 1, ok, {}, {}, {{here, bytes}}});
    replica.on(partner, ExchangeReply{offer.id, ok, {}, {}, {{here, bytes}, {elsewhere, bytes}}});
    replica.on(partner, ExchangeReply{offer.id, ok, {}, {}, {{here, bytes}, {here, "no state"}}});
    replica.on(partner, ExchangeReply{offer.id, ok, {}, {}, {{"", bytes}}});
    replica.on(partner, ExchangeReply{offer.id, ok, {"never offered"}, {}, {}});
    EXPECT_EQ(replica.everything(), before);
    EXPECT_TRUE(replica.said().empty());
    EXPECT_EQ(replica.exchange.passes(), 0u);
    EXPECT_EQ(replica.desk.counters.of("exchange.odd"), 4u);
    replica.on(partner, ExchangeReply{offer.id, ok, {}, {}, {{here, bytes}}});
    EXPECT_EQ(replica.exchange.passes(), 1u);
    EXPECT_EQ(replica.kept(here), object("bread"));
}

TEST(exchange, answers_no_offer_that_makes_no_sense) {
    Group group(3, {.partitions = 2});
    Replica& replica = group.at(0);
    const Bytes digest(16, 'd');
    const Bytes low = "00000000a";
    const Bytes high = "00000000b";
    const std::vector<ExchangeOffer> odd = {
        {1, 0, {}, {}, {{high, digest}, {low, digest}}},
        {1, 0, {}, {}, {{low, digest}, {low, digest}}},
        {1, 0, {}, {}, {{"short", digest}}},
        {1, 0, {}, {}, {{low, "short"}}},
        {1, 0, high, {}, {{low, digest}}},
        {1, 0, {}, low, {{low, digest}}},
        {1, 0, high, low, {}},
    };
    for (const ExchangeOffer& offer : odd) replica.on(node_id(1), offer);
    EXPECT_TRUE(replica.said().empty());
    EXPECT_EQ(replica.desk.counters.of("exchange.odd"), odd.size());
}

TEST(exchange, answers_whoever_asks_for_what_it_owns) {
    Group group(5, {.partitions = 8});
    Replica& replica = group.at(0);
    for (std::uint16_t partition = 0; partition < 8; ++partition)
        for (unsigned from = 1; from < 5; ++from) {
            replica.on(node_id(from), ExchangeOffer{7, partition, {}, {}, {}});
            const auto replies = replica.said_of<ExchangeReply>();
            ASSERT_EQ(replies.size(), 1u);
            const Routes& routes = replica.desk.routes;
            const bool owns = routes.is_owner(node_id(0), partition);
            EXPECT_EQ(replies[0].status, owns ? PeerStatusCode::ok : PeerStatusCode::not_owner);
        }
    replica.on(node_id(1), ExchangeOffer{7, 60000, {}, {}, {}});
    EXPECT_EQ(replica.said_of<ExchangeReply>().at(0).status, PeerStatusCode::not_owner);
}

TEST(exchange, gives_but_does_not_take_while_writes_are_refused) {
    Group group(2, {.partitions = 1});
    group.at(0).keep("mine", object("milk"));
    group.at(1).keep("theirs", object("bread"));
    group.at(1).desk.load.refuse_writes = true;
    for (int turn = 0; turn < 3; ++turn) group.pass(1s);
    EXPECT_EQ(group.at(0).everything().size(), 2u);
    EXPECT_EQ(group.at(1).everything().size(), 1u);
    EXPECT_EQ(group.at(1).exchange.passes(), 0u);
}

// ----------------------------------------------------------------------------- rebuilding

TEST(exchange, does_not_take_a_new_ring_for_a_loss) {
    Replica fresh(1, ring_of(3), RingCame::just_now);
    EXPECT_EQ(fresh.objects.rebuilding().size(), 0u);
    // The notes last: the same storage under the same ring at the next start.
    EXPECT_TRUE(fresh.exchange.on_ring(RingCame::at_start).has_value());
    EXPECT_EQ(fresh.objects.rebuilding().size(), 0u);
    EXPECT_EQ(fresh.desk.counters.of("storage.losses"), 0u);
}

TEST(exchange, rebuilds_a_lost_copy_before_it_may_be_read) {
    Group group(3, {.partitions = 4});
    for (unsigned i = 0; i < 100; ++i)
        for (unsigned node = 0; node < 3; ++node)
            if (node != i % 3) group.at(node).keep(key(i), object(key(i)));
    group.lose(2);
    Replica& lost = group.at(2);
    EXPECT_EQ(lost.objects.rebuilding().size(), 4u);
    for (std::uint16_t partition = 0; partition < 4; ++partition)
        EXPECT_TRUE(lost.objects.rebuilding(partition));
    EXPECT_EQ(lost.desk.counters.of("storage.losses"), 1u);
    EXPECT_EQ(lost.exchange.wake_at(), lost.desk.now.instant) << "it does not wait for its turn";
    lost.exchange.tick();
    group.settle();
    EXPECT_EQ(lost.objects.rebuilding().size(), 0u);
    EXPECT_EQ(lost.objects.rebuilding().size(), 0u);
    EXPECT_EQ(lost.everything().size(), 100u);
    EXPECT_EQ(lost.exchange.passes(), 8u);
    lost.exchange.tick();
    EXPECT_TRUE(lost.exchange.on_ring(RingCame::at_start).has_value());
    EXPECT_EQ(lost.objects.rebuilding().size(), 0u);
}

TEST(exchange, needs_fewer_sources_the_more_nodes_a_write_reaches) {
    Group group(3, {.partitions = 4, .read_quorum = 1, .write_quorum = 3});
    group.lose(2);
    group.at(2).exchange.tick();
    group.settle();
    EXPECT_EQ(group.at(2).objects.rebuilding().size(), 0u);
    EXPECT_EQ(group.at(2).exchange.passes(), 4u);
}

TEST(exchange, goes_on_rebuilding_after_a_restart_and_waits_for_who_is_down) {
    Group group(3, {.partitions = 4});
    for (unsigned i = 0; i < 50; ++i) group.at(0).keep(key(i), object(key(i)));
    group.lose(2);
    Replica& lost = group.at(2);
    lost.liveness.unreachable(node_id(1));
    group.pass(10ms);
    EXPECT_EQ(lost.objects.rebuilding().size(), 4u) << "one of two sources is not enough";
    EXPECT_EQ(lost.everything().size(), 50u);
    EXPECT_GT(lost.exchange.wake_at(), lost.desk.now.instant);
    EXPECT_TRUE(lost.exchange.on_ring(RingCame::at_start).has_value());
    EXPECT_EQ(lost.objects.rebuilding().size(), 4u);
    lost.liveness.heard(node_id(1));
    group.pass(1s);
    EXPECT_EQ(lost.objects.rebuilding().size(), 0u);
}

TEST(exchange, does_not_count_who_is_rebuilding_as_a_source) {
    // W = 3 needs one source only, so what counts as one makes the difference.
    Group group(3, {.partitions = 4, .read_quorum = 1, .write_quorum = 3});
    for (unsigned i = 0; i < 50; ++i) group.at(0).keep(key(i), object(key(i)));
    group.lose(1);
    group.lose(2);
    Replica& lost = group.at(2);
    lost.liveness.unreachable(node_id(0));
    lost.exchange.tick();
    group.settle();
    EXPECT_EQ(lost.exchange.passes(), 4u);
    EXPECT_EQ(lost.objects.rebuilding().size(), 4u);
    lost.liveness.heard(node_id(0));
    group.pass(1s);
    EXPECT_EQ(lost.objects.rebuilding().size(), 0u);
    EXPECT_EQ(lost.everything().size(), 50u);
}

TEST(exchange, ends_rebuilding_when_nobody_is_left_to_learn_from) {
    Group group(3, {.partitions = 4});
    for (unsigned i = 0; i < 50; ++i) group.at(i % 3).keep(key(i), object(key(i)));
    for (unsigned i = 0; i < 3; ++i) group.lose(i);
    for (int second = 0; second < 3; ++second) group.pass(1s);
    for (unsigned i = 0; i < 3; ++i) EXPECT_EQ(group.at(i).objects.rebuilding().size(), 0u);
}

TEST(exchange, resumes_an_abandoned_rebuild_where_it_had_come_to) {
    Group group(2, {.copies = 2, .partitions = 1, .read_quorum = 1, .write_quorum = 1});
    for (unsigned i = 0; i < 1000; ++i) group.at(0).keep(key(i), object(key(i)));
    group.lose(1);
    std::size_t replies = 0;
    group.lost = [&](const NodeId&, const NodeId&, const wire::PeerMessage& message) {
        return std::holds_alternative<ExchangeReply>(message) && ++replies > 5;
    };
    group.at(1).exchange.tick();
    group.settle();
    EXPECT_EQ(group.at(1).everything().size(), 5u * 32);
    group.pass(400ms);
    group.pass(400ms);
    EXPECT_EQ(group.at(1).desk.counters.of("exchange.abandoned"), 1u);
    group.lost = nullptr;
    group.offers = 0;
    group.at(1).liveness.heard(node_id(0));
    group.at(0).exchange.rolled_back();  // keeps its own turn out of the count
    group.at(1).pass(1s);
    group.at(1).exchange.tick();
    group.settle();
    EXPECT_EQ(group.at(1).objects.rebuilding().size(), 0u);
    EXPECT_EQ(group.at(1).everything().size(), 1000u);
    EXPECT_EQ(group.offers, (1000u - 5 * 32 + 31) / 32);
}

TEST(exchange, goes_back_to_what_is_noted_when_a_commit_fails) {
    Group group(2, {.copies = 2, .partitions = 1, .read_quorum = 1, .write_quorum = 1});
    group.at(0).keep("cart", object("milk"));
    group.lose(1);
    Replica& lost = group.at(1);
    ASSERT_TRUE(lost.storage.commit(Durability::sync).has_value());
    lost.exchange.tick();
    group.settle();
    lost.exchange.tick();
    EXPECT_EQ(lost.objects.rebuilding().size(), 0u);
    lost.storage.rollback();
    lost.exchange.rolled_back();
    EXPECT_EQ(lost.everything().size(), 0u);
    EXPECT_EQ(lost.objects.rebuilding().size(), 1u);
    EXPECT_TRUE(lost.objects.rebuilding(0));
    group.pass(1s);
    EXPECT_EQ(lost.objects.rebuilding().size(), 0u);
    EXPECT_EQ(lost.everything().size(), 1u);
}

TEST(exchange, notes_a_new_ring_again_when_its_commit_fails) {
    Replica fresh(1, ring_of(3), RingCame::just_now);
    fresh.storage.rollback();
    fresh.exchange.rolled_back();
    EXPECT_LE(fresh.exchange.wake_at(),
              fresh.desk.now.instant + fresh.desk.options.exchange_interval);
    fresh.exchange.tick();
    EXPECT_TRUE(fresh.exchange.on_ring(RingCame::at_start).has_value());
    EXPECT_EQ(fresh.objects.rebuilding().size(), 0u);
}

TEST(exchange, has_nothing_to_rebuild_from_when_it_is_alone) {
    Replica alone(0, ring_of(1), RingCame::at_start);
    EXPECT_EQ(alone.objects.rebuilding().size(), 0u);
    EXPECT_EQ(alone.logged("no other member to rebuild it from"), 1u);
    EXPECT_EQ(alone.exchange.wake_at(), Instant::max());
    EXPECT_TRUE(alone.exchange.on_ring(RingCame::at_start).has_value());
    EXPECT_EQ(alone.desk.counters.of("storage.losses"), 1u);
}

TEST(exchange, rebuilds_everything_when_its_notes_cannot_be_what_it_wrote) {
    Replica replica(1, ring_of(3), RingCame::just_now);
    ASSERT_TRUE(replica.storage.put(Table::notes(), "rebuilding", "four").has_value());
    EXPECT_TRUE(replica.exchange.on_ring(RingCame::at_start).has_value());
    EXPECT_EQ(replica.objects.rebuilding().size(), 8u);
}

}  // namespace
}  // namespace dynamo::test
