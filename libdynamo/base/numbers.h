// Numbers of eight octets in stored bytes, the lowest octet first.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libdynamo/base/bytes.h"

namespace dynamo {

inline void append_number(Bytes& out, std::uint64_t value) {
    for (unsigned shift = 0; shift < 64; shift += 8)
        out += static_cast<char>(value >> shift & 255U);
}

/// `bytes` has eight octets from `offset` on.
[[nodiscard]] inline std::uint64_t number_at(BytesView bytes, std::size_t offset) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i)
        value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[offset + i]))
                 << (8 * i);
    return value;
}

}  // namespace dynamo
