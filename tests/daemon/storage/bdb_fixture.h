// What the tests of Berkeley DB share: an environment in a directory of its own, opened and closed
// at will, and the bytes beneath it.
//
// Threads: one
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/storage/files.h"
#include "daemon/storage/open.h"
#include "tests/daemon/storage/scratch.h"

namespace dynamo {

class BdbTest : public testing::Test {
  protected:
    BdbTest() {
        options_.directory = scratch_.path() / "environment";
        options_.cache_bytes = 4u << 20;
        options_.partitions = 8;
        options_.ballast_bytes = 1u << 20;
        options_.log = [this](StorageNotice, std::string text) {
            const std::lock_guard guard(notices_lock_);
            notices_ += text + "\n";
        };
    }

    void open() {
        auto opened = open_storage(options_);
        ASSERT_TRUE(opened) << opened.error().message << "\n" << notices_;
        storage_ = std::move(*opened);
    }
    void close() { storage_.reset(); }
    void reopen() {
        close();
        open();
    }
    /// Opening must fail; how it did.
    Error open_error() {
        const auto opened = open_storage(options_);
        EXPECT_FALSE(opened);
        return opened ? Error{Code::ok, ""} : opened.error();
    }

    void put(Table table, BytesView key, BytesView value) {
        const auto stored = storage_->put(table, key, value);
        ASSERT_TRUE(stored) << stored.error().message;
    }
    void commit(Durability durability = Durability::os) {
        const auto committed = storage_->commit(durability);
        ASSERT_TRUE(committed) << committed.error().message;
    }
    std::optional<Bytes> get(Table table, BytesView key) {
        auto found = storage_->get(table, key);
        EXPECT_TRUE(found) << found.error().message;
        return found ? *found : std::nullopt;
    }
    std::size_t count(Table table) {
        std::size_t rows = 0;
        const auto scanned = storage_->scan(table, {}, [&](BytesView, BytesView) {
            ++rows;
            return true;
        });
        EXPECT_TRUE(scanned) << scanned.error().message;
        return rows;
    }

    [[nodiscard]] std::filesystem::path file(const std::string& name) const {
        return options_.directory / name;
    }
    [[nodiscard]] std::vector<std::filesystem::path> files_with(std::string_view part) const {
        std::vector<std::filesystem::path> found;
        for (const auto& entry : std::filesystem::directory_iterator(options_.directory))
            if (entry.path().filename().string().find(part) != std::string::npos)
                found.push_back(entry.path());
        return found;
    }

    static void flip_bit(const std::filesystem::path& path, std::uint64_t offset) {
        std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
        stream.seekg(static_cast<std::streamoff>(offset));
        const int octet = stream.get();
        ASSERT_TRUE(stream) << path;
        stream.seekp(static_cast<std::streamoff>(offset));
        stream.put(static_cast<char>(octet ^ 0x10));
        ASSERT_TRUE(stream) << path;
    }

    static bool mentions(const Error& error, std::string_view text) {
        return error.message.find(text) != std::string::npos;
    }

    Scratch scratch_;
    StorageOptions options_;
    std::mutex notices_lock_;
    std::string notices_;
    std::unique_ptr<Storage> storage_;
};

/// A small file system of its own, filled to the brim at will. Skips where none can be mounted.
class TmpfsTest : public BdbTest {
  protected:
    void SetUp() override {
        const auto disk = scratch_.path() / "disk";
        std::filesystem::create_directory(disk);
        if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, size()) != 0)
            GTEST_SKIP() << "needs the right to mount a small tmpfs (root): "
                         << std::strerror(errno);
        disk_ = disk;
        options_.directory = disk / "environment";
        options_.partitions = 4;
        options_.cache_bytes = 1u << 20;
        options_.ballast_bytes = 0;
    }
    void TearDown() override {
        close();
        if (!disk_.empty()) (void)::umount2(disk_.c_str(), MNT_DETACH);
    }

    virtual const char* size() const { return "size=16m"; }

    // Takes what is free, but for `left` octets.
    void fill(std::uint64_t left) {
        const auto room = free_bytes_at(disk_);
        ASSERT_TRUE(room);
        if (*room <= left) return;
        const FileHandle handle(
            ::open((disk_ / "filler").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
        ASSERT_EQ(::posix_fallocate(handle.get(), 0, static_cast<off_t>(*room - left)), 0);
    }
    void make_room() { std::filesystem::remove(disk_ / "filler"); }

    std::filesystem::path disk_;
};

}  // namespace dynamo
