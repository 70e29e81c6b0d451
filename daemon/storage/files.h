// The few things that an engine does to plain files: small ones read and replaced whole, room made
// and measured.
//
// Threads: any
// Errors:  storage or storage_full, with the path and the system's words for what happened
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "dynamo/error.h"
#include "libdynamo/base/bytes.h"

namespace dynamo {

/// "cannot DOING PATH: No such file or directory", with the code that `number` calls for.
[[nodiscard]] Error system_error(std::string_view doing, const std::filesystem::path& path,
                                 int number);

/// Makes `directory` (mode 0700) unless it is there, and checks that files in it can be listed,
/// read and made.
[[nodiscard]] Result<void> prepare_directory(const std::filesystem::path& directory);

/// The whole of a small file; none when it is not there.
[[nodiscard]] Result<std::optional<Bytes>> read_small_file(const std::filesystem::path& path);

/// Replaces a file so that a crash leaves the old or the new content, and returns when the disk
/// has it.
[[nodiscard]] Result<void> replace_file(const std::filesystem::path& path, BytesView content);

/// Makes the names in a directory durable.
[[nodiscard]] Result<void> sync_directory(const std::filesystem::path& directory);

/// Makes everything on a directory's file system durable, with one wait for many files.
[[nodiscard]] Result<void> sync_file_system(const std::filesystem::path& directory);

/// What this user may still write there.
[[nodiscard]] Result<std::uint64_t> free_bytes_at(const std::filesystem::path& directory);

/// The whole of the disk, free or not.
[[nodiscard]] Result<std::uint64_t> disk_bytes_at(const std::filesystem::path& directory);

/// A file descriptor that closes itself.
class FileHandle {
  public:
    FileHandle() = default;
    explicit FileHandle(int descriptor) : descriptor_(descriptor) {}
    FileHandle(FileHandle&& other) noexcept;
    FileHandle& operator=(FileHandle&& other) noexcept;
    FileHandle(const FileHandle&) = delete;
    FileHandle& operator=(const FileHandle&) = delete;
    ~FileHandle();

    [[nodiscard]] int get() const { return descriptor_; }
    [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

  private:
    int descriptor_ = -1;
};

/// Writes all of `bytes` at `offset`; false with errno set when the system does not. Adds to
/// `taken` how many octets it took.
[[nodiscard]] bool write_all(int descriptor, BytesView bytes, off_t offset,
                             std::size_t* taken = nullptr);

}  // namespace dynamo
