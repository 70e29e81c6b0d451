#include "daemon/node/local/trees.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "daemon/node/local/record.h"

namespace dynamo {
namespace {

constexpr unsigned first_depth = 4;
constexpr unsigned deeper_by = 2;
/// More records a leaf than this on the average, and a tree that is built is begun anew, deeper: so
/// it has a quarter as many at least. All records of a leaf are listed for one that differs, and
/// cost more than the levels above them.
constexpr std::size_t records_a_leaf = 8;
/// A tree that is kept may grow to so many.
constexpr std::size_t most_records_a_leaf = 2 * records_a_leaf;
/// What a slice may read: a row costs one, and so does a KiB, and to begin a scan.
constexpr std::size_t slice_cost = 1024;
constexpr std::size_t scan_cost = 16;
/// Requests come first: between two slices they have the node to themselves.
constexpr Duration pause_between_slices = std::chrono::milliseconds(5);
constexpr Duration fresh_for = std::chrono::seconds(10);
/// Parts that are stored in a slice.
constexpr std::size_t kept_a_slice = 64;
constexpr std::size_t kept_octets = 300;

}  // namespace

unsigned Trees::partition_bits() const {
    return static_cast<unsigned>(std::countr_zero(unsigned{desk_.routes.partitions()}));
}

unsigned Trees::most_depth() const { return std::min(max_tree_depth, 64 - partition_bits()); }

Trees::Growing Trees::growing_of(unsigned depth) const {
    const std::size_t parts = std::size_t{1} << (depth - part_levels);
    return {.tree = Tree(partition_bits(), depth),
            .cursor = {},
            .counts = std::vector<std::uint32_t>(parts),
            .touched = std::vector<bool>(parts)};
}

std::uint32_t Trees::part_of(const Growing& growing, BytesView row) const {
    return node_over(partition_bits(), growing.tree.depth() - part_levels, row);
}

Bytes Trees::first_row(std::uint16_t partition, const Growing& growing, std::uint32_t part) const {
    if (part == growing.counts.size()) return {};
    return rows_under(partition_bits(), partition, growing.tree.depth() - part_levels, part).first;
}

const Tree* Trees::want(std::uint16_t partition) {
    const auto at = trees_.find(partition);
    if (at != trees_.end()) return at->second.complete ? &at->second.tree : nullptr;
    const auto kept = kept_.depth(partition);
    const unsigned depth = kept && *kept ? **kept : first_depth;
    trees_.emplace(partition, growing_of(std::min(depth, most_depth())));
    unfinished_.insert(partition);
    next_slice_ = std::max(next_slice_, desk_.now.instant);
    return nullptr;
}

std::optional<TreeSum> Trees::worth(BytesView row, BytesView record) const {
    const auto object = object_bytes(row, record);
    if (!object || is_partial(record)) return std::nullopt;
    return tree_sum(desk_.cluster, row, *object);
}

Result<void> Trees::changes(std::uint16_t partition, BytesView row) {
    if (desk_.breaks(Mutant::kept_part_goes_on)) return {};
    return kept_.changes(partition, partition_bits(), row);
}

void Trees::changed(std::uint16_t partition, BytesView row, BytesView before, BytesView after) {
    const auto at = trees_.find(partition);
    if (at == trees_.end() || desk_.breaks(Mutant::tree_misses_changes)) return;
    Growing& growing = at->second;
    if (!growing.complete && row >= growing.cursor) return;
    // A record that is not whole has no worth that the others' could equal.
    if (!apply(growing, row, before, after)) return forget(partition);
    if (const auto made = checks_.find(partition);
        made != checks_.end() && row < made->second.cursor)
        static_cast<void>(apply(made->second, row, before, after));
    const std::size_t leaves = std::size_t{1} << growing.tree.depth();
    if (growing.records > most_records_a_leaf * leaves && growing.tree.depth() < most_depth())
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
    const std::uint32_t part = part_of(growing, row);
    growing.touched[part] = true;
    if (before.empty()) ++growing.records, ++growing.counts[part];
    if (after.empty()) --growing.records, --growing.counts[part];
    return true;
}

void Trees::forget(std::uint16_t partition) {
    trees_.erase(partition);
    unfinished_.erase(partition);
    checks_.erase(partition);
    checked_.erase(partition);
}

void Trees::damaged(std::uint16_t partition, BytesView row) {
    kept_.doubt(partition, partition_bits(), row);
    forget(partition);
}

void Trees::distrust(std::uint16_t partition) {
    kept_.doubt_all(partition);
    forget(partition);
}

void Trees::rolled_back() {
    kept_.rolled_back();
    trees_.clear();
    unfinished_.clear();
    checks_.clear();
    checked_.clear();
}

Result<void> Trees::drop_all() {
    rolled_back();
    return kept_.drop_all();
}

Result<void> Trees::drop(std::uint16_t partition) {
    forget(partition);
    return kept_.drop(partition);
}

std::optional<Trees::Checked> Trees::check(std::uint16_t partition) {
    if (const auto at = checked_.find(partition); at != checked_.end()) {
        const Checked checked = at->second;
        checked_.erase(at);
        // Nobody fetched an old one: whoever asks now means the present tree.
        if (desk_.now.instant < checked.at + fresh_for) return checked;
    }
    const Tree* kept = want(partition);
    if (kept && checks_.try_emplace(partition, growing_of(kept->depth())).second)
        next_slice_ = std::max(next_slice_, desk_.now.instant);
    return std::nullopt;
}

void Trees::tick() {
    if (desk_.now.instant < next_slice_) return;
    next_slice_ = desk_.budget.ready(Budget::Kind::trees, desk_.now.instant);
    if (desk_.now.instant < next_slice_) return;
    std::size_t left = slice_cost;
    while (left > 0) {
        if (unfinished_.empty() && checks_.empty()) return keep();
        next_slice_ = desk_.now.instant + pause_between_slices;
        if (unfinished_.empty()) {
            const auto made = checks_.begin();
            left -= std::min(left, scan_cost + go_on_checking(made->first, made->second, left));
            continue;
        }
        const std::uint16_t partition = *unfinished_.begin();
        if (desk_.routes.serves(desk_.self(), partition))
            left -= std::min(left, scan_cost + build(partition, trees_.at(partition), left));
        else
            forget(partition);
    }
}

bool Trees::read_into(std::uint16_t partition, Growing& growing, BytesView limit, std::size_t left,
                      std::size_t& cost) {
    std::size_t rows = 0;
    std::size_t octets = 0;
    bool ended = true;
    bool whole = true;
    const auto visit = [&](BytesView row, BytesView record) {
        if ((!limit.empty() && row >= limit) || (rows > 0 && rows + octets / 1024 >= left)) {
            growing.cursor = Bytes(row);
            return ended = false;
        }
        ++rows;
        octets += row.size() + record.size();
        const auto sum = worth(row, record);
        if (!sum) return whole = false;
        growing.tree.add(row, *sum);
        ++growing.counts[part_of(growing, row)];
        return true;
    };
    const auto scanned =
        desk_.storage.scan(Table::objects(partition), Bytes(growing.cursor), visit);
    desk_.budget.spend(Budget::Kind::trees, rows, octets, desk_.now.instant);
    cost += rows + octets / 1024;
    growing.records += rows;
    // Between the row that it met and the one before lies nothing.
    if (!limit.empty() && (ended || growing.cursor > limit)) growing.cursor = Bytes(limit);
    growing.complete = ended && whole && limit.empty();
    return scanned.has_value() && whole;
}

Result<Bytes> Trees::take_kept(std::uint16_t partition, Growing& growing, std::size_t left,
                               std::size_t& cost) {
    const auto depth = kept_.depth(partition);
    if (!depth) return std::unexpected(depth.error());
    if (*depth != growing.tree.depth()) return Bytes{};
    std::uint32_t next = growing.cursor.empty() ? 0 : part_of(growing, growing.cursor);
    // What was begun with records goes on with them.
    if (!growing.cursor.empty() && growing.cursor != first_row(partition, growing, next)) ++next;
    const bool at_its_first =
        growing.cursor.empty() || growing.cursor == first_row(partition, growing, next);
    std::size_t taken = 0;
    Bytes limit;
    const auto scanned =
        kept_.scan(partition, next, [&](std::uint32_t number, const KeptTrees::Part& part) {
            if (!at_its_first || number != next || taken >= left) {
                limit = first_row(partition, growing, number);
                return false;
            }
            std::ranges::copy(part.leaves, growing.tree.leaves().begin() +
                                               static_cast<std::ptrdiff_t>(number * part_leaves));
            growing.counts[number] = static_cast<std::uint32_t>(part.records);
            growing.records += part.records;
            ++next, ++taken;
            return true;
        });
    if (!scanned) return std::unexpected(scanned.error());
    cost += taken;
    desk_.budget.spend(Budget::Kind::trees, 0, taken * kept_octets, desk_.now.instant);
    desk_.counters.add("trees.parts_kept", taken);
    if (taken > 0) growing.cursor = first_row(partition, growing, next);
    growing.complete = taken > 0 && next == growing.counts.size();
    return limit;
}

std::size_t Trees::build(std::uint16_t partition, Growing& growing, std::size_t left) {
    std::size_t cost = 0;
    const auto limit = take_kept(partition, growing, left, cost);
    // What cannot be read, or is damaged, is found and mended by comparing records.
    if (!limit || (!growing.complete && cost < left &&
                   !read_into(partition, growing, *limit, left - cost, cost))) {
        forget(partition);
        return cost;
    }
    const unsigned depth = growing.tree.depth();
    if (growing.records > records_a_leaf << depth && depth < most_depth())
        growing = growing_of(std::min(depth + deeper_by, most_depth()));
    if (growing.complete) unfinished_.erase(partition);
    return cost;
}

std::size_t Trees::go_on_checking(std::uint16_t partition, Growing& made, std::size_t left) {
    std::size_t cost = 0;
    if (!desk_.routes.serves(desk_.self(), partition) ||
        !read_into(partition, made, {}, left, cost)) {
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
        kept_.doubt_all(partition);
        kept->second = std::move(made);
    }
    checks_.erase(partition);
    checked_[partition] = checked;
    return cost;
}

Instant Trees::wake_at() const {
    if (trees_.empty()) return Instant::max();
    const bool built = unfinished_.empty() && checks_.empty();
    return built ? std::max(next_slice_, next_keeping_) : next_slice_;
}

void Trees::keep() {
    if (desk_.now.instant < next_keeping_) return;
    next_keeping_ = desk_.now.instant + desk_.options.keep_trees_every;
    // A full disk has no room for what can be made again.
    if (desk_.load.refuse_writes) return;
    std::size_t left = kept_a_slice;
    for (auto at = trees_.lower_bound(static_cast<std::uint16_t>(keeping_partition_));
         at != trees_.end() && left > 0; ++at) {
        if (at->first != keeping_partition_) keeping_part_ = 0;
        keeping_partition_ = at->first;
        const auto stored = keep_some(at->first, at->second, left);
        if (!stored) break;
        left -= *stored;
    }
    desk_.budget.spend(Budget::Kind::trees, 0, (kept_a_slice - left) * kept_octets,
                       desk_.now.instant);
    if (left == 0)
        next_keeping_ = desk_.now.instant + pause_between_slices;
    else
        keeping_partition_ = keeping_part_ = 0;
}

Result<std::size_t> Trees::keep_some(std::uint16_t partition, Growing& growing, std::size_t left) {
    std::size_t stored = 0;
    for (; keeping_part_ < growing.counts.size(); ++keeping_part_) {
        const std::uint32_t part = keeping_part_;
        if (growing.touched[part]) {
            growing.touched[part] = false;
            continue;
        }
        const auto depth = kept_.depth(partition);
        if (!depth) return std::unexpected(depth.error());
        if (*depth == growing.tree.depth() && kept_.is_stored(partition, part)) continue;
        if (stored == left) return stored;
        if (*depth != growing.tree.depth())
            if (auto begun = kept_.begin(partition, growing.tree.depth()); !begun)
                return std::unexpected(begun.error());
        KeptTrees::Part one{growing.counts[part], {}};
        std::ranges::copy_n(
            growing.tree.leaves().begin() + static_cast<std::ptrdiff_t>(part * part_leaves),
            part_leaves, one.leaves.begin());
        if (auto put = kept_.store(partition, part, one); !put) return std::unexpected(put.error());
        ++stored;
    }
    return stored;
}

std::size_t Trees::complete() const { return trees_.size() - unfinished_.size(); }

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
