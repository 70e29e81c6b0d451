// The files that tables live in, and the catalog that says which.
//
// A file is made in a transaction of its own, at the latest before the first write to its table, so
// that a rollback of the owner's transaction leaves the handle good; the catalog's row, written in
// the owner's transaction, is what gives the table rows. Dropping a table changes that row and is
// done in a moment however large the table is; the old file goes after the commit. What a crash
// leaves of older generations goes at the next open.
//
//     catalog.db:  "commits"      → how many commits were made
//                  "objects-0017" → "0": its file is objects-0017.db
//                                   "2": its file is objects-0017.2.db, after two drops
//                                   "2 empty": the same, with nothing written since the drop
//                                   no row: "0 empty"
//
// Threads: one
// Errors:  as storage.h; corrupt when a file that the catalog names is missing or no B-tree
#pragma once

#include <db_cxx.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/storage/bdb_environment.h"
#include "daemon/storage/storage.h"

namespace dynamo {

class BdbTables {
  public:
    explicit BdbTables(BdbEnvironment& environment);

    /// Reads the catalog and removes files that nothing names.
    [[nodiscard]] Result<void> open();
    /// Makes the files of hints and of the expected partitions.
    [[nodiscard]] Result<void> make_all();

    /// Reads every page of every file, and looks at how they hang together: those that are free,
    /// and files without rows, which only a write would meet, as well. Closes all tables.
    [[nodiscard]] Result<void> read_everything();

    /// Commits that recovery found.
    [[nodiscard]] std::uint64_t commits() const { return commits_; }
    [[nodiscard]] Result<void> set_commits(DbTxn* transaction, std::uint64_t commits);

    /// The table's file; nullptr when nothing was ever written to it.
    [[nodiscard]] Result<Db*> to_read(Table table);
    /// The table's file, made if need be.
    [[nodiscard]] Result<Db*> to_write(DbTxn* transaction, Table table);
    [[nodiscard]] Result<void> drop(DbTxn* transaction, Table table);

    /// After the owner's transaction ended one way or the other.
    void committed();
    void rolled_back();

    /// "objects-0017.db", for messages.
    [[nodiscard]] std::string file_of(Table table) const;

  private:
    struct CloseDb {
        void operator()(Db* db) const;
    };
    using DbHandle = std::unique_ptr<Db, CloseDb>;

    struct File {
        std::uint32_t generation = 0;
        bool filled = false;  ///< was written to, as the present transaction sees it
        DbHandle handle = {};
    };

    /// What the present transaction did to the catalog.
    struct Change {
        Table table;
        bool dropped = false;  ///< otherwise: filled
        File before = {};      ///< of a drop
    };

    [[nodiscard]] File& file(Table table);
    [[nodiscard]] Result<DbHandle> open_file(const std::string& name, bool create);
    [[nodiscard]] Result<void> open_handle(Table table, File& file);
    [[nodiscard]] Result<void> read_catalog();
    [[nodiscard]] Result<void> read_row(BytesView name, BytesView value);
    [[nodiscard]] Result<void> write_row(DbTxn* transaction, BytesView name, BytesView value);
    [[nodiscard]] Result<void> read_pages(Db& db, const std::string& name) const;
    [[nodiscard]] Result<void> verify(const std::string& name) const;
    void remove_leftovers();
    void remove_file(const std::string& name);

    BdbEnvironment& environment_;
    DbHandle catalog_;
    std::uint64_t commits_ = 0;
    std::vector<File> files_;  ///< hints first, then objects by partition
    std::vector<Change> changes_;
};

}  // namespace dynamo
