#include "daemon/shell/data_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>

#include "libdynamo/wire/state_codec.h"
#include "tests/daemon/shell/temporary_directory.h"

namespace dynamo {
namespace {

using testing::AllOf;
using testing::HasSubstr;

RingState some_ring(const std::string& name = "shop") {
    Random random(7);
    Member founder;
    founder.id = NodeId::random(random);
    founder.name = "n1";
    founder.client_address = "127.0.0.1:7100";
    founder.peer_address = "127.0.0.1:7101";
    ClusterSettings settings;
    settings.name = name;
    settings.partitions = 8;
    return found(ClusterId::random(random), settings, founder, 1'700'000'000'000);
}

void expect_refused(const std::filesystem::path& path, Code code, const std::string& says) {
    const auto opened = DataDirectory::open(path);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(name_of(opened.error().code), name_of(code));
    EXPECT_THAT(opened.error().message, AllOf(HasSubstr(path.string()), HasSubstr(says)));
}

TEST(data_directory, is_made_with_an_identity_that_stays) {
    const TemporaryDirectory parent;
    NodeId node;
    {
        const auto data = DataDirectory::open(parent / "a/b/c");
        ASSERT_TRUE(data.has_value()) << data.error().message;
        EXPECT_TRUE(data->is_new());
        EXPECT_FALSE(data->node().is_none());
        node = data->node();
    }
    struct stat status{};
    ASSERT_EQ(stat((parent / "a/b/c").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
    const auto again = DataDirectory::open(parent / "a/b/c");
    ASSERT_TRUE(again.has_value());
    EXPECT_FALSE(again->is_new());
    EXPECT_EQ(again->node(), node);
}

TEST(data_directory, gives_every_node_another_identity) {
    const TemporaryDirectory parent;
    EXPECT_NE(DataDirectory::open(parent / "a")->node(), DataDirectory::open(parent / "b")->node());
}

TEST(data_directory, closes_an_empty_directory_to_others) {
    const TemporaryDirectory parent;
    const auto path = parent / "open";
    ASSERT_EQ(mkdir(path.c_str(), 0755), 0);
    ASSERT_EQ(chmod(path.c_str(), 0755), 0);
    ASSERT_TRUE(DataDirectory::open(path).has_value());
    struct stat status{};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST(data_directory, has_one_daemon_and_names_it) {
    const TemporaryDirectory parent;
    const auto first = DataDirectory::open(parent / "d");
    ASSERT_TRUE(first.has_value());
    expect_refused(parent / "d", Code::refused,
                   "in use by process " + std::to_string(getpid()) + ";");
}

TEST(data_directory, is_free_when_its_daemon_has_gone) {
    const TemporaryDirectory parent;
    (void)DataDirectory::open(parent / "d");
    EXPECT_TRUE(DataDirectory::open(parent / "d").has_value());
}

TEST(data_directory, of_somebody_else_is_refused_and_left_as_it_is) {
    const TemporaryDirectory parent;
    parent.write("letter.txt", "dear");
    expect_refused(parent.path(), Code::refused, "letter.txt");
    EXPECT_FALSE(std::filesystem::exists(parent / "lock"));
    EXPECT_FALSE(std::filesystem::exists(parent / "identity"));
}

TEST(data_directory, with_data_and_without_identity_is_refused) {
    for (const auto* left : {"ring", "shard-000"}) {
        const TemporaryDirectory parent;
        std::filesystem::create_directory(parent / left);
        expect_refused(parent.path(), Code::refused, "half of a node");
    }
}

TEST(data_directory, may_hold_what_a_first_start_cut_short_left) {
    const TemporaryDirectory parent;
    std::filesystem::create_directory(parent / "lost+found");
    parent.write("lock", "1\n");
    parent.write("identity.new", "dyn");
    EXPECT_TRUE(DataDirectory::open(parent.path()).has_value());
}

TEST(data_directory, that_is_a_file_is_refused) {
    const TemporaryDirectory parent;
    expect_refused(parent.write("file", ""), Code::storage, "");
}

TEST(data_directory, that_cannot_be_read_is_refused) {
    const TemporaryDirectory parent;
    (void)DataDirectory::open(parent / "d");
    ASSERT_EQ(chmod((parent / "d").c_str(), 0), 0);
    // Root may read everything, so it looks through nobody's eyes.
    const auto user = geteuid();
    ASSERT_EQ(seteuid(user == 0 ? 65534 : user), 0);
    expect_refused(parent / "d", Code::storage, "Permission denied");
    ASSERT_EQ(seteuid(user), 0);
    ASSERT_EQ(chmod((parent / "d").c_str(), 0700), 0);
}

TEST(identity, damaged_in_any_bit_is_refused) {
    const TemporaryDirectory parent;
    (void)DataDirectory::open(parent.path());
    const auto whole = parent.read("identity");
    for (std::size_t i = 0; i < 8 * whole.size(); ++i) {
        auto damaged = whole;
        damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ 1 << i % 8);
        parent.write("identity", damaged);
        EXPECT_FALSE(DataDirectory::open(parent.path()).has_value()) << "bit " << i;
    }
    for (std::size_t size = 0; size < whole.size(); ++size) {
        parent.write("identity", whole.substr(0, size));
        EXPECT_FALSE(DataDirectory::open(parent.path()).has_value()) << "cut to " << size;
    }
    parent.write("identity", whole);
    EXPECT_TRUE(DataDirectory::open(parent.path()).has_value());
}

TEST(identity, of_a_newer_format_is_refused) {
    const TemporaryDirectory parent;
    (void)DataDirectory::open(parent.path());
    auto file = parent.read("identity");
    file.replace(file.find(" 1 "), 3, " 2 ");
    parent.write("identity", file);
    const auto opened = DataDirectory::open(parent.path());
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(exit_code_of(opened.error().code), 8);
    EXPECT_THAT(opened.error().message, AllOf(HasSubstr("format 2"), HasSubstr("newer dynamod")));
}

TEST(ring_file, gives_back_what_was_saved_last) {
    const TemporaryDirectory parent;
    const auto ring = some_ring();
    {
        auto data = DataDirectory::open(parent.path());
        ASSERT_TRUE(data.has_value());
        EXPECT_EQ(data->load_ring().value(), std::nullopt);
        ASSERT_TRUE(data->save_ring(some_ring("before")).has_value());
        ASSERT_TRUE(data->save_ring(ring).has_value());
    }
    const auto loaded = DataDirectory::open(parent.path())->load_ring();
    ASSERT_TRUE(loaded.has_value()) << loaded.error().message;
    EXPECT_EQ(*loaded, ring);
    EXPECT_FALSE(std::filesystem::exists(parent / "ring.new"));
}

TEST(ring_file, damaged_in_any_bit_is_refused) {
    const TemporaryDirectory parent;
    auto data = DataDirectory::open(parent.path());
    ASSERT_TRUE(data->save_ring(some_ring()).has_value());
    const auto whole = parent.read("ring");
    const auto good = data->load_ring();
    ASSERT_TRUE(good.has_value()) << good.error().message;
    for (std::size_t i = 0; i < 8 * whole.size(); ++i) {
        auto damaged = whole;
        damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ 1 << i % 8);
        parent.write("ring", damaged);
        EXPECT_FALSE(data->load_ring().has_value()) << "bit " << i;
    }
    parent.write("ring", whole.substr(0, whole.size() - 1));
    const auto cut = data->load_ring();
    ASSERT_FALSE(cut.has_value());
    EXPECT_EQ(cut.error().code, Code::corrupt);
    EXPECT_THAT(cut.error().message, HasSubstr("ring is damaged"));
}

TEST(ring_file, missing_after_there_was_one_is_never_a_first_start) {
    const TemporaryDirectory parent;
    (void)DataDirectory::open(parent.path())->save_ring(some_ring());
    std::filesystem::remove(parent / "ring");
    const auto loaded = DataDirectory::open(parent.path())->load_ring();
    ASSERT_FALSE(loaded.has_value());
    EXPECT_EQ(exit_code_of(loaded.error().code), 8);
    EXPECT_THAT(loaded.error().message, HasSubstr("is missing"));
}

TEST(ring_file, counts_as_had_even_if_the_first_save_was_cut_short) {
    const TemporaryDirectory parent;
    (void)DataDirectory::open(parent.path());
    const auto before = parent.read("identity");
    (void)DataDirectory::open(parent.path())->save_ring(some_ring());
    // As if the process had ended between the ring and the identity.
    parent.write("identity", before);
    (void)DataDirectory::open(parent.path());
    std::filesystem::remove(parent / "ring");
    EXPECT_FALSE(DataDirectory::open(parent.path())->load_ring().has_value());
}

}  // namespace
}  // namespace dynamo
