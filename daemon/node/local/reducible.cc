#include "daemon/node/local/reducible.h"

#include <vector>

#include "libdynamo/base/numbers.h"

namespace dynamo {
namespace {

constexpr std::size_t partition_octets = 2;

Bytes prefix_of(std::uint32_t partition) {
    return {static_cast<char>(partition >> 8U & 255U), static_cast<char>(partition & 255U)};
}

std::uint16_t partition_of(BytesView key) {
    return static_cast<std::uint16_t>(static_cast<unsigned char>(key[0]) << 8U |
                                      static_cast<unsigned char>(key[1]));
}

}  // namespace

Result<void> Reducible::note(std::uint16_t partition, BytesView row, std::uint64_t number) {
    Bytes value;
    append_number(value, number);
    return storage_.put(Table::reducible(), prefix_of(partition).append(row), value);
}

Result<void> Reducible::forget(std::uint16_t partition, BytesView row) {
    return storage_.erase(Table::reducible(), prefix_of(partition).append(row));
}

Result<std::optional<std::uint64_t>> Reducible::since(std::uint16_t partition,
                                                      BytesView row) const {
    const auto stored = storage_.get(Table::reducible(), prefix_of(partition).append(row));
    if (!stored) return std::unexpected(stored.error());
    if (!stored->has_value() || (*stored)->size() != 8) return std::nullopt;
    return number_at(**stored, 0);
}

Result<void> Reducible::scan(std::uint16_t partition, BytesView first, const Visit& visit) const {
    const Bytes prefix = prefix_of(partition);
    return storage_.scan(Table::reducible(), prefix + Bytes(first),
                         [&](BytesView key, BytesView value) {
                             if (!key.starts_with(prefix)) return false;
                             if (value.size() != 8) return true;
                             return visit(key.substr(partition_octets), number_at(value, 0));
                         });
}

Result<void> Reducible::drop(std::uint16_t partition) {
    std::vector<Bytes> keys;
    const Bytes prefix = prefix_of(partition);
    const auto scanned = storage_.scan(Table::reducible(), prefix, [&](BytesView key, BytesView) {
        if (!key.starts_with(prefix)) return false;
        keys.emplace_back(key);
        return true;
    });
    if (!scanned) return scanned;
    for (const Bytes& key : keys)
        if (auto erased = storage_.erase(Table::reducible(), key); !erased) return erased;
    return {};
}

Result<std::optional<std::uint16_t>> Reducible::next(std::uint32_t from) const {
    std::optional<std::uint16_t> found;
    if (from > UINT16_MAX) return found;
    const auto scanned =
        storage_.scan(Table::reducible(), prefix_of(from), [&](BytesView key, BytesView) {
            if (key.size() > partition_octets) found = partition_of(key);
            return !found;
        });
    if (!scanned) return std::unexpected(scanned.error());
    return found;
}

}  // namespace dynamo
