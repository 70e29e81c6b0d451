// The disk of one simulated node: tables in memory, with the history that a crash can undo.
//
//     synced image │ committed, not synced: 1 2 3 ... │ the present transaction
//                  └── power loss keeps a prefix ─────┘  └── any crash undoes it
//
// Kept as one image and undo lists, newest last. A commit with Durability::sync leaves nothing to
// undo; one with `os` stays undoable by power loss until flush().
//
// Its faults are those that Berkeley DB was seen to have: a record with flipped bits; a damaged
// page, after which every call fails; a log that ends early, which recovery does not notice; an
// fsync that fails, after which the library says that all is well.
//
// Threads: one
// Errors:  those it is told to make: reads that fail, a disk that is full, an engine that is broken
#pragma once

#include <deque>
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

    /// The process died: what was committed stays, unless a sync has failed before.
    void kill();
    /// The machine died: of the commits that are not synced, the oldest `kept` stay.
    void lose_power(std::size_t kept);
    [[nodiscard]] std::size_t unsynced() const { return unsynced_; }
    /// Writes of the present transaction.
    [[nodiscard]] const std::vector<Change>& changes() const { return present_; }
    /// The operating system has written everything back.
    void flush() { unsynced_ = sync_failed_ ? unsynced_ : 0; }
    /// The shard directory is lost; identity and ring are kept elsewhere.
    void wipe();
    /// An old image of the shard directory is put back.
    void restore(Image image);
    [[nodiscard]] const Image& image() const { return image_; }
    /// The same without the present transaction.
    [[nodiscard]] Image committed_image() const;
    /// How many transactions, synced ones too, the log still has to lose.
    [[nodiscard]] std::size_t log_size() const { return log_.size(); }
    /// The last transactions are gone from the log, synced or not.
    void shorten_log(std::size_t lost);
    /// Flips a bit in a record of the main tables; `chosen` says which. Nothing when there is none.
    void damage(Random chosen);
    /// The same in the record of a key.
    void damage(const Bytes& key, Random chosen);
    /// The row that the same choice would strike.
    [[nodiscard]] std::optional<Bytes> record_at(Random chosen) const;
    /// A row as it is now, no fault in the way.
    [[nodiscard]] const Bytes* peek(Table table, BytesView key) const;

    /// The same as power loss would leave it, as far as `os` leaves it open: none when the row was
    /// written and not synced since.
    [[nodiscard]] const Bytes* peek_synced(Table table, BytesView key) const;

    /// Each read fails with this probability; 0 ends it.
    void fail_reads(double probability, Random random);
    /// A damaged page is met: from now on every call fails, until the disk is wiped or restored.
    void break_engine() { broken_ = true; }
    [[nodiscard]] bool is_broken() const { return broken_; }
    /// The next sync fails: what it was to sync is on no disk, whatever is said later.
    void fail_sync() { sync_fails_ = true; }
    enum class Full : std::uint8_t { no, at_put, at_commit };
    void fill(Full full) { full_ = full; }
    [[nodiscard]] Full full() const { return full_; }
    /// What it was told to do wrong from now on, it does right again.
    void heal();

  private:
    [[nodiscard]] Result<void> check_read();
    void change(Table table, BytesView key, std::optional<Bytes> after);
    static void flip(Bytes& record, Random& chosen);
    [[nodiscard]] std::optional<std::pair<Table, Bytes>> choose(Random& chosen) const;
    static void undo(Image& image, const std::vector<Change>& changes);

    Image image_;
    std::vector<Change> present_;
    std::deque<std::vector<Change>> log_;  ///< the last transactions, to be undone
    std::size_t unsynced_ = 0;             ///< the newest of them that no sync has covered
    Watcher watcher_;
    double failing_reads_ = 0;
    Random random_{0};
    Full full_ = Full::no;
    bool broken_ = false;
    bool sync_fails_ = false;
    bool sync_failed_ = false;  ///< once: nothing is synced any more
};

}  // namespace dynamo::sim
