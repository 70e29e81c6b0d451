// The files that tables live in, and the catalog that says which.
//
// A file is made at the first write to its table, in a transaction of its own, so that a rollback
// of the owner's transaction leaves the handle good; the catalog's row, written in the owner's
// transaction, is what makes it the table's file. Dropping a table erases that row and is done in a
// moment however large the table is; the file goes after the commit. What a crash leaves behind
// without a row goes at the next open.
//
//     catalog.db:  "commits"      → how many commits were made
//                  "objects-0017" → the generation of its file, 0 unless it was dropped before
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
        bool listed = false;  ///< the catalog has it, as the present transaction sees it
        DbHandle handle = {};
    };

    /// What the present transaction did to the catalog.
    struct Change {
        Table table;
        bool dropped = false;  ///< otherwise: listed
        File before = {};      ///< of a drop
    };

    [[nodiscard]] File& file(Table table);
    [[nodiscard]] Result<DbHandle> open_file(const std::string& name, bool create);
    [[nodiscard]] Result<void> open_handle(Table table, File& file);
    [[nodiscard]] Result<void> read_catalog();
    [[nodiscard]] Result<void> read_row(BytesView name, BytesView value);
    void remove_leftovers();
    void remove_file(const std::string& name);

    BdbEnvironment& environment_;
    DbHandle catalog_;
    std::uint64_t commits_ = 0;
    std::vector<File> files_;  ///< hints first, then objects by partition
    std::vector<Change> changes_;
};

}  // namespace dynamo
