// Checkpoints, from a thread of their own so that no commit waits for the pages that they write.
//
// Triggered by the volume of log since the last one, which bounds what a recovery replays. Every
// few seconds instead would cost 10 to 45 % of the throughput.
//
// Threads: start(), stop(), note() and checkpoint() by the owner; the helper is inside
// Errors:  a checkpoint that fails is reported and tried again; nothing is lost but time
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "daemon/storage/bdb_environment.h"
#include "daemon/storage/high_water.h"

namespace dynamo {

class BdbCheckpoint {
  public:
    BdbCheckpoint(BdbEnvironment& environment, HighWater& high_water);
    BdbCheckpoint(const BdbCheckpoint&) = delete;
    BdbCheckpoint& operator=(const BdbCheckpoint&) = delete;
    ~BdbCheckpoint();

    void start();
    void stop();
    /// Commit number `commit` was made.
    void note(std::uint64_t commit) { commits_.store(commit, std::memory_order_release); }
    /// Takes one now.
    [[nodiscard]] Result<void> checkpoint();

  private:
    void run();
    [[nodiscard]] bool is_due();

    BdbEnvironment& environment_;
    HighWater& high_water_;
    std::atomic<std::uint64_t> commits_ = 0;
    std::mutex lock_;  // guards stopping_
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread helper_;
};

}  // namespace dynamo
