// The helper thread: checkpoints, so that no commit waits for the pages that they write, and how
// much the files take, so that nobody waits for hundreds of looks at a directory.
//
// A checkpoint is triggered by the volume of log since the last one, which bounds what a recovery
// replays, and so what room it needs: the less is free, the sooner. Every few seconds instead would
// cost 10 to 45 % of the throughput.
//
// Threads: everything here by the owner; the helper is inside
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

class BdbHelper {
  public:
    BdbHelper(BdbEnvironment& environment, HighWater& high_water);
    BdbHelper(const BdbHelper&) = delete;
    BdbHelper& operator=(const BdbHelper&) = delete;
    ~BdbHelper();

    void start();
    void stop();
    /// Commit number `commit` was made.
    void note(std::uint64_t commit) { commits_.store(commit, std::memory_order_release); }
    /// Takes a checkpoint now; returns when the disk has it.
    [[nodiscard]] Result<void> checkpoint();
    /// What the files took at the last look, a second ago at most.
    [[nodiscard]] std::uint64_t stored_bytes() const { return stored_bytes_.load(); }

    /// Octets of log since the last checkpoint: the tables will grow by about as much.
    [[nodiscard]] std::uint64_t pending_bytes();

  private:
    void run();
    [[nodiscard]] bool is_checkpoint_due();
    void measure();

    BdbEnvironment& environment_;
    HighWater& high_water_;
    std::atomic<std::uint64_t> commits_ = 0;
    std::atomic<std::uint64_t> stored_bytes_ = 0;
    std::mutex lock_;  // guards stopping_
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread helper_;
};

}  // namespace dynamo
