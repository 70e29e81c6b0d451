// Which records hold a tombstone, or more of a clock than they need, and since when they are as
// they are: what the purge looks at (daemon/node/repair/purge.h).
//
//     table reducible   row = 2 octets of partition + the record's row
//                       value = u64, the fence's number when the record last changed
//
// Written with the record, in one transaction. A row that is missing only means that a tombstone
// stays.
//
// Threads: one; the node's
// Errors:  those of storage
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "daemon/storage/storage.h"

namespace dynamo {

class Reducible {
  public:
    explicit Reducible(Storage& storage) : storage_(storage) {}

    [[nodiscard]] Result<void> note(std::uint16_t partition, BytesView row, std::uint64_t number);
    [[nodiscard]] Result<void> forget(std::uint16_t partition, BytesView row);
    [[nodiscard]] Result<std::optional<std::uint64_t>> since(std::uint16_t partition,
                                                             BytesView row) const;
    /// Forgets all of one partition.
    [[nodiscard]] Result<void> drop(std::uint16_t partition);
    /// Rows of one partition from `first` on, in order, until `visit` says false; it must not
    /// write.
    using Visit = std::function<bool(BytesView row, std::uint64_t since)>;
    [[nodiscard]] Result<void> scan(std::uint16_t partition, BytesView first,
                                    const Visit& visit) const;
    /// The first partition from `from` on that has any; none when there are none.
    [[nodiscard]] Result<std::optional<std::uint16_t>> next(std::uint32_t from) const;

  private:
    Storage& storage_;
};

}  // namespace dynamo
