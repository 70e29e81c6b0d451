#include "daemon/shell/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <optional>

#include "daemon/storage/open.h"
#include "tests/daemon/shell/temporary_directory.h"

namespace dynamo {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr Replicas enough{.members = 3, .copies = 3};
constexpr WallMs noon = 1'700'000'000'000;  // 2023-11-14 22:13:20 UTC
constexpr WallMs minute = 60'000;
constexpr StorageDoor doors{open_storage, check_storage};

class shard : public testing::Test {
  protected:
    shard() {
        options_.directory = shard_->path();
        options_.partitions = 2;
        options_.cache_bytes = 1u << 20;
        options_.ballast_bytes = 0;
    }
    ~shard() override {
        for (const int end : log_ends_) close(end);
    }

    Result<std::unique_ptr<Storage>> open(WallMs now = noon, const Replicas& replicas = enough,
                                          std::uint64_t limit = 2) {
        return shard_->open(options_, replicas, limit, now);
    }
    // Fills the shard and damages it in such a way that no open gets past it.
    void fill_and_damage() {
        {
            const auto storage = open();
            ASSERT_TRUE(storage) << storage.error().message;
            ASSERT_TRUE((*storage)->put(Table::objects(0), "k", "v"));
            ASSERT_TRUE((*storage)->commit(Durability::os));
        }
        std::ofstream(shard_->path() / "catalog.db", std::ios::trunc) << "nothing";
    }
    static bool is_empty(Storage& storage) {
        const auto found = storage.get(Table::objects(0), "k");
        return found && !*found;
    }
    // What was logged until now.
    std::string logged() {
        log_.write(Severity::error, "end of the test's part");
        std::string text;
        while (text.find("end of the test's part") == std::string::npos) {
            std::array<char, 4096> block{};
            const auto count = read(log_ends_[0], block.data(), block.size());
            if (count <= 0) break;
            text.append(block.data(), static_cast<std::size_t>(count));
        }
        return text;
    }
    [[nodiscard]] bool is_noted() const {
        return std::filesystem::exists(directory_ / "shard-suspect");
    }
    [[nodiscard]] bool is_watched() const {
        return std::filesystem::exists(directory_ / "shard-watched");
    }
    void restart() { shard_.emplace(directory_ / "", doors, log_); }
    // A process whose engine breaks, and the next one's start.
    Result<std::unique_ptr<Storage>> break_and_open(const Replicas& replicas = enough) {
        (void)shard_->suspect({Code::corrupt, "a write met damage"}, noon);
        restart();
        return open(noon, replicas);
    }
    [[nodiscard]] std::filesystem::path aside(const std::string& stamp) const {
        return directory_ / ("shard-000.damaged-" + stamp);
    }

    static std::array<int, 2> make_pipe() {
        std::array<int, 2> ends{};
        EXPECT_EQ(pipe(ends.data()), 0);
        return ends;
    }

    TemporaryDirectory directory_;
    std::array<int, 2> log_ends_ = make_pipe();
    Log log_{Severity::debug, log_ends_[1], Log::Form::journald};
    std::optional<Shard> shard_{std::in_place, directory_ / "", doors, log_};
    StorageOptions options_;
};

TEST_F(shard, that_is_damaged_is_set_aside_whole_and_another_begun) {
    fill_and_damage();
    const auto storage = open();
    ASSERT_TRUE(storage) << storage.error().message;
    EXPECT_TRUE(is_empty(**storage));
    EXPECT_TRUE(std::filesystem::exists(aside("20231114T221320Z") / "objects-0000.db"));
    EXPECT_EQ(shard_->set_aside(), 1u);
    EXPECT_THAT(logged(),
                AllOf(HasSubstr("the shard is damaged"), HasSubstr("cannot recover the log"),
                      HasSubstr(aside("20231114T221320Z").string())));
}

TEST_F(shard, set_aside_twice_in_a_second_has_two_names) {
    fill_and_damage();
    ASSERT_TRUE(open());
    fill_and_damage();
    ASSERT_TRUE(open());
    EXPECT_TRUE(std::filesystem::exists(aside("20231114T221320Z-2")));
    EXPECT_EQ(shard_->set_aside(), 2u);
}

TEST_F(shard, stays_where_nobody_else_has_its_data) {
    fill_and_damage();
    const std::pair<Replicas, std::string> cases[] = {
        {{.members = 0, .copies = 3}, "no member of a ring"},
        {{.members = 1, .copies = 3}, "no other member has the data"},
        {{.members = 3, .copies = 1}, "no key has a second copy"}};
    for (const auto& [replicas, says] : cases) {
        const auto opened = open(noon, replicas);
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code, Code::corrupt);
        EXPECT_THAT(opened.error().message,
                    AllOf(HasSubstr(says), HasSubstr("put a copy"), Not(HasSubstr("send"))));
    }
    EXPECT_EQ(shard_->set_aside(), 0u);
}

TEST_F(shard, is_set_aside_only_so_often_within_an_hour) {
    fill_and_damage();
    ASSERT_TRUE(open(noon));
    fill_and_damage();
    ASSERT_TRUE(open(noon + 40 * minute));
    fill_and_damage();
    const auto third = open(noon + 59 * minute);
    ASSERT_FALSE(third);
    EXPECT_THAT(third.error().message, AllOf(HasSubstr("2 damaged shards"), HasSubstr("failing")));
    EXPECT_FALSE(open(noon - 90 * minute)) << "a clock that was put back opens no door";
    EXPECT_FALSE(open(noon + 61 * minute, enough, 1));
    EXPECT_TRUE(open(noon + 61 * minute));
    EXPECT_EQ(shard_->set_aside(), 3u);
    fill_and_damage();
    EXPECT_FALSE(open(noon + 1000 * minute, enough, 0));
}

TEST_F(shard, under_suspicion_is_read_and_kept_when_it_is_whole) {
    {
        const auto storage = open();
        ASSERT_TRUE((*storage)->put(Table::objects(0), "k", "v"));
        ASSERT_TRUE((*storage)->commit(Durability::os));
    }
    const auto ended = shard_->suspect({Code::corrupt, "cannot read objects-0000.db"}, noon);
    EXPECT_EQ(ended.code, Code::corrupt);
    EXPECT_THAT(ended.message, AllOf(HasSubstr("cannot read"), HasSubstr("shard-suspect")));
    EXPECT_TRUE(is_noted());
    const auto storage = open();
    ASSERT_TRUE(storage) << storage.error().message;
    EXPECT_FALSE(is_empty(**storage));
    EXPECT_FALSE(is_noted());
    EXPECT_TRUE(is_watched());
    EXPECT_EQ(shard_->set_aside(), 0u);
    EXPECT_THAT(logged(), AllOf(HasSubstr("20231114T221320Z cannot read objects-0000.db"),
                                HasSubstr("is whole")));
}

TEST_F(shard, that_breaks_again_after_it_was_found_whole_is_set_aside_unread) {
    {
        const auto storage = open();
        ASSERT_TRUE((*storage)->put(Table::objects(0), "k", "v"));
        ASSERT_TRUE((*storage)->commit(Durability::os));
    }
    ASSERT_TRUE(break_and_open());
    EXPECT_EQ(shard_->set_aside(), 0u);
    ASSERT_TRUE(open()) << "a restart in between ends no watch";
    const auto storage = break_and_open();
    ASSERT_TRUE(storage) << storage.error().message;
    EXPECT_TRUE(is_empty(**storage));
    EXPECT_EQ(shard_->set_aside(), 1u);
    EXPECT_FALSE(is_noted() || is_watched()) << "the new one is under no suspicion";
    EXPECT_THAT(logged(), HasSubstr("broke again after it had been read through"));
}

TEST_F(shard, is_watched_until_one_process_has_run_for_an_hour) {
    using std::chrono::minutes;
    ASSERT_TRUE(open());
    ASSERT_TRUE(break_and_open());
    const Instant start(minutes(1000));
    shard_->still_runs(start);
    shard_->still_runs(start + minutes(59));
    EXPECT_TRUE(is_watched());
    restart();
    ASSERT_TRUE(open());
    shard_->still_runs(start + minutes(61));
    shard_->still_runs(start + minutes(120));
    EXPECT_TRUE(is_watched()) << "another process, another hour";
    shard_->still_runs(start + minutes(121));
    EXPECT_FALSE(is_watched());
    ASSERT_TRUE(break_and_open());
    EXPECT_EQ(shard_->set_aside(), 0u) << "read through once more";
}

TEST_F(shard, that_breaks_again_where_it_must_stay_is_not_started_again_and_again) {
    ASSERT_TRUE(open());
    ASSERT_TRUE(break_and_open());
    const Replicas alone{.members = 1, .copies = 1};
    for (int attempt = 0; attempt < 2; ++attempt) {
        const auto opened = break_and_open(alone);
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code, Code::corrupt);
        EXPECT_THAT(opened.error().message, HasSubstr("shard-watched it is read through once"));
    }
    std::filesystem::remove(directory_ / "shard-watched");
    EXPECT_TRUE(open(noon, alone)) << "the way out that the message names";
    EXPECT_FALSE(break_and_open(alone));
    std::filesystem::rename(shard_->path(), directory_ / "moved");
    EXPECT_TRUE(open(noon, alone)) << "the other one";
    EXPECT_FALSE(is_noted() || is_watched());
}

TEST_F(shard, under_suspicion_is_set_aside_when_only_reading_finds_the_damage) {
    {
        const auto storage = open();
        for (int row = 0; row < 200; ++row)
            ASSERT_TRUE((*storage)->put(Table::objects(0), std::to_string(row), Bytes(500, 'v')));
        ASSERT_TRUE((*storage)->commit(Durability::os));
    }
    {
        std::fstream table(shard_->path() / "objects-0000.db",
                           std::ios::in | std::ios::out | std::ios::binary);
        table.seekp(5 * 8192 + 4000);
        table << "damage";
        ASSERT_TRUE(table.flush());
    }
    ASSERT_TRUE(open()) << "without suspicion nobody looks";
    (void)shard_->suspect({Code::corrupt, "x"}, noon);
    ASSERT_TRUE(open());
    EXPECT_EQ(shard_->set_aside(), 1u);
    EXPECT_FALSE(is_noted());
}

TEST_F(shard, keeps_its_suspicion_while_it_must_stay_damaged) {
    fill_and_damage();
    (void)shard_->suspect({Code::corrupt, "x"}, noon);
    EXPECT_FALSE(open(noon, {}));
    EXPECT_TRUE(is_noted());
}

TEST_F(shard, that_cannot_be_opened_for_another_reason_is_left_alone) {
    options_.page_bytes = 5000;
    const auto opened = open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::bad_request);
    EXPECT_EQ(shard_->set_aside(), 0u);
}

TEST(replicas, are_those_of_a_ring_that_the_node_is_in) {
    Random random(1);
    Member self;
    self.id = NodeId::random(random);
    ClusterSettings settings;
    settings.partitions = 8;
    const auto ring = found(ClusterId::random(random), settings, self, noon);
    EXPECT_EQ(replicas_of(ring, self.id).members, 1u);
    EXPECT_EQ(replicas_of(ring, self.id).copies, 3u);
    EXPECT_EQ(replicas_of(ring, NodeId::random(random)).members, 0u);
    EXPECT_EQ(replicas_of(std::nullopt, self.id).members, 0u);
}

}  // namespace
}  // namespace dynamo
