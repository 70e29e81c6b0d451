// Opens a storage engine by its name, and reads through one that is under suspicion.
//
// Threads: any; what it returns has one owner
// Errors:  bad_request (no such engine, an option out of its range), refused (a newer format, files
//          of somebody else), storage_full, corrupt (damage, or an end of the log that was lost),
//          storage (everything else, with the path and the system's words)
#pragma once

#include <memory>

#include "daemon/storage/options.h"
#include "daemon/storage/storage.h"

namespace dynamo {

/// Recovers what the last process left, and returns when every committed row can be read.
[[nodiscard]] Result<std::unique_ptr<Storage>> open_storage(const StorageOptions& options);

/// Opens it, reads every page of every table, and closes it again: corrupt when one is damaged or
/// missing. Takes as long as reading all of it.
[[nodiscard]] Result<void> check_storage(const StorageOptions& options);

}  // namespace dynamo
