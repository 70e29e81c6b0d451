// A disk that does not take what it was given, once: fdatasync() fails with EIO when the file that
// FAILING_DISK_SYNC names is there, and removes it.
//
// Threads: any
#include <dlfcn.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

extern "C" int fdatasync(int descriptor) {
    const char* const trigger = std::getenv("FAILING_DISK_SYNC");
    if (trigger != nullptr && ::unlink(trigger) == 0) {
        errno = EIO;
        return -1;
    }
    using Sync = int (*)(int);
    static const auto real = reinterpret_cast<Sync>(::dlsym(RTLD_NEXT, "fdatasync"));
    return real(descriptor);
}
