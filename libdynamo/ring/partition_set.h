// Sets of partitions as they are noted and sent: a bit for each, the first in the highest bit of
// the first octet.
//
// Threads: pure functions
#pragma once

#include <cstdint>

#include "libdynamo/base/bytes.h"

namespace dynamo {

/// Octets of such a set.
[[nodiscard]] constexpr std::size_t set_octets(std::uint16_t partitions) {
    return (partitions + 7u) / 8u;
}

/// `bitmap` must have the octets.
[[nodiscard]] inline bool is_in(BytesView bitmap, std::uint16_t partition) {
    const unsigned octet = static_cast<std::uint8_t>(bitmap[partition / 8u]);
    return (octet & (0x80u >> (partition % 8u))) != 0;
}

/// Likewise.
inline void put_in(Bytes& bitmap, std::uint16_t partition) {
    const unsigned octet = static_cast<std::uint8_t>(bitmap[partition / 8u]);
    bitmap[partition / 8u] = static_cast<char>(octet | (0x80u >> (partition % 8u)));
}

/// The keys of a map from partitions to whatever.
template <typename PartitionMap>
[[nodiscard]] Bytes set_of_keys(const PartitionMap& partitions, std::uint16_t count) {
    Bytes bitmap(set_octets(count), '\0');
    for (const auto& [partition, value] : partitions) put_in(bitmap, partition);
    return bitmap;
}

}  // namespace dynamo
