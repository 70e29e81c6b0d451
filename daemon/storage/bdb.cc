#include "daemon/storage/bdb.h"

#include <db_cxx.h>

#include <algorithm>
#include <bit>
#include <optional>
#include <string>
#include <utility>

#include "daemon/storage/bdb_dbt.h"
#include "daemon/storage/bdb_environment.h"
#include "daemon/storage/bdb_format.h"
#include "daemon/storage/bdb_helper.h"
#include "daemon/storage/bdb_process.h"
#include "daemon/storage/bdb_tables.h"
#include "daemon/storage/files.h"
#include "daemon/storage/high_water.h"

namespace dynamo {
namespace {

// What most rows fit into at the first try; a larger one is asked for again with its size.
constexpr std::size_t usual_value_bytes = 64u << 10;

class BdbStorage final : public Storage {
  public:
    explicit BdbStorage(std::unique_ptr<BdbEnvironment> environment)
        : environment_(std::move(environment)), tables_(*environment_) {}
    BdbStorage(const BdbStorage&) = delete;
    BdbStorage& operator=(const BdbStorage&) = delete;
    ~BdbStorage() override;

    /// Compares what recovery found with the high-water mark; the helper runs after that.
    [[nodiscard]] Result<void> start();

    [[nodiscard]] Result<std::optional<Bytes>> get(Table table, BytesView key) override;
    [[nodiscard]] Result<void> put(Table table, BytesView key, BytesView value) override;
    [[nodiscard]] Result<void> erase(Table table, BytesView key) override;
    [[nodiscard]] Result<void> scan(Table table, BytesView first, const Visit& visit) override;
    [[nodiscard]] Result<void> drop(Table table) override;
    [[nodiscard]] Result<void> commit(Durability durability) override;
    [[nodiscard]] bool has_changes() const override { return transaction_ != nullptr; }
    void rollback() override;
    [[nodiscard]] Result<Usage> usage() override;
    [[nodiscard]] std::optional<Error> broken() const override { return environment_->broken(); }

    [[nodiscard]] Result<void> read_everything() { return tables_.read_everything(); }

  private:
    [[nodiscard]] Result<void> begin();
    [[nodiscard]] std::unexpected<Error> poison(Error error);
    [[nodiscard]] int seek(Db& db, Table table, BytesView key, Dbt& value);
    void forget_position();
    [[nodiscard]] Error error(int code, std::string_view doing, Table table) const;

    std::unique_ptr<BdbEnvironment> environment_;
    BdbTables tables_;
    std::unique_ptr<HighWater> high_water_;
    std::optional<BdbHelper> helper_;
    std::uint64_t commits_ = 0;
    DbTxn* transaction_ = nullptr;  // from the first write after a commit
    std::optional<Error> poison_;   // why the present transaction cannot be committed

    // Where the last read of the present transaction stands. Nearly every write is of the row that
    // was read just before it, and at the cursor it needs no second way down the tree.
    struct Position {
        Dbc* cursor = nullptr;
        Table table;
        bool stands = false;  // on a row, whose key is
        Bytes key;
    };
    Position position_;
    Bytes value_ = Bytes(usual_value_bytes, '\0');
};

Result<void> BdbStorage::start() {
    if (auto opened = tables_.open(); !opened) return opened;
    commits_ = tables_.commits();
    const std::string& place = environment_->place();
    auto mark = HighWater::open(environment_->options().directory / "high-water", boot_name());
    if (!mark) return std::unexpected(mark.error());
    const std::uint64_t least = (*mark)->must_reach();
    if (commits_ < least)
        return fail(Code::corrupt, "data was lost: the log in " + place + " ends at commit " +
                                       std::to_string(commits_) + ", but commit " +
                                       std::to_string(least) +
                                       " was promised (without the file high-water it opens with "
                                       "what is left)");
    if (auto begun = (*mark)->begin(commits_); !begun) return begun;
    high_water_ = std::move(*mark);
    helper_.emplace(*environment_, *high_water_);
    helper_->note(commits_);
    helper_->start();
    return {};
}

BdbStorage::~BdbStorage() {
    rollback();
    if (!helper_) return;
    helper_->stop();
    if (const auto taken = helper_->checkpoint(); !taken)
        environment_->notice(StorageNotice::warning, taken.error().message);
}

Error BdbStorage::error(int code, std::string_view doing, Table table) const {
    return environment_->error(code, std::string(doing) + " " + tables_.file_of(table));
}

std::unexpected<Error> BdbStorage::poison(Error error) {
    if (!poison_) poison_ = error;
    return std::unexpected(std::move(error));
}

Result<std::optional<Bytes>> BdbStorage::get(Table table, BytesView key) {
    const auto db = tables_.to_read(table);
    if (!db) return std::unexpected(db.error());
    if (*db == nullptr) return std::nullopt;
    Dbt value;
    value.set_flags(DB_DBT_USERMEM);
    for (;;) {
        value.set_data(value_.data());
        value.set_ulen(static_cast<u_int32_t>(value_.size()));
        const int code = seek(**db, table, key, value);
        if (code == 0) return Bytes(view_of(value));
        if (code == DB_NOTFOUND) return std::nullopt;
        if (code != DB_BUFFER_SMALL) return std::unexpected(error(code, "read", table));
        value_.resize(value.get_size());
    }
}

int BdbStorage::seek(Db& db, Table table, BytesView key, Dbt& value) {
    Dbt key_dbt = dbt_of(key);
    if (transaction_ == nullptr) return db.get(nullptr, &key_dbt, &value, 0);
    if (position_.cursor == nullptr || position_.table != table) {
        forget_position();
        if (const int code = db.cursor(transaction_, &position_.cursor, 0)) return code;
        position_.table = table;
    }
    // The row that was read last is often read again before it is written.
    if (position_.stands && position_.key == key)
        return position_.cursor->get(&key_dbt, &value, DB_CURRENT);
    const int code = position_.cursor->get(&key_dbt, &value, DB_SET);
    position_.stands = code == 0;
    if (position_.stands) position_.key.assign(key);
    return code;
}

void BdbStorage::forget_position() {
    if (position_.cursor != nullptr) (void)position_.cursor->close();
    position_.cursor = nullptr;
    position_.stands = false;
}

Result<void> BdbStorage::begin() {
    if (poison_) return std::unexpected(*poison_);
    if (transaction_ != nullptr) return {};
    if (const int code = environment_->handle().txn_begin(nullptr, &transaction_, 0)) {
        transaction_ = nullptr;
        return poison(environment_->error(code, "begin a transaction"));
    }
    return {};
}

Result<void> BdbStorage::put(Table table, BytesView key, BytesView value) {
    if (auto fits = check_row(key, value); !fits) return fits;
    if (auto begun = begin(); !begun) return begun;
    const auto db = tables_.to_write(transaction_, table);
    if (!db) return poison(db.error());
    Dbt key_dbt = dbt_of(key);
    Dbt value_dbt = dbt_of(value);
    if (position_.stands && position_.table == table && position_.key == key) {
        if (const int code = position_.cursor->put(&key_dbt, &value_dbt, DB_CURRENT))
            return poison(error(code, "write to", table));
        return {};
    }
    forget_position();
    if (const int code = (*db)->put(transaction_, &key_dbt, &value_dbt, 0))
        return poison(error(code, "write to", table));
    return {};
}

Result<void> BdbStorage::erase(Table table, BytesView key) {
    if (auto begun = begin(); !begun) return begun;
    forget_position();
    const auto db = tables_.to_read(table);
    if (!db) return poison(db.error());
    if (*db == nullptr) return {};
    Dbt key_dbt = dbt_of(key);
    const int code = (*db)->del(transaction_, &key_dbt, 0);
    if (code != 0 && code != DB_NOTFOUND) return poison(error(code, "erase from", table));
    return {};
}

Result<void> BdbStorage::scan(Table table, BytesView first, const Visit& visit) {
    const auto db = tables_.to_read(table);
    if (!db) return std::unexpected(db.error());
    if (*db == nullptr) return {};
    Dbc* cursor = nullptr;
    if (const int code = (*db)->cursor(transaction_, &cursor, 0))
        return std::unexpected(error(code, "scan", table));
    Dbt key = dbt_of(first);
    Dbt value;
    int code = cursor->get(&key, &value, first.empty() ? DB_FIRST : DB_SET_RANGE);
    while (code == 0 && visit(view_of(key), view_of(value)))
        code = cursor->get(&key, &value, DB_NEXT);
    (void)cursor->close();
    if (code != 0 && code != DB_NOTFOUND) return std::unexpected(error(code, "scan", table));
    return {};
}

Result<void> BdbStorage::drop(Table table) {
    if (auto begun = begin(); !begun) return begun;
    forget_position();
    if (auto dropped = tables_.drop(transaction_, table); !dropped) return poison(dropped.error());
    return {};
}

Result<void> BdbStorage::commit(Durability durability) {
    if (poison_) {
        Error error = *poison_;
        rollback();
        return std::unexpected(std::move(error));
    }
    if (transaction_ == nullptr) return {};
    forget_position();
    const std::uint64_t number = commits_ + 1;
    if (auto counted = tables_.set_commits(transaction_, number); !counted) {
        rollback();
        return counted;
    }
    const u_int32_t flags =
        durability == Durability::sync ? u_int32_t{DB_TXN_SYNC} : u_int32_t{DB_TXN_WRITE_NOSYNC};
    // Good or not, the library is done with the transaction after this; not good means undone.
    if (const int code = std::exchange(transaction_, nullptr)->commit(flags)) {
        tables_.rolled_back();
        return std::unexpected(environment_->error(code, "commit"));
    }
    commits_ = number;
    (void)high_water_->note(number, durability);
    helper_->note(number);
    tables_.committed();
    return {};
}

void BdbStorage::rollback() {
    poison_.reset();
    forget_position();
    if (transaction_ == nullptr) return;
    if (const int code = std::exchange(transaction_, nullptr)->abort())
        environment_->notice(StorageNotice::error,
                             environment_->error(code, "undo a transaction").message);
    tables_.rolled_back();
}

Result<Usage> BdbStorage::usage() {
    const auto free = free_bytes_at(environment_->options().directory);
    if (!free) return std::unexpected(free.error());
    // What is in the log only has yet to be written to the tables.
    return Usage{helper_->stored_bytes(), *free - std::min(*free, helper_->pending_bytes())};
}

Result<void> check_options(const StorageOptions& options) {
    const auto page = options.page_bytes;
    if (!std::has_single_bit(page) || page < 512 || page > 65536)
        return fail(Code::bad_request, "a page of " + std::to_string(page) +
                                           " octets is not a power of two from 512 to 65536");
    if (options.cache_bytes < (1u << 20))
        return fail(Code::bad_request, "a cache of " + std::to_string(options.cache_bytes) +
                                           " octets is below the least of 1 MiB");
    return {};
}

Result<void> make_environment(const StorageOptions& options) {
    if (auto begun = begin_making(options.directory); !begun) return begun;
    {
        const WithoutSync nothing_to_lose_yet;
        auto environment = BdbEnvironment::open(options);
        if (!environment) return std::unexpected(environment.error());
        BdbTables tables(**environment);
        if (auto opened = tables.open(); !opened) return opened;
        if (auto made = tables.make_all(); !made) return made;
        // So that the first true open has nothing to replay.
        if (const int code = (*environment)->handle().txn_checkpoint(0, 0, DB_FORCE))
            return std::unexpected((*environment)->error(code, "take the first checkpoint"));
    }
    return finish_making(options.directory);
}

Result<std::unique_ptr<BdbStorage>> open_any(const StorageOptions& options) {
    if (auto sound = check_options(options); !sound) return std::unexpected(sound.error());
    if (auto ready = prepare_directory(options.directory); !ready)
        return std::unexpected(ready.error());
    const auto format = look_at_format(options.directory);
    if (!format) return std::unexpected(format.error());
    if (*format == BdbFormat::to_be_made)
        if (auto made = make_environment(options); !made) return std::unexpected(made.error());
    auto environment = BdbEnvironment::open(options);
    if (!environment) return std::unexpected(environment.error());
    auto storage = std::make_unique<BdbStorage>(std::move(*environment));
    if (auto started = storage->start(); !started) return std::unexpected(started.error());
    return storage;
}

}  // namespace

Result<std::unique_ptr<Storage>> open_bdb(const StorageOptions& options) {
    return open_any(options);
}

Result<void> check_bdb(const StorageOptions& options) {
    const auto storage = open_any(options);
    if (!storage) return std::unexpected(storage.error());
    return (*storage)->read_everything();
}

}  // namespace dynamo
