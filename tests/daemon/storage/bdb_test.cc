// Berkeley DB beyond the contract: what survives a clean close, and what is refused at an open.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "tests/daemon/storage/bdb_fixture.h"

namespace dynamo {
namespace {

using bdb_storage = BdbTest;

TEST_F(bdb_storage, keeps_rows_over_a_clean_close) {
    open();
    put(Table::objects(3), "a", "1");
    put(Table::hints(), "h", "2");
    commit(Durability::sync);
    put(Table::objects(3), "b", "3");
    commit(Durability::os);
    reopen();
    EXPECT_EQ(get(Table::objects(3), "a"), "1");
    EXPECT_EQ(get(Table::objects(3), "b"), "3");
    EXPECT_EQ(get(Table::hints(), "h"), "2");
    EXPECT_EQ(count(Table::objects(3)), 2u);
}

TEST_F(bdb_storage, forgets_what_was_not_committed_before_the_close) {
    open();
    put(Table::objects(3), "a", "1");
    commit();
    put(Table::objects(3), "a", "not committed");
    put(Table::objects(4), "b", "not committed");
    reopen();
    EXPECT_EQ(get(Table::objects(3), "a"), "1");
    EXPECT_EQ(count(Table::objects(4)), 0u);
}

TEST_F(bdb_storage, keeps_one_file_per_partition_and_removes_a_dropped_one) {
    open();
    put(Table::objects(17), "a", "1");
    put(Table::hints(), "h", "1");
    commit();
    EXPECT_TRUE(std::filesystem::exists(file("objects-0017.db")));
    EXPECT_TRUE(std::filesystem::exists(file("hints.db")));
    ASSERT_TRUE(storage_->drop(Table::objects(17)));
    EXPECT_TRUE(std::filesystem::exists(file("objects-0017.db")));
    commit();
    EXPECT_FALSE(std::filesystem::exists(file("objects-0017.db")));
    put(Table::objects(17), "b", "2");
    commit();
    reopen();
    EXPECT_EQ(files_with("objects-0017").size(), 1u);
    EXPECT_TRUE(std::filesystem::exists(file("objects-0017.1.db")));
    EXPECT_EQ(get(Table::objects(17), "a"), std::nullopt);
    EXPECT_EQ(get(Table::objects(17), "b"), "2");
}

TEST_F(bdb_storage, a_rolled_back_drop_keeps_the_file_over_a_close) {
    open();
    put(Table::objects(17), "a", "1");
    commit();
    ASSERT_TRUE(storage_->drop(Table::objects(17)));
    put(Table::objects(17), "b", "2");
    storage_->rollback();
    reopen();
    EXPECT_EQ(files_with("objects-0017").size(), 1u);
    EXPECT_EQ(get(Table::objects(17), "a"), "1");
    EXPECT_EQ(get(Table::objects(17), "b"), std::nullopt);
}

TEST_F(bdb_storage, removes_what_a_crash_left_of_other_generations) {
    open();
    put(Table::objects(1), "a", "1");
    commit();
    close();
    std::filesystem::copy_file(file("objects-0001.db"), file("objects-0001.7.db"));
    std::ofstream(file("objects-0001.8.db")) << Bytes(options_.page_bytes, '\0');
    std::ofstream(file("objects-0001.9.db")) << "";
    open();
    EXPECT_EQ(files_with("objects-0001").size(), 1u) << notices_;
    EXPECT_EQ(get(Table::objects(1), "a"), "1");
}

TEST_F(bdb_storage, serves_more_partitions_than_it_was_told_to_expect) {
    options_.partitions = 2;
    open();
    put(Table::objects(65535), "a", "1");
    commit();
    reopen();
    EXPECT_EQ(get(Table::objects(65535), "a"), "1");
}

TEST_F(bdb_storage, opens_what_another_page_size_and_cache_made) {
    open();
    put(Table::objects(1), "a", Bytes(100000, 'v'));
    commit();
    options_.page_bytes = 16384;
    options_.cache_bytes = 32u << 20;
    reopen();
    put(Table::objects(2), "b", "2");
    commit();
    EXPECT_EQ(get(Table::objects(1), "a"), Bytes(100000, 'v'));
}

TEST_F(bdb_storage, holds_a_transaction_larger_than_its_cache) {
    options_.cache_bytes = 1u << 20;
    open();
    const Bytes value(10000, 'v');
    for (int row = 0; row < 2000; ++row) put(Table::objects(1), std::to_string(row), value);
    EXPECT_EQ(count(Table::objects(1)), 2000u);
    storage_->rollback();
    EXPECT_EQ(count(Table::objects(1)), 0u);
    for (int row = 0; row < 2000; ++row) put(Table::objects(1), std::to_string(row), value);
    commit();
    reopen();
    EXPECT_EQ(count(Table::objects(1)), 2000u);
}

TEST_F(bdb_storage, removes_log_files_that_no_recovery_needs) {
    options_.checkpoint_bytes = 1;  // the helper finds one due at every look
    open();
    const Bytes value(1u << 20, 'v');
    // Every log file holds 32 MiB; the first one goes once a checkpoint lies wholly past it.
    for (int round = 0; round < 9; ++round) {
        for (int row = 0; row < 8; ++row) put(Table::objects(1), std::to_string(row), value);
        commit();
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(4);
    while (std::filesystem::exists(file("log.0000000001"))) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline);
        put(Table::objects(2), "so that a checkpoint is due", "");
        commit();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    reopen();
    EXPECT_EQ(get(Table::objects(1), "7"), value);
}

TEST_F(bdb_storage, makes_the_files_of_all_partitions_with_a_new_directory) {
    options_.partitions = 40;
    open();
    EXPECT_EQ(files_with("objects-").size(), 40u);
    EXPECT_EQ(files_with("being-made").size(), 0u);
    put(Table::objects(39), "a", "1");
    commit();
    reopen();
    EXPECT_EQ(files_with("objects-").size(), 40u);
    EXPECT_EQ(get(Table::objects(39), "a"), "1");
    EXPECT_EQ(count(Table::objects(38)), 0u);
}

TEST_F(bdb_storage, makes_a_directory_anew_when_the_first_making_was_interrupted) {
    open();
    close();
    // As a crash leaves it: files of which some may never have reached the disk.
    std::filesystem::remove(file("format"));
    std::ofstream(file("being-made")) << "x";
    std::filesystem::resize_file(file("objects-0001.db"), 0);
    std::filesystem::remove(file("log.0000000001"));
    open();
    put(Table::objects(1), "a", "1");
    commit();
    reopen();
    EXPECT_EQ(get(Table::objects(1), "a"), "1");
    EXPECT_FALSE(std::filesystem::exists(file("being-made")));
}

TEST_F(bdb_storage, a_file_that_the_catalog_names_and_nobody_finds_is_corrupt) {
    open();
    put(Table::objects(1), "a", "1");
    commit();
    close();
    std::filesystem::remove(file("objects-0001.db"));
    open();
    const auto found = storage_->get(Table::objects(1), "a");
    ASSERT_FALSE(found) << "a lost file must not read as an empty table";
    EXPECT_EQ(found.error().code, Code::corrupt);
}

TEST_F(bdb_storage, its_usage_grows_and_shrinks_with_what_it_stores) {
    options_.ballast_bytes = 0;
    open();
    const auto empty = storage_->usage();
    ASSERT_TRUE(empty);
    put(Table::objects(1), "a", Bytes(6u << 20, 'v'));
    commit();
    reopen();  // a close writes every page
    const auto filled = storage_->usage();
    ASSERT_TRUE(filled);
    EXPECT_GE(filled->stored_bytes, empty->stored_bytes + (6u << 20));
    ASSERT_TRUE(storage_->drop(Table::objects(1)));
    commit();
    // The engine looks once a second.
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    for (;;) {
        const auto dropped = storage_->usage();
        ASSERT_TRUE(dropped);
        if (dropped->stored_bytes <= filled->stored_bytes - (6u << 20)) break;
        ASSERT_LT(std::chrono::steady_clock::now(), deadline);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

TEST_F(bdb_storage, refuses_a_newer_format) {
    open();
    close();
    std::ofstream(file("format")) << "dynamo storage bdb 2 117fae53eb08a1e2\n";
    const Error error = open_error();
    EXPECT_EQ(error.code, Code::refused);
    EXPECT_TRUE(mentions(error, "storage format 2; this release reads up to 1")) << error.message;
    EXPECT_TRUE(mentions(error, options_.directory.string())) << error.message;
}

TEST_F(bdb_storage, calls_a_format_file_that_says_nothing_corrupt) {
    open();
    close();
    for (const std::string content : {"", "something else", "dynamo storage bdb ",
                                      "dynamo storage bdb 0\n", "dynamo storage bdb 3\n"}) {
        std::ofstream(file("format"), std::ios::trunc) << content;
        EXPECT_EQ(open_error().code, Code::corrupt) << content;
    }
    std::filesystem::remove(file("format"));
    EXPECT_EQ(open_error().code, Code::corrupt);
}

TEST_F(bdb_storage, a_flipped_bit_in_the_format_file_is_corrupt) {
    open();
    close();
    const auto octets = std::filesystem::file_size(file("format"));
    for (std::uint64_t offset = 0; offset < octets; ++offset) {
        flip_bit(file("format"), offset);
        EXPECT_EQ(open_error().code, Code::corrupt) << offset;
        flip_bit(file("format"), offset);
    }
    open();
}

TEST_F(bdb_storage, opens_what_has_a_format_file_without_a_checksum) {
    open();
    close();
    std::ofstream(file("format"), std::ios::trunc) << "dynamo storage bdb 1\n";
    open();
}

TEST_F(bdb_storage, refuses_a_database_of_somebody_else) {
    std::filesystem::create_directory(options_.directory);
    std::ofstream(file("accounts.db")) << "not ours";
    const Error error = open_error();
    EXPECT_EQ(error.code, Code::refused);
    EXPECT_TRUE(mentions(error, "accounts.db")) << error.message;
    EXPECT_FALSE(std::filesystem::exists(file("format")));
}

TEST_F(bdb_storage, refuses_options_that_cannot_be) {
    options_.page_bytes = 5000;
    EXPECT_EQ(open_error().code, Code::bad_request);
    options_.page_bytes = 8192;
    options_.cache_bytes = 1000;
    EXPECT_EQ(open_error().code, Code::bad_request);
    EXPECT_FALSE(std::filesystem::exists(options_.directory));
}

TEST_F(bdb_storage, names_the_path_and_the_reason_when_the_directory_cannot_be_used) {
    std::ofstream(options_.directory) << "a file";
    Error error = open_error();
    EXPECT_EQ(error.code, Code::storage);
    EXPECT_TRUE(mentions(error, options_.directory.string() + ": Not a directory"))
        << error.message;
    options_.directory = scratch_.path() / "no" / "such" / "parent";
    error = open_error();
    EXPECT_EQ(error.code, Code::storage);
    EXPECT_TRUE(mentions(error, options_.directory.string() + ": No such file or directory"))
        << error.message;
}

// Root may do everything, so a child gives its rights up first.
TEST_F(bdb_storage, names_a_directory_that_it_may_not_read_or_write) {
    std::filesystem::create_directory(options_.directory);
    ASSERT_EQ(::chmod(scratch_.path().c_str(), 0755), 0);
    const auto try_with_mode = [&](mode_t mode) {
        ASSERT_EQ(::chmod(options_.directory.c_str(), mode), 0);
        if (::geteuid() == 0 && ::seteuid(65534) != 0) ::_exit(2);
        const auto opened = open_storage(options_);
        const std::string message = opened ? "opened" : opened.error().message + "\n";
        (void)!::write(STDERR_FILENO, message.data(), message.size());
        ::_exit(0);
    };
    EXPECT_EXIT(try_with_mode(0555), testing::ExitedWithCode(0),
                "write to the directory .*environment: Permission denied");
    EXPECT_EXIT(try_with_mode(0000), testing::ExitedWithCode(0),
                "read the directory .*environment: Permission denied");
}

}  // namespace
}  // namespace dynamo
