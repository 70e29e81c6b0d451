#include "daemon/storage/bdb_process.h"

#include <db_cxx.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

namespace dynamo {
namespace {

std::string name_of_file(int descriptor) {
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    std::array<char, 4096> path{};
    const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
    return length > 0 ? std::string(path.data(), static_cast<std::size_t>(length)) : "a file";
}

// The library calls its hook with a descriptor and nothing else.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
thread_local bool without_sync = false;

int guarded_sync(int descriptor) {
    return without_sync ? 0 : sync_or_end(descriptor, &::fdatasync);
}

}  // namespace

WithoutSync::WithoutSync() { without_sync = true; }

WithoutSync::~WithoutSync() { without_sync = false; }

void use_guarded_sync() { (void)db_env_set_func_fsync(&guarded_sync); }

int sync_or_end(int descriptor, int (*sync)(int)) {
    while (sync(descriptor) != 0) {
        if (errno != EINTR) end_process(descriptor, errno);
    }
    return 0;
}

void end_process(int descriptor, int number) {
    const std::string message = "fatal: the disk did not take " + name_of_file(descriptor) + ": " +
                                std::generic_category().message(number) +
                                "; what it holds is uncertain, so the process ends here. Look "
                                "after the disk, then start again: recovery keeps every write "
                                "that is whole\n";
    // No stream and no destructor: other threads must not get to acknowledge anything.
    (void)!::write(STDERR_FILENO, message.data(), message.size());
    ::_exit(disk_failed_exit);
}

}  // namespace dynamo
