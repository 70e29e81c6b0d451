#include "daemon/storage/bdb_helper.h"

#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <system_error>

#include "daemon/storage/bdb_memory.h"
#include "daemon/storage/files.h"

namespace dynamo {
namespace {

// A second of the heaviest writing is less log than a third of the default volume.
constexpr auto look_interval = std::chrono::seconds(1);
// What a recovery replays makes tables grow by about as much, and it cannot when the disk is full
// by then: what there is to replay stays below half of what is free, but for so little.
constexpr std::uint64_t little_log_bytes = 1u << 20;

}  // namespace

BdbHelper::BdbHelper(BdbEnvironment& environment, HighWater& high_water)
    : environment_(environment), high_water_(high_water) {}

BdbHelper::~BdbHelper() { stop(); }

void BdbHelper::start() {
    measure();
    helper_ = std::thread([this] { run(); });
}

void BdbHelper::stop() {
    if (!helper_.joinable()) return;
    {
        const std::lock_guard guard(lock_);
        stopping_ = true;
    }
    wake_.notify_all();
    helper_.join();
}

void BdbHelper::run() {
    bool failing = false;
    std::unique_lock guard(lock_);
    while (!wake_.wait_for(guard, look_interval, [this] { return stopping_; })) {
        guard.unlock();
        measure();
        if (is_checkpoint_due()) {
            const auto taken = checkpoint();
            // Once, not every second that a disk stays full.
            if (!taken && !failing)
                environment_.notice(StorageNotice::warning, taken.error().message);
            failing = !taken;
        }
        guard.lock();
    }
}

std::uint64_t BdbHelper::pending_bytes() {
    DB_LOG_STAT* stat = nullptr;
    if (environment_.handle().log_stat(&stat, 0) != 0) return 0;
    const std::uint64_t written = (std::uint64_t{stat->st_wc_mbytes} << 20) + stat->st_wc_bytes;
    free_from_bdb(stat);
    return written;
}

bool BdbHelper::is_checkpoint_due() {
    const std::uint64_t written = pending_bytes();
    if (written >= environment_.options().checkpoint_bytes) return true;
    const auto free = free_bytes_at(environment_.options().directory);
    return free && written >= little_log_bytes && written >= *free / 2;
}

void BdbHelper::measure() {
    std::uint64_t bytes = 0;
    std::error_code failed;
    for (const auto& entry :
         std::filesystem::directory_iterator(environment_.options().directory, failed)) {
        struct stat status{};
        // A log file may go between the listing and the look.
        if (::stat(entry.path().c_str(), &status) == 0)
            bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
    }
    if (!failed) stored_bytes_ = bytes;
}

Result<void> BdbHelper::checkpoint() {
    // Read before: a checkpoint makes durable what was committed when it began.
    const std::uint64_t commits = commits_.load(std::memory_order_acquire);
    if (const int code = environment_.handle().txn_checkpoint(0, 0, DB_FORCE))
        return std::unexpected(environment_.error(code, "take a checkpoint"));
    return high_water_.save(commits);
}

}  // namespace dynamo
