// Damage beneath Berkeley DB: bits flipped, logs shortened, disks full. What was stored comes back
// or an error does; never other data, and never "not found".

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

#include "daemon/storage/bdb_process.h"
#include "daemon/storage/files.h"
#include "libdynamo/base/random.h"
#include "tests/daemon/storage/bdb_fixture.h"

namespace dynamo {
namespace {

Bytes value_of(int row) { return Bytes(row % 50 == 0 ? 30000 : 300, static_cast<char>(row)); }

class bdb_fault : public BdbTest {
  protected:
    // Runs `work` on an open environment in a child that then ends as kill -9 would end it.
    template <typename Work>
    void run_and_crash(const Work& work) {
        const pid_t child = ::fork();
        if (child == 0) {
            StorageOptions options = options_;
            options.log = nullptr;
            auto opened = open_storage(options);
            ::_exit(opened && work(**opened) ? 0 : 1);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }

    static bool write_rows(Storage& storage, int first, int end, Durability durability) {
        for (int row = first; row < end; ++row) {
            if (!storage.put(Table::objects(1), std::to_string(row), value_of(row))) return false;
            if (row % 10 == 9 && !storage.commit(durability)) return false;
        }
        return storage.commit(durability).has_value();
    }

    // Reads every row: each is right, or an error says corrupt. True when all were right.
    bool all_right_or_corrupt(int rows) {
        bool right = true;
        for (int row = 0; row < rows; ++row) {
            const auto found = storage_->get(Table::objects(1), std::to_string(row));
            if (!found) {
                EXPECT_EQ(found.error().code, Code::corrupt) << found.error().message;
                right = false;
            } else {
                EXPECT_TRUE(*found && **found == value_of(row)) << "row " << row << " is wrong";
            }
        }
        return right;
    }
};

TEST_F(bdb_fault, a_flipped_bit_anywhere_in_a_table_is_corrupt_or_harmless) {
    constexpr int rows = 100;
    options_.ballast_bytes = 0;
    open();
    ASSERT_TRUE(write_rows(*storage_, 0, rows, Durability::os));
    close();
    const auto table = file("objects-0001.db");
    const auto saved = scratch_.path() / "saved";
    std::filesystem::copy(options_.directory, saved, std::filesystem::copy_options::recursive);
    const std::uint64_t pages = std::filesystem::file_size(table) / options_.page_bytes;
    ASSERT_GT(pages, 10u);
    Random random(1);
    int corrupt = 0;
    for (std::uint64_t page = 0; page < pages; ++page) {
        SCOPED_TRACE("page " + std::to_string(page));
        std::filesystem::copy(saved, options_.directory,
                              std::filesystem::copy_options::recursive |
                                  std::filesystem::copy_options::overwrite_existing);
        flip_bit(table, page * options_.page_bytes + random.below(options_.page_bytes));
        auto opened = open_storage(options_);
        if (!opened) {
            EXPECT_EQ(opened.error().code, Code::corrupt) << opened.error().message;
            ++corrupt;
            continue;
        }
        storage_ = std::move(*opened);
        if (!all_right_or_corrupt(rows)) ++corrupt;
        close();
        std::filesystem::remove_all(options_.directory);
    }
    // A page that holds nothing may be damaged without harm; nearly all of these hold rows.
    EXPECT_GE(corrupt, static_cast<int>(pages * 9 / 10));
}

TEST_F(bdb_fault, after_damage_every_call_says_corrupt_and_so_does_the_next_open) {
    constexpr int rows = 400;
    open();
    ASSERT_TRUE(write_rows(*storage_, 0, rows, Durability::os));
    close();
    const auto table = file("objects-0001.db");
    const std::uint64_t pages = std::filesystem::file_size(table) / options_.page_bytes;
    for (std::uint64_t page = 2; page < pages; ++page)
        flip_bit(table, page * options_.page_bytes + 1000);
    for (int attempt = 0; attempt < 2; ++attempt) {
        open();
        EXPECT_FALSE(all_right_or_corrupt(rows));
        const auto stored = storage_->put(Table::objects(2), "key", "value");
        const auto committed = storage_->commit(Durability::os);
        ASSERT_FALSE(stored && committed);
        EXPECT_EQ((stored ? committed : stored).error().code, Code::corrupt);
        const auto scanned =
            storage_->scan(Table::objects(1), "", [](BytesView, BytesView) { return true; });
        ASSERT_FALSE(scanned);
        EXPECT_EQ(scanned.error().code, Code::corrupt);
        ASSERT_TRUE(storage_->broken());
        EXPECT_EQ(storage_->broken()->code, Code::corrupt);
        EXPECT_TRUE(mentions(*storage_->broken(), "objects-0001.db"))
            << storage_->broken()->message;
        storage_->rollback();
        close();
    }
}

TEST_F(bdb_fault, is_not_broken_by_a_row_that_does_not_fit) {
    open();
    EXPECT_FALSE(storage_->put(Table::objects(1), Bytes(5000, 'k'), "v"));
    EXPECT_TRUE(storage_->commit(Durability::os));
    EXPECT_FALSE(storage_->broken());
}

TEST_F(bdb_fault, a_check_finds_every_page_that_is_damaged_and_none_that_is_not) {
    // Two levels of inner pages, large rows on pages of their own, and a dropped table's free ones.
    constexpr int rows = 3000;
    options_.ballast_bytes = 0;
    options_.page_bytes = 512;
    run_and_crash([](Storage& storage) {
        return write_rows(storage, 0, rows, Durability::os) && storage.drop(Table::objects(1)) &&
               storage.commit(Durability::os) && write_rows(storage, 0, rows / 10, Durability::os);
    });
    ASSERT_TRUE(check_storage(options_)) << notices_;
    ASSERT_TRUE(check_storage(options_)) << "the second time";
    const auto saved = scratch_.path() / "saved";
    std::filesystem::copy(options_.directory, saved, std::filesystem::copy_options::recursive);
    const auto table = file("objects-0001.1.db");
    const std::uint64_t pages = std::filesystem::file_size(table) / options_.page_bytes;
    ASSERT_GT(pages, 100u);
    Random random(1);
    for (std::uint64_t page = 0; page < pages; page += page < 10 ? 1 : 7) {
        SCOPED_TRACE("page " + std::to_string(page));
        flip_bit(table, page * options_.page_bytes + random.below(options_.page_bytes));
        const auto checked = check_storage(options_);
        ASSERT_FALSE(checked);
        EXPECT_EQ(checked.error().code, Code::corrupt) << checked.error().message;
        std::filesystem::remove_all(options_.directory);
        std::filesystem::copy(saved, options_.directory, std::filesystem::copy_options::recursive);
    }
    std::filesystem::resize_file(table, pages / 2 * options_.page_bytes);
    EXPECT_EQ(check_storage(options_).error().code, Code::corrupt) << "a shortened table";
    std::filesystem::remove(table);
    EXPECT_EQ(check_storage(options_).error().code, Code::corrupt) << "a lost table";
}

TEST_F(bdb_fault, a_check_finds_what_only_a_write_would_meet) {
    options_.ballast_bytes = 0;
    open();
    ASSERT_TRUE(write_rows(*storage_, 0, 400, Durability::os));
    // Half of the rows go, and leave pages that are free.
    for (int row = 200; row < 400; ++row)
        ASSERT_TRUE(storage_->erase(Table::objects(1), std::to_string(row)));
    commit();
    close();
    ASSERT_TRUE(check_storage(options_)) << notices_;
    const auto saved = scratch_.path() / "saved";
    std::filesystem::copy(options_.directory, saved, std::filesystem::copy_options::recursive);
    const auto damaged = [&](const std::string& name, std::uint64_t cut, std::uint64_t extended) {
        SCOPED_TRACE(name + " of " + std::to_string(cut) + " octets");
        std::filesystem::resize_file(file(name), cut);
        std::filesystem::resize_file(file(name), extended);
        const auto checked = check_storage(options_);
        ASSERT_FALSE(checked);
        EXPECT_EQ(checked.error().code, Code::corrupt) << checked.error().message;
        EXPECT_TRUE(mentions(checked.error(), name)) << checked.error().message;
        std::filesystem::remove_all(options_.directory);
        std::filesystem::copy(saved, options_.directory, std::filesystem::copy_options::recursive);
    };
    // The checksum of a page of zeros is good: it is what a file has where none was written yet.
    const auto whole = std::filesystem::file_size(file("objects-0001.db"));
    for (std::uint64_t pages = 1; pages < 4; ++pages)
        damaged("objects-0001.db", whole - pages * options_.page_bytes, whole);
    damaged("objects-0001.db", whole - options_.page_bytes, whole - options_.page_bytes);
    // Tables that no row was ever written to.
    damaged("hints.db", 1557, 1557);
    damaged("objects-0002.db", 1557, 1557);
    damaged("objects-0002.db", 0, 0);
}

TEST_F(bdb_fault, a_shortened_log_is_noticed) {
    for (const auto durability : {Durability::os, Durability::sync}) {
        run_and_crash([&](Storage& storage) { return write_rows(storage, 0, 300, durability); });
        const auto log = file("log.0000000001");
        // The file is longer than what is written to it, so the cut is where rows are.
        std::filesystem::resize_file(log, 200000);
        const Error error = open_error();
        EXPECT_EQ(error.code, Code::corrupt);
        EXPECT_TRUE(mentions(error, "data was lost")) << error.message;
        EXPECT_TRUE(mentions(error, "but commit 30 was promised")) << error.message;
        EXPECT_EQ(open_error().code, Code::corrupt) << "it must not pass at the second attempt";
        // The way out that the message names.
        std::filesystem::remove(file("high-water"));
        open();
        EXPECT_LT(count(Table::objects(1)), 300u);
        close();
        std::filesystem::remove_all(options_.directory);
    }
}

TEST_F(bdb_fault, a_damaged_record_in_the_middle_of_the_log_is_noticed) {
    run_and_crash([](Storage& storage) { return write_rows(storage, 0, 300, Durability::os); });
    const auto saved = scratch_.path() / "saved";
    std::filesystem::copy(options_.directory, saved, std::filesystem::copy_options::recursive);
    for (const std::uint64_t offset : {40000u, 60000u, 100000u, 150000u}) {
        SCOPED_TRACE("offset " + std::to_string(offset));
        std::filesystem::remove_all(options_.directory);
        std::filesystem::copy(saved, options_.directory, std::filesystem::copy_options::recursive);
        flip_bit(file("log.0000000001"), offset);
        EXPECT_EQ(open_error().code, Code::corrupt);
    }
}

TEST_F(bdb_fault, the_last_commit_alone_missing_from_the_log_is_noticed) {
    run_and_crash([](Storage& storage) {
        return storage.put(Table::objects(1), "a", "1") && storage.commit(Durability::os) &&
               storage.put(Table::objects(1), "the last row", "2") &&
               storage.commit(Durability::os);
    });
    const auto log = file("log.0000000001");
    const auto content = read_small_file(log);
    ASSERT_TRUE(content && *content);
    const auto place = (*content)->rfind("the last row");
    ASSERT_NE(place, Bytes::npos);
    flip_bit(log, place);
    const Error error = open_error();
    EXPECT_EQ(error.code, Code::corrupt);
    EXPECT_TRUE(mentions(error, "ends at commit 1, but commit 2 was promised")) << error.message;
}

TEST_F(bdb_fault, lost_log_files_are_noticed_after_a_clean_close_too) {
    open();
    ASSERT_TRUE(write_rows(*storage_, 0, 300, Durability::os));
    close();
    for (const auto& log : files_with("log.")) std::filesystem::remove(log);
    const auto opened = open_storage(options_);
    if (!opened) {
        EXPECT_EQ(opened.error().code, Code::corrupt) << opened.error().message;
        return;
    }
    const auto found = (*opened)->get(Table::objects(1), "1");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Code::corrupt) << found.error().message;
}

TEST_F(bdb_fault, a_lost_catalog_is_noticed) {
    open();
    ASSERT_TRUE(write_rows(*storage_, 0, 30, Durability::os));
    close();
    std::filesystem::remove(file("catalog.db"));
    EXPECT_EQ(open_error().code, Code::corrupt);
    EXPECT_TRUE(std::filesystem::exists(file("objects-0001.db")));
}

TEST_F(bdb_fault, a_disk_that_does_not_sync_ends_the_process_with_a_message) {
    const auto path = scratch_.path() / "file";
    const FileHandle handle(::open(path.c_str(), O_RDWR | O_CREAT, 0600));
    const auto broken = [](int) {
        errno = EIO;
        return -1;
    };
    EXPECT_EXIT((void)sync_or_end(handle.get(), broken), testing::ExitedWithCode(disk_failed_exit),
                "the disk did not take .*/file: Input/output error");
    static int calls = 0;
    const auto interrupted = [](int) {
        errno = EINTR;
        return ++calls < 3 ? -1 : 0;
    };
    EXPECT_EQ(sync_or_end(handle.get(), interrupted), 0);
    EXPECT_EQ(calls, 3);
}

class bdb_full_disk : public TmpfsTest {
  protected:
    // Commits in a child, 20000 octets each, until the disk is full and the child ends for it or at
    // a page that the cache has no room for; how many commits were acknowledged.
    int write_until_full() {
        int ends[2];
        EXPECT_EQ(::pipe(ends), 0);
        const pid_t child = ::fork();
        if (child == 0) {
            options_.log = nullptr;
            auto opened = open_storage(options_);
            fill(1u << 20);
            for (int commit = 0; opened; ++commit) {
                auto done = (*opened)->put(Table::objects(1), "full " + std::to_string(commit),
                                           Bytes(20000, 'v'));
                if (done) done = (*opened)->commit(Durability::sync);
                if (!done && done.error().code == Code::storage_full) ::_exit(disk_failed_exit);
                if (!done || ::write(ends[1], "1", 1) != 1) break;
            }
            ::_exit(1);
        }
        (void)::close(ends[1]);
        int commits = 0;
        for (char octet = 0; ::read(ends[0], &octet, 1) == 1;) ++commits;
        (void)::close(ends[0]);
        int status = 0;
        EXPECT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == disk_failed_exit) << status;
        return commits;
    }
    // Gives the blocks of a file from `offset` on back.
    static void punch(const std::filesystem::path& path, off_t offset) {
        const FileHandle handle(::open(path.c_str(), O_RDWR));
        const auto size = static_cast<off_t>(std::filesystem::file_size(path));
        ASSERT_LT(offset, size);
        ASSERT_EQ(::fallocate(handle.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
                              size - offset),
                  0);
    }
    void expect_rows(int commits) {
        for (int commit = 0; commit < commits; ++commit)
            ASSERT_EQ(get(Table::objects(1), "full " + std::to_string(commit)), Bytes(20000, 'v'))
                << commit;
        EXPECT_EQ(count(Table::objects(1)), static_cast<std::size_t>(commits));
    }
};

TEST_F(bdb_full_disk, loses_nothing_that_it_acknowledged_before_it_was_full) {
    const int commits = write_until_full();
    EXPECT_GT(commits, 0);
    make_room();
    open();
    // The commit that met the end of the disk may have been taken whole.
    const auto rows = count(Table::objects(1));
    EXPECT_LE(static_cast<std::size_t>(commits), rows);
    EXPECT_LE(rows, static_cast<std::size_t>(commits) + 1);
    for (int commit = 0; commit < commits; ++commit)
        ASSERT_TRUE(get(Table::objects(1), "full " + std::to_string(commit)) == Bytes(20000, 'v'))
            << commit;
    put(Table::objects(2), "after", "1");
    commit(Durability::sync);
    reopen();
    EXPECT_EQ(get(Table::objects(2), "after"), "1");
}

TEST_F(bdb_full_disk, writes_pages_while_there_is_room_for_them) {
    // All of it fits into the cache, so that nothing but a checkpoint writes it.
    options_.cache_bytes = 8u << 20;
    open();
    fill(7u << 20);
    for (int row = 0; row < 200; ++row)
        put(Table::objects(1), "full " + std::to_string(row), Bytes(20000, 'v'));
    commit();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (std::filesystem::file_size(file("objects-0001.db")) < (2u << 20)) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

TEST_F(bdb_full_disk, calls_a_recovery_without_room_full_and_not_corrupt) {
    open();
    put(Table::objects(1), "full 0", Bytes(20000, 'v'));
    commit();
    close();
    // Recovery fills the log's last file up with zeros; without those blocks it needs room.
    punch(file("log.0000000001"), 768u << 10);
    fill(0);
    const auto opened = open_storage(options_);
    if (!opened) {
        EXPECT_EQ(opened.error().code, Code::storage_full) << opened.error().message;
    }
    make_room();
    open();
    expect_rows(1);
}

TEST_F(bdb_full_disk, gives_its_ballast_up_to_recover_with) {
    options_.ballast_bytes = 100000;
    open();
    put(Table::objects(1), "full 0", Bytes(20000, 'v'));
    commit();
    close();
    ASSERT_TRUE(std::filesystem::exists(file("ballast")));
    fill(0);
    open();
    EXPECT_FALSE(std::filesystem::exists(file("ballast")));
    EXPECT_NE(notices_.find("the ballast was given up"), std::string::npos) << notices_;
    expect_rows(1);
    make_room();
    reopen();
    EXPECT_TRUE(std::filesystem::exists(file("ballast"))) << "laid again when there is room";
}

}  // namespace
}  // namespace dynamo
