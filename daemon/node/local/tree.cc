#include "daemon/node/local/tree.h"

#include "libdynamo/base/check.h"
#include "libdynamo/base/hash.h"

namespace dynamo {
namespace {

constexpr std::size_t position_octets = 8;

std::uint64_t position_of_row(BytesView row) {
    DYN_CHECK(row.size() >= position_octets);
    std::uint64_t position = 0;
    for (std::size_t i = 0; i < position_octets; ++i)
        position = position << 8 | static_cast<std::uint8_t>(row[i]);
    return position;
}

Bytes row_at(std::uint64_t position) {
    Bytes row(position_octets, '\0');
    for (std::size_t i = 0; i < position_octets; ++i)
        row[i] = static_cast<char>(position >> (56 - 8 * i) & 255);
    return row;
}

/// The position's bits from `skipped` on, `count` of them.
std::uint64_t bits(std::uint64_t position, unsigned skipped, unsigned count) {
    return count == 0 ? 0 : position << skipped >> (64 - count);
}

}  // namespace

TreeSum tree_sum(const ClusterId& cluster, BytesView row, BytesView object) {
    const std::uint64_t key = checksum(cluster.bytes());
    return {checksum(object, checksum(row, key)), checksum(object, checksum(row, ~key))};
}

void append_sum(Bytes& out, const TreeSum& sum) {
    for (const std::uint64_t part : {sum.high, sum.low})
        for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(part >> shift & 255);
}

Tree::Tree(unsigned partition_bits, unsigned depth)
    : partition_bits_(partition_bits), depth_(depth), leaves_(std::size_t{1} << depth) {
    DYN_CHECK(depth <= max_tree_depth && partition_bits + depth <= 64);
}

std::uint32_t node_over(unsigned partition_bits, unsigned level, BytesView row) {
    return static_cast<std::uint32_t>(bits(position_of_row(row), partition_bits, level));
}

TreeSum Tree::node(unsigned level, std::uint32_t index) const {
    DYN_CHECK(level <= depth_ && index < std::uint32_t{1} << level);
    const std::size_t under = std::size_t{1} << (depth_ - level);
    TreeSum sum;
    for (std::size_t i = 0; i < under; ++i) sum += leaves_[index * under + i];
    return sum;
}

RowRange rows_under(unsigned partition_bits, std::uint16_t partition, unsigned level,
                    std::uint32_t index) {
    const unsigned used = partition_bits + level;
    if (used == 0) return {row_at(0), {}};
    const std::uint64_t node = std::uint64_t{partition} << level | index;
    const bool is_last = index + 1 == std::uint32_t{1} << level;
    return {row_at(node << (64 - used)), is_last ? Bytes{} : row_at((node + 1) << (64 - used))};
}

}  // namespace dynamo
