#include "daemon/node/local/trees.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "daemon/node/local/record.h"

namespace dynamo {
namespace {

constexpr unsigned first_depth = 4;
constexpr unsigned deeper_by = 4;
/// More records a leaf than this on the average, and the tree is begun anew, deeper.
constexpr std::size_t records_a_leaf = 32;
/// What a slice may read: a row costs one, and so does a KiB, and to begin a scan.
constexpr std::size_t slice_cost = 1024;
constexpr std::size_t scan_cost = 16;
/// Requests come first: between two slices they have the node to themselves.
constexpr Duration pause_between_slices = std::chrono::milliseconds(5);

}  // namespace

unsigned Trees::partition_bits() const {
    return static_cast<unsigned>(std::countr_zero(unsigned{desk_.routes.partitions()}));
}

unsigned Trees::most_depth() const { return std::min(max_tree_depth, 64 - partition_bits()); }

const Tree* Trees::want(std::uint16_t partition) {
    const auto [at, is_new] = trees_.try_emplace(
        partition, Growing{Tree(partition_bits(), std::min(first_depth, most_depth()))});
    if (is_new) next_slice_ = std::max(next_slice_, desk_.now.instant);
    return at->second.complete ? &at->second.tree : nullptr;
}

bool Trees::covers(std::uint16_t partition, BytesView row) const {
    const auto at = trees_.find(partition);
    return at != trees_.end() && (at->second.complete || row < at->second.cursor);
}

std::optional<TreeSum> Trees::worth(BytesView row, BytesView record) const {
    const auto object = object_bytes(row, record);
    if (!object || is_partial(record)) return std::nullopt;
    return tree_sum(desk_.cluster, row, *object);
}

void Trees::changed(std::uint16_t partition, BytesView row, BytesView before, BytesView after) {
    const auto at = trees_.find(partition);
    if (at == trees_.end() || desk_.breaks(Mutant::tree_misses_changes)) return;
    Growing& growing = at->second;
    for (const auto& [record, comes] : {std::pair{before, false}, {after, true}}) {
        if (record.empty()) continue;
        const auto sum = worth(row, record);
        // A record that is not whole has no worth that the others' could equal.
        if (!sum) return forget(partition);
        if (comes)
            growing.tree.add(row, *sum);
        else
            growing.tree.take(row, *sum);
    }
    if (before.empty()) ++growing.records;
    const std::size_t leaves = std::size_t{1} << growing.tree.depth();
    if (growing.records > 4 * records_a_leaf * leaves && growing.tree.depth() < most_depth())
        forget(partition);
}

void Trees::tick() {
    if (desk_.now.instant < next_slice_) return;
    std::size_t left = slice_cost;
    while (left > 0) {
        const auto at =
            std::ranges::find_if(trees_, [](const auto& entry) { return !entry.second.complete; });
        if (at == trees_.end()) return;
        next_slice_ = desk_.now.instant + pause_between_slices;
        if (desk_.routes.is_owner(desk_.self(), at->first))
            left -= std::min(left, scan_cost + build(at->first, at->second, left));
        else
            forget(at->first);
    }
}

std::size_t Trees::build(std::uint16_t partition, Growing& growing, std::size_t left) {
    std::size_t rows = 0;
    std::size_t octets = 0;
    bool ended = true;
    bool whole = true;
    const auto visit = [&](BytesView row, BytesView record) {
        if (rows > 0 && rows + octets / 1024 >= left) {
            growing.cursor = Bytes(row);
            return ended = false;
        }
        ++rows;
        octets += row.size() + record.size();
        const auto sum = worth(row, record);
        if (sum) growing.tree.add(row, *sum);
        return whole = sum.has_value();
    };
    const auto scanned =
        desk_.storage.scan(Table::objects(partition), Bytes(growing.cursor), visit);
    const std::size_t cost = rows + octets / 1024;
    // What cannot be read, or is damaged, is found and mended by comparing records.
    if (!scanned || !whole) {
        forget(partition);
        return cost;
    }
    growing.records += rows;
    const unsigned depth = growing.tree.depth();
    if (growing.records > records_a_leaf << depth && depth < most_depth())
        growing = Growing{Tree(partition_bits(), std::min(depth + deeper_by, most_depth()))};
    else
        growing.complete = ended;
    return cost;
}

Instant Trees::wake_at() const {
    const bool all =
        std::ranges::all_of(trees_, [](const auto& entry) { return entry.second.complete; });
    return all ? Instant::max() : next_slice_;
}

std::size_t Trees::complete() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(trees_, [](const auto& entry) { return entry.second.complete; }));
}

Result<bool> Trees::is_right(std::uint16_t partition) const {
    const auto at = trees_.find(partition);
    if (at == trees_.end() || !at->second.complete) return true;
    Tree made(partition_bits(), at->second.tree.depth());
    bool whole = true;
    const auto scanned =
        desk_.storage.scan(Table::objects(partition), {}, [&](BytesView row, BytesView record) {
            const auto sum = worth(row, record);
            if (sum) made.add(row, *sum);
            return whole = sum.has_value();
        });
    if (!scanned) return std::unexpected(scanned.error());
    return !whole || made == at->second.tree;
}

}  // namespace dynamo
