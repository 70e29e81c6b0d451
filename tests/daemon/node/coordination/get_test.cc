#include "daemon/node/coordination/get.h"

#include <gtest/gtest.h>

#include "tests/daemon/node/rig.h"

namespace dynamo {
namespace {

using test::Rig;
using wire::PeerMessage;

TEST(get, of_a_key_never_written_has_no_versions_but_a_context) {
    Rig rig;
    const auto reply = rig.call(0, wire::GetRequest{"k"});
    const auto& got = std::get<wire::GetReply>(reply);
    EXPECT_TRUE(got.versions.empty());
    EXPECT_FALSE(got.context.empty());
}

TEST(get, through_any_node_returns_what_was_put) {
    Rig rig({.nodes = 5});
    (void)rig.put(0, "k", "v");
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(rig.get(i, "k"), "v") << i;
}

TEST(get, answers_after_r_nodes_and_repairs_the_stale_one_when_it_answers_late) {
    Rig rig;
    (void)rig.put(0, "k", "old");
    rig.cut(0, 2);
    (void)rig.put(0, "k", "new");
    rig.heal();
    ASSERT_EQ(rig.stored(2, "k").siblings.at(0).value, "old");
    EXPECT_EQ(rig.get(0, "k"), "new");
    EXPECT_EQ(rig.stored(2, "k").siblings.at(0).value, "new");
    EXPECT_EQ(rig.stat(0, "repairs.by_read"), 1);
}

TEST(get, asks_a_silent_replica_once_more_before_it_gives_up_on_it) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    int lost = 0;
    rig.filter = [&](std::size_t, std::size_t to, const PeerMessage& message) {
        return !(std::holds_alternative<wire::ReadRequest>(message) && to != 0 && lost++ < 2);
    };
    EXPECT_EQ(rig.get(0, "k"), "v");
    EXPECT_GE(lost, 2);
}

TEST(get, without_r_reachable_nodes_is_an_error_and_not_an_absent_key) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    rig.isolate(0);
    EXPECT_EQ(rig.get(0, "k"), "error: quorum_not_met");
    // Both peers are suspected by now, so the next one is refused before anything is sent.
    EXPECT_EQ(rig.get(0, "k"), "error: too_few_nodes");
}

TEST(get, of_r_larger_than_n_is_a_bad_request) {
    Rig rig;
    const auto reply = rig.call(0, wire::GetRequest{"k", 4});
    EXPECT_EQ(std::get<wire::ErrorReply>(reply).name, "bad_request");
}

TEST(get, does_not_count_a_replica_whose_storage_fails) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    // A record under another key's bytes: its checksum cannot match.
    const Slot slot = Slot::of(rig.routes(), "k");
    ASSERT_TRUE(rig.storage(1).put(slot.table(), slot.row, "no record at all, only octets"));
    const auto reply = rig.call(0, wire::GetRequest{"k", 3});
    EXPECT_EQ(std::get<wire::ErrorReply>(reply).name, "quorum_not_met");
    EXPECT_EQ(rig.get(0, "k"), "v");
}

TEST(get, is_not_answered_by_stand_ins_that_hold_nothing) {
    Rig rig({.nodes = 5});
    (void)rig.put(0, "k", "v");
    const auto owners = rig.owners("k");
    const std::size_t stranger = rig.stranger("k");
    for (const std::size_t owner : owners) rig.isolate(owner);
    EXPECT_TRUE(rig.get(stranger, "k").starts_with("error: "));
    EXPECT_TRUE(rig.get(stranger, "k").starts_with("error: "));
}

TEST(get, takes_the_answer_of_a_stand_in_for_a_dead_owner) {
    Rig rig({.nodes = 5});
    const auto owners = rig.owners("k");
    rig.isolate(owners[1]);
    rig.isolate(owners[2]);
    (void)rig.put(owners[0], "k", "v");
    EXPECT_EQ(rig.get(owners[0], "k"), "v");
}

}  // namespace
}  // namespace dynamo
