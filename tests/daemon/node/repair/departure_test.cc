// A node leaves a ring of four: whole nodes, with what they say to each other (transfer.h).
#include <gtest/gtest.h>

#include <algorithm>

#include "libdynamo/ring/transition.h"
#include "libdynamo/wire/state_codec.h"
#include "tests/daemon/node/membership/workplace.h"
#include "tests/daemon/node/rig.h"

namespace dynamo::test {
namespace {

bool is_comparison(const wire::PeerMessage& message) {
    return std::holds_alternative<wire::ExchangeOffer>(message) ||
           std::holds_alternative<wire::ExchangeReply>(message) ||
           std::holds_alternative<wire::TreeOffer>(message) ||
           std::holds_alternative<wire::TreeReply>(message);
}

/// Four nodes, of which the last leaves: everything that it held moves to another.
struct Departure : Rig {
    static constexpr std::size_t leaver = 3;
    static constexpr unsigned objects = 24;

    Departure() : Rig({.nodes = 4, .cluster = {.partitions = 8}, .exchange_pass = 1h}) {
        for (unsigned i = 0; i < objects; ++i) (void)put(0, key(i), "old");
        held = routes().owned_by(id(leaver));
    }
    static Bytes key(unsigned number) { return "key:" + std::to_string(number); }

    void remove_it() {
        wire::StageRequest request{.kind = 2, .node_id = Bytes(id(leaver).bytes())};
        ASSERT_TRUE(std::holds_alternative<wire::StageReply>(call(0, std::move(request))));
        const auto planned = call(0, wire::PlanRequest{});
        ASSERT_TRUE(std::holds_alternative<wire::PlanReply>(planned));
        const auto done = call(0, wire::CommitRequest{std::get<wire::PlanReply>(planned).plan});
        ASSERT_TRUE(std::holds_alternative<wire::CommitReply>(done));
    }
    [[nodiscard]] bool moving() { return is_moving(*node(0).ring()); }
    [[nodiscard]] bool released() { return is_released(*node(0).ring(), id(leaver)); }
    /// How many of the keys' objects a node stores.
    [[nodiscard]] std::size_t stores(std::size_t index) {
        std::size_t count = 0;
        for (unsigned i = 0; i < objects; ++i) count += !stored(index, key(i)).empty();
        return count;
    }
    void expect_all_handed_over() {
        EXPECT_FALSE(moving());
        EXPECT_TRUE(released());
        EXPECT_EQ(stores(leaver), 0u);
        for (const std::size_t owner : {0u, 1u, 2u}) EXPECT_EQ(stores(owner), objects) << owner;
    }

    std::vector<std::uint16_t> held;
};

TEST(departure, hands_over_all_and_says_so) {
    Departure rig;
    ASSERT_GT(rig.stores(Departure::leaver), 0u);
    ASSERT_LT(rig.stores(0) + rig.stores(1) + rig.stores(2), 3 * Departure::objects);
    rig.remove_it();
    EXPECT_TRUE(rig.moving());
    rig.pass(30s);
    rig.expect_all_handed_over();
    EXPECT_EQ(rig.stat(0, "partitions.gaining"), 0);
}

/// The same, where it alone holds versions of all keys of a partition: they were not acknowledged,
/// or are hinted elsewhere.
struct LoneHolder : Departure {
    LoneHolder() {
        for (const std::uint16_t p : held) {
            std::vector<Bytes> keys;
            for (unsigned i = 0; i < objects; ++i)
                if (routes().partition_of(position_of(key(i))) == p) keys.push_back(key(i));
            if (keys.size() > alone.size()) alone = keys;
        }
        for (const Bytes& key : alone)
            deliver(0, leaver,
                    wire::WriteRequest{0, {}, key, wire::encode(object("alone", ++counter)), 0});
    }
    void expect_nothing_lost() {
        expect_all_handed_over();
        for (const Bytes& key : alone)
            for (const std::size_t owner : {0u, 1u, 2u})
                EXPECT_EQ(stored(owner, key).siblings.size(), 2u) << owner;
    }
    /// Whether node 1 could learn something of anybody but what the leaver gives it.
    static bool goes_round(std::size_t from, std::size_t to, const wire::PeerMessage& message) {
        if (!is_comparison(message) || (from != 1 && to != 1)) return false;
        if (from != leaver && to != leaver) return true;
        return from == 1 && (std::holds_alternative<wire::TreeOffer>(message) ||
                             std::holds_alternative<wire::ExchangeOffer>(message));
    }

    std::vector<Bytes> alone;
    std::uint64_t counter = 0;
};

TEST(departure, brings_what_the_leaver_alone_holds_after_its_list_has_ended) {
    LoneHolder rig;
    rig.filter = [](std::size_t from, std::size_t, const wire::PeerMessage& message) {
        return from != Departure::leaver || !is_comparison(message);
    };
    rig.remove_it();
    rig.pass(30s);
    EXPECT_FALSE(rig.moving()) << "two of three owners of before are enough";
    EXPECT_FALSE(rig.released());
    rig.filter = {};
    rig.pass(30s);
    rig.expect_nothing_lost();
    EXPECT_EQ(rig.get(1, rig.alone.front()), "alone,old");
}

TEST(departure, drops_nothing_of_which_one_owner_has_not_confirmed_all) {
    const std::size_t count = LoneHolder().alone.size();
    ASSERT_GT(count, 1u) << "so that some of them are confirmed and one is not";
    for (std::size_t missing = 0; missing < count; ++missing) {
        LoneHolder rig;
        std::size_t confirmed = 0;
        rig.filter = [&](std::size_t from, std::size_t to, const wire::PeerMessage& message) {
            if (LoneHolder::goes_round(from, to, message)) return false;
            const auto* write = std::get_if<wire::WriteRequest>(&message);
            if (from != Departure::leaver || to != 1 || !write) return true;
            if (write->key == rig.alone[missing]) return false;
            ++confirmed;
            return true;
        };
        rig.remove_it();
        rig.pass(30s);
        EXPECT_FALSE(rig.moving());
        EXPECT_FALSE(rig.released());
        EXPECT_GT(confirmed, 0u);
        EXPECT_EQ(rig.stored(1, rig.alone[missing]).siblings.size(), 1u);
        EXPECT_EQ(rig.stored(Departure::leaver, rig.alone[missing]).siblings.size(), 2u);
        rig.filter = {};
        rig.pass(60s);
        rig.expect_nothing_lost();
    }
}

TEST(departure, takes_no_refusal_for_a_confirmation) {
    LoneHolder rig;
    LoadSample full;
    full.refuse_writes = true;
    std::size_t refused = 0;
    // It has room when it is asked what it lacks, and none when that comes.
    rig.filter = [&](std::size_t from, std::size_t to, const wire::PeerMessage& message) {
        if (LoneHolder::goes_round(from, to, message)) return false;
        if (from != Departure::leaver || to != 1) return true;
        const bool gives = std::holds_alternative<wire::WriteRequest>(message);
        refused += gives ? 1 : 0;
        rig.node(1).on_load(gives ? full : LoadSample{});
        return true;
    };
    rig.remove_it();
    rig.pass(30s);
    EXPECT_FALSE(rig.moving());
    EXPECT_FALSE(rig.released());
    EXPECT_GT(refused, 0u);
    EXPECT_EQ(rig.stored(Departure::leaver, rig.alone.front()).siblings.size(), 2u);
    rig.node(1).on_load({});
    rig.filter = {};
    rig.pass(60s);
    rig.expect_nothing_lost();
}

TEST(departure, keeps_what_is_put_while_it_lasts) {
    Departure rig;
    rig.filter = [](std::size_t, std::size_t, const wire::PeerMessage& message) {
        return !is_comparison(message);
    };
    rig.remove_it();
    rig.pass(2s);
    ASSERT_TRUE(rig.moving());
    for (unsigned i = 0; i < Departure::objects; ++i)
        (void)rig.put(i % 3, Departure::key(i), "new", PutMode::blind);
    rig.filter = {};
    rig.pass(30s);
    rig.expect_all_handed_over();
    for (unsigned i = 0; i < Departure::objects; ++i)
        EXPECT_EQ(rig.get((i + 1) % 3, Departure::key(i)), "new,old") << i;
}

TEST(departure, of_a_list_needs_two_of_its_owners_to_be_learnt_from) {
    Departure rig;
    const Routes before = rig.routes();
    const std::uint16_t p = rig.held.front();
    std::size_t gainer = 0;
    while (before.is_owner(rig.id(gainer), p)) ++gainer;
    // From the leaver it hears all; nobody else hears anything of what others hold.
    rig.filter = [&](std::size_t from, std::size_t to, const wire::PeerMessage& message) {
        return !is_comparison(message) || (from == gainer && to == Departure::leaver) ||
               (from == Departure::leaver && to == gainer);
    };
    rig.remove_it();
    rig.pass(30s);
    EXPECT_FALSE(is_synced(*rig.node(0).ring(), 3, rig.id(gainer), p));
    EXPECT_EQ(live_lists(*rig.node(0).ring(), p).size(), 2u);
    const auto missing = Departure::objects - rig.stores(gainer);
    EXPECT_EQ(missing, 0u) << "it has all of it, and does not know";
    rig.filter = {};
    rig.pass(30s);
    rig.expect_all_handed_over();
}

TEST(departure, does_not_count_a_source_that_rebuilds_its_own_copy) {
    Departure rig;
    const Routes before = rig.routes();
    const std::uint16_t p = rig.held.front();
    std::size_t gainer = 0;
    while (before.is_owner(rig.id(gainer), p)) ++gainer;
    const std::size_t torn = (gainer + 1) % 3;
    const std::size_t whole = (gainer + 2) % 3;
    // The torn one cannot be rebuilt, and tells the gainer what little it holds.
    const auto pair = [](std::size_t a, std::size_t b, std::size_t one, std::size_t other) {
        return (a == one && b == other) || (a == other && b == one);
    };
    rig.filter = [&](std::size_t from, std::size_t to, const wire::PeerMessage& message) {
        if (!is_comparison(message)) return true;
        return pair(from, to, gainer, torn) || pair(from, to, gainer, Departure::leaver);
    };
    rig.wipe(torn);
    rig.pass(1s);
    rig.remove_it();
    rig.pass(30s);
    ASSERT_GT(rig.stat(torn, "partitions.rebuilding"), 0);
    EXPECT_FALSE(is_synced(*rig.node(whole).ring(), 3, rig.id(gainer), p));
    EXPECT_TRUE(rig.moving());
    rig.filter = {};
    rig.pass(60s);
    rig.expect_all_handed_over();
}

// Who answers knows the ring under which it is asked, and has taken nothing under an older list.
TEST(departure, compares_under_the_same_lists_only) {
    Departure rig;
    const Routes before = rig.routes();
    const std::uint16_t p = rig.held.front();
    std::size_t gainer = 0;
    while (before.is_owner(rig.id(gainer), p)) ++gainer;
    const std::size_t late = (gainer + 1) % 3;
    const std::size_t other = (gainer + 2) % 3;
    std::vector<wire::PeerStatusCode> statuses;
    rig.filter = [&](std::size_t, std::size_t to, const wire::PeerMessage& message) {
        if (const auto* reply = std::get_if<wire::ExchangeReply>(&message))
            statuses.push_back(reply->status);
        return !is_comparison(message) &&
               (to != late || !std::holds_alternative<wire::GossipState>(message));
    };
    const auto status_of = [&](std::size_t from, std::size_t to) {
        statuses.clear();
        wire::ExchangeOffer offer;
        offer.id = 1;
        offer.partition = p;
        rig.deliver(from, to, offer);
        return statuses.empty() ? wire::PeerStatusCode::storage : statuses.front();
    };
    EXPECT_EQ(status_of(other, gainer), wire::PeerStatusCode::not_owner) << "not yet";
    EXPECT_EQ(status_of(other, late), wire::PeerStatusCode::ok);
    rig.remove_it();
    ASSERT_EQ(rig.node(other).ring()->head().number, 3u);
    ASSERT_EQ(rig.node(late).ring()->head().number, 2u);
    EXPECT_EQ(status_of(gainer, late), wire::PeerStatusCode::behind);
    EXPECT_EQ(status_of(late, other), wire::PeerStatusCode::not_owner);
    EXPECT_EQ(status_of(gainer, other), wire::PeerStatusCode::ok);
}

TEST(departure, waits_for_a_new_owner_that_is_dead) {
    Departure rig;
    rig.remove_it();
    rig.stop(2);
    rig.pass(60s);
    EXPECT_FALSE(rig.released());
    EXPECT_GT(rig.stores(Departure::leaver), 0u) << "2 is to have all of it too";
    rig.restart(2);
    rig.pass(60s);
    rig.expect_all_handed_over();
}

TEST(departure, waits_for_a_new_owner_that_has_no_room) {
    Departure rig;
    rig.filter = [](std::size_t, std::size_t, const wire::PeerMessage& message) {
        return !is_comparison(message);
    };
    rig.remove_it();
    LoadSample full;
    full.refuse_writes = true;
    rig.node(1).on_load(full);
    std::size_t asked = 0;
    rig.filter = [&](std::size_t from, std::size_t to, const wire::PeerMessage& message) {
        asked += from == Departure::leaver && to == 1 && is_comparison(message) ? 1 : 0;
        return true;
    };
    rig.pass(60s);
    EXPECT_LE(asked, 60 * 4 * rig.held.size()) << "of each partition every 250 ms";
    EXPECT_FALSE(rig.released());
    EXPECT_GT(rig.stores(Departure::leaver), 0u);
    rig.node(1).on_load({});
    rig.pass(60s);
    rig.expect_all_handed_over();
}

TEST(departure, goes_on_after_a_restart_of_the_leaver) {
    Departure rig;
    rig.remove_it();
    rig.stop(Departure::leaver);
    rig.pass(30s);
    EXPECT_FALSE(rig.moving());
    EXPECT_FALSE(rig.released());
    rig.restart(Departure::leaver);
    rig.pass(30s);
    rig.expect_all_handed_over();
}

}  // namespace
}  // namespace dynamo::test
