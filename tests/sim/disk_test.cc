#include "tests/sim/disk.h"

#include <gtest/gtest.h>

namespace dynamo::sim {
namespace {

const Table table = Table::objects(3);

std::string at(Disk& disk, const std::string& key) {
    const auto row = disk.get(table, key);
    if (!row) return "error";
    return *row ? **row : "absent";
}

void store(Disk& disk, const std::string& key, const std::string& value, Durability durability) {
    ASSERT_TRUE(disk.put(table, key, value));
    ASSERT_TRUE(disk.commit(durability));
}

TEST(simulated_disk, a_crash_undoes_the_present_transaction) {
    Disk disk;
    store(disk, "a", "1", Durability::sync);
    ASSERT_TRUE(disk.put(table, "a", "2"));
    ASSERT_TRUE(disk.put(table, "b", "2"));
    ASSERT_TRUE(disk.erase(table, "a"));
    EXPECT_EQ(at(disk, "a"), "absent");
    disk.kill();
    EXPECT_EQ(at(disk, "a"), "1");
    EXPECT_EQ(at(disk, "b"), "absent");
}

TEST(simulated_disk, a_kill_keeps_what_the_system_has_and_power_loss_a_prefix) {
    Disk disk;
    store(disk, "a", "1", Durability::sync);
    store(disk, "a", "2", Durability::os);
    store(disk, "b", "2", Durability::os);
    store(disk, "a", "3", Durability::os);
    disk.kill();
    EXPECT_EQ(at(disk, "a"), "3");
    disk.lose_power(2);
    EXPECT_EQ(at(disk, "a"), "2");
    EXPECT_EQ(at(disk, "b"), "2");
    disk.lose_power(0);
    EXPECT_EQ(at(disk, "a"), "2") << "what survived a power loss is on the disk";
}

TEST(simulated_disk, a_synced_commit_takes_the_earlier_ones_with_it) {
    Disk disk;
    store(disk, "a", "1", Durability::os);
    store(disk, "b", "1", Durability::sync);
    disk.lose_power(0);
    EXPECT_EQ(at(disk, "a"), "1");
}

TEST(simulated_disk, a_commit_that_finds_no_room_undoes_everything_since_the_last) {
    Disk disk;
    store(disk, "a", "1", Durability::sync);
    disk.fill(Disk::Full::at_commit);
    ASSERT_TRUE(disk.put(table, "a", "2"));
    EXPECT_EQ(disk.commit(Durability::sync).error().code, Code::storage_full);
    EXPECT_EQ(at(disk, "a"), "1");
    disk.fill(Disk::Full::no);
    store(disk, "a", "3", Durability::sync);
    EXPECT_EQ(at(disk, "a"), "3");
}

TEST(simulated_disk, a_failing_read_is_an_error_and_never_absence) {
    Disk disk;
    store(disk, "a", "1", Durability::sync);
    disk.fail_reads(1, Random(1));
    EXPECT_EQ(at(disk, "a"), "error");
    EXPECT_FALSE(disk.scan(table, "", [](BytesView, BytesView) { return true; }));
    disk.fail_reads(0, Random(1));
    EXPECT_EQ(at(disk, "a"), "1");
}

TEST(simulated_disk, tells_of_each_committed_write_in_order) {
    Disk disk;
    std::vector<std::string> told;
    disk.watch([&](const std::vector<Disk::Change>& changes) {
        for (const auto& change : changes)
            told.push_back(change.before.value_or("-") + ">" + change.after.value_or("-"));
    });
    store(disk, "a", "1", Durability::sync);
    ASSERT_TRUE(disk.put(table, "a", "2"));
    ASSERT_TRUE(disk.put(table, "a", "3"));
    EXPECT_EQ(told.size(), 1u);
    ASSERT_TRUE(disk.commit(Durability::sync));
    ASSERT_TRUE(disk.drop(table));
    ASSERT_TRUE(disk.commit(Durability::sync));
    EXPECT_EQ(told, (std::vector<std::string>{"->1", "1>2", "2>3", "3>-"}));
}

}  // namespace
}  // namespace dynamo::sim
