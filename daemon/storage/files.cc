#include "daemon/storage/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace dynamo {
namespace {

Result<struct statvfs> measure(const std::filesystem::path& directory) {
    struct statvfs status{};
    if (::statvfs(directory.c_str(), &status) != 0)
        return std::unexpected(system_error("measure the room at", directory, errno));
    return status;
}

}  // namespace

Error system_error(std::string_view doing, const std::filesystem::path& path, int number) {
    const bool full = number == ENOSPC || number == EDQUOT;
    return {full ? Code::storage_full : Code::storage, "cannot " + std::string(doing) + " " +
                                                           path.string() + ": " +
                                                           std::generic_category().message(number)};
}

Result<void> prepare_directory(const std::filesystem::path& directory) {
    if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
        return std::unexpected(system_error("make the directory", directory, errno));
    struct stat status{};
    if (::stat(directory.c_str(), &status) != 0)
        return std::unexpected(system_error("look at", directory, errno));
    if (!S_ISDIR(status.st_mode))
        return std::unexpected(system_error("use as a directory", directory, ENOTDIR));
    if (::faccessat(AT_FDCWD, directory.c_str(), R_OK | X_OK, AT_EACCESS) != 0)
        return std::unexpected(system_error("read the directory", directory, errno));
    if (::faccessat(AT_FDCWD, directory.c_str(), W_OK, AT_EACCESS) != 0)
        return std::unexpected(system_error("write to the directory", directory, errno));
    return {};
}

Result<std::optional<Bytes>> read_small_file(const std::filesystem::path& path) {
    const FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) {
        if (errno == ENOENT) return std::nullopt;
        return std::unexpected(system_error("read", path, errno));
    }
    Bytes content;
    char block[4096];
    for (;;) {
        const ssize_t count = ::read(file.get(), block, sizeof block);
        if (count == 0) return content;
        if (count > 0)
            content.append(block, static_cast<std::size_t>(count));
        else if (errno != EINTR)
            return std::unexpected(system_error("read", path, errno));
    }
}

Result<void> replace_file(const std::filesystem::path& path, BytesView content) {
    std::filesystem::path beside = path;
    beside += ".new";
    {
        const FileHandle file(
            ::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        if (!file.is_open()) return std::unexpected(system_error("make", beside, errno));
        if (!write_all(file.get(), content, 0) || ::fsync(file.get()) != 0) {
            const int number = errno;
            (void)::unlink(beside.c_str());
            return std::unexpected(system_error("write", beside, number));
        }
    }
    if (::rename(beside.c_str(), path.c_str()) != 0)
        return std::unexpected(system_error("replace", path, errno));
    return sync_directory(path.parent_path());
}

Result<void> sync_directory(const std::filesystem::path& directory) {
    const FileHandle handle(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!handle.is_open() || ::fsync(handle.get()) != 0)
        return std::unexpected(system_error("sync the directory", directory, errno));
    return {};
}

Result<void> sync_file_system(const std::filesystem::path& directory) {
    const FileHandle handle(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!handle.is_open() || ::syncfs(handle.get()) != 0)
        return std::unexpected(system_error("sync the file system of", directory, errno));
    return {};
}

Result<std::uint64_t> free_bytes_at(const std::filesystem::path& directory) {
    const auto status = measure(directory);
    if (!status) return std::unexpected(status.error());
    return std::uint64_t{status->f_bavail} * status->f_frsize;
}

Result<std::uint64_t> disk_bytes_at(const std::filesystem::path& directory) {
    const auto status = measure(directory);
    if (!status) return std::unexpected(status.error());
    return std::uint64_t{status->f_blocks} * status->f_frsize;
}

FileHandle::FileHandle(FileHandle&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

FileHandle::~FileHandle() {
    if (is_open()) (void)::close(descriptor_);
}

bool write_all(int descriptor, BytesView bytes, off_t offset, std::size_t* taken) {
    while (!bytes.empty()) {
        const ssize_t count = ::pwrite(descriptor, bytes.data(), bytes.size(), offset);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(count));
        offset += count;
        if (taken != nullptr) *taken += static_cast<std::size_t>(count);
    }
    return true;
}

}  // namespace dynamo
