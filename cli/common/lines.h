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
#include <utility>

#include "cli/common/source.h"
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
    /// The next whole item that is already here, if any.
    [[nodiscard]] std::optional<Line> next();
    /// Waits up to `wait` for more, and takes in what is there. Does nothing at the end.
    [[nodiscard]] Result<void> fill(std::chrono::milliseconds wait);
    /// Everything was read and handed out.
    [[nodiscard]] bool at_end() const { return source_.ended() && source_.here().empty(); }
    /// How much of the list was read, between 0 and 1, when that can be told.
    [[nodiscard]] std::optional<double> share_read() const { return source_.share_read(); }

  private:
    LineReader(Source source, char separator, std::size_t longest)
        : source_(std::move(source)), separator_(separator), longest_(longest) {}

    Source source_;
    char separator_;
    std::size_t longest_;
    std::size_t scanned_ = 0;  ///< no separator in so many of what is here
    std::uint64_t number_ = 0;
    bool skipping_ = false;  ///< the rest of an item that was too long
};

}  // namespace dynamo::cli
