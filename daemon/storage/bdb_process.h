// What Berkeley DB shares between all environments of a process: how it syncs.
//
// After a failed fsync the kernel forgets which pages it could not write, and the next fsync says
// that all is well; the library, too, reports the commit after the failed one as good. So the first
// failure ends the process, and the next start recovers what the disk really has.
//
// Threads: any
#pragma once

namespace dynamo {

/// Has the library sync through sync_or_end(). Calling it again changes nothing.
void use_guarded_sync();

/// Syncs a file's data, with `sync` in place of fdatasync() for tests. Returns 0, or ends the
/// process with a message that names the file.
int sync_or_end(int descriptor, int (*sync)(int));

/// Ends the process, because the disk did not take what was written to `descriptor`, for this
/// errno.
[[noreturn]] void end_process(int descriptor, int number);

/// While one lives, the library's syncs on this thread do nothing: for an environment that is being
/// made and does not count before all of it is synced at once.
class WithoutSync {
  public:
    WithoutSync();
    WithoutSync(const WithoutSync&) = delete;
    WithoutSync& operator=(const WithoutSync&) = delete;
    ~WithoutSync();
};

/// What the process exits with when the disk refuses: the tools' code for a storage failure.
inline constexpr int disk_failed_exit = 8;

}  // namespace dynamo
