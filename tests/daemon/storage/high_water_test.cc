// What the high-water mark demands of a recovery, after a kill and after a power loss.

#include "daemon/storage/high_water.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/daemon/storage/scratch.h"

namespace dynamo {
namespace {

class high_water : public testing::Test {
  protected:
    std::unique_ptr<HighWater> open(const Bytes& boot) {
        auto mark = HighWater::open(file_, boot);
        EXPECT_TRUE(mark) << mark.error().message;
        return mark ? std::move(*mark) : nullptr;
    }
    // Damages one of the two slots.
    void tear(std::uint64_t slot) {
        std::fstream stream(file_, std::ios::in | std::ios::out | std::ios::binary);
        stream.seekp(static_cast<std::streamoff>(slot * 512 + 60));
        stream << "torn";
    }

    Scratch scratch_;
    std::filesystem::path file_ = scratch_.path() / "high-water";
};

TEST_F(high_water, a_new_mark_demands_nothing) { EXPECT_EQ(open("boot")->must_reach(), 0u); }

TEST_F(high_water, demands_every_commit_while_the_machine_was_not_restarted) {
    {
        const auto mark = open("boot");
        EXPECT_TRUE(mark->note(7, Durability::sync));
        EXPECT_TRUE(mark->note(8, Durability::os));
        EXPECT_TRUE(mark->note(9, Durability::os));
    }
    EXPECT_EQ(open("boot")->must_reach(), 9u);
}

TEST_F(high_water, demands_only_synced_commits_after_a_restart_of_the_machine) {
    {
        const auto mark = open("boot");
        EXPECT_TRUE(mark->note(7, Durability::sync));
        EXPECT_TRUE(mark->note(9, Durability::os));
    }
    EXPECT_EQ(open("another boot")->must_reach(), 7u);
    EXPECT_EQ(open("")->must_reach(), 7u);
}

TEST_F(high_water, a_boot_without_a_name_is_never_the_same_one) {
    EXPECT_TRUE(open("")->note(9, Durability::os));
    EXPECT_EQ(open("")->must_reach(), 0u);
}

TEST_F(high_water, a_checkpoint_makes_os_commits_binding_for_ever) {
    {
        const auto mark = open("boot");
        EXPECT_TRUE(mark->note(9, Durability::os));
        EXPECT_TRUE(mark->save(9));
        EXPECT_TRUE(mark->note(10, Durability::os));
    }
    EXPECT_EQ(open("another boot")->must_reach(), 9u);
}

TEST_F(high_water, a_checkpoint_that_began_earlier_takes_nothing_back) {
    {
        const auto mark = open("boot");
        EXPECT_TRUE(mark->note(12, Durability::sync));
        EXPECT_TRUE(mark->save(5));
    }
    EXPECT_EQ(open("another boot")->must_reach(), 12u);
}

TEST_F(high_water, counts_again_from_where_a_power_loss_left_the_log) {
    EXPECT_TRUE(open("boot")->note(9, Durability::os));
    {
        const auto mark = open("another boot");
        EXPECT_EQ(mark->must_reach(), 0u);
        EXPECT_TRUE(mark->begin(4));
        EXPECT_TRUE(mark->note(5, Durability::os));
    }
    EXPECT_EQ(open("another boot")->must_reach(), 5u);
}

TEST_F(high_water, falls_back_by_one_write_when_the_last_one_is_torn) {
    for (const std::uint64_t slot : {0u, 1u}) {
        std::filesystem::remove(file_);
        {
            const auto mark = open("boot");
            for (std::uint64_t commit = 1; commit <= 6; ++commit)
                EXPECT_TRUE(mark->note(commit, Durability::os));
        }
        tear(slot);
        const auto least = open("boot")->must_reach();
        EXPECT_TRUE(least == 5 || least == 6) << least;
    }
}

TEST_F(high_water, a_mark_without_a_whole_slot_is_corrupt) {
    {
        const auto mark = open("boot");
        for (std::uint64_t commit = 1; commit <= 6; ++commit)
            EXPECT_TRUE(mark->note(commit, Durability::os));
    }
    tear(0);
    tear(1);
    const auto mark = HighWater::open(file_, "boot");
    ASSERT_FALSE(mark);
    EXPECT_EQ(mark.error().code, Code::corrupt);
    EXPECT_NE(mark.error().message.find(file_.string()), std::string::npos);
}

}  // namespace
}  // namespace dynamo
