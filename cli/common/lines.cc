#include "cli/common/lines.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace dynamo::cli {

LineReader::LineReader(int descriptor, char separator, std::size_t longest)
    : descriptor_(descriptor), separator_(separator), longest_(longest) {
    struct stat status{};
    if (::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode)) {
        octets_total_ = static_cast<std::uint64_t>(status.st_size);
    }
}

LineReader::LineReader(LineReader&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      separator_(other.separator_),
      longest_(other.longest_),
      buffer_(std::move(other.buffer_)),
      start_(other.start_),
      scanned_(other.scanned_),
      number_(other.number_),
      skipping_(other.skipping_),
      ended_(other.ended_),
      octets_read_(other.octets_read_),
      octets_total_(other.octets_total_) {}

LineReader::~LineReader() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

Result<LineReader> LineReader::open(const std::string& source, char separator,
                                    std::size_t longest) {
    if (source == "-") {
        return LineReader(::dup(STDIN_FILENO), separator, longest);
    }
    if (!source.starts_with("@")) {
        return fail(Code::bad_request,
                    fmt::format("write - for stdin or @FILE for a file, not '{}'", source));
    }
    const int descriptor = ::open(source.c_str() + 1, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return fail(Code::bad_request,
                    fmt::format("cannot open {}: {}", source.substr(1), strerror(errno)));
    }
    return LineReader(descriptor, separator, longest);
}

std::optional<Line> LineReader::next() {
    for (;;) {
        auto end = buffer_.find(separator_, std::max(start_, scanned_));
        const bool whole = end != std::string::npos;
        if (!whole) {
            scanned_ = buffer_.size();
            end = buffer_.size();
            const bool last = ended_ && end > start_;
            const bool over = end - start_ > longest_;
            if (!last && !over) {
                return std::nullopt;
            }
        }
        Line line{number_ + 1, buffer_.substr(start_, end - start_), false};
        start_ = whole ? end + 1 : end;
        const bool was_skipping = std::exchange(skipping_, !whole && !ended_);
        if (was_skipping) {
            continue;
        }
        ++number_;
        if (line.text.size() > longest_) {
            constexpr std::size_t shown = 1024;
            line.text.resize(std::min(longest_, shown));
            line.too_long = true;
        }
        return line;
    }
}

Result<void> LineReader::fill(std::chrono::milliseconds wait) {
    if (ended_) {
        return {};
    }
    pollfd ready{descriptor_, POLLIN, 0};
    const int events = ::poll(&ready, 1, static_cast<int>(wait.count()));
    if (events <= 0) {
        return {};
    }
    buffer_.erase(0, start_);
    scanned_ -= std::min(scanned_, start_);
    start_ = 0;
    std::array<char, 65536> chunk;
    const ssize_t count = ::read(descriptor_, chunk.data(), chunk.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
        return {};
    }
    if (count < 0) {
        return fail(Code::bad_request, fmt::format("cannot read the list: {}", strerror(errno)));
    }
    ended_ = count == 0;
    buffer_.append(chunk.data(), static_cast<std::size_t>(count));
    octets_read_ += static_cast<std::uint64_t>(count);
    return {};
}

}  // namespace dynamo::cli
