// The data directory: what makes a node this node, kept outside of the storage engine.
//
//     DIR/lock        held (flock) while a daemon runs, with its process id in it
//     DIR/identity    the node's id, made once; whether it has ever had a ring
//     DIR/ring        the ring state as of the last step, with a checksum
//     DIR/vote        what it has promised to those who propose the next ring, likewise
//     DIR/ballast     room for a ring that comes when the disk is full (daemon/storage/ballast.h)
//     DIR/shard-000/  the storage engine's own (shard.h)
//
// Files are replaced whole (written aside, synced, renamed, directory synced), so a crash leaves
// the old one or the new one. Nothing here is ever made anew because it is damaged or gone: a node
// that forgot its ring would found another cluster over the same data.
//
// Threads: one owner
// Errors:  refused (in use, not a data directory, half of one), corrupt (a checksum), storage (not
//          readable, a newer format); each says what to do
#pragma once

#include <filesystem>
#include <optional>

#include "daemon/storage/ballast.h"
#include "daemon/storage/files.h"
#include "libdynamo/base/id.h"
#include "libdynamo/ring/ring.h"
#include "libdynamo/wire/ballots.h"

namespace dynamo {

class DataDirectory {
  public:
    /// Makes the directory and the identity when they are missing, and takes the lock.
    [[nodiscard]] static Result<DataDirectory> open(const std::filesystem::path& directory);

    [[nodiscard]] const NodeId& node() const { return node_; }
    /// The identity was made just now.
    [[nodiscard]] bool is_new() const { return is_new_; }
    [[nodiscard]] const std::filesystem::path& path() const { return directory_; }

    /// What was saved last; none before the first.
    [[nodiscard]] Result<std::optional<RingState>> load_ring() const;
    /// Returns when the disk has it. Gives the ballast up when the disk is too full otherwise.
    [[nodiscard]] Result<void> save_ring(const RingState& ring);
    /// What this node has promised in votes; nothing when it never did.
    [[nodiscard]] Result<wire::Ballots> load_vote() const;
    [[nodiscard]] Result<void> save_vote(const wire::Ballots& ballots);

  private:
    [[nodiscard]] Result<void> save_durably(const char* name, const Bytes& file);
    DataDirectory() = default;
    [[nodiscard]] Result<void> take_lock();
    [[nodiscard]] Result<void> load_identity();
    [[nodiscard]] Result<void> save_identity() const;
    [[nodiscard]] Ballast ballast() const;

    std::filesystem::path directory_;
    FileHandle lock_;
    NodeId node_;
    bool had_ring_ = false;  ///< as the identity file says
    bool is_new_ = false;
};

}  // namespace dynamo
