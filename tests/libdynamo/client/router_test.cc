#include "libdynamo/client/router.h"

#include <set>

#include "libdynamo/wire/state_codec.h"
#include "session_fixture.h"

namespace dynamo {
namespace {

constexpr Instant now{std::chrono::hours(1)};

wire::ClientRequest get_of(const std::string& key) { return wire::GetRequest{key, 0}; }

std::string address_of(Router& router, std::optional<EndpointIndex> index) {
    return index ? router.endpoints()[*index].address : "";
}

TEST(router, starts_with_the_first_seed) {
    Router router(Routing::coordinator, {"a:1", "b:1"});
    for (int i = 0; i < 5; ++i)
        EXPECT_EQ(address_of(router, router.choose(get_of("k"), {}, now)), "a:1");
}

TEST(router, takes_turns_over_the_seeds_when_any_node_will_do) {
    Router router(Routing::any, {"a:1", "b:1"});
    std::multiset<std::string> chosen;
    for (int i = 0; i < 10; ++i)
        chosen.insert(address_of(router, router.choose(get_of("k"), {}, now)));
    EXPECT_EQ(chosen.count("a:1"), 5u);
    EXPECT_EQ(chosen.count("b:1"), 5u);
}

TEST(router, counts_a_seed_once_however_often_it_is_given) {
    Router router(Routing::coordinator, {"a:1", "a:1"});
    const auto first = router.choose(get_of("k"), {}, now);
    ASSERT_TRUE(first);
    EXPECT_FALSE(router.choose(get_of("k"), {*first}, now));
}

TEST(router, spreads_one_hot_key_over_its_owners) {
    Router router(Routing::coordinator, {"a:1"});
    router.adopt(ring_of(5));
    std::map<std::string, int> chosen;
    for (int i = 0; i < 300; ++i)
        ++chosen[address_of(router, router.choose(get_of("hot"), {}, now))];
    EXPECT_EQ(chosen.size(), 3u);
    for (const auto& [address, times] : chosen) EXPECT_EQ(times, 100) << address;
}

TEST(router, asks_owners_then_stand_ins_then_seeds) {
    Router router(Routing::coordinator, {"a:1"});
    router.adopt(ring_of(5));
    const auto partition = router.routes().partition_of(position_of("k"));
    std::set<std::string> owners;
    for (const auto& node : router.routes().owners(partition))
        owners.insert(router.routes().find(node)->client_address);

    std::vector<EndpointIndex> tried;
    std::vector<std::string> order;
    while (const auto index = router.choose(get_of("k"), tried, now)) {
        order.push_back(address_of(router, index));
        tried.push_back(*index);
    }
    ASSERT_EQ(order.size(), 6u);
    EXPECT_EQ(std::set(order.begin(), order.begin() + 3), owners);
    EXPECT_EQ(order.back(), "a:1");
    const auto standing_in = router.routes().fallbacks(partition);
    EXPECT_EQ(order[3], router.routes().find(standing_in[0])->client_address);
}

TEST(router, leaves_out_an_owner_that_failed_while_others_are_well) {
    Router router(Routing::coordinator, {"a:1"});
    router.adopt(ring_of(3));
    const auto bad = *router.choose(get_of("k"), {}, now);
    router.endpoints().avoid(bad, now);
    for (int i = 0; i < 9; ++i) EXPECT_NE(router.choose(get_of("k"), {}, now), bad);
    EXPECT_EQ(router.endpoints().to_probe(now), router.endpoints().count());
    std::set<EndpointIndex> later;
    for (int i = 0; i < 9; ++i)
        later.insert(*router.choose(get_of("k"), {}, now + std::chrono::seconds(10)));
    EXPECT_EQ(later.count(bad), 1u);
}

/// A write with a context that names this node as the one that answered first.
wire::ClientRequest write_after(const NodeId& fastest, const RingState& ring,
                                const std::string& key = "k") {
    const Context context{ring.cluster, position_of(key), {}, fastest};
    return wire::PutRequest{
        .key = key, .value = "v", .mode = PutMode::context, .context = wire::encode(context)};
}

TEST(router, sends_a_write_to_the_node_that_answered_its_read_first) {
    const RingState ring = ring_of(5);
    Router router(Routing::coordinator, {"a:1"});
    router.adopt(ring);
    for (const auto& owner : router.routes().owners(router.routes().partition_of(position_of("k"))))
        for (int i = 0; i < 5; ++i)
            EXPECT_EQ(address_of(router, router.choose(write_after(owner, ring), {}, now)),
                      router.routes().find(owner)->client_address);
}

TEST(router, sends_it_to_another_when_that_one_is_not_well_or_was_tried) {
    const RingState ring = ring_of(5);
    Router router(Routing::coordinator, {"a:1"});
    router.adopt(ring);
    const auto owners = router.routes().owners(router.routes().partition_of(position_of("k")));
    const auto request = write_after(owners[1], ring);
    const auto first = *router.choose(request, {}, now);
    EXPECT_NE(*router.choose(request, {first}, now), first);
    router.endpoints().avoid(first, now);
    for (int i = 0; i < 9; ++i) EXPECT_NE(*router.choose(request, {}, now), first);
}

TEST(router, takes_turns_when_the_context_names_nobody_it_knows) {
    const RingState ring = ring_of(3);
    const auto chosen_by = [&](Routing routing, const wire::ClientRequest& request) {
        Router router(routing, {"a:1", "b:1", "c:1"});
        router.adopt(ring);
        std::set<std::string> chosen;
        for (int i = 0; i < 9; ++i)
            chosen.insert(address_of(router, router.choose(request, {}, now)));
        return chosen.size();
    };
    const NodeId known = ring.head().members[1].id;
    NodeId unknown;
    unknown.octets.fill(99);
    EXPECT_EQ(chosen_by(Routing::coordinator, write_after(known, ring)), 1u);
    EXPECT_EQ(chosen_by(Routing::coordinator, write_after(NodeId{}, ring)), 3u);
    EXPECT_EQ(chosen_by(Routing::coordinator, write_after(unknown, ring)), 3u);
    // A token that is none, or was made for another key or cluster, is the daemon's to refuse.
    EXPECT_EQ(chosen_by(Routing::coordinator,
                        wire::PutRequest{.key = "k", .value = "v", .context = "garbage"}),
              3u);
    EXPECT_EQ(chosen_by(Routing::coordinator, write_after(known, ring_of(3, 1, 8))), 3u);
    auto other_key = std::get<wire::PutRequest>(write_after(known, ring, "other"));
    other_key.key = "k";
    EXPECT_EQ(chosen_by(Routing::coordinator, other_key), 3u);
    EXPECT_EQ(chosen_by(Routing::any, write_after(known, ring)), 3u) << "it was told not to choose";
}

TEST(router, asks_the_seeds_what_belongs_to_no_key) {
    Router router(Routing::coordinator, {"a:1"});
    router.adopt(ring_of(3));
    EXPECT_EQ(address_of(router, router.choose(wire::PlanRequest{}, {}, now)), "a:1");
}

TEST(router, reaches_members_when_the_seeds_have_gone) {
    Router router(Routing::coordinator, {"a:1"});
    router.adopt(ring_of(3));
    const auto seed = *router.choose(wire::RingRequest{}, {}, now);
    router.endpoints().avoid(seed, now);
    const auto next = router.choose(wire::RingRequest{}, {}, now);
    EXPECT_TRUE(address_of(router, next).starts_with("10.0.0."));
}

TEST(endpoints, fail_once_when_many_requests_find_out_together) {
    Endpoints endpoints;
    const auto index = endpoints.intern("a:1");
    for (int i = 0; i < 1000; ++i) endpoints.suspect(index, now);
    EXPECT_EQ(endpoints[index].failures, 1u);
    EXPECT_EQ(endpoints.to_probe(now + std::chrono::seconds(1)), index);
    endpoints.hear(index, now);
    EXPECT_EQ(endpoints.to_probe(now + std::chrono::seconds(1)), endpoints.count());
}

TEST(endpoints, are_avoided_longer_with_each_failure_up_to_a_bound) {
    Endpoints endpoints;
    const auto index = endpoints.intern("a:1");
    Duration last{0};
    for (int i = 0; i < 40; ++i) {
        endpoints.avoid(index, now);
        const Duration avoided = endpoints[index].avoid_until - now;
        EXPECT_GE(avoided, last);
        EXPECT_LE(avoided, std::chrono::seconds(4));
        last = avoided;
    }
    endpoints.hear(index, now);
    EXPECT_TRUE(endpoints[index].is_healthy(now));
}

}  // namespace
}  // namespace dynamo
