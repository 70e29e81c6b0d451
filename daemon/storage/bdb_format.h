// What a directory of Berkeley DB is: another release's, somebody else's, half made, or ready.
//
// A new environment is made with all its files before it counts. Making one file durably takes the
// library five syncs, so 256 of them cost the first load seconds on a slow disk; made together,
// without a single sync, they need one wait at the end. A crash in between leaves the file
// `being-made`, and the next open starts over: there was nothing to lose.
//
// Threads: one
// Errors:  refused (a newer format, files of somebody else), corrupt (the format file says
// nothing),
//          storage, storage_full
#pragma once

#include <filesystem>

#include "dynamo/error.h"

namespace dynamo {

enum class BdbFormat { ready, to_be_made };

/// Looks at the directory; removes what an interrupted making left.
[[nodiscard]] Result<BdbFormat> look_at_format(const std::filesystem::path& directory);

/// Before and after the files are made. finish_making() returns when the disk has all of them.
[[nodiscard]] Result<void> begin_making(const std::filesystem::path& directory);
[[nodiscard]] Result<void> finish_making(const std::filesystem::path& directory);

}  // namespace dynamo
