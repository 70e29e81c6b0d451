// Fair shares against progressive filling over every set of nodes: slow, and plainly right.
#include "libdynamo/ring/shares.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <set>

namespace dynamo {

void showValue(const Weighted& node, std::ostream& out) { out << node.weight << "@" << node.zone; }

namespace {

struct Fraction {
    std::int64_t top = 0;
    std::int64_t bottom = 1;

    static Fraction of(std::int64_t top, std::int64_t bottom) {
        const std::int64_t divisor = std::gcd(top, bottom);
        return {top / divisor, bottom / divisor};
    }
    Fraction operator+(const Fraction& other) const {
        return of(top * other.bottom + other.top * bottom, bottom * other.bottom);
    }
    Fraction operator*(std::int64_t factor) const { return of(top * factor, bottom); }
    bool operator<(const Fraction& other) const { return top * other.bottom < other.top * bottom; }
    bool operator==(const Fraction&) const = default;
};

using Set = unsigned;

/// The most copies that the nodes of a set can hold together.
std::int64_t bound(const std::vector<Weighted>& nodes, Set set, const Demand& demand) {
    std::set<std::size_t> zones;
    std::int64_t size = 0;
    for (std::size_t i = 0; i < nodes.size(); ++i)
        if (set >> i & 1U) {
            zones.insert(nodes[i].zone);
            ++size;
        }
    const auto spanned = std::min<std::int64_t>(demand.zones, std::ssize(zones));
    return demand.partitions * std::min(size, spanned + demand.copies - demand.zones);
}

/// Raises all loads in step with the weights; whenever a set is full, its nodes stay.
std::vector<Fraction> filled(const std::vector<Weighted>& nodes, const Demand& demand) {
    std::vector<std::optional<Fraction>> loads(nodes.size());
    while (!std::ranges::all_of(loads, &std::optional<Fraction>::has_value)) {
        std::optional<Fraction> level;
        Set tight = 0;
        for (Set set = 1; set < 1U << nodes.size(); ++set) {
            Fraction room = Fraction::of(bound(nodes, set, demand), 1);
            std::int64_t growing = 0;
            for (std::size_t i = 0; i < nodes.size(); ++i) {
                if (!(set >> i & 1U)) continue;
                if (loads[i])
                    room = room + *loads[i] * -1;
                else
                    growing += nodes[i].weight;
            }
            if (growing == 0) continue;
            const Fraction reached = Fraction::of(room.top, room.bottom * growing);
            if (level && !(reached < *level)) continue;
            level = reached;
            tight = set;
        }
        for (std::size_t i = 0; i < nodes.size(); ++i)
            if ((tight >> i & 1U) && !loads[i]) loads[i] = *level * nodes[i].weight;
    }
    std::vector<Fraction> all;
    for (const auto& load : loads) all.push_back(*load);
    return all;
}

RC_GTEST_PROP(shares, are_those_of_progressive_filling, ()) {
    const auto node =
        rc::gen::apply([](std::int64_t weight, std::size_t zone) { return Weighted{weight, zone}; },
                       rc::gen::inRange<std::int64_t>(1, 7), rc::gen::inRange<std::size_t>(0, 3));
    auto nodes = *rc::gen::nonEmpty(rc::gen::container<std::vector<Weighted>>(node));
    nodes.resize(std::min<std::size_t>(nodes.size(), 6));
    std::set<std::size_t> zones;
    for (const Weighted& weighted : nodes) zones.insert(weighted.zone);

    Demand demand;
    demand.partitions = *rc::gen::inRange<std::int64_t>(1, 9);
    demand.copies = *rc::gen::inRange<std::int64_t>(1, std::ssize(nodes) + 1);
    demand.zones =
        *rc::gen::inRange<std::int64_t>(1, std::min(demand.copies, std::ssize(zones)) + 1);

    const auto shares = fair_shares(nodes, demand);
    const auto exact = filled(nodes, demand);
    Fraction total;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        RC_ASSERT(shares[i].whole == exact[i].top / exact[i].bottom);
        RC_ASSERT(shares[i].has_fraction == (exact[i].bottom != 1));
        total = total + exact[i];
    }
    RC_ASSERT(total == Fraction::of(demand.partitions * demand.copies, 1));
}

TEST(shares, stay_exact_at_the_limits) {
    const std::vector<Weighted> nodes(4000, {1'000'000, 0});
    const auto shares = fair_shares(nodes, {16384, 16, 1});
    for (const Share& share : shares) EXPECT_EQ(share, (Share{65, true}));  // 262144 / 4000
    const auto odd = fair_shares({{1'000'000, 0}, {999'999, 0}, {1, 0}}, {16384, 1, 1});
    EXPECT_EQ(odd, (std::vector<Share>{{8192, false}, {8191, true}, {0, true}}));
}

}  // namespace
}  // namespace dynamo
