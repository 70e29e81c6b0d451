// The disk of one simulated node: tables in memory, with the history that a crash can undo.
//
//     synced image │ committed, not synced: 1 2 3 ... │ the present transaction
//                  └── power loss keeps a prefix ─────┘  └── any crash undoes it
//
// Kept as one image and undo lists, newest last. A commit with Durability::sync leaves nothing to
// undo; one with `os` stays undoable by power loss until flush().
//
// Threads: one
// Errors:  those it is told to make: reads that fail, a disk that is full
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/storage/storage.h"
#include "libdynamo/base/random.h"

namespace dynamo::sim {

class Disk final : public Storage {
  public:
    using Rows = std::map<Bytes, Bytes, std::less<>>;
    using Image = std::map<Table, Rows>;

    /// One write of a transaction, in order; no `after`: an erase.
    struct Change {
        Table table;
        Bytes key;
        std::optional<Bytes> before;
        std::optional<Bytes> after;
    };
    /// Told of each transaction when it has been committed.
    using Watcher = std::function<void(const std::vector<Change>&)>;
    void watch(Watcher watcher) { watcher_ = std::move(watcher); }

    [[nodiscard]] Result<std::optional<Bytes>> get(Table table, BytesView key) override;
    [[nodiscard]] Result<void> put(Table table, BytesView key, BytesView value) override;
    [[nodiscard]] Result<void> erase(Table table, BytesView key) override;
    [[nodiscard]] Result<void> scan(Table table, BytesView first, const Visit& visit) override;
    [[nodiscard]] Result<void> drop(Table table) override;
    [[nodiscard]] Result<void> commit(Durability durability) override;
    [[nodiscard]] bool has_changes() const override { return !present_.empty(); }
    void rollback() override;
    [[nodiscard]] Result<Usage> usage() override;

    /// The process died: what was committed stays.
    void kill() { rollback(); }
    /// The machine died: of the commits that are not synced, the oldest `kept` stay.
    void lose_power(std::size_t kept);
    [[nodiscard]] std::size_t unsynced() const { return unsynced_.size(); }
    /// Writes of the present transaction.
    [[nodiscard]] const std::vector<Change>& changes() const { return present_; }
    /// The operating system has written everything back.
    void flush() { unsynced_.clear(); }
    /// The shard directory is lost; identity and ring are kept elsewhere.
    void wipe();
    /// An old image of the shard directory is put back.
    void restore(Image image);
    [[nodiscard]] const Image& image() const { return image_; }
    /// The same without the present transaction.
    [[nodiscard]] Image committed_image() const;
    /// A row as it is now, no fault in the way.
    [[nodiscard]] const Bytes* peek(Table table, BytesView key) const;

    /// Each read fails with this probability; 0 ends it.
    void fail_reads(double probability, Random random);
    enum class Full : std::uint8_t { no, at_put, at_commit };
    void fill(Full full) { full_ = full; }
    [[nodiscard]] Full full() const { return full_; }

  private:
    [[nodiscard]] bool read_fails();
    void change(Table table, BytesView key, std::optional<Bytes> after);
    static void undo(Image& image, const std::vector<Change>& changes);

    Image image_;
    std::vector<Change> present_;
    std::vector<std::vector<Change>> unsynced_;
    Watcher watcher_;
    double failing_reads_ = 0;
    Random random_{0};
    Full full_ = Full::no;
};

}  // namespace dynamo::sim
