// Looking for every acknowledged write after a run.
//
// A key whose writes are not all accounted for is read again until they are or the patience ends:
// a write that hides while a node is away is late, not lost.
//
// Threads: one owner
// Errors:  a key that cannot be read is counted and its error kept
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "cli/bench/ledger.h"
#include "cli/bench/settings.h"

namespace dynamo::cli {

struct Verification {
    std::uint64_t keys = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t late = 0;              ///< keys that needed more than one read
    std::vector<std::uint64_t> lost;     ///< keys with an acknowledged write that is gone
    std::vector<std::uint64_t> phantom;  ///< keys that show a write which was refused
    std::vector<std::uint64_t> damaged;  ///< keys with a value that nobody wrote
    std::vector<std::uint64_t> unread;
    std::optional<Error> unread_error;

    [[nodiscard]] bool broken() const {
        return !lost.empty() || !phantom.empty() || !damaged.empty();
    }
};

using OnRead = std::function<void(std::uint64_t key, const Result<Got>& got)>;
/// Reads all those keys and says what each read gave.
using ReadKeys = std::function<void(std::span<const std::uint64_t> keys, const OnRead& on_read)>;

/// `run` is what the values of this run are stamped with.
[[nodiscard]] Verification verify(const Ledger& ledger, const Values& values, std::uint64_t run,
                                  const ReadKeys& read, std::chrono::milliseconds patience);

/// Reads through one client, many keys at a time.
[[nodiscard]] ReadKeys reader_of(Client& client, const Settings& settings);

}  // namespace dynamo::cli
