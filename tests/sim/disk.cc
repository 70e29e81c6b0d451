#include "tests/sim/disk.h"

#include <ranges>
#include <utility>

namespace dynamo::sim {

bool Disk::read_fails() { return failing_reads_ > 0 && random_.chance(failing_reads_); }

Result<std::optional<Bytes>> Disk::get(Table table, BytesView key) {
    if (read_fails()) return fail(Code::storage, "the simulated disk cannot read this");
    const Bytes* row = peek(table, key);
    return row ? std::optional<Bytes>(*row) : std::nullopt;
}

const Bytes* Disk::peek(Table table, BytesView key) const {
    const auto rows = image_.find(table);
    if (rows == image_.end()) return nullptr;
    const auto row = rows->second.find(key);
    return row == rows->second.end() ? nullptr : &row->second;
}

void Disk::change(Table table, BytesView key, std::optional<Bytes> after) {
    Rows& rows = image_[table];
    const auto row = rows.find(key);
    Change change{table, Bytes(key), {}, after};
    if (row != rows.end()) change.before = row->second;
    if (after)
        rows.insert_or_assign(change.key, std::move(*after));
    else if (row != rows.end())
        rows.erase(row);
    present_.push_back(std::move(change));
}

void Disk::undo(Image& image, const std::vector<Change>& changes) {
    for (const Change& change : changes | std::views::reverse) {
        Rows& rows = image[change.table];
        if (change.before)
            rows.insert_or_assign(change.key, *change.before);
        else
            rows.erase(change.key);
    }
}

Result<void> Disk::put(Table table, BytesView key, BytesView value) {
    if (full_ == Full::at_put) return fail(Code::storage_full, "the simulated disk is full");
    change(table, key, Bytes(value));
    return {};
}

Result<void> Disk::erase(Table table, BytesView key) {
    if (peek(table, key)) change(table, key, std::nullopt);
    return {};
}

Result<void> Disk::scan(Table table, BytesView first, const Visit& visit) {
    if (read_fails()) return fail(Code::storage, "the simulated disk cannot read this");
    const auto rows = image_.find(table);
    if (rows == image_.end()) return {};
    for (auto row = rows->second.lower_bound(first); row != rows->second.end(); ++row)
        if (!visit(row->first, row->second)) break;
    return {};
}

Result<void> Disk::drop(Table table) {
    const auto rows = image_.find(table);
    if (rows == image_.end()) return {};
    std::vector<Bytes> keys;
    for (const auto& [key, value] : rows->second) keys.push_back(key);
    for (const Bytes& key : keys) change(table, key, std::nullopt);
    return {};
}

Result<void> Disk::commit(Durability durability) {
    if (present_.empty()) return {};
    if (full_ == Full::at_commit) {
        rollback();
        return fail(Code::storage_full, "the simulated disk is full");
    }
    std::vector<Change> changes = std::exchange(present_, {});
    if (watcher_) watcher_(changes);
    if (durability == Durability::sync)
        unsynced_.clear();
    else
        unsynced_.push_back(std::move(changes));
    return {};
}

void Disk::rollback() { undo(image_, std::exchange(present_, {})); }

Disk::Image Disk::committed_image() const {
    Image image = image_;
    undo(image, present_);
    return image;
}

Result<Usage> Disk::usage() {
    Usage usage{0, full_ == Full::no ? std::uint64_t{1} << 40 : 0};
    for (const auto& [table, rows] : image_)
        for (const auto& [key, value] : rows) usage.stored_bytes += key.size() + value.size();
    return usage;
}

void Disk::lose_power(std::size_t kept) {
    rollback();
    for (; unsynced_.size() > kept; unsynced_.pop_back()) undo(image_, unsynced_.back());
    unsynced_.clear();
}

void Disk::wipe() { restore({}); }

void Disk::restore(Image image) {
    present_.clear();
    unsynced_.clear();
    image_ = std::move(image);
}

void Disk::fail_reads(double probability, Random random) {
    failing_reads_ = probability;
    random_ = random;
}

}  // namespace dynamo::sim
