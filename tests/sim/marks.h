// "Sometimes" marks: what must happen now and then, or the simulator is not testing it.
//
// Threads: a plain value
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace dynamo::sim {

enum class Mark : std::uint8_t {
    three_siblings,
    hint_stored,
    hint_delivered,
    crash_between_commit_and_send,
    new_actor_after_restart,
    stand_in_coordinated,
    anti_entropy_mended_wiped,
    read_repair,
    forwarded,
    conflict_answered,
    power_lost_commits,
    rolled_back,
    disk_full_entered_and_left,
    read_error,
    late_replay,
    healed_without_a_dead_node,
    all_owners_down,
    record_damaged,
    record_mended,
    engine_broke,
    set_aside,
    log_shortened,
    sync_failed,
    cornered,
    acknowledged_write_read_back,
    trees_compared,
    trees_told_apart,
    tombstone_purged,
    clock_compacted,
    gave_up,
    old_state_merged,
    job_done,
    job_went_on,
    ring_changed,
    list_ended,
    copy_handed_over,
    read_begun_again,
    change_taken_back,
    ambushed,
    count_,
};

inline constexpr std::array<std::string_view, static_cast<std::size_t>(Mark::count_)> mark_names = {
    "three siblings",
    "hint stored",
    "hint delivered",
    "crash between commit and send",
    "new actor minted after a restart",
    "stand-in coordinated",
    "anti-entropy mended a wiped replica",
    "read repair changed a replica",
    "write forwarded to an owner",
    "conflict answered",
    "power loss took commits",
    "shard rolled back to an old image",
    "disk full entered and left",
    "read error met",
    "packet replayed late",
    "healed without a dead node",
    "all owners of a key died at once",
    "a record was damaged",
    "a damaged record was mended",
    "engine broke on a damaged page",
    "damaged files were set aside",
    "log lost its end",
    "a sync failed",
    "the only holders of a write were cornered",
    "a read had to show an acknowledged write",
    "two trees were equal",
    "two trees were told apart",
    "a tombstone was purged",
    "a clock was compacted",
    "a node that was put back gave up what it held",
    "a state that writes had superseded since was merged",
    "a share of a job was done",
    "a job went on after a restart",
    "the ring changed while clients worked",
    "a partition moved to other owners",
    "a copy was handed over and dropped",
    "a read had to see a write across a change",
    "a change was taken back",
    "who missed a change and who came by it were left alone",
};

class Marks {
  public:
    void hit(Mark mark, std::uint64_t times = 1) { at(mark) += times; }
    [[nodiscard]] std::uint64_t of(Mark mark) const {
        return counts_[static_cast<std::size_t>(mark)];
    }
    void add(const Marks& other) {
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    }

  private:
    std::uint64_t& at(Mark mark) { return counts_[static_cast<std::size_t>(mark)]; }
    std::array<std::uint64_t, static_cast<std::size_t>(Mark::count_)> counts_{};
};

}  // namespace dynamo::sim
