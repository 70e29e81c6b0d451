// Storage: ordered tables of records, and one transaction at a time (paper section 5, pluggable).
//
// The loop writes during a step and commits once for all of it; nothing is visible after a crash
// unless commit() returned. A read sees the present transaction's own writes.
//
// Shape:   a row is any octets, at most 64 MiB; keys up to 2 KiB, ordered as unsigned octets
// Threads: one; an engine may have helpers of its own
// Errors:  `storage` (the engine failed), `storage_full` (no room), `corrupt` (a checksum did not
//          match), `too_large` (a row past its limits; nothing changed). An error is never "not
//          found". After a failed commit() everything since the last good one is undone. A write
//          that failed makes the commit() after it fail the same way: half a transaction is never
//          kept. After a second failure in a row, or once broken() says so, the caller ends the
//          process; recovery is at the next open.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>

#include "dynamo/error.h"
#include "libdynamo/base/bytes.h"

namespace dynamo {

/// How much a commit waits for. `sync`: until the disk has it. `os`: until the operating system
/// has it (survives kill -9, not power loss).
enum class Durability : std::uint8_t { sync, os };

/// What a table is for; objects have one table per partition, so that one can be dropped whole.
struct Table {
    enum class Kind : std::uint8_t { objects, hints, notes, reducible, trees };
    Kind kind = Kind::objects;
    std::uint16_t partition = 0;  ///< of objects; 0 for the others
    auto operator<=>(const Table&) const = default;

    [[nodiscard]] static Table objects(std::uint16_t partition) {
        return {Kind::objects, partition};
    }
    [[nodiscard]] static Table hints() { return {Kind::hints, 0}; }
    /// What the node notes about its own data: a few small rows.
    [[nodiscard]] static Table notes() { return {Kind::notes, 0}; }
    /// Which records hold a tombstone, or more of a clock than they need.
    [[nodiscard]] static Table reducible() { return {Kind::reducible, 0}; }
    /// Merkle trees, as far as they are what the records make.
    [[nodiscard]] static Table trees() { return {Kind::trees, 0}; }
};

/// The most octets that a row's key and value have.
inline constexpr std::size_t max_row_key_bytes = 2048;
inline constexpr std::size_t max_row_value_bytes = 64u << 20;

/// too_large when a row is past its limits; every engine asks before it changes anything.
[[nodiscard]] Result<void> check_row(BytesView key, BytesView value);

struct Usage {
    std::uint64_t stored_bytes = 0;  ///< that the engine's files take
    std::uint64_t free_bytes = 0;    ///< left where they are, when all is written that is to be
};

class Storage {
  public:
    Storage() = default;
    Storage(const Storage&) = delete;
    Storage& operator=(const Storage&) = delete;
    virtual ~Storage() = default;

    [[nodiscard]] virtual Result<std::optional<Bytes>> get(Table table, BytesView key) = 0;
    [[nodiscard]] virtual Result<void> put(Table table, BytesView key, BytesView value) = 0;
    /// Erasing what is not there is fine.
    [[nodiscard]] virtual Result<void> erase(Table table, BytesView key) = 0;

    /// Rows from `first` on, in key order, until `visit` returns false or the table ends. `visit`
    /// must not write. The views live until it returns.
    using Visit = std::function<bool(BytesView key, BytesView value)>;
    [[nodiscard]] virtual Result<void> scan(Table table, BytesView first, const Visit& visit) = 0;

    /// Removes every row of the table, in the present transaction.
    [[nodiscard]] virtual Result<void> drop(Table table) = 0;

    /// Makes everything since the last commit durable, as one transaction. Cheap when nothing was
    /// written.
    [[nodiscard]] virtual Result<void> commit(Durability durability) = 0;
    /// Whether anything was written since the last commit.
    [[nodiscard]] virtual bool has_changes() const = 0;
    /// Undoes everything since the last commit.
    virtual void rollback() = 0;

    [[nodiscard]] virtual Result<Usage> usage() = 0;

    /// Why the engine is of no use any more, whatever its calls still answer; none while it is
    /// well. `corrupt`: it met damage, which the next open may meet again.
    [[nodiscard]] virtual std::optional<Error> broken() const { return std::nullopt; }
};

}  // namespace dynamo
