// A cluster founded so that the last write wins (paper section 6.1).
#include <gtest/gtest.h>

#include "daemon/node/coordination/put.h"
#include "tests/daemon/node/rig.h"

namespace dynamo {
namespace {

using test::Rig;

Rig::Settings last_write_wins(std::size_t nodes = 3) {
    return {.nodes = nodes, .cluster = {.partitions = 8, .last_write_wins = true}};
}

wire::GetReply read(Rig& rig, std::size_t node, const Bytes& key) {
    return std::get<wire::GetReply>(rig.call(node, wire::GetRequest{key, 3}));
}

/// Writes two values of which neither node knows the other's: 0 writes first, 1 a second later.
void write_apart(Rig& rig, const Bytes& key) {
    rig.cut(0, 1);
    rig.cut(1, 0);
    rig.cut(0, 2);
    (void)rig.call(0,
                   wire::PutRequest{.key = key, .value = "first", .mode = PutMode::blind, .w = 1});
    rig.pass(std::chrono::seconds(1));
    (void)rig.call(1,
                   wire::PutRequest{.key = key, .value = "second", .mode = PutMode::blind, .w = 1});
    rig.heal();
    rig.pass(std::chrono::seconds(60));
}

TEST(last_write_wins, shows_the_younger_of_two_concurrent_writes_on_every_node) {
    Rig rig(last_write_wins());
    write_apart(rig, "k");
    for (std::size_t node = 0; node < 3; ++node) EXPECT_EQ(rig.get(node, "k"), "second") << node;
}

TEST(last_write_wins, keeps_them_as_siblings_where_the_cluster_was_founded_otherwise) {
    Rig rig;
    write_apart(rig, "k");
    EXPECT_EQ(rig.get(0, "k"), "first,second");
}

TEST(last_write_wins, never_answers_with_a_conflict) {
    Rig rig(last_write_wins());
    write_apart(rig, "k");
    (void)rig.put(2, "k", "third");
    EXPECT_EQ(rig.get(0, "k"), "third");
    write_apart(rig, "other");
    const auto reply = rig.call(2, wire::DelRequest{.key = "other"});
    EXPECT_TRUE(std::get<wire::DelReply>(reply).existed);
    EXPECT_EQ(rig.get(1, "other"), "(gone)");
}

TEST(last_write_wins, lets_a_younger_delete_win_over_a_concurrent_put) {
    Rig rig(last_write_wins());
    rig.cut(0, 1);
    rig.cut(1, 0);
    rig.cut(0, 2);
    (void)rig.call(0, wire::PutRequest{.key = "k", .value = "v", .mode = PutMode::blind, .w = 1});
    rig.pass(std::chrono::seconds(1));
    (void)rig.call(1, wire::DelRequest{.key = "k", .mode = PutMode::blind, .w = 1});
    rig.heal();
    rig.pass(std::chrono::seconds(60));
    for (std::size_t node = 0; node < 3; ++node) EXPECT_EQ(rig.get(node, "k"), "(gone)") << node;
}

TEST(last_write_wins, takes_the_deleted_key_for_absent_and_the_put_for_new) {
    Rig rig(last_write_wins());
    (void)rig.put(0, "k", "v");
    (void)rig.call(0, wire::DelRequest{.key = "k"});
    const auto again = rig.call(1, wire::PutRequest{.key = "k", .value = "w", .if_absent = true});
    ASSERT_TRUE(std::holds_alternative<wire::PutReply>(again));
    EXPECT_FALSE(std::get<wire::PutReply>(again).existed);
    EXPECT_EQ(rig.get(2, "k"), "w");
}

TEST(last_write_wins, refuses_if_absent_when_the_winner_is_a_value) {
    Rig rig(last_write_wins());
    write_apart(rig, "k");
    const auto reply = rig.call(2, wire::PutRequest{.key = "k", .value = "w", .if_absent = true});
    ASSERT_TRUE(std::holds_alternative<wire::ErrorReply>(reply));
    EXPECT_EQ(std::get<wire::ErrorReply>(reply).name, "exists");
}

TEST(last_write_wins, never_makes_a_write_older_than_what_its_coordinator_held) {
    Rig rig(last_write_wins());
    constexpr WallMs hour = 3'600'000;
    (void)rig.put(0, "k", "by the others' clock");
    const WallMs before = read(rig, 0, "k").versions.at(0).wall_ms;
    rig.set_behind(1, hour);
    for (const PutMode mode : {PutMode::observe, PutMode::blind}) {
        const Bytes value = "mode " + std::to_string(static_cast<int>(mode));
        (void)rig.put(1, "k", value, mode);
        const auto got = read(rig, 2, "k");
        ASSERT_EQ(got.versions.size(), 1u);
        EXPECT_EQ(got.versions[0].value, value);
        EXPECT_GT(got.versions[0].wall_ms, before);
    }
}

TEST(last_write_wins, makes_an_observing_write_younger_than_all_that_it_saw) {
    Rig rig(last_write_wins());
    constexpr WallMs hour = 3'600'000;
    // The coordinator itself holds nothing of it; it learns of it by observing.
    rig.cut(0, 1);
    (void)rig.call(0, wire::PutRequest{.key = "k", .value = "old", .mode = PutMode::blind, .w = 2});
    rig.heal();
    rig.set_behind(1, hour);
    ASSERT_TRUE(rig.stored(1, "k").empty());
    (void)rig.put(1, "k", "new");
    EXPECT_EQ(rig.get(0, "k"), "new");
}

TEST(last_write_wins, gives_a_context_that_covers_what_lost) {
    Rig rig(last_write_wins());
    write_apart(rig, "k");
    const Bytes token = read(rig, 0, "k").context;
    (void)rig.put(0, "k", "merged", PutMode::context, token);
    rig.pass(std::chrono::seconds(60));
    for (std::size_t node = 0; node < 3; ++node)
        EXPECT_EQ(rig.stored(node, "k").siblings.size(), 1u) << node;
}

}  // namespace
}  // namespace dynamo
