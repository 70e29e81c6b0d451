#include "daemon/node/local/kept_trees.h"

#include <algorithm>

#include "libdynamo/base/check.h"
#include "libdynamo/base/hash.h"
#include "libdynamo/base/numbers.h"

namespace dynamo {
namespace {

/// Of the rows, and of what a record is worth (tree_sum).
constexpr std::uint64_t version = 1;
constexpr std::size_t header_octets = 3 * 8;                        // version, depth, checksum
constexpr std::size_t part_octets = (1 + 2 * part_leaves + 1) * 8;  // records, sums, checksum
constexpr std::size_t partition_octets = 2;
constexpr std::size_t number_octets = 4;

Bytes header_row(std::uint16_t partition) {
    return {static_cast<char>(partition >> 8U & 255U), static_cast<char>(partition & 255U)};
}

Bytes part_row(std::uint16_t partition, std::uint32_t number) {
    Bytes row = header_row(partition);
    for (int shift = 24; shift >= 0; shift -= 8) row += static_cast<char>(number >> shift & 255U);
    return row;
}

std::uint32_t number_of(BytesView row) {
    std::uint32_t number = 0;
    for (const char octet : row.substr(partition_octets))
        number = number << 8U | static_cast<unsigned char>(octet);
    return number;
}

/// With the row in it: a part that lies under another's name is damage too.
void seal(BytesView row, Bytes& value) { append_number(value, checksum(value, checksum(row))); }

bool is_sealed(BytesView row, BytesView value, std::size_t octets) {
    return value.size() == octets &&
           number_at(value, octets - 8) == checksum(value.substr(0, octets - 8), checksum(row));
}

std::optional<KeptTrees::Part> part_in(BytesView row, BytesView value) {
    if (!is_sealed(row, value, part_octets)) return std::nullopt;
    KeptTrees::Part part{number_at(value, 0), {}};
    for (std::size_t i = 0; i < part_leaves; ++i)
        part.leaves[i] = {number_at(value, 8 + 16 * i), number_at(value, 16 + 16 * i)};
    return part;
}

}  // namespace

Result<KeptTrees::Known*> KeptTrees::known(std::uint16_t partition) {
    const auto at = known_.find(partition);
    if (at != known_.end()) return &at->second;
    const Bytes row = header_row(partition);
    const auto stored = storage_.get(Table::trees(), row);
    if (!stored) return std::unexpected(stored.error());
    Known found;
    if (stored->has_value() && is_sealed(row, **stored, header_octets) &&
        number_at(**stored, 0) == version) {
        const std::uint64_t depth = number_at(**stored, 8);
        if (depth >= part_levels && depth <= max_tree_depth) {
            found.depth = static_cast<unsigned>(depth);
            found.places.assign(std::size_t{1} << (depth - part_levels), Place::unknown);
        }
    }
    return &known_.emplace(partition, std::move(found)).first->second;
}

Result<void> KeptTrees::changes(std::uint16_t partition, unsigned partition_bits, BytesView row) {
    const auto known = this->known(partition);
    if (!known) return std::unexpected(known.error());
    if (!(*known)->depth) return {};
    const std::uint32_t part = node_over(partition_bits, *(*known)->depth - part_levels, row);
    Place& place = (*known)->places[part];
    if (place == Place::missing) return {};
    if (auto erased = storage_.erase(Table::trees(), part_row(partition, part)); !erased)
        return erased;
    place = Place::missing;
    return {};
}

void KeptTrees::doubt(std::uint16_t partition, unsigned partition_bits, BytesView row) {
    const auto known = this->known(partition);
    if (!known || !(*known)->depth) return;
    Place& place = (*known)->places[node_over(partition_bits, *(*known)->depth - part_levels, row)];
    if (place != Place::missing) place = Place::doubtful;
}

void KeptTrees::doubt_all(std::uint16_t partition) {
    const auto known = this->known(partition);
    if (!known) return;
    for (Place& place : (*known)->places)
        if (place != Place::missing) place = Place::doubtful;
}

Result<std::optional<unsigned>> KeptTrees::depth(std::uint16_t partition) {
    const auto known = this->known(partition);
    if (!known) return std::unexpected(known.error());
    return (*known)->depth;
}

bool KeptTrees::is_stored(std::uint16_t partition, std::uint32_t part) const {
    const auto known = known_.find(partition);
    return known != known_.end() && part < known->second.places.size() &&
           known->second.places[part] == Place::stored;
}

Result<void> KeptTrees::scan(std::uint16_t partition, std::uint32_t first, const Visit& visit) {
    const auto known = this->known(partition);
    if (!known) return std::unexpected(known.error());
    std::vector<Place>& places = (*known)->places;
    const Bytes prefix = header_row(partition);
    return storage_.scan(
        Table::trees(), part_row(partition, first), [&](BytesView row, BytesView value) {
            if (!row.starts_with(prefix) || row.size() != partition_octets + number_octets)
                return false;
            const std::uint32_t number = number_of(row);
            if (number >= places.size()) return false;
            const auto part = part_in(row, value);
            if (!part || places[number] == Place::doubtful) return true;
            places[number] = Place::stored;
            return visit(number, *part);
        });
}

Result<void> KeptTrees::store(std::uint16_t partition, std::uint32_t number, const Part& part) {
    const auto known = this->known(partition);
    if (!known) return std::unexpected(known.error());
    DYN_CHECK(number < (*known)->places.size());
    const Bytes row = part_row(partition, number);
    Bytes value;
    value.reserve(part_octets);
    append_number(value, part.records);
    for (const TreeSum& sum : part.leaves) {
        append_number(value, sum.high);
        append_number(value, sum.low);
    }
    seal(row, value);
    if (auto put = storage_.put(Table::trees(), row, value); !put) return put;
    (*known)->places[number] = Place::stored;
    return {};
}

Result<void> KeptTrees::drop(std::uint16_t partition) {
    known_.erase(partition);
    std::vector<Bytes> rows;
    const Bytes row = header_row(partition);
    const auto scanned = storage_.scan(Table::trees(), row, [&](BytesView stored, BytesView) {
        if (!stored.starts_with(row)) return false;
        rows.emplace_back(stored);
        return true;
    });
    if (!scanned) return scanned;
    for (const Bytes& stored : rows)
        if (auto erased = storage_.erase(Table::trees(), stored); !erased) return erased;
    return {};
}

Result<void> KeptTrees::begin(std::uint16_t partition, unsigned depth) {
    DYN_CHECK(depth >= part_levels && depth <= max_tree_depth);
    if (auto dropped = drop(partition); !dropped) return dropped;
    const Bytes row = header_row(partition);
    Bytes value;
    append_number(value, version);
    append_number(value, depth);
    seal(row, value);
    if (auto put = storage_.put(Table::trees(), row, value); !put) return put;
    known_[partition] = {
        depth, std::vector<Place>(std::size_t{1} << (depth - part_levels), Place::missing)};
    return {};
}

Result<void> KeptTrees::drop_all() {
    known_.clear();
    return storage_.drop(Table::trees());
}

}  // namespace dynamo
