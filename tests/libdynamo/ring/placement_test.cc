#include "libdynamo/ring/placement.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "libdynamo/ring/shares.h"
#include "tests/libdynamo/ring/rings.h"

namespace dynamo {
namespace {

using test::change_to;
using test::loads;
using test::member;
using test::members;
using test::ring_of;
using test::row;
using test::Shape;
using test::sorted;

std::vector<Member> some_members(unsigned most, unsigned zones, unsigned from = 1) {
    std::vector<Member> some;
    const auto count = *rc::gen::inRange(1U, most + 1);
    for (unsigned i = 0; i < count; ++i)
        some.push_back(member(from + i, *rc::gen::inRange(1U, 5U),
                              "z" + std::to_string(*rc::gen::inRange(0U, zones))));
    return some;
}

std::vector<Share> shares_of(const Epoch& epoch) {
    std::map<std::string, std::size_t> zones;
    for (const Member& member : epoch.members) zones.emplace(member.zone, zones.size());
    std::vector<Weighted> nodes;
    for (const Member& member : epoch.members)
        nodes.push_back({member.weight, zones.at(member.zone)});
    const auto copies = std::min<std::int64_t>(epoch.copies, std::ssize(epoch.members));
    return fair_shares(nodes, {epoch.partitions, copies, std::min(copies, std::ssize(zones))});
}

std::size_t zones_of(const std::vector<Member>& members) {
    std::set<std::string> zones;
    for (const Member& member : members) zones.insert(member.zone);
    return zones.size();
}

std::pair<std::size_t, std::size_t> range(const std::vector<std::size_t>& counts) {
    const auto [low, high] = std::ranges::minmax(counts);
    return {low, high};
}

std::vector<std::size_t> places_of_rank(const Epoch& epoch, std::size_t rank) {
    std::vector<std::size_t> counts(epoch.members.size(), 0);
    for (std::size_t p = 0; p < epoch.partitions; ++p)
        ++counts.at(epoch.table.at(p * epoch.copies + rank));
    return counts;
}

RC_GTEST_PROP(placement, gives_every_node_its_share_and_every_row_its_zones, ()) {
    const auto some = some_members(12, 4);
    const auto copies = *rc::gen::inRange<std::uint16_t>(1, 6);
    const RingState ring = ring_of(some, {64, copies});
    const Epoch& head = ring.head();
    RC_ASSERT(validate(ring).has_value());
    for (std::size_t p = 0; p < head.partitions; ++p)
        RC_ASSERT(zones_of(row(head, p)) ==
                  std::min<std::size_t>(row(head, p).size(), zones_of(head.members)));
    const auto shares = shares_of(head);
    for (std::size_t i = 0; i < head.members.size(); ++i) {
        const auto load = static_cast<std::int64_t>(loads(head)[i]);
        RC_ASSERT(load >= shares[i].whole);
        RC_ASSERT(load <= shares[i].whole + (shares[i].has_fraction ? 1 : 0));
    }
}

RC_GTEST_PROP(placement, gives_every_node_each_rank_as_often, ()) {
    const RingState ring = ring_of(some_members(12, 4), {64, 3});
    const Epoch& head = ring.head();
    const std::size_t ranks = row(head, 0).size();
    for (std::size_t rank = 0; rank < ranks; ++rank) {
        const auto places = places_of_rank(head, rank);
        for (std::size_t i = 0; i < places.size(); ++i) {
            // The ranks that are given later may differ by what the earlier ones left over.
            RC_ASSERT(places[i] + 1 >= loads(head)[i] / ranks);
            RC_ASSERT(places[i] <= (loads(head)[i] + ranks - 1) / ranks + 1);
        }
    }
}

/// The fewest copies that any assignment with these shares and zones moves, found by trying all.
std::size_t fewest_moves(const Epoch& before, const Epoch& after) {
    const auto shares = shares_of(after);
    const std::size_t nodes = after.members.size();
    const auto held = std::min<std::size_t>(after.copies, nodes);
    const std::size_t wanted_zones = std::min(held, zones_of(after.members));
    std::vector<std::vector<std::size_t>> rows;
    for (unsigned set = 0; set < 1U << nodes; ++set) {
        std::vector<std::size_t> chosen;
        std::vector<Member> owners;
        for (std::size_t i = 0; i < nodes; ++i)
            if (set >> i & 1U) chosen.push_back(i), owners.push_back(after.members[i]);
        if (chosen.size() == held && zones_of(owners) == wanted_zones) rows.push_back(chosen);
    }
    std::size_t fewest = after.table.size() + 1;
    std::vector<std::int64_t> load(nodes, 0);
    const std::function<void(std::size_t, std::size_t)> try_from = [&](std::size_t p,
                                                                       std::size_t moves) {
        if (moves >= fewest) return;
        if (p == after.partitions) {
            for (std::size_t i = 0; i < nodes; ++i)
                if (load[i] < shares[i].whole) return;
            fewest = moves;
            return;
        }
        const auto old_row = row(before, p);
        for (const auto& candidate : rows) {
            std::size_t added = 0;
            bool fits = true;
            for (const std::size_t i : candidate) {
                if (++load[i] > shares[i].whole + (shares[i].has_fraction ? 1 : 0)) fits = false;
                if (std::ranges::count(old_row, after.members[i].id, &Member::id) == 0) ++added;
            }
            if (fits) try_from(p + 1, moves + added);
            for (const std::size_t i : candidate) --load[i];
        }
    };
    try_from(0, 0);
    return fewest;
}

RC_GTEST_PROP(placement, moves_as_few_copies_as_any_that_is_as_balanced, ()) {
    RingState ring = ring_of(some_members(4, 3), {4, 2});
    const Epoch before = ring.head();
    change_to(ring, some_members(4, 3, *rc::gen::inRange(1U, 4U)));
    RC_ASSERT(copies_moved(before, ring.head()) == fewest_moves(before, ring.head()));
    RC_ASSERT(dynamo::fewest_moves(ring.head().members, before) <=
              fewest_moves(before, ring.head()));
}

RC_GTEST_PROP(placement, changes_nothing_when_nothing_changes, ()) {
    const RingState ring = ring_of(some_members(12, 4), {32, 3});
    const Epoch& head = ring.head();
    RC_ASSERT(place(head.members, head.partitions, head.copies, &head) == head.table);
}

// The theoretical minimum of each change, one zone, N = 3: only what the balance asks for.
TEST(placement, moves_only_what_a_change_needs) {
    for (const std::uint16_t partitions : std::initializer_list<std::uint16_t>{256, 1024}) {
        const std::size_t q = partitions;
        RingState ring = ring_of(members(1), {partitions, 3});
        change_to(ring, members(3));
        EXPECT_EQ(copies_moved(ring.epochs[0], ring.head()), 2 * q);
        change_to(ring, members(4));
        EXPECT_EQ(copies_moved(ring.epochs[1], ring.head()), 3 * q / 4);
        change_to(ring, members(5));
        EXPECT_EQ(copies_moved(ring.epochs[2], ring.head()), 3 * q / 5);
        EXPECT_EQ(range(loads(ring.head())), std::pair(3 * q / 5, 3 * q / 5 + 1));
        EXPECT_EQ(range(places_of_rank(ring.head(), 0)), std::pair(q / 5, q / 5 + 1));

        RingState replaced = ring;
        auto next = members(5);
        next[1] = member(9);
        change_to(replaced, next);
        const auto lost =
            std::ranges::find(ring.head().members, member(2)) - ring.head().members.begin();
        EXPECT_EQ(copies_moved(ring.head(), replaced.head()),
                  loads(ring.head()).at(static_cast<std::size_t>(lost)));
    }
}

TEST(placement, grows_to_thirty_nodes_one_by_one) {
    RingState ring = ring_of(members(1), {1024, 3});
    for (unsigned count = 2; count <= 30; ++count) {
        change_to(ring, members(count));
        const Epoch& before = ring.epochs[count - 2];
        const std::size_t share = 1024 * std::min(3U, count) / count;
        EXPECT_GE(range(loads(ring.head())).first, share) << count;
        EXPECT_LE(range(loads(ring.head())).second, share + 1) << count;
        // From four nodes on the newcomer takes its share and nothing else moves.
        if (count > 3) {
            EXPECT_LE(copies_moved(before, ring.head()), share + 1) << count;
        }
    }
    EXPECT_TRUE(validate(ring).has_value());
}

TEST(placement, follows_the_weights_as_far_as_distinct_nodes_allow) {
    const std::vector<Member> five{member(1, 1), member(2, 1), member(3, 2), member(4, 2),
                                   member(5, 4)};
    RingState ring = ring_of(five, {1024, 3});
    std::map<std::string, std::size_t> load;
    for (std::size_t i = 0; i < 5; ++i) load[ring.head().members[i].name] = loads(ring.head())[i];
    EXPECT_EQ(load["n5"], 1024U) << "a node holds each partition once at most";
    EXPECT_NEAR(static_cast<double>(load["n1"]), 341.3, 1);
    EXPECT_NEAR(static_cast<double>(load["n3"]), 682.7, 1);

    auto heavier = five;
    heavier[4].weight = 20;
    change_to(ring, heavier);
    EXPECT_EQ(copies_moved(ring.epochs[1], ring.head()), 0U) << "it has all it can have already";
}

TEST(placement, spans_zones_of_different_sizes) {
    std::vector<Member> eleven;
    for (unsigned i = 1; i <= 11; ++i)
        eleven.push_back(member(i, 1, i <= 6 ? "a" : i <= 9 ? "b" : "c"));
    RingState ring = ring_of(eleven, {1024, 3});
    for (std::size_t i = 0; i < 11; ++i) {
        const std::string& zone = ring.head().members[i].zone;
        const double share = zone == "a" ? 1024.0 / 6 : zone == "b" ? 1024.0 / 3 : 512;
        EXPECT_NEAR(static_cast<double>(loads(ring.head())[i]), share, 1) << zone;
    }
    auto grown = eleven;
    grown.push_back(member(12, 1, "c"));
    RingState one_more = ring;
    change_to(one_more, grown);
    EXPECT_EQ(copies_moved(ring.head(), one_more.head()), 341U);

    eleven.resize(9);  // zone c is lost
    change_to(ring, eleven);
    EXPECT_EQ(copies_moved(ring.epochs[1], ring.head()), 1024U);
    EXPECT_EQ(range(loads(ring.head())), std::pair(std::size_t{341}, std::size_t{342}));
}

// Paper section 4.2: when a node becomes unavailable, its load is evenly dispersed.
TEST(placement, spreads_the_load_of_a_dead_node_over_many_others) {
    const RingState ring = ring_of(members(30), {1024, 3});
    const Epoch& head = ring.head();
    for (const Member& dead : head.members) {
        std::map<std::string, int> partners;
        int shared = 0;
        for (std::size_t p = 0; p < head.partitions; ++p) {
            const auto owners = row(head, p);
            if (std::ranges::count(owners, dead) == 0) continue;
            for (const Member& other : owners) {
                if (other == dead) continue;
                ++partners[other.name];
                ++shared;
            }
        }
        EXPECT_GE(partners.size(), 27U) << dead.name;
        for (const auto& [name, count] : partners) EXPECT_LE(count, 3 * shared / 29) << name;
    }
}

// Every node computes the plan for itself: a table that differs between builds would be a split.
TEST(placement, never_changes_between_releases_and_compilers) {
    RingState ring = ring_of(members(5), {256, 3});
    change_to(ring, members(7));
    Bytes octets;
    for (const std::uint16_t index : ring.head().table) {
        octets += static_cast<char>(index >> 8);
        octets += static_cast<char>(index & 255);
    }
    EXPECT_EQ(to_hex(BytesView(reinterpret_cast<const char*>(sha256(octets).data()), 8)),
              "4e7c03e8c21033a3");
}

TEST(placement, starts_anew_when_the_number_of_partitions_differs) {
    const RingState small = ring_of(members(4), {32, 3});
    const auto four = sorted(members(4));
    EXPECT_EQ(place(four, 64, 3, &small.head()), place(four, 64, 3, nullptr));
}

TEST(placement, leaves_places_empty_when_there_are_too_few_nodes) {
    const auto table = place(sorted(members(2)), 4, 3, nullptr);
    ASSERT_EQ(table.size(), 12U);
    for (std::size_t p = 0; p < 4; ++p) {
        EXPECT_NE(table[3 * p], table[3 * p + 1]);
        EXPECT_EQ(table[3 * p + 2], Epoch::nobody);
    }
}

}  // namespace
}  // namespace dynamo
