// How far a load has come, noted in a file so that another run can go on from there.
//
// The note names the records that are in the cluster from the first one on, and the root over them,
// by which another dump is told from the one that was being loaded. It is replaced as a whole, so a
// kill leaves the one before; records after it are merged once more, which changes nothing.
//
// Threads: one owner
// Errors:  bad_request
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "dynamo/error.h"

namespace dynamo::cli {

class ResumeNote {
  public:
    /// `path` empty: nothing is noted. Reads what an earlier run has left.
    [[nodiscard]] static Result<ResumeNote> open(std::string path);

    /// So many records need not be loaded, as long as they have this root.
    [[nodiscard]] std::uint64_t done() const { return done_; }
    [[nodiscard]] const std::string& root() const { return root_; }

    /// Notes it, once a second or, with `now`, at once.
    [[nodiscard]] Result<void> note(std::uint64_t done, const std::string& root, bool now);
    /// There is nothing to go on with any more.
    [[nodiscard]] Result<void> forget() const;

  private:
    explicit ResumeNote(std::string path) : path_(std::move(path)) {}

    std::string path_;
    std::uint64_t done_ = 0;
    std::string root_;
    std::chrono::steady_clock::time_point written_ = std::chrono::steady_clock::now();
};

}  // namespace dynamo::cli
