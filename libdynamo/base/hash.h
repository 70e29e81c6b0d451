// Hashes: MD5 for a key's place on the ring (paper section 4.1), SHA-256 for names of epochs,
// XXH3 for checksums and digests of state.
#pragma once

#include <array>
#include <compare>
#include <cstdint>

#include "libdynamo/base/bytes.h"

namespace dynamo {

/// A key's place on the ring: its MD5 digest read as a 128-bit big-endian number.
struct Position {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    auto operator<=>(const Position&) const = default;

    /// The 16 octets of the digest.
    [[nodiscard]] Bytes bytes() const;
    /// The first 8 octets: what storage sorts records by.
    [[nodiscard]] Bytes prefix() const;
};

[[nodiscard]] Position position_of(BytesView key);

using Sha256 = std::array<std::uint8_t, 32>;
[[nodiscard]] Sha256 sha256(BytesView bytes);

/// 64-bit XXH3: a checksum against accidents, not against people.
[[nodiscard]] std::uint64_t checksum(BytesView bytes, std::uint64_t seed = 0);

/// 128-bit XXH3 as 16 octets: digests of an object's mergeable state.
using Digest = std::array<std::uint8_t, 16>;
[[nodiscard]] Digest digest(BytesView bytes);

}  // namespace dynamo
