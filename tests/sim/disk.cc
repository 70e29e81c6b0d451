#include "tests/sim/disk.h"

#include <algorithm>
#include <ranges>
#include <utility>

namespace dynamo::sim {

namespace {

/// Transactions that a shortened log may lose.
constexpr std::size_t log_kept = 64;

std::unexpected<Error> engine_broken() {
    return fail(Code::corrupt, "the simulated engine met a damaged page and gave up");
}

}  // namespace

Result<void> Disk::check_read() {
    if (broken_) return engine_broken();
    if (failing_reads_ > 0 && random_.chance(failing_reads_))
        return fail(Code::storage, "the simulated disk cannot read this");
    return {};
}

Result<std::optional<Bytes>> Disk::get(Table table, BytesView key) {
    if (const auto read = check_read(); !read) return std::unexpected(read.error());
    const Bytes* row = peek(table, key);
    return row ? std::optional<Bytes>(*row) : std::nullopt;
}

const Bytes* Disk::peek(Table table, BytesView key) const {
    const auto rows = image_.find(table);
    if (rows == image_.end()) return nullptr;
    const auto row = rows->second.find(key);
    return row == rows->second.end() ? nullptr : &row->second;
}

const Bytes* Disk::peek_synced(Table table, BytesView key) const {
    const auto touches = [&](const Change& change) {
        return change.table == table && change.key == key;
    };
    if (std::ranges::any_of(present_, touches)) return nullptr;
    for (std::size_t i = 0; i < unsynced_; ++i)
        if (std::ranges::any_of(log_[log_.size() - 1 - i], touches)) return nullptr;
    return peek(table, key);
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
    if (broken_) return engine_broken();
    if (full_ == Full::at_put) return fail(Code::storage_full, "the simulated disk is full");
    change(table, key, Bytes(value));
    return {};
}

Result<void> Disk::erase(Table table, BytesView key) {
    if (peek(table, key)) change(table, key, std::nullopt);
    return {};
}

Result<void> Disk::scan(Table table, BytesView first, const Visit& visit) {
    if (auto read = check_read(); !read) return read;
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
    if (broken_) {
        rollback();
        return engine_broken();
    }
    const bool fails_now = std::exchange(sync_fails_, false);
    sync_failed_ = sync_failed_ || fails_now;
    if (watcher_ && !fails_now) watcher_(present_);
    log_.push_back(std::exchange(present_, {}));
    unsynced_ = durability == Durability::sync && !sync_failed_ ? 0 : unsynced_ + 1;
    while (log_.size() > log_kept && log_.size() > unsynced_) log_.pop_front();
    if (fails_now) return fail(Code::storage, "the simulated disk cannot sync");
    return {};
}

void Disk::kill() {
    if (sync_failed_)
        lose_power(0);
    else
        rollback();
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
    shorten_log(unsynced_ - std::min(kept, unsynced_));
    unsynced_ = 0;
    sync_failed_ = false;
}

void Disk::shorten_log(std::size_t lost) {
    rollback();
    for (; lost > 0 && !log_.empty(); --lost, log_.pop_back()) undo(image_, log_.back());
    unsynced_ = std::min(unsynced_, log_.size());
}

std::optional<std::pair<Table, Bytes>> Disk::choose(Random& chosen) const {
    std::vector<std::pair<Table, Bytes>> rows;
    for (const auto& [table, content] : image_)
        if (table.kind == Table::Kind::objects)
            for (const auto& [row, record] : content) rows.emplace_back(table, row);
    if (rows.empty()) return std::nullopt;
    return rows[chosen.below(rows.size())];
}

std::optional<Bytes> Disk::record_at(Random chosen) const {
    auto row = choose(chosen);
    return row ? std::optional(std::move(row->second)) : std::nullopt;
}

void Disk::damage(Random chosen) {
    const auto row = choose(chosen);
    if (!row) return;
    flip(image_[row->first].find(row->second)->second, chosen);
}

void Disk::damage(const Bytes& key, Random chosen) {
    constexpr std::size_t position_octets = 8;
    for (auto& [table, content] : image_)
        if (table.kind == Table::Kind::objects)
            for (auto& [row, record] : content)
                if (row.substr(position_octets) == key) flip(record, chosen);
}

void Disk::flip(Bytes& record, Random& chosen) {
    char& octet = record[chosen.below(record.size())];
    octet = static_cast<char>(octet ^ (1 << chosen.below(8)));
}

void Disk::wipe() { restore({}); }

void Disk::restore(Image image) {
    present_.clear();
    log_.clear();
    unsynced_ = 0;
    broken_ = sync_fails_ = sync_failed_ = false;
    image_ = std::move(image);
}

void Disk::heal() {
    failing_reads_ = 0;
    full_ = Full::no;
    sync_fails_ = false;
}

void Disk::fail_reads(double probability, Random random) {
    failing_reads_ = probability;
    random_ = random;
}

}  // namespace dynamo::sim
