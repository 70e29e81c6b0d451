#include "cli/common/source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace dynamo::cli {

Source::Source(int descriptor) : descriptor_(descriptor) {
    struct stat status{};
    if (::fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode)) {
        octets_total_ = static_cast<std::uint64_t>(status.st_size);
    }
}

Source::Source(Source&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      buffer_(std::move(other.buffer_)),
      taken_(other.taken_),
      ended_(other.ended_),
      octets_read_(other.octets_read_),
      octets_total_(other.octets_total_) {}

Source::~Source() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

Source Source::of_stdin() { return Source(::dup(STDIN_FILENO)); }

Result<Source> Source::open(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return fail(Code::bad_request, fmt::format("cannot open {}: {}", path, strerror(errno)));
    }
    return Source(descriptor);
}

Result<Source> Source::named(const std::string& name) {
    return name == "-" ? Result<Source>(of_stdin()) : open(name);
}

Result<bool> Source::fill(std::chrono::milliseconds wait) {
    if (ended_) {
        return false;
    }
    pollfd ready{descriptor_, POLLIN, 0};
    const int events = ::poll(&ready, 1, static_cast<int>(wait.count()));
    if (events <= 0) {
        return false;
    }
    buffer_.erase(0, taken_);
    taken_ = 0;
    std::array<char, 65536> chunk;
    const ssize_t count = ::read(descriptor_, chunk.data(), chunk.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) {
        return false;
    }
    if (count < 0) {
        return fail(Code::bad_request, fmt::format("cannot read the input: {}", strerror(errno)));
    }
    ended_ = count == 0;
    buffer_.append(chunk.data(), static_cast<std::size_t>(count));
    octets_read_ += static_cast<std::uint64_t>(count);
    return count > 0;
}

std::optional<double> Source::share_read() const {
    if (!octets_total_ || *octets_total_ == 0) {
        return std::nullopt;
    }
    return static_cast<double>(octets_read_) / static_cast<double>(*octets_total_);
}

}  // namespace dynamo::cli
