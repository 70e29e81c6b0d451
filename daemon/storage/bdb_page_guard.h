// Keeps whole the page that is being written when the process is killed or the disk runs full.
//
// The kernel copies a write of 8 KiB in steps of 4 KiB and stops between two of them for a SIGKILL
// or when no block is left. The page on the disk is then half old and half new, its checksum is
// wrong, and no recovery gets past it: 2 to 8 of 100 kills under a small cache ended so. Hence
// every page is first copied to a slot in mapped memory, which outlives a kill, marked, written,
// and unmarked. What is still marked at the next open is written again, before the library looks;
// the mark is a checksum of the slot, so that a flipped bit does not put an old page back.
//
//     pages-in-flight:  header | slot 0 | slot 1 | ...      a slot: which file, where, the page
//
// A page of which a full disk took a part stays marked until a later write of it succeeds, with a
// slot or without. After a power loss the slots mean nothing (the kernel writes mapped memory in
// any order) and are cleared: against that, a page is as whole as the disk writes it.
//
// Shape:   8 slots of up to 64 KiB; more writers than slots write without one
// Threads: any
// Errors:  storage, storage_full
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "daemon/storage/files.h"

namespace dynamo {

class BdbPageGuard {
  public:
    /// Writes again what was in flight when the last process ended in the same boot of the machine
    /// (high_water.h), and guards the tables of `directory` until destroyed.
    [[nodiscard]] static Result<std::unique_ptr<BdbPageGuard>> open(
        const std::filesystem::path& directory, const Bytes& boot);
    BdbPageGuard(const BdbPageGuard&) = delete;
    BdbPageGuard& operator=(const BdbPageGuard&) = delete;
    ~BdbPageGuard();

    /// As pwrite(), but all of it or -1 with errno set.
    [[nodiscard]] ssize_t write(int descriptor, const std::string& file, BytesView page,
                                off_t offset);
    /// The errno of the last write when it failed; 0 when it did not.
    [[nodiscard]] int last_failure() const { return last_failure_; }
    /// The same for the log, which needs no slot: its records have checksums and an order. Ends the
    /// process when it fails after set_serving(): commits that the library calls good after that
    /// may be in memory alone (measured: a hundred of them on a full disk, where a log file had
    /// been begun in vain), and it writes pages that are ahead of the log.
    [[nodiscard]] ssize_t write_log(int descriptor, BytesView bytes, off_t offset);
    /// Recovery is done: from here on commits are promised.
    void set_serving() { serving_ = true; }
    /// The file is gone; what was in flight to it is void.
    void forget(const std::string& file);

  private:
    struct Header;
    struct Slot;
    static constexpr std::size_t slot_count = 8;

    BdbPageGuard(std::filesystem::path directory, void* memory);
    [[nodiscard]] Slot& slot(std::size_t index) const;
    [[nodiscard]] Slot* take();
    void give_back(const Slot& held);
    /// Whether there was an image of a page that was cut.
    bool forget_older(const std::string& file, off_t offset);
    [[nodiscard]] Result<void> restore();

    std::filesystem::path directory_;
    void* memory_;
    std::atomic<int> last_failure_ = 0;
    std::atomic<bool> serving_ = false;
    std::mutex lock_;  // guards what follows
    std::array<bool, slot_count> busy_{};
};

/// Has the library write the pages of guarded directories through their guards. Calling it again
/// changes nothing.
void use_guarded_writes();

}  // namespace dynamo
