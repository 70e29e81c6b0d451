#include "daemon/shell/process.h"

#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "libdynamo/base/check.h"

namespace dynamo {

Now now_of_system() {
    const auto instant =
        std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch());
    const auto wall = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    return {Instant(instant), wall.count()};
}

Bytes system_random(std::size_t count) {
    Bytes octets(count, '\0');
    // Up to 256 octets come whole, and a signal cannot cut them short.
    DYN_CHECK(count <= 256);
    DYN_CHECK(getrandom(octets.data(), count, 0) == static_cast<ssize_t>(count));
    return octets;
}

std::uint64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t pages = 0;
    std::uint64_t resident = 0;
    file >> pages >> resident;
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

FileHandle take_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, number);
    sigprocmask(SIG_BLOCK, &signals, nullptr);
    // A log whose reader has gone must not end the store.
    (void)signal(SIGPIPE, SIG_IGN);
    return FileHandle(signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC));
}

void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

void notify_ready() {
    const char* path = std::getenv("NOTIFY_SOCKET");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path == nullptr || std::strlen(path) >= sizeof address.sun_path) return;
    std::strcpy(address.sun_path, path);
    // A leading @ stands for the octet 0: an abstract socket.
    if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
    const FileHandle socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
    (void)sendto(socket.get(), "READY=1", 7, MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), size);
}

}  // namespace dynamo
