// The storage engine's directory, and what the daemon does when the disk has damaged it.
//
//     runs ── the engine breaks ──▶ suspect(): noted in DIR/shard-suspect; the process ends
//      ▲                                  │ next start
//      │                                  ▼
//      │   open():  recover; when under suspicion, read everything
//      │               │ whole                  │ damaged, or its log is too short, or read and
//      │               ▼                        ▼ found whole not long ago, and broken again
//      └── the note becomes               set aside as DIR/shard-000.damaged-TIME, an empty one
//          DIR/shard-watched              opened: the node fills it from the other replicas
//
// Reading cannot find everything that writing meets, so it is believed once: a shard that breaks
// while it is watched goes, whatever another reading would say, and a daemon cannot start and break
// for ever. The watch ends when one process has run for an hour on it, which no clock that is set
// can shorten. The notes are names, and the step from one to the other a rename, because a full
// disk has room for that.
//
// Nothing is ever deleted. A shard is set aside only where others have its data: the node is one of
// several members and a key has more than one copy. And not for ever: a disk that damages one shard
// after the other must be replaced, not be written full.
//
// Threads: one owner
// Errors:  corrupt when the shard is damaged and stays where it is, with what an operator can do;
//          otherwise those of the engine
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "daemon/shell/log.h"
#include "daemon/storage/options.h"
#include "daemon/storage/storage.h"
#include "libdynamo/base/id.h"
#include "libdynamo/base/time.h"
#include "libdynamo/ring/ring.h"

namespace dynamo {

/// Where the data of a damaged shard can come from again, as far as this node knows.
struct Replicas {
    std::size_t members = 0;  ///< of the ring; 0: no ring, or not a member of it
    std::size_t copies = 0;   ///< of each key
};
[[nodiscard]] Replicas replicas_of(const std::optional<RingState>& ring, const NodeId& self);

/// The two ways into an engine, as daemon/storage/open.h promises them.
struct StorageDoor {
    Result<std::unique_ptr<Storage>> (*open)(const StorageOptions& options) = nullptr;
    Result<void> (*check)(const StorageOptions& options) = nullptr;
};

class Shard {
  public:
    /// Of the data directory `directory`, which is locked.
    Shard(std::filesystem::path directory, const StorageDoor& door, Log& log);

    /// Opens the storage, `options.directory` being this shard. Sets a damaged one aside unless
    /// `limit` of them were within the hour before `now`, or `replicas` cannot give the data again.
    [[nodiscard]] Result<std::unique_ptr<Storage>> open(const StorageOptions& options,
                                                        const Replicas& replicas,
                                                        std::uint64_t limit, WallMs now);

    /// The engine broke while it ran: has the next open() look at everything. What to end with.
    [[nodiscard]] Error suspect(Error error, WallMs now);

    /// To be called now and then while the engine runs: ends the watch after an hour.
    void still_runs(Instant now);

    /// How many damaged shards lie aside.
    [[nodiscard]] std::size_t set_aside() const;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  private:
    enum class Trust : std::uint8_t { full, watched, suspected, lost };

    [[nodiscard]] Result<std::unique_ptr<Storage>> open_checked(const StorageOptions& options,
                                                                Trust trust);
    [[nodiscard]] Result<Trust> look_at_notes();
    [[nodiscard]] Result<void> watch();
    [[nodiscard]] Result<void> forget();
    /// Why a damaged shard must stay where it is; empty when it need not.
    [[nodiscard]] std::string reason_to_keep(const Replicas& replicas, std::uint64_t limit,
                                             WallMs now) const;
    [[nodiscard]] Result<std::filesystem::path> move_aside(WallMs now) const;
    [[nodiscard]] std::size_t set_aside_since(WallMs first) const;

    std::filesystem::path directory_;
    std::filesystem::path path_;
    std::filesystem::path suspect_note_;
    std::filesystem::path watch_note_;
    StorageDoor door_;
    bool is_watched_ = false;
    std::optional<Instant> runs_since_;
    Log& log_;
};

}  // namespace dynamo
