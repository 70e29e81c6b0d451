// Storage on Berkeley DB's transactional data store (paper section 5).
//
// One environment, private to this process: a log, a cache, one B-tree file per table. The owner
// is the only writer, so there are no locks; one helper thread checkpoints. Every commit is one
// transaction, and the first open after a kill replays the log.
//
//     DIRECTORY/format            what this is, and in which version
//               log.0000000001    the log; old files go by themselves
//               objects-0017.db   one partition; objects-0017.1.db once it was dropped and refilled
//               hints.db
//               catalog.db        how many commits were made, which file a table lives in
//               high-water        how far the log must reach (high_water.h)
//               ballast           room for a recovery on a full disk (ballast.h)
//
// Threads: one, and a helper inside
// Errors:  as storage.h; when the disk refuses to sync, the process ends with a message, because
//          nobody knows any more what the disk has (bdb_process.h)
#pragma once

#include <memory>

#include "daemon/storage/options.h"
#include "daemon/storage/storage.h"

namespace dynamo {

/// As open_storage() and check_storage(), which are what everybody else calls.
[[nodiscard]] Result<std::unique_ptr<Storage>> open_bdb(const StorageOptions& options);
[[nodiscard]] Result<void> check_bdb(const StorageOptions& options);

}  // namespace dynamo
