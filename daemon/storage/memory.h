// Storage in memory: for tests, for the simulator, and for a store that may forget.
//
// Shape:   one ordered map per table; an undo journal as long as the present transaction
// Threads: one
// Errors:  only `too_large`; commit() always succeeds, and nothing outlives the process
#pragma once

#include <map>
#include <vector>

#include "daemon/storage/storage.h"

namespace dynamo {

class MemoryStorage final : public Storage {
  public:
    [[nodiscard]] Result<std::optional<Bytes>> get(Table table, BytesView key) override;
    [[nodiscard]] Result<void> put(Table table, BytesView key, BytesView value) override;
    [[nodiscard]] Result<void> erase(Table table, BytesView key) override;
    [[nodiscard]] Result<void> scan(Table table, BytesView first, const Visit& visit) override;
    [[nodiscard]] Result<void> drop(Table table) override;
    [[nodiscard]] Result<void> commit(Durability durability) override;
    [[nodiscard]] bool has_changes() const override { return !journal_.empty(); }
    void rollback() override;
    /// `free_bytes` is the largest number: a machine's memory is not the engine's to promise.
    [[nodiscard]] Result<Usage> usage() override;

  private:
    using Rows = std::map<Bytes, Bytes, std::less<>>;

    /// What undoes one change: the row as it was, or all rows of a dropped table.
    struct Undo {
        Table table;
        Bytes key;
        std::optional<Bytes> value;  ///< none: the row was not there
        std::optional<Rows> dropped;
    };

    void undo(Undo& change);

    std::map<Table, Rows> tables_;
    std::vector<Undo> journal_;
    std::uint64_t stored_bytes_ = 0;
};

}  // namespace dynamo
