// The Berkeley DB environment of one directory: opened through recovery, its voice, its end.
//
// Threads: opened and closed by the owner; the handle is free-threaded
// Errors:  as open.h
#pragma once

#include <db_cxx.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "daemon/storage/bdb_page_guard.h"
#include "daemon/storage/options.h"
#include "dynamo/error.h"

namespace dynamo {

class BdbEnvironment {
  public:
    /// Recovers, giving the ballast up when the disk is too full for that; lays it when it is not
    /// there and there is room. An empty directory becomes an environment.
    [[nodiscard]] static Result<std::unique_ptr<BdbEnvironment>> open(
        const StorageOptions& options);
    BdbEnvironment(const BdbEnvironment&) = delete;
    BdbEnvironment& operator=(const BdbEnvironment&) = delete;
    /// Every table must be closed by then.
    ~BdbEnvironment();

    [[nodiscard]] DbEnv& handle() { return *handle_; }
    [[nodiscard]] const StorageOptions& options() const { return options_; }
    /// The directory, as messages name it.
    [[nodiscard]] const std::string& place() const { return place_; }
    /// The error for a return code of the library; after a panic, for what made it panic.
    [[nodiscard]] Error error(int code, std::string_view doing) const;
    /// The same where a file that must be there was opened or read: one that is missing, or is no
    /// file of the library's any more, is damage.
    [[nodiscard]] Error error_of_file(int code, std::string_view doing) const;
    /// As Storage::broken().
    [[nodiscard]] std::optional<Error> broken() const;
    /// Passes a line on to the daemon's log. From any thread.
    void notice(StorageNotice notice, std::string text);
    /// The library told why it gives up. From any thread.
    void note_panic(int cause);
    [[nodiscard]] bool is_stopped() const { return panic_cause_ != 0; }

  private:
    explicit BdbEnvironment(const StorageOptions& options);
    [[nodiscard]] int configure();
    [[nodiscard]] Result<void> open_once();
    [[nodiscard]] int recover();
    void make_handle();
    void note_damage(const Error& error) const;

    StorageOptions options_;
    std::string place_;
    std::mutex notice_lock_;
    std::atomic<int> panic_cause_ = 0;
    mutable std::mutex damage_lock_;
    mutable std::optional<Error> damage_;  // the first that a call met
    std::unique_ptr<BdbPageGuard> page_guard_;
    std::unique_ptr<DbEnv> handle_;
};

}  // namespace dynamo
