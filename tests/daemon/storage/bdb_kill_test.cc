// kill -9 at random moments: what was acknowledged is there, what was not committed is not.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "libdynamo/base/random.h"
#include "tests/daemon/storage/bdb_fixture.h"

namespace dynamo {
namespace {

constexpr int rows_per_commit = 5;
constexpr std::uint16_t partitions = 4;

Table table_of(std::uint64_t commit, int row) {
    return Table::objects(
        static_cast<std::uint16_t>((commit + static_cast<unsigned>(row)) % partitions));
}

Bytes key_of(std::uint64_t commit, int row) {
    return std::to_string(commit) + "/" + std::to_string(row);
}

Bytes value_of(std::uint64_t commit, int row) {
    Random random(commit * 31 + static_cast<unsigned>(row));
    return Bytes(random.below(random.chance(0.02) ? 40000 : 400), static_cast<char>('a' + row));
}

// What the child does until it is killed: commits, each told to the parent once it returned, with
// rolled back and unfinished writes in between. Exits with 1 when anything fails.
[[noreturn]] void write_until_killed(const StorageOptions& options, std::uint64_t first,
                                     Durability durability, int told) {
    auto opened = open_storage(options);
    if (!opened) ::_exit(1);
    Storage& storage = **opened;
    for (std::uint64_t commit = first;; ++commit) {
        if (commit % 7 == 3) {
            if (!storage.put(table_of(commit, 0), "undone " + key_of(commit, 0), "x")) ::_exit(1);
            storage.rollback();
        }
        for (int row = 0; row < rows_per_commit; ++row)
            if (!storage.put(table_of(commit, row), key_of(commit, row), value_of(commit, row)))
                ::_exit(1);
        if (!storage.commit(durability)) ::_exit(1);
        if (::write(told, &commit, sizeof commit) != sizeof commit) ::_exit(1);
    }
}

class bdb_kill : public BdbTest {
  protected:
    // Starts a writer, kills it when it has acknowledged `commits` more and a little time went by,
    // and returns the last commit it acknowledged.
    std::uint64_t kill_a_writer(std::uint64_t first, std::uint64_t commits, Durability durability,
                                useconds_t extra) {
        int ends[2];
        EXPECT_EQ(::pipe(ends), 0);
        const pid_t child = ::fork();
        if (child == 0) {
            (void)::close(ends[0]);
            StorageOptions options = options_;
            options.log = nullptr;
            write_until_killed(options, first, durability, ends[1]);
        }
        (void)::close(ends[1]);
        std::uint64_t last = first - 1;
        while (last < first + commits - 1 && ::read(ends[0], &last, sizeof last) == sizeof last) {
        }
        (void)::usleep(extra);  // not for luck: it only moves the moment of the kill
        EXPECT_EQ(::kill(child, SIGKILL), 0);
        while (::read(ends[0], &last, sizeof last) == sizeof last) {
        }
        (void)::close(ends[0]);
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFSIGNALED(status)) << "the writer failed by itself";
        return last;
    }

    // True when all rows of the commit are there, false when none is.
    bool is_whole(std::uint64_t commit) {
        int found = 0;
        for (int row = 0; row < rows_per_commit; ++row) {
            const auto value = get(table_of(commit, row), key_of(commit, row));
            if (!value) continue;
            EXPECT_EQ(*value, value_of(commit, row)) << key_of(commit, row);
            ++found;
        }
        EXPECT_TRUE(found == 0 || found == rows_per_commit)
            << found << " of " << rows_per_commit << " rows of commit " << commit;
        return found == rows_per_commit;
    }

    void kill_and_look(Durability durability, int kills, std::uint64_t seed) {
        Random random(seed);
        std::uint64_t next = 1;
        for (int kill = 0; kill < kills && !HasFailure(); ++kill) {
            SCOPED_TRACE("kill " + std::to_string(kill));
            const std::uint64_t acknowledged =
                kill_a_writer(next, 1 + random.below(150), durability,
                              static_cast<useconds_t>(random.below(2000)));
            ASSERT_NO_FATAL_FAILURE(open());
            for (std::uint64_t commit = 1; commit <= acknowledged; ++commit)
                ASSERT_TRUE(is_whole(commit)) << "acknowledged commit " << commit << " is lost";
            // The one after it may have been made without the child living to say so.
            const std::uint64_t last = is_whole(acknowledged + 1) ? acknowledged + 1 : acknowledged;
            std::size_t rows = 0;
            for (std::uint16_t partition = 0; partition < partitions; ++partition)
                rows += count(Table::objects(partition));
            EXPECT_EQ(rows, last * rows_per_commit) << "rows that were never committed";
            close();
            const auto checked = check_storage(options_);
            ASSERT_TRUE(checked) << checked.error().message << "\n" << notices_;
            next = last + 1;
        }
    }
};

TEST_F(bdb_kill, loses_nothing_acknowledged_with_os_durability) {
    kill_and_look(Durability::os, 12, 1);
}

TEST_F(bdb_kill, loses_nothing_acknowledged_with_sync_durability) {
    kill_and_look(Durability::sync, 12, 2);
}

TEST_F(bdb_kill, loses_nothing_with_a_cache_that_writes_pages_before_their_commit) {
    options_.cache_bytes = 1u << 20;
    options_.page_bytes = 512;
    kill_and_look(Durability::os, 10, 3);
}

TEST_F(bdb_kill, loses_nothing_when_killed_again_and_again_without_a_clean_close) {
    Random random(4);
    std::uint64_t next = 1;
    std::uint64_t acknowledged = 0;
    for (int kill = 0; kill < 10 && !HasFailure(); ++kill) {
        // A commit whose acknowledgement was lost is written again by the next child.
        acknowledged = kill_a_writer(next, 1 + random.below(100), Durability::os,
                                     static_cast<useconds_t>(random.below(2000)));
        next = acknowledged + 1;
    }
    open();
    for (std::uint64_t commit = 1; commit <= acknowledged; ++commit)
        ASSERT_TRUE(is_whole(commit)) << "acknowledged commit " << commit << " is lost";
}

TEST_F(bdb_kill, a_kill_during_drops_leaves_old_or_new_and_no_file_behind) {
    Random random(5);
    for (int kill = 0; kill < 10 && !HasFailure(); ++kill) {
        const pid_t child = ::fork();
        if (child == 0) {
            StorageOptions options = options_;
            options.log = nullptr;
            auto opened = open_storage(options);
            if (!opened) ::_exit(1);
            for (std::uint64_t round = 0;; ++round) {
                Storage& storage = **opened;
                if (!storage.drop(Table::objects(1))) ::_exit(1);
                for (int row = 0; row < 3; ++row)
                    if (!storage.put(Table::objects(1), std::to_string(row), std::to_string(round)))
                        ::_exit(1);
                if (!storage.commit(Durability::os)) ::_exit(1);
            }
        }
        (void)::usleep(static_cast<useconds_t>(20000 + random.below(50000)));
        EXPECT_EQ(::kill(child, SIGKILL), 0);
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFSIGNALED(status)) << "the writer failed by itself";
        ASSERT_NO_FATAL_FAILURE(open());
        const auto value = get(Table::objects(1), "0");
        EXPECT_EQ(count(Table::objects(1)), value ? 3u : 0u);
        for (const BytesView key : {"1", "2"}) EXPECT_EQ(get(Table::objects(1), key), value);
        EXPECT_LE(files_with("objects-0001").size(), 1u) << notices_;
        close();
    }
}

// A small cache writes pages all the time, and a tmpfs is where the kernel stops between the two
// halves of a page most readily: without its guard every thirtieth of these kills tears one.
class bdb_torn_page : public TmpfsTest {
  protected:
    const char* size() const override { return "size=400m"; }
};

TEST_F(bdb_torn_page, a_kill_between_the_halves_of_a_page_does_no_harm) {
    constexpr std::uint64_t rows = 3000;
    Random random(6);
    for (int kill = 0; kill < 40 && !HasFailure(); ++kill) {
        SCOPED_TRACE("kill " + std::to_string(kill));
        const pid_t child = ::fork();
        if (child == 0) {
            StorageOptions options = options_;
            options.log = nullptr;
            auto opened = open_storage(options);
            if (!opened) ::_exit(1);
            for (Random keys(static_cast<std::uint64_t>(kill));;) {
                for (int row = 0; row < 16; ++row)
                    if (!(*opened)->put(Table::objects(1), std::to_string(keys.below(rows)),
                                        Bytes(1500, static_cast<char>(keys.bits()))))
                        ::_exit(1);
                if (!(*opened)->commit(Durability::os)) ::_exit(1);
            }
        }
        (void)::usleep(static_cast<useconds_t>(60000 + random.below(60000)));
        EXPECT_EQ(::kill(child, SIGKILL), 0);
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFSIGNALED(status)) << "the writer failed by itself";
        ASSERT_NO_FATAL_FAILURE(open());
        EXPECT_LE(count(Table::objects(1)), rows);
        close();
    }
}

}  // namespace
}  // namespace dynamo
