#include "daemon/storage/memory.h"

#include <ranges>
#include <utility>

namespace dynamo {
namespace {

template <typename Rows>
std::uint64_t bytes_of(const Rows& rows) {
    std::uint64_t bytes = 0;
    for (const auto& [key, value] : rows) bytes += key.size() + value.size();
    return bytes;
}

}  // namespace

Result<std::optional<Bytes>> MemoryStorage::get(Table table, BytesView key) {
    const auto rows = tables_.find(table);
    if (rows == tables_.end()) return std::nullopt;
    const auto row = rows->second.find(key);
    if (row == rows->second.end()) return std::nullopt;
    return row->second;
}

Result<void> MemoryStorage::put(Table table, BytesView key, BytesView value) {
    if (auto fits = check_row(key, value); !fits) return fits;
    Rows& rows = tables_[table];
    const auto [row, inserted] = rows.try_emplace(Bytes(key));
    if (inserted) {
        journal_.push_back({table, Bytes(key), std::nullopt, std::nullopt});
        stored_bytes_ += key.size() + value.size();
    } else {
        stored_bytes_ += value.size();
        stored_bytes_ -= row->second.size();
        journal_.push_back({table, Bytes(key), std::move(row->second), std::nullopt});
    }
    row->second = Bytes(value);
    return {};
}

Result<void> MemoryStorage::erase(Table table, BytesView key) {
    const auto rows = tables_.find(table);
    if (rows == tables_.end()) return {};
    const auto row = rows->second.find(key);
    if (row == rows->second.end()) return {};
    stored_bytes_ -= key.size() + row->second.size();
    journal_.push_back({table, Bytes(key), std::move(row->second), std::nullopt});
    rows->second.erase(row);
    return {};
}

Result<void> MemoryStorage::scan(Table table, BytesView first, const Visit& visit) {
    const auto rows = tables_.find(table);
    if (rows == tables_.end()) return {};
    for (auto row = rows->second.lower_bound(first); row != rows->second.end(); ++row)
        if (!visit(row->first, row->second)) break;
    return {};
}

Result<void> MemoryStorage::drop(Table table) {
    const auto rows = tables_.find(table);
    if (rows == tables_.end()) return {};
    stored_bytes_ -= bytes_of(rows->second);
    journal_.push_back({table, {}, std::nullopt, std::move(rows->second)});
    tables_.erase(rows);
    return {};
}

Result<void> MemoryStorage::commit(Durability /*durability*/) {
    journal_.clear();
    return {};
}

void MemoryStorage::rollback() {
    // Last change first, so that a row changed twice ends as it began.
    for (Undo& change : std::views::reverse(journal_)) undo(change);
    journal_.clear();
}

void MemoryStorage::undo(Undo& change) {
    Rows& rows = tables_[change.table];
    if (change.dropped) {
        // What was written after the drop has been undone by now, so nothing is lost here.
        stored_bytes_ += bytes_of(*change.dropped);
        rows = std::move(*change.dropped);
        return;
    }
    const auto row = rows.find(change.key);
    if (row != rows.end()) {
        stored_bytes_ -= row->first.size() + row->second.size();
        rows.erase(row);
    }
    if (change.value) {
        stored_bytes_ += change.key.size() + change.value->size();
        rows.emplace(std::move(change.key), std::move(*change.value));
    }
}

Result<Usage> MemoryStorage::usage() { return Usage{stored_bytes_, UINT64_MAX}; }

}  // namespace dynamo
