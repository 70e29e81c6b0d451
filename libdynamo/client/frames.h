// The parts that dumps and saved trees are made of: each says what it is, which one it is and how
// long, and ends with a checksum over all of that.
//
//     kind | u64 number | u32 octets of the key | u32 of the body | key | body | 16 octets of
//     SHA-256
//
// Threads: pure functions
// Errors:  corrupt, with what is wrong; the caller says of what
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dynamo/error.h"

namespace dynamo {

[[nodiscard]] std::string sha256_octets(std::string_view octets);

[[nodiscard]] std::string framed(char kind, std::uint64_t number, std::string_view key,
                                 std::string_view body);
/// Of a part that is whole.
[[nodiscard]] std::string_view checksum_in(std::string_view part);

/// A part as its octets are cut.
struct Frame {
    char kind = 0;
    std::string_view key;
    std::string_view body;
    std::string_view checksum;
    std::size_t octets = 0;  ///< of all of it
};
/// The part at the beginning of `here`, which must have that number; nothing while octets of it are
/// missing.
[[nodiscard]] Result<std::optional<Frame>> cut_frame(std::string_view here, std::uint64_t number);

}  // namespace dynamo
