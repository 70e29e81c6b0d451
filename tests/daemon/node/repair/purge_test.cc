// Tombstones go when nobody can bring back what they delete, and not before (purge.h, fence.h).
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "daemon/storage/storage.h"
#include "libdynamo/base/numbers.h"
#include "libdynamo/wire/state_codec.h"
#include "tests/daemon/node/rig.h"

namespace dynamo {
namespace {

using namespace std::chrono_literals;
using std::chrono::minutes;
using test::Rig;
using wire::ErrorReply;

void remove(Rig& rig, std::size_t node, const Bytes& key) {
    const auto reply = rig.call(node, wire::DelRequest{.key = key});
    ASSERT_TRUE(std::holds_alternative<wire::DelReply>(reply));
}

/// How many of three nodes store anything of the key.
std::size_t copies(Rig& rig, const Bytes& key) {
    std::size_t count = 0;
    for (std::size_t node = 0; node < 3; ++node) count += !rig.stored(node, key).empty();
    return count;
}

TEST(purge, forgets_a_delete_that_all_owners_hold) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    remove(rig, 1, "k");
    rig.pass(1min);
    EXPECT_EQ(copies(rig, "k"), 3u) << "the state that it deletes may still be on its way";
    rig.pass(minutes(10));
    EXPECT_EQ(copies(rig, "k"), 0u);
    for (std::size_t node = 0; node < 3; ++node) {
        EXPECT_EQ(rig.stat(node, "purge.reduced"), 1) << node;
        EXPECT_GE(rig.stat(node, "purge.fence"), 4) << node;
    }
    EXPECT_EQ(rig.get(2, "k"), "");
}

TEST(purge, leaves_the_number_alone_when_there_is_nothing_to_forget) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    rig.pass(minutes(60));
    for (std::size_t node = 0; node < 3; ++node) EXPECT_EQ(rig.stat(node, "purge.fence"), 0);
}

TEST(purge, waits_for_a_member_that_is_away_however_long) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    rig.pass(1s);
    rig.isolate(2);
    remove(rig, 0, "k");
    rig.pass(minutes(120));
    EXPECT_FALSE(rig.stored(0, "k").empty());
    EXPECT_FALSE(rig.stored(1, "k").empty());
    EXPECT_FALSE(rig.stored(2, "k").empty());
    rig.heal();
    rig.pass(minutes(15));
    EXPECT_EQ(copies(rig, "k"), 0u);
    EXPECT_EQ(rig.get(2, "k"), "");
}

TEST(purge, keeps_what_is_written_while_it_goes_on) {
    Rig rig;
    (void)rig.put(0, "k", "old");
    remove(rig, 0, "k");
    for (int i = 0; i < 30; ++i) {
        (void)rig.put(static_cast<std::size_t>(i % 3), "other:" + std::to_string(i), "v");
        if (i == 12) (void)rig.put(1, "k", "new");
        rig.pass(20s);
    }
    for (std::size_t node = 0; node < 3; ++node) EXPECT_EQ(rig.get(node, "k"), "new");
}

TEST(purge, refuses_a_state_that_was_read_before_and_tells_its_fence) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    const auto read = std::get<wire::StateReply>(rig.call(0, wire::StateRequest{"k"}));
    EXPECT_EQ(read.fence, 1u);
    remove(rig, 0, "k");
    EXPECT_TRUE(std::holds_alternative<wire::MergeReply>(
        rig.call(1, wire::MergeRequest{"k", read.state, 0, read.fence})))
        << "the tombstone is there";
    EXPECT_EQ(rig.get(1, "k"), "(gone)");
    rig.pass(minutes(15));
    ASSERT_EQ(copies(rig, "k"), 0u);
    const auto refused = rig.call(1, wire::MergeRequest{"k", read.state, 0, read.fence});
    ASSERT_TRUE(std::holds_alternative<ErrorReply>(refused));
    EXPECT_EQ(std::get<ErrorReply>(refused).name, "refused");
    EXPECT_EQ(std::get<ErrorReply>(refused).applied, "no");
    EXPECT_EQ(copies(rig, "k"), 0u);
    // Whoever does not say when it was read wants it back.
    EXPECT_TRUE(
        std::holds_alternative<wire::MergeReply>(rig.call(1, wire::MergeRequest{"k", read.state})));
    EXPECT_EQ(rig.get(0, "k"), "v");
}

TEST(purge, has_a_member_that_starts_store_nothing_before_it_is_told_the_number) {
    Rig rig;
    (void)rig.put(0, "k", "v", PutMode::blind);
    rig.pass(1s);
    rig.isolate(2);
    rig.restart(2);
    const auto reply = rig.call(2, wire::PutRequest{.key = "k", .value = "w", .w = 1});
    EXPECT_TRUE(std::holds_alternative<ErrorReply>(reply))
        << "passed on to another owner, who did not get it";
    EXPECT_EQ(rig.stored(2, "k"), rig.stored(0, "k"));
    rig.heal();
    rig.pass(5s);
    EXPECT_EQ(rig.get(2, "k"), "v");
    (void)rig.put(2, "k", "w");
    EXPECT_EQ(rig.get(0, "k"), "w");
}

TEST(purge, has_a_node_that_was_put_back_give_up_what_it_holds) {
    Rig rig;
    for (int i = 0; i < 20; ++i) (void)rig.put(0, "kept:" + std::to_string(i), "v");
    (void)rig.put(0, "k", "v");
    rig.pass(1s);
    // As it is now: the record, and the number of the fence.
    const Object old = rig.stored(2, "k");
    ASSERT_FALSE(old.empty());
    remove(rig, 0, "k");
    rig.pass(minutes(15));
    ASSERT_EQ(copies(rig, "k"), 0u);

    rig.stop(2);
    Bytes note;
    append_number(note, 0);
    ASSERT_TRUE(rig.storage(2).put(Table::notes(), "fence", note).has_value());
    ASSERT_TRUE(rig.storage(2).commit(Durability::sync).has_value());
    rig.restart(2);
    rig.pass(1min);
    EXPECT_EQ(rig.stat(2, "purge.given_up"), 1);
    EXPECT_EQ(rig.stat(2, "purge.fence"), rig.stat(0, "purge.fence"));
    EXPECT_EQ(rig.stat(2, "partitions.rebuilding"), 0);
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(rig.stored(2, "kept:" + std::to_string(i)),
                  rig.stored(0, "kept:" + std::to_string(i)));
}

}  // namespace
}  // namespace dynamo
