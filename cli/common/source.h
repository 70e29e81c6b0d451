// Octets that are read from stdin or a file as they come, for a reader that finds its items in
// them.
//
// Threads: one owner
// Errors:  bad_request with what the system said
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dynamo/error.h"

namespace dynamo::cli {

class Source {
  public:
    /// Of stdin.
    [[nodiscard]] static Source of_stdin();
    [[nodiscard]] static Result<Source> open(const std::string& path);
    /// "-" for stdin, or a file's path.
    [[nodiscard]] static Result<Source> named(const std::string& name);
    Source(Source&& other) noexcept;
    Source& operator=(Source&&) = delete;
    ~Source();

    /// What is here and not taken yet.
    [[nodiscard]] std::string_view here() const { return std::string_view(buffer_).substr(taken_); }
    /// Passes over so many of them.
    void take(std::size_t octets) { taken_ += octets; }
    /// Waits up to `wait` for more, and takes in what is there; true when something came. Does
    /// nothing at the end.
    [[nodiscard]] Result<bool> fill(std::chrono::milliseconds wait);
    /// Everything has come; it may not be taken yet.
    [[nodiscard]] bool ended() const { return ended_; }

    [[nodiscard]] std::uint64_t octets_read() const { return octets_read_; }
    /// The length of a plain file; none for a pipe.
    [[nodiscard]] std::optional<std::uint64_t> octets_total() const { return octets_total_; }
    /// How much of it was read, between 0 and 1, when that can be told.
    [[nodiscard]] std::optional<double> share_read() const;

  private:
    explicit Source(int descriptor);

    int descriptor_;
    std::string buffer_;
    std::size_t taken_ = 0;
    bool ended_ = false;
    std::uint64_t octets_read_ = 0;
    std::optional<std::uint64_t> octets_total_;
};

}  // namespace dynamo::cli
