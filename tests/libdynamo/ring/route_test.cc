#include "libdynamo/ring/route.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "tests/libdynamo/ring/rings.h"

namespace dynamo {
namespace {

using test::member;
using test::members;
using test::ring_of;

std::vector<Member> some_members() {
    std::vector<Member> some;
    const auto count = *rc::gen::inRange(1U, 12U);
    for (unsigned number = 1; number <= count; ++number)
        some.push_back(member(number, *rc::gen::inRange(1U, 5U)));
    return some;
}

RC_GTEST_PROP(routes, list_distinct_owners_and_then_everybody_else_once, ()) {
    const auto some = some_members();
    const auto copies = *rc::gen::inRange<std::uint16_t>(1, 5);
    const RingState ring = ring_of(some, {32, copies});
    const Routes routes(ring, {});
    for (std::uint16_t p = 0; p < 32; ++p) {
        const auto owners = routes.owners(p);
        const auto fallbacks = routes.fallbacks(p);
        RC_ASSERT(owners.size() == std::min<std::size_t>(copies, some.size()));
        std::set<NodeId> all(owners.begin(), owners.end());
        all.insert(fallbacks.begin(), fallbacks.end());
        RC_ASSERT(all.size() == some.size());
        RC_ASSERT(owners.size() + fallbacks.size() == some.size());
    }
}

RC_GTEST_PROP(routes, let_stand_in_who_comes_first_clockwise, ()) {
    const RingState ring = ring_of(some_members(), {32, 2});
    const Routes routes(ring, {});
    const auto p = *rc::gen::inRange<std::uint16_t>(0, 32);
    // How far one walks from the partition until the node is a first owner; 32 when it never is.
    const auto distance = [&](const NodeId& node) {
        std::uint16_t steps = 1;
        while (steps < 32 &&
               routes.owners(static_cast<std::uint16_t>((p + steps) % 32)).front() != node)
            ++steps;
        return steps;
    };
    RC_ASSERT(std::ranges::is_sorted(routes.fallbacks(p), {}, distance));
}

RC_GTEST_PROP(routes, know_what_each_node_owns, ()) {
    const RingState ring = ring_of(some_members());
    const Routes routes(ring, {});
    std::size_t copies = 0;
    for (const Member& owner : routes.members()) {
        const auto& owned = routes.owned_by(owner.id);
        copies += owned.size();
        RC_ASSERT(std::ranges::is_sorted(owned, std::ranges::less_equal{}));
        for (std::uint16_t p = 0; p < routes.partitions(); ++p) {
            const bool listed = std::ranges::count(routes.owners(p), owner.id) == 1;
            RC_ASSERT(listed == routes.is_owner(owner.id, p));
            RC_ASSERT(listed == std::ranges::binary_search(owned, p));
        }
    }
    RC_ASSERT(copies == routes.partitions() * routes.owners(0).size());
}

TEST(routes, are_named_by_number_and_digest) {
    const RingState ring = ring_of(members(3));
    Sha256 digest{};
    digest[0] = 0x91;
    digest[1] = 0xc2;
    digest[2] = 0xd0;
    digest[3] = 0x7a;
    digest[4] = 0xff;
    const Routes routes(ring, digest);
    EXPECT_EQ(routes.number(), 2U);
    EXPECT_EQ(routes.fingerprint(), 0x91c2d07aU);
}

TEST(routes, send_a_key_to_the_partition_of_its_position) {
    const RingState ring = ring_of(members(3), {256, 3});
    const Routes routes(ring, {});
    EXPECT_EQ(routes.partition_of(position_of("abc")), 0x90);  // its MD5 begins with 90
}

TEST(routes, find_a_member_by_its_id) {
    const RingState ring = ring_of(members(5));
    const Routes routes(ring, {});
    ASSERT_NE(routes.find(member(4).id), nullptr);
    EXPECT_EQ(routes.find(member(4).id)->name, "n4");
    EXPECT_EQ(routes.find(member(6).id), nullptr);
    EXPECT_TRUE(routes.owned_by(member(6).id).empty());
    EXPECT_FALSE(routes.is_owner(member(6).id, 0));
}

TEST(routes, of_no_members_lead_nowhere) {
    const Routes routes;
    EXPECT_EQ(routes.partitions(), 0);
    EXPECT_EQ(routes.partition_of(position_of("abc")), 0);
    EXPECT_TRUE(routes.owners(0).empty());
    EXPECT_TRUE(routes.fallbacks(0).empty());
    EXPECT_TRUE(routes.members().empty());
    EXPECT_EQ(routes.find(member(1).id), nullptr);
}

TEST(routes, answer_nothing_for_a_partition_that_is_none) {
    const RingState ring = ring_of(members(3));
    const Routes routes(ring, {});
    EXPECT_TRUE(routes.owners(64).empty());
    EXPECT_TRUE(routes.fallbacks(64).empty());
}

}  // namespace
}  // namespace dynamo
