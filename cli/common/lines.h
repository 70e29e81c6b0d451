// A list that is read item by item, from stdin or a file, without ever holding it whole.
//
// Shape:   items end with a separator; the last may lack it; numbered from 1
// Threads: one owner
// Errors:  an item over the limit is reported as such and skipped to its end
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "dynamo/error.h"

namespace dynamo::cli {

struct Line {
    std::uint64_t number = 0;
    std::string text;
    bool too_long = false;  ///< then `text` is only its beginning
};

class LineReader {
  public:
    /// `source` is "-" for stdin or "@FILE".
    [[nodiscard]] static Result<LineReader> open(const std::string& source, char separator,
                                                 std::size_t longest);
    LineReader(LineReader&& other) noexcept;
    LineReader& operator=(LineReader&&) = delete;
    ~LineReader();

    /// The next whole item that is already here, if any.
    [[nodiscard]] std::optional<Line> next();
    /// Waits up to `wait` for more, and takes in what is there. Does nothing at the end.
    [[nodiscard]] Result<void> fill(std::chrono::milliseconds wait);
    /// Everything was read and handed out.
    [[nodiscard]] bool at_end() const { return ended_ && buffer_.size() == start_; }

    [[nodiscard]] std::uint64_t octets_read() const { return octets_read_; }
    /// The length of a plain file; none for a pipe.
    [[nodiscard]] std::optional<std::uint64_t> octets_total() const { return octets_total_; }

  private:
    LineReader(int descriptor, char separator, std::size_t longest);

    int descriptor_;
    char separator_;
    std::size_t longest_;
    std::string buffer_;
    std::size_t start_ = 0;    ///< of what is not handed out yet
    std::size_t scanned_ = 0;  ///< no separator between start_ and here
    std::uint64_t number_ = 0;
    bool skipping_ = false;  ///< the rest of an item that was too long
    bool ended_ = false;
    std::uint64_t octets_read_ = 0;
    std::optional<std::uint64_t> octets_total_;
};

}  // namespace dynamo::cli
