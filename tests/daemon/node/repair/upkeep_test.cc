#include "daemon/node/repair/upkeep.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/daemon/node/rig.h"

namespace dynamo::test {
namespace {

using namespace std::chrono_literals;
using wire::CheckReply;
using wire::CheckRequest;
using wire::FlushReply;
using wire::FlushRequest;
using wire::RepairReply;
using wire::RepairRequest;
using wire::ScrubReply;
using wire::ScrubRequest;
using wire::ThrottleReply;
using wire::ThrottleRequest;

RepairReply status(Rig& rig, std::size_t node, bool pairs = false) {
    return std::get<RepairReply>(rig.call(node, RepairRequest{pairs, 0}));
}

std::string refusal(Rig& rig, const wire::ClientRequest& request) {
    const auto reply = rig.call(0, request);
    const auto* error = std::get_if<wire::ErrorReply>(&reply);
    return error ? error->name : "told";
}

ScrubReply scrub_all(Rig& rig, std::size_t node, ScrubRequest request, unsigned* slices = nullptr) {
    ScrubReply sum;
    do {
        const auto reply = std::get<ScrubReply>(rig.call(node, request));
        sum.records += reply.records;
        sum.octets += reply.octets;
        sum.damaged += reply.damaged;
        sum.oldest_ms = std::max(sum.oldest_ms, reply.oldest_ms);
        request.first = reply.next;
        if (slices) ++*slices;
    } while (!request.first.empty());
    return sum;
}

CheckReply checked(Rig& rig, std::size_t node, std::uint16_t partition) {
    for (int tries = 0; tries < 2000; ++tries) {
        const auto reply = std::get<CheckReply>(rig.call(node, CheckRequest{partition}));
        if (reply.done) return reply;
        rig.pass(5ms);
    }
    ADD_FAILURE() << "the check does not end";
    return {};
}

TEST(upkeep, tells_which_pairs_were_never_compared_and_then_how_old_the_last_one_is) {
    Rig rig;
    const auto first = status(rig, 0, true);
    EXPECT_EQ(first.pass_bound_ms, 3'600'000u);
    EXPECT_EQ(first.pairs_owed, 16u) << "8 partitions, two other owners each";
    EXPECT_EQ(first.pairs.size(), 16u);
    rig.pass(40s);
    const auto then = status(rig, 0, true);
    EXPECT_EQ(then.never, 0u);
    EXPECT_EQ(then.late, 0u);
    EXPECT_GE(then.passes, 16u);
    EXPECT_LT(then.oldest_ms, 40'000u);
    EXPECT_TRUE(std::ranges::all_of(then.pairs, &wire::PairStatus::compared));
    std::set<std::pair<std::uint16_t, Bytes>> named;
    for (const auto& pair : then.pairs) named.emplace(pair.partition, pair.node_id);
    EXPECT_EQ(named.size(), 16u);
    EXPECT_EQ(std::ranges::max(then.pairs, {}, &wire::PairStatus::age_ms).age_ms, then.oldest_ms);

    rig.isolate(0);
    rig.pass(60s);
    EXPECT_GE(status(rig, 0).oldest_ms, 60'000u) << "nobody there to be compared with";
    rig.heal();
    rig.pass(60s);
    EXPECT_LT(status(rig, 0).oldest_ms, 60'000u);
}

TEST(upkeep, counts_the_differences_that_the_last_comparison_found) {
    Rig rig({.nodes = 3, .cluster = {.partitions = 1}});
    for (int i = 0; i < 5; ++i) (void)rig.put(0, "key:" + std::to_string(i), "v");
    const auto found = [&] {
        std::uint64_t sum = 0;
        for (const auto& pair : status(rig, 2, true).pairs) sum += pair.differences;
        return sum;
    };
    rig.wipe(2);
    EXPECT_EQ(status(rig, 2).rebuilding, 1u);
    for (int tries = 0; tries < 100 && status(rig, 2).rebuilding > 0; ++tries) rig.pass(100ms);
    EXPECT_EQ(found(), 5u) << "the first partner had all";
    rig.pass(40s);
    EXPECT_EQ(found(), 0u);
    EXPECT_EQ(status(rig, 2).taken, 5u);
}

TEST(upkeep, pages_through_many_pairs) {
    Rig rig({.nodes = 3, .cluster = {.partitions = 1024}});
    std::size_t seen = 0;
    std::uint32_t next = 0;
    unsigned pages = 0;
    do {
        const auto page = std::get<RepairReply>(
            rig.call(0, RepairRequest{true, static_cast<std::uint16_t>(next)}));
        EXPECT_TRUE(page.next == 0 || page.next > next);
        seen += page.pairs.size();
        next = page.next;
        ++pages;
    } while (next != 0);
    EXPECT_EQ(seen, 2048u);
    EXPECT_GT(pages, 1u);
}

TEST(upkeep, keeps_so_close_turns_that_every_pair_has_its_own_within_the_bound) {
    Rig rig({.nodes = 3, .cluster = {.partitions = 8}, .exchange_pass = 4s});
    rig.pass(10s);
    EXPECT_EQ(status(rig, 0).late, 0u);
    EXPECT_LE(status(rig, 0).oldest_ms, 4000u);
}

TEST(upkeep, throttles_by_hand_and_lets_go_again) {
    Rig rig;
    const auto pace = std::get<ThrottleReply>(rig.call(1, ThrottleRequest{5u << 20})).pace;
    EXPECT_TRUE(pace.fixed);
    EXPECT_EQ(pace.rate, 5u << 20);
    EXPECT_EQ(status(rig, 1).pace.rate, 5u << 20);
    EXPECT_FALSE(status(rig, 0).pace.fixed) << "one node only";
    EXPECT_EQ(refusal(rig, ThrottleRequest{1}), "bad_request");
    EXPECT_FALSE(std::get<ThrottleReply>(rig.call(1, ThrottleRequest{0})).pace.fixed);
}

TEST(upkeep, scrubs_slice_by_slice_and_has_damage_mended) {
    Rig rig({.nodes = 3, .cluster = {.partitions = 1}});
    for (int i = 0; i < 1200; ++i) (void)rig.put(0, "key:" + std::to_string(i), "v");
    unsigned slices = 0;
    auto seen = scrub_all(rig, 1, {0, {}, {}}, &slices);
    EXPECT_EQ(seen.records, 1200u);
    EXPECT_EQ(seen.damaged, 0u);
    EXPECT_GT(slices, 2u);

    const Slot slot = Slot::of(rig.routes(), "key:7");
    ASSERT_TRUE(rig.storage(1).put(slot.table(), slot.storage_key(), "damaged"));
    EXPECT_EQ(scrub_all(rig, 1, {0, {}, {}}).damaged, 1u);
    rig.pass(1s);
    EXPECT_EQ(scrub_all(rig, 1, {0, {}, {}}).damaged, 0u);
    EXPECT_EQ(rig.stored(1, "key:7").siblings.at(0).value, "v");
    EXPECT_GE(status(rig, 1).mended, 1u);
    EXPECT_EQ(refusal(rig, ScrubRequest{1, {}, {}}), "bad_request");
    EXPECT_EQ(refusal(rig, ScrubRequest{0, "short", {}}), "bad_request");
}

TEST(upkeep, tells_hints_and_their_age_and_flushes_them) {
    Rig rig({.nodes = 4, .cluster = {.partitions = 1}});
    const auto owners = rig.owners("key");
    const std::size_t away = owners[2];
    rig.isolate(away);
    for (int i = 0; i < 10; ++i) (void)rig.put(owners[0], "key:" + std::to_string(i), "v");
    rig.pass(2s);
    std::uint64_t held = 0;
    std::int64_t oldest = 0;
    for (std::size_t node = 0; node < 4; ++node) {
        if (node == away) continue;
        for (const auto& hints : status(rig, node).hints) {
            EXPECT_EQ(hints.node_id, Bytes(rig.id(away).bytes()));
            const auto seen = scrub_all(rig, node, {0, hints.node_id, {}});
            EXPECT_EQ(seen.records, hints.hints);
            oldest = std::max(oldest, seen.oldest_ms);
            held += hints.hints;
        }
    }
    EXPECT_EQ(held, 10u);
    EXPECT_GE(oldest, 1'700'000'000'000);
    rig.heal();
    rig.pass(2s);
    for (std::size_t node = 0; node < 4; ++node) {
        (void)rig.call(node, FlushRequest{});
        rig.pass(1s);
        EXPECT_EQ(std::get<FlushReply>(rig.call(node, FlushRequest{})).hints, 0u);
    }
}

TEST(upkeep, checks_a_tree_while_it_is_written_to) {
    Rig rig({.nodes = 3, .cluster = {.partitions = 1}});
    for (int i = 0; i < 3000; ++i) (void)rig.put(0, "key:" + std::to_string(i), "v");
    // Slowly, so that writes fall into it.
    (void)rig.call(0, ThrottleRequest{1u << 20});
    CheckReply reply;
    int writes = 0;
    for (; !reply.done && writes < 2000; ++writes) {
        (void)rig.put(0, "key:" + std::to_string(writes * 37 % 4000), "w");
        rig.pass(20ms);
        reply = std::get<CheckReply>(rig.call(0, CheckRequest{0}));
    }
    EXPECT_TRUE(reply.done);
    EXPECT_TRUE(reply.right);
    EXPECT_GE(reply.records, 3000u);
    EXPECT_GT(writes, 20);
    EXPECT_EQ(refusal(rig, CheckRequest{1}), "bad_request");
}

TEST(upkeep, finds_a_wrong_tree_and_puts_the_right_one_in_its_place) {
    Rig rig({.nodes = 3, .cluster = {.partitions = 1}});
    for (int i = 0; i < 50; ++i) (void)rig.put(0, "key:" + std::to_string(i), "v");
    EXPECT_TRUE(checked(rig, 0, 0).right);
    const Slot slot = Slot::of(rig.routes(), "key:7");
    ASSERT_TRUE(rig.storage(0).erase(slot.table(), slot.storage_key()));
    const auto wrong = checked(rig, 0, 0);
    EXPECT_FALSE(wrong.right);
    EXPECT_EQ(wrong.records, 49u);
    EXPECT_TRUE(rig.node(0).tree_is_right(0).value());
    EXPECT_EQ(rig.stat(0, "trees.wrong"), 1.0);
    EXPECT_TRUE(checked(rig, 0, 0).right);
}

}  // namespace
}  // namespace dynamo::test
