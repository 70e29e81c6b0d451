#include "daemon/storage/bdb_environment.h"

#include <algorithm>
#include <bit>
#include <cerrno>

#include "daemon/storage/ballast.h"
#include "daemon/storage/bdb_error.h"
#include "daemon/storage/bdb_memory.h"
#include "daemon/storage/bdb_process.h"
#include "daemon/storage/files.h"
#include "daemon/storage/high_water.h"

namespace dynamo {
namespace {

// A full log file is synced in the middle of a commit: large enough to be rare, small enough that
// nobody notices (10 MiB cost 8.5 ms, 256 MiB 109 ms). On a small disk a file takes at most a
// sixteenth of it, but holds several buffers all the same.
constexpr std::uint64_t most_log_file_bytes = 32u << 20;
constexpr std::uint64_t least_log_file_bytes = 1u << 20;
constexpr std::uint64_t log_files_on_disk = 16;
constexpr std::uint64_t log_buffers_in_file = 8;
constexpr std::uint64_t gigabyte = 1u << 30;

void take_error(const DbEnv* env, const char* /*prefix*/, const char* text) {
    auto* const environment = static_cast<BdbEnvironment*>(env->get_app_private());
    // What follows a panic is a line for every page that is not written any more.
    if (!environment->is_stopped()) environment->notice(StorageNotice::error, text);
}

void take_message(const DbEnv* env, const char* text) {
    static_cast<BdbEnvironment*>(env->get_app_private())->notice(StorageNotice::info, text);
}

void take_event(DbEnv* env, u_int32_t event, void* info) {
    if (event == DB_EVENT_PANIC)
        static_cast<BdbEnvironment*>(env->get_app_private())->note_panic(*static_cast<int*>(info));
}

std::uint64_t log_file_bytes(const std::filesystem::path& directory) {
    const auto disk = disk_bytes_at(directory);
    if (!disk) return most_log_file_bytes;
    return std::clamp(std::bit_floor(*disk / log_files_on_disk), least_log_file_bytes,
                      most_log_file_bytes);
}

// Recovery fills the log's last file up with zeros, on top of what it writes elsewhere.
std::uint64_t ballast_bytes(const StorageOptions& options) {
    return options.ballast_bytes == 0 ? 0
                                      : options.ballast_bytes + log_file_bytes(options.directory);
}

constexpr const char* ballast_notice = "the disk is full: the ballast was given up to recover with";

}  // namespace

BdbEnvironment::BdbEnvironment(const StorageOptions& options)
    : options_(options), place_(options.directory.string()) {}

BdbEnvironment::~BdbEnvironment() {
    if (!handle_) return;
    const int code = handle_->close(0);
    if (code != 0) notice(StorageNotice::error, error(code, "close the environment").message);
}

Result<std::unique_ptr<BdbEnvironment>> BdbEnvironment::open(const StorageOptions& options) {
    use_huge_pages();
    use_guarded_sync();
    use_guarded_writes();
    std::unique_ptr<BdbEnvironment> environment(new BdbEnvironment(options));
    Ballast ballast(options.directory, ballast_bytes(options));
    if (ballast.release_if_full()) environment->notice(StorageNotice::warning, ballast_notice);
    auto opened = environment->open_once();
    if (!opened && opened.error().code == Code::storage_full && ballast.release()) {
        environment->notice(StorageNotice::warning, ballast_notice);
        opened = environment->open_once();
    }
    if (!opened) return std::unexpected(opened.error());
    ballast.lay();
    environment->page_guard_->set_serving();
    return environment;
}

Result<void> BdbEnvironment::open_once() {
    page_guard_.reset();
    auto guard = BdbPageGuard::open(options_.directory, boot_name());
    if (!guard) return std::unexpected(guard.error());
    page_guard_ = std::move(*guard);
    const int code = recover();
    if (code == 0) return {};
    // Recovery fails for few reasons that are not damage; the library names the others so.
    return std::unexpected(error_of_file(code, "recover the log"));
}

void BdbEnvironment::make_handle() {
    handle_ = std::make_unique<DbEnv>(u_int32_t{DB_CXX_NO_EXCEPTIONS});
    handle_->set_app_private(this);
    handle_->set_errcall(&take_error);
    handle_->set_msgcall(&take_message);
    (void)handle_->set_event_notify(&take_event);
    panic_cause_ = 0;
    damage_.reset();
}

int BdbEnvironment::configure() {
    DbEnv& env = *handle_;
    const auto gigabytes = static_cast<u_int32_t>(options_.cache_bytes / gigabyte);
    const auto bytes = static_cast<u_int32_t>(options_.cache_bytes % gigabyte);
    if (const int code = env.set_cachesize(gigabytes, bytes, 1)) return code;
    const auto log_bytes = static_cast<u_int32_t>(log_file_bytes(options_.directory));
    if (const int code = env.set_lg_max(log_bytes)) return code;
    if (const int code = env.set_lg_bsize(log_bytes / log_buffers_in_file)) return code;
    if (const int code = env.log_set_config(DB_LOG_AUTO_REMOVE, 1)) return code;
    // For the transactions that the library makes itself, when it creates or removes a file: they
    // become durable with the commit that needs them, because the log is one.
    return env.set_flags(DB_TXN_WRITE_NOSYNC, 1);
}

int BdbEnvironment::recover() {
    make_handle();
    int code = configure();
    // Always through recovery: an environment opened without it after a kill shows rows that were
    // never committed. No DB_INIT_LOCK: the owner is the only writer, and locks cost 17 %.
    constexpr u_int32_t flags =
        DB_CREATE | DB_RECOVER | DB_PRIVATE | DB_THREAD | DB_INIT_TXN | DB_INIT_LOG | DB_INIT_MPOOL;
    if (code == 0) code = handle_->open(place_.c_str(), flags, 0600);
    if (code != 0) {
        // A handle whose open failed is good for nothing but this.
        (void)handle_->close(0);
        handle_.reset();
    }
    return code;
}

Error BdbEnvironment::error(int code, std::string_view doing) const {
    // A cache full of pages that the disk does not take is "out of memory" to the library.
    if (code == ENOMEM && page_guard_ && page_guard_->last_failure() != 0)
        code = page_guard_->last_failure();
    const int cause = code == DB_RUNRECOVERY ? panic_cause_.load() : 0;
    Error error = bdb_error(cause == 0 ? code : cause, cause != 0, doing, place_);
    if (error.code == Code::corrupt) note_damage(error);
    return error;
}

Error BdbEnvironment::error_of_file(int code, std::string_view doing) const {
    Error error = this->error(code, doing);
    if (code == EINVAL || code == ENOENT) {
        error.code = Code::corrupt;
        note_damage(error);
    }
    return error;
}

void BdbEnvironment::note_damage(const Error& error) const {
    const std::lock_guard guard(damage_lock_);
    if (!damage_) damage_ = error;
}

std::optional<Error> BdbEnvironment::broken() const {
    {
        const std::lock_guard guard(damage_lock_);
        if (damage_) return damage_;
    }
    if (!is_stopped()) return std::nullopt;
    return error(DB_RUNRECOVERY, "go on");
}

void BdbEnvironment::note_panic(int cause) {
    // The first one is the cause; those after it are the panic itself.
    int none = 0;
    (void)panic_cause_.compare_exchange_strong(none, cause);
}

void BdbEnvironment::notice(StorageNotice notice, std::string text) {
    const std::lock_guard guard(notice_lock_);
    if (options_.log) options_.log(notice, std::move(text));
}

}  // namespace dynamo
