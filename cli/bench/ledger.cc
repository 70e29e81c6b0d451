#include "cli/bench/ledger.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace dynamo::cli {
namespace {

constexpr std::ptrdiff_t most_refused = 8;  // of a key; a phantom among so many is found as well

bool holds(std::span<const std::uint64_t> numbers, std::uint64_t number) {
    return std::ranges::find(numbers, number) != numbers.end();
}

}  // namespace

/// An observing put that is acknowledged stands for all that ended before it began: whatever
/// accounts for it has seen, or may have seen, those as well.
void Ledger::forget_older(Entries& entries, std::int64_t begin) {
    std::erase_if(entries, [begin](const Entry& entry) { return entry.end < begin; });
}

/// A context put that is acknowledged stands for what it covered, and for what that covered.
void Ledger::forget_covered(Entries& entries, std::vector<std::uint64_t> covered) {
    while (!covered.empty()) {
        const std::uint64_t number = covered.back();
        covered.pop_back();
        const auto found = std::ranges::find(entries, number,
                                             [](const Entry& entry) { return entry.write.number; });
        if (found != entries.end()) {
            std::ranges::copy(found->write.covered, std::back_inserter(covered));
            entries.erase(found);
        }
    }
}

/// Marks what a readable write accounts for: itself, and all that it can have superseded.
void Ledger::mark(const Entries& entries, std::size_t readable, std::vector<bool>& accounted) {
    std::vector<bool> reached(entries.size(), false);
    std::vector<std::size_t> waiting = {readable};
    reached[readable] = true;
    // Nothing that the readable one has superseded, at whatever remove, began after it ended.
    const std::int64_t horizon = entries[readable].end;
    while (!waiting.empty()) {
        const Entry& entry = entries[waiting.back()];
        accounted[waiting.back()] = true;
        waiting.pop_back();
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const Entry& older = entries[i];
            if (reached[i] || older.ending == Ending::refused || older.write.begin > horizon) {
                continue;
            }
            const bool saw = entry.write.mode == PutMode::observe
                                 ? older.write.begin <= entry.end
                                 : holds(entry.write.covered, older.write.number);
            if (saw) {
                reached[i] = true;
                waiting.push_back(i);
            }
        }
    }
}

void Ledger::begin(std::uint64_t key, Write write) {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    shard.keys[key].push_back({std::move(write)});
}

void Ledger::end(std::uint64_t key, std::uint64_t number, Ending ending, std::int64_t when) {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    Entries& entries = shard.keys[key];
    shard.acknowledged += ending == Ending::acknowledged ? 1 : 0;
    const auto found =
        std::ranges::find(entries, number, [](const Entry& entry) { return entry.write.number; });
    // One that has been seen and superseded before its own answer came is forgotten already.
    if (found == entries.end() || ending == Ending::unknown) {
        return;
    }
    found->ending = ending;
    found->end = when;
    if (ending == Ending::refused) {
        if (std::ranges::count(entries, Ending::refused, &Entry::ending) > most_refused) {
            entries.erase(found);
        }
        return;
    }
    const Write write = found->write;
    if (write.mode == PutMode::observe) {
        forget_older(entries, write.begin);
    } else if (write.mode == PutMode::context) {
        forget_covered(entries, write.covered);
    }
}

std::vector<std::uint64_t> Ledger::keys() const {
    std::vector<std::uint64_t> numbers;
    for (const Shard& shard : shards_) {
        const std::lock_guard lock(shard.mutex);
        for (const auto& [key, entries] : shard.keys) {
            numbers.push_back(key);
        }
    }
    std::ranges::sort(numbers);
    return numbers;
}

std::uint64_t Ledger::acknowledged() const {
    std::uint64_t count = 0;
    for (const Shard& shard : shards_) {
        const std::lock_guard lock(shard.mutex);
        count += shard.acknowledged;
    }
    return count;
}

Ledger::Entries Ledger::entries_of(std::uint64_t key) const {
    const Shard& shard = shards_[key % shards_.size()];
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.keys.find(key);
    return found == shard.keys.end() ? Entries{} : found->second;
}

std::size_t Ledger::remembered(std::uint64_t key) const { return entries_of(key).size(); }

Verdict Ledger::judge(std::uint64_t key, std::span<const std::uint64_t> readable) const {
    Verdict verdict;
    const Entries entries = entries_of(key);
    std::vector<bool> accounted(entries.size(), false);
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (!holds(readable, entries[i].write.number)) {
            continue;
        }
        if (entries[i].ending == Ending::refused) {
            verdict.phantom.push_back(entries[i].write.number);
        } else {
            mark(entries, i, accounted);
        }
    }
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (entries[i].ending == Ending::acknowledged && !accounted[i]) {
            verdict.lost.push_back(entries[i].write.number);
        }
    }
    return verdict;
}

}  // namespace dynamo::cli
