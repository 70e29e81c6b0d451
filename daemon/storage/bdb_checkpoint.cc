#include "daemon/storage/bdb_checkpoint.h"

#include <chrono>
#include <cstdlib>

namespace dynamo {
namespace {

// A second of the heaviest writing is less log than a third of the default volume.
constexpr auto look_interval = std::chrono::seconds(1);

}  // namespace

BdbCheckpoint::BdbCheckpoint(BdbEnvironment& environment, HighWater& high_water)
    : environment_(environment), high_water_(high_water) {}

BdbCheckpoint::~BdbCheckpoint() { stop(); }

void BdbCheckpoint::start() {
    helper_ = std::thread([this] { run(); });
}

void BdbCheckpoint::stop() {
    if (!helper_.joinable()) return;
    {
        const std::lock_guard guard(lock_);
        stopping_ = true;
    }
    wake_.notify_all();
    helper_.join();
}

void BdbCheckpoint::run() {
    bool failing = false;
    std::unique_lock guard(lock_);
    while (!wake_.wait_for(guard, look_interval, [this] { return stopping_; })) {
        guard.unlock();
        if (is_due()) {
            const auto taken = checkpoint();
            // Once, not every second that a disk stays full.
            if (!taken && !failing)
                environment_.notice(StorageNotice::warning, taken.error().message);
            failing = !taken;
        }
        guard.lock();
    }
}

bool BdbCheckpoint::is_due() {
    DB_LOG_STAT* stat = nullptr;
    if (environment_.handle().log_stat(&stat, 0) != 0) return false;
    const std::uint64_t written = (std::uint64_t{stat->st_wc_mbytes} << 20) + stat->st_wc_bytes;
    std::free(stat);
    return written >= environment_.options().checkpoint_bytes;
}

Result<void> BdbCheckpoint::checkpoint() {
    // Read before: a checkpoint makes durable what was committed when it began.
    const std::uint64_t commits = commits_.load(std::memory_order_acquire);
    if (const int code = environment_.handle().txn_checkpoint(0, 0, DB_FORCE))
        return std::unexpected(environment_.error(code, "take a checkpoint"));
    return high_water_.save(commits);
}

}  // namespace dynamo
