// The high-water mark: how far the log must reach after a recovery, kept outside of the log.
//
// A log that is damaged in its middle, or shortened, recovers without an error to the last good
// record; everything after it is gone. So every commit is counted, the count is a row of the same
// transaction, and this file says which counts have been promised:
//
//     written   handed to the operating system; binding while the machine has not been restarted
//     synced    on the disk; binding for ever
//
// A commit adds one small write without an fsync: a kill leaves the mark exact, because the
// operating system has it; a power loss leaves it at an older value or this one, and both were true
// of the disk. The file is synced at checkpoints and at a clean close.
//
// Shape:   two slots of 512 octets, written in turn, so that a torn write leaves the other one
// Threads: any; a lock inside
// Errors:  a mark that cannot be written weakens the check and stops nothing
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>

#include "daemon/storage/files.h"
#include "daemon/storage/storage.h"

namespace dynamo {

class HighWater {
  public:
    /// Counts of commits; `written` is never below `synced`.
    struct Mark {
        std::uint64_t written = 0;
        std::uint64_t synced = 0;
    };

    /// Opens or makes the mark's file. `boot` names the present run of the machine (empty: not
    /// known, which takes any earlier run for another one). corrupt when neither slot is whole.
    [[nodiscard]] static Result<std::unique_ptr<HighWater>> open(std::filesystem::path file,
                                                                 Bytes boot);

    /// The least commit that a recovery must reach; 0 when the file is new.
    [[nodiscard]] std::uint64_t must_reach() const { return must_reach_; }

    /// Recovery has reached `commit` and the disk has it: what is promised counts from there.
    /// Returns when the disk has the mark.
    [[nodiscard]] Result<void> begin(std::uint64_t commit);
    /// Commit number `commit` was made, that durably. False when it could not be noted.
    bool note(std::uint64_t commit, Durability durability);
    /// Everything up to `commit` is on the disk; returns when the mark is too.
    [[nodiscard]] Result<void> save(std::uint64_t commit);

  private:
    HighWater(std::filesystem::path file, Bytes boot, FileHandle handle);
    [[nodiscard]] Result<void> load();
    [[nodiscard]] Result<void> sync_file() const;
    [[nodiscard]] bool write_slot();

    std::filesystem::path file_;
    Bytes boot_;
    FileHandle handle_;
    std::uint64_t must_reach_ = 0;
    std::mutex lock_;  // guards what follows: a helper thread saves while the owner notes
    std::uint64_t sequence_ = 0;
    Mark mark_;
};

/// What the kernel calls this run of the machine; empty when it does not say.
[[nodiscard]] Bytes boot_name();

}  // namespace dynamo
