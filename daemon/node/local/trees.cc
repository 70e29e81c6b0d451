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
constexpr Duration fresh_for = std::chrono::seconds(10);

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
    // A record that is not whole has no worth that the others' could equal.
    if (!apply(growing, row, before, after)) return forget(partition);
    if (const auto made = checks_.find(partition);
        made != checks_.end() && row < made->second.cursor)
        static_cast<void>(apply(made->second, row, before, after));
    const std::size_t leaves = std::size_t{1} << growing.tree.depth();
    if (growing.records > 4 * records_a_leaf * leaves && growing.tree.depth() < most_depth())
        forget(partition);
}

bool Trees::apply(Growing& growing, BytesView row, BytesView before, BytesView after) const {
    for (const auto& [record, comes] : {std::pair{before, false}, {after, true}}) {
        if (record.empty()) continue;
        const auto sum = worth(row, record);
        if (!sum) return false;
        if (comes)
            growing.tree.add(row, *sum);
        else
            growing.tree.take(row, *sum);
    }
    if (before.empty()) ++growing.records;
    if (after.empty() && growing.records > 0) --growing.records;
    return true;
}

void Trees::forget(std::uint16_t partition) {
    trees_.erase(partition);
    checks_.erase(partition);
    checked_.erase(partition);
}

void Trees::forget_all() {
    trees_.clear();
    checks_.clear();
    checked_.clear();
}

std::optional<Trees::Checked> Trees::check(std::uint16_t partition) {
    if (const auto at = checked_.find(partition); at != checked_.end()) {
        const Checked checked = at->second;
        checked_.erase(at);
        // Nobody fetched an old one: whoever asks now means the present tree.
        if (desk_.now.instant < checked.at + fresh_for) return checked;
    }
    const Tree* kept = want(partition);
    if (kept &&
        checks_.try_emplace(partition, Growing{Tree(partition_bits(), kept->depth())}).second)
        next_slice_ = std::max(next_slice_, desk_.now.instant);
    return std::nullopt;
}

void Trees::tick() {
    if (desk_.now.instant < next_slice_) return;
    next_slice_ = desk_.budget.ready(Budget::Kind::trees, desk_.now.instant);
    if (desk_.now.instant < next_slice_) return;
    std::size_t left = slice_cost;
    while (left > 0) {
        const auto at =
            std::ranges::find_if(trees_, [](const auto& entry) { return !entry.second.complete; });
        if (at == trees_.end() && checks_.empty()) return;
        next_slice_ = desk_.now.instant + pause_between_slices;
        if (at == trees_.end()) {
            const auto made = checks_.begin();
            left -= std::min(left, scan_cost + go_on_checking(made->first, made->second, left));
            continue;
        }
        if (desk_.routes.is_owner(desk_.self(), at->first))
            left -= std::min(left, scan_cost + build(at->first, at->second, left));
        else
            forget(at->first);
    }
}

bool Trees::read_into(std::uint16_t partition, Growing& growing, std::size_t left,
                      std::size_t& cost) {
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
    desk_.budget.spend(Budget::Kind::trees, rows, octets, desk_.now.instant);
    cost = rows + octets / 1024;
    growing.records += rows;
    growing.complete = ended && whole;
    return scanned.has_value() && whole;
}

std::size_t Trees::build(std::uint16_t partition, Growing& growing, std::size_t left) {
    std::size_t cost = 0;
    // What cannot be read, or is damaged, is found and mended by comparing records.
    if (!read_into(partition, growing, left, cost)) {
        forget(partition);
        return cost;
    }
    const unsigned depth = growing.tree.depth();
    if (growing.records > records_a_leaf << depth && depth < most_depth())
        growing = Growing{Tree(partition_bits(), std::min(depth + deeper_by, most_depth()))};
    return cost;
}

std::size_t Trees::go_on_checking(std::uint16_t partition, Growing& made, std::size_t left) {
    std::size_t cost = 0;
    if (!desk_.routes.is_owner(desk_.self(), partition) ||
        !read_into(partition, made, left, cost)) {
        forget(partition);
        return cost;
    }
    if (!made.complete) return cost;
    const auto kept = trees_.find(partition);
    const Checked checked{kept->second.tree == made.tree, made.records, desk_.now.instant};
    if (!checked.right) {
        desk_.counters.add("trees.wrong");
        desk_.log(Severity::error, "the tree of partition " + std::to_string(partition) +
                                       " was not what its records make; it is now");
        kept->second = std::move(made);
    }
    checks_.erase(partition);
    checked_[partition] = checked;
    return cost;
}

Instant Trees::wake_at() const {
    const bool all =
        std::ranges::all_of(trees_, [](const auto& entry) { return entry.second.complete; });
    return all && checks_.empty() ? Instant::max() : next_slice_;
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
