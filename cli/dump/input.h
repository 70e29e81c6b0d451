// A dump as it is read from stdin or a file, part by part.
//
// Threads: one owner
// Errors:  corrupt, naming the record; bad_request when the file cannot be read
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "cli/common/progress.h"
#include "cli/common/source.h"
#include "dynamo/dump.h"

namespace dynamo::cli {

class DumpInput {
  public:
    /// "-" for stdin, or a file's path.
    [[nodiscard]] static Result<DumpInput> open(const std::string& name);
    explicit DumpInput(Source source) : source_(std::move(source)) {}

    /// The next record that is already here, if any; waits up to `wait` for octets when there is
    /// none.
    [[nodiscard]] Result<std::optional<DumpRecord>> next(std::chrono::milliseconds wait);
    /// Waits for it; nothing at the end, or after an interrupt.
    [[nodiscard]] Result<std::optional<DumpRecord>> next_one();
    /// The trailer was read and nothing follows it.
    [[nodiscard]] bool at_end() const { return reader_.complete() && source_.ended(); }
    /// Reads it to its end, and says what is wrong with it.
    [[nodiscard]] Result<void> verify(Progress& progress);

    /// There once the first record has been read, or the end.
    [[nodiscard]] const std::optional<DumpHead>& head() const { return head_; }
    /// There at the end.
    [[nodiscard]] const std::optional<DumpTail>& tail() const { return tail_; }
    [[nodiscard]] std::uint64_t records() const { return reader_.records(); }
    [[nodiscard]] std::string root() const { return reader_.root(); }
    [[nodiscard]] const Source& source() const { return source_; }

  private:
    Source source_;
    DumpReader reader_;
    std::optional<DumpHead> head_;
    std::optional<DumpTail> tail_;
};

}  // namespace dynamo::cli
