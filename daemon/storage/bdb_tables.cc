#include "daemon/storage/bdb_tables.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <ranges>
#include <system_error>

#include "daemon/storage/bdb_dbt.h"
#include "daemon/storage/bdb_memory.h"

namespace dynamo {
namespace {

constexpr std::string_view catalog_file = "catalog.db";
constexpr std::string_view commits_row = "commits";
constexpr std::string_view empty_suffix = " empty";
constexpr std::string_view objects_prefix = "objects-";
/// Places in the list of files before those of the partitions.
constexpr std::size_t hints_index = 0;
constexpr std::size_t notes_index = 1;
constexpr std::size_t reducible_index = 2;
constexpr std::size_t trees_index = 3;
constexpr std::size_t first_objects_index = 4;

std::string name_of(Table table) {
    if (table.kind == Table::Kind::hints) return "hints";
    if (table.kind == Table::Kind::notes) return "notes";
    if (table.kind == Table::Kind::reducible) return "reducible";
    if (table.kind == Table::Kind::trees) return "trees";
    std::array<char, 24> text{};
    (void)std::snprintf(text.data(), text.size(), "objects-%04u", unsigned{table.partition});
    return text.data();
}

std::string file_name(Table table, std::uint32_t generation) {
    const std::string name = name_of(table);
    return generation == 0 ? name + ".db" : name + "." + std::to_string(generation) + ".db";
}

template <typename Number>
std::optional<Number> number_from(BytesView text) {
    Number number{};
    const char* const end = std::to_address(text.end());
    const auto [stop, failed] = std::from_chars(std::to_address(text.begin()), end, number);
    if (failed != std::errc() || stop != end) return std::nullopt;
    return number;
}

std::optional<Table> table_named(BytesView name) {
    if (name == "hints") return Table::hints();
    if (name == "notes") return Table::notes();
    if (name == "reducible") return Table::reducible();
    if (name == "trees") return Table::trees();
    if (!name.starts_with(objects_prefix)) return std::nullopt;
    const auto partition = number_from<std::uint16_t>(name.substr(objects_prefix.size()));
    if (!partition) return std::nullopt;
    return Table::objects(*partition);
}

std::size_t index_of(Table table) {
    switch (table.kind) {
        case Table::Kind::hints:
            return hints_index;
        case Table::Kind::notes:
            return notes_index;
        case Table::Kind::reducible:
            return reducible_index;
        case Table::Kind::trees:
            return trees_index;
        case Table::Kind::objects:
            break;
    }
    return first_objects_index + table.partition;
}

Table table_at(std::size_t index) {
    if (index == hints_index) return Table::hints();
    if (index == notes_index) return Table::notes();
    if (index == reducible_index) return Table::reducible();
    if (index == trees_index) return Table::trees();
    return Table::objects(static_cast<std::uint16_t>(index - first_objects_index));
}

}  // namespace

void BdbTables::CloseDb::operator()(Db* db) const {
    // Nothing is written here: the log has it, and checkpoints write it.
    (void)db->close(DB_NOSYNC);
    delete db;
}

BdbTables::BdbTables(BdbEnvironment& environment) : environment_(environment) {
    files_.resize(first_objects_index + environment.options().partitions);
}

Result<void> BdbTables::open() {
    auto catalog = open_file(std::string(catalog_file), true);
    if (!catalog) return std::unexpected(catalog.error());
    catalog_ = std::move(*catalog);
    if (auto read = read_catalog(); !read) return read;
    // Without a single commit there is nothing to tell a leftover from a table whose catalog was
    // lost, and nothing to gain.
    if (commits_ > 0) remove_leftovers();
    return {};
}

Result<void> BdbTables::read_catalog() {
    Dbc* cursor = nullptr;
    if (const int code = catalog_->cursor(nullptr, &cursor, 0))
        return std::unexpected(environment_.error(code, "read the catalog"));
    Result<void> result;
    Dbt name;
    Dbt value;
    int code = 0;
    while (result && (code = cursor->get(&name, &value, DB_NEXT)) == 0)
        result = read_row(view_of(name), view_of(value));
    (void)cursor->close();
    if (code != 0 && code != DB_NOTFOUND)
        return std::unexpected(environment_.error(code, "read the catalog"));
    return result;
}

Result<void> BdbTables::read_row(BytesView name, BytesView value) {
    if (name == commits_row) {
        if (const auto commits = number_from<std::uint64_t>(value)) {
            commits_ = *commits;
            return {};
        }
    } else if (const auto table = table_named(name)) {
        const bool empty = value.ends_with(empty_suffix);
        if (empty) value.remove_suffix(empty_suffix.size());
        if (const auto generation = number_from<std::uint32_t>(value)) {
            file(*table).generation = *generation;
            file(*table).filled = !empty;
            return {};
        }
    }
    return fail(Code::corrupt, "the catalog in " + environment_.place() + " has a row '" +
                                   std::string(name) + "' that means nothing");
}

Result<void> BdbTables::make_all() {
    for (std::size_t index = 0; index < files_.size(); ++index)
        if (auto made = open_handle(table_at(index), files_[index]); !made) return made;
    return {};
}

Result<void> BdbTables::read_everything() {
    if (auto read = read_pages(*catalog_, std::string(catalog_file)); !read) return read;
    catalog_.reset();
    if (auto sound = verify(std::string(catalog_file)); !sound) return sound;
    for (std::size_t index = 0; index < files_.size(); ++index) {
        const Table table = table_at(index);
        const std::string name = file_of(table);
        const auto db = to_read(table);
        if (!db) return std::unexpected(db.error());
        if (*db != nullptr) {
            if (auto read = read_pages(**db, name); !read) return read;
        }
        // Thousands of open files are not needed for this.
        files_[index].handle.reset();
        // One without rows need not be there.
        std::error_code unknown;
        if (*db == nullptr &&
            !std::filesystem::exists(environment_.options().directory / name, unknown))
            continue;
        if (auto sound = verify(name); !sound) return sound;
    }
    return {};
}

Result<void> BdbTables::read_pages(Db& db, const std::string& name) const {
    // To count a tree the library walks all of it, the inner pages and those of large rows too,
    // which reading row after row would pass by; each page's checksum is looked at on the way.
    DB_BTREE_STAT* stat = nullptr;
    const int code = db.stat(nullptr, &stat, 0);
    free_from_bdb(stat);
    if (code == 0) return {};
    return std::unexpected(environment_.error_of_file(code, "read all of " + name));
}

Result<void> BdbTables::verify(const std::string& name) const {
    // What it finds is said by the line of the environment's own error, page by page. It frees the
    // handle whatever it finds.
    Db db(&environment_.handle(), 0);
    const int code = db.verify(name.c_str(), nullptr, nullptr, DB_NOORDERCHK);
    if (code == 0) return {};
    return std::unexpected(environment_.error_of_file(code, "verify " + name));
}

void BdbTables::remove_leftovers() {
    std::vector<std::string> leftovers;
    std::error_code failed;
    for (const auto& entry :
         std::filesystem::directory_iterator(environment_.options().directory, failed)) {
        const std::string name = entry.path().filename().string();
        if (!name.ends_with(".db")) continue;
        const auto table = table_named(name.substr(0, name.find('.')));
        if (table && name != file_of(*table)) leftovers.push_back(name);
    }
    for (const std::string& name : leftovers) remove_file(name);
}

void BdbTables::remove_file(const std::string& name) {
    const int code = environment_.handle().dbremove(nullptr, name.c_str(), nullptr, DB_AUTO_COMMIT);
    if (code == 0) return;
    // A kill in the middle of a removal can leave a stand-in under the name, in which the library
    // itself sees no database any more (ENOENT, EINVAL).
    const bool removed = ::unlink((environment_.options().directory / name).c_str()) == 0;
    if (!removed && errno != ENOENT)
        environment_.notice(StorageNotice::warning,
                            environment_.error(code, "remove " + name).message);
}

Result<void> BdbTables::write_row(DbTxn* transaction, BytesView name, BytesView value) {
    Dbt name_dbt = dbt_of(name);
    Dbt value_dbt = dbt_of(value);
    if (const int code = catalog_->put(transaction, &name_dbt, &value_dbt, 0))
        return std::unexpected(
            environment_.error(code, "write " + std::string(name) + " to the catalog"));
    return {};
}

Result<void> BdbTables::set_commits(DbTxn* transaction, std::uint64_t commits) {
    std::array<char, 24> text{};
    const char* const end = std::to_chars(text.data(), text.data() + text.size(), commits).ptr;
    return write_row(transaction, commits_row,
                     {text.data(), static_cast<std::size_t>(end - text.data())});
}

BdbTables::File& BdbTables::file(Table table) {
    const std::size_t index = index_of(table);
    if (index >= files_.size()) files_.resize(index + 1);
    return files_[index];
}

std::string BdbTables::file_of(Table table) const {
    const std::size_t index = index_of(table);
    return file_name(table, index < files_.size() ? files_[index].generation : 0);
}

Result<BdbTables::DbHandle> BdbTables::open_file(const std::string& name, bool create) {
    DbHandle db(new Db(&environment_.handle(), 0));
    int code = 0;
    if (create) code = db->set_flags(DB_CHKSUM);
    if (code == 0 && create) code = db->set_pagesize(environment_.options().page_bytes);
    const u_int32_t flags = DB_AUTO_COMMIT | DB_THREAD | (create ? u_int32_t{DB_CREATE} : 0);
    if (code == 0) code = db->open(nullptr, name.c_str(), nullptr, DB_BTREE, flags, 0600);
    if (code == 0) return db;
    // A damaged first page is no file of the library's any more, and a missing file held rows.
    return std::unexpected(environment_.error_of_file(code, "open " + name));
}

Result<void> BdbTables::open_handle(Table table, File& file) {
    auto handle = open_file(file_name(table, file.generation), !file.filled);
    if (!handle) return std::unexpected(handle.error());
    file.handle = std::move(*handle);
    return {};
}

Result<Db*> BdbTables::to_read(Table table) {
    const std::size_t index = index_of(table);
    if (index >= files_.size() || !files_[index].filled) return nullptr;
    File& found = files_[index];
    if (!found.handle)
        if (auto opened = open_handle(table, found); !opened)
            return std::unexpected(opened.error());
    return found.handle.get();
}

Result<Db*> BdbTables::to_write(DbTxn* transaction, Table table) {
    File& found = file(table);
    if (!found.handle)
        if (auto opened = open_handle(table, found); !opened)
            return std::unexpected(opened.error());
    if (!found.filled) {
        const std::string generation = std::to_string(found.generation);
        if (auto written = write_row(transaction, name_of(table), generation); !written)
            return std::unexpected(written.error());
        found.filled = true;
        changes_.push_back({.table = table, .dropped = false});
    }
    return found.handle.get();
}

Result<void> BdbTables::drop(DbTxn* transaction, Table table) {
    File& found = file(table);
    if (!found.filled) return {};
    const std::uint32_t next = found.generation + 1;
    const std::string row = std::to_string(next) + std::string(empty_suffix);
    if (auto written = write_row(transaction, name_of(table), row); !written) return written;
    changes_.push_back({.table = table, .dropped = true, .before = std::move(found)});
    found = File{.generation = next};
    return {};
}

void BdbTables::committed() {
    for (Change& change : changes_) {
        if (!change.dropped) continue;
        change.before.handle.reset();
        remove_file(file_name(change.table, change.before.generation));
    }
    changes_.clear();
}

void BdbTables::rolled_back() {
    for (Change& change : std::views::reverse(changes_)) {
        File& present = file(change.table);
        if (!change.dropped) {
            // The file stays, empty and open, for the next write.
            present.filled = false;
            continue;
        }
        if (present.handle) {
            present.handle.reset();
            remove_file(file_name(change.table, present.generation));
        }
        present = std::move(change.before);
    }
    changes_.clear();
}

}  // namespace dynamo
