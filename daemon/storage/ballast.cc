#include "daemon/storage/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/storage/files.h"

namespace dynamo {
namespace {

// On a disk smaller than this many ballasts the room is better spent on data.
constexpr std::uint64_t least_free = 8;

}  // namespace

Ballast::Ballast(std::filesystem::path directory, std::uint64_t bytes)
    : directory_(std::move(directory)), file_(directory_ / "ballast"), bytes_(bytes) {}

bool Ballast::release_if_full() {
    const auto room = free_bytes_at(directory_);
    return room && *room < bytes_ && release();
}

bool Ballast::release() { return ::unlink(file_.c_str()) == 0; }

void Ballast::lay() {
    struct stat status{};
    if (bytes_ == 0 || ::stat(file_.c_str(), &status) == 0) return;
    const auto room = free_bytes_at(directory_);
    if (!room || *room / least_free < bytes_) return;
    const FileHandle file(::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    if (!file.is_open()) return;
    if (::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes_)) != 0) release();
}

}  // namespace dynamo
