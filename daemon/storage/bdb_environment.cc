#include "daemon/storage/bdb_environment.h"

#include <bit>
#include <cerrno>
#include <charconv>

#include "daemon/storage/ballast.h"
#include "daemon/storage/bdb_error.h"
#include "daemon/storage/bdb_process.h"
#include "daemon/storage/files.h"

namespace dynamo {
namespace {

constexpr std::uint32_t log_buffer_bytes = 4u << 20;
// A full log file is synced in the middle of a commit: large enough to be rare, small enough that
// nobody notices (10 MiB cost 8.5 ms, 256 MiB 109 ms).
constexpr std::uint32_t log_file_bytes = 32u << 20;
constexpr std::uint64_t gigabyte = 1u << 30;

constexpr std::string_view format_name = "dynamo storage bdb ";
constexpr unsigned format_version = 1;

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

bool is_environment_file(const std::filesystem::path& path) {
    const std::string name = path.filename().string();
    return name.starts_with("log.") || name.starts_with("__db.") || name.ends_with(".db");
}

// Refuses what was written by somebody else or by a later release, and marks what is new.
Result<void> check_format(const std::filesystem::path& directory) {
    const auto file = directory / "format";
    auto content = read_small_file(file);
    if (!content) return std::unexpected(content.error());
    if (!*content) {
        std::error_code failed;
        for (const auto& entry : std::filesystem::directory_iterator(directory, failed))
            if (is_environment_file(entry.path()))
                return fail(Code::refused, directory.string() + " has " +
                                               entry.path().filename().string() +
                                               " but no file 'format': it was not made by dynamod");
        return replace_file(file, std::string(format_name) + std::to_string(format_version) + "\n");
    }
    BytesView text = **content;
    unsigned version = 0;
    const bool ours = text.starts_with(format_name);
    if (ours) text.remove_prefix(format_name.size());
    const auto end = text.data() + text.size();
    if (!ours || std::from_chars(text.data(), end, version).ec != std::errc() || version == 0)
        return fail(Code::corrupt, file.string() + " does not name a storage format");
    if (version > format_version)
        return fail(Code::refused, directory.string() + " has storage format " +
                                       std::to_string(version) + "; this release reads up to " +
                                       std::to_string(format_version) +
                                       ": start a newer dynamod on it");
    return {};
}

void take_error(const DbEnv* env, const char* /*prefix*/, const char* text) {
    static_cast<BdbEnvironment*>(env->get_app_private())->notice(StorageNotice::error, text);
}

void take_message(const DbEnv* env, const char* text) {
    static_cast<BdbEnvironment*>(env->get_app_private())->notice(StorageNotice::info, text);
}

}  // namespace

BdbEnvironment::BdbEnvironment(const StorageOptions& options)
    : options_(options), place_(options.directory.string()) {}

BdbEnvironment::~BdbEnvironment() {
    if (!handle_) return;
    const int code = handle_->close(0);
    if (code != 0) notice(StorageNotice::error, error(code, "close the environment").message);
}

Result<std::unique_ptr<BdbEnvironment>> BdbEnvironment::open(const StorageOptions& options) {
    if (auto sound = check_options(options); !sound) return std::unexpected(sound.error());
    if (auto ready = prepare_directory(options.directory); !ready)
        return std::unexpected(ready.error());
    Ballast ballast(options.directory, options.ballast_bytes);
    std::unique_ptr<BdbEnvironment> environment(new BdbEnvironment(options));
    if (ballast.release_if_full())
        environment->notice(StorageNotice::warning,
                            "the disk of " + environment->place_ +
                                " is full: the ballast was given up to recover with");
    if (auto known = check_format(options.directory); !known) return std::unexpected(known.error());

    use_guarded_sync();
    int code = environment->recover();
    if (code == ENOSPC && ballast.release()) code = environment->recover();
    if (code != 0) {
        Error error = environment->error(code, "recover the log");
        // Recovery fails for few reasons that are not damage; the library names the others EINVAL.
        if (code == EINVAL || code == ENOENT) {
            error.code = Code::corrupt;
            error.message += "; " + bdb_damage_advice(environment->place_);
        }
        return std::unexpected(std::move(error));
    }
    ballast.lay();
    return environment;
}

void BdbEnvironment::make_handle() {
    handle_ = std::make_unique<DbEnv>(u_int32_t{DB_CXX_NO_EXCEPTIONS});
    handle_->set_app_private(this);
    handle_->set_errcall(&take_error);
    handle_->set_msgcall(&take_message);
}

int BdbEnvironment::configure() {
    DbEnv& env = *handle_;
    const auto gigabytes = static_cast<u_int32_t>(options_.cache_bytes / gigabyte);
    const auto bytes = static_cast<u_int32_t>(options_.cache_bytes % gigabyte);
    if (const int code = env.set_cachesize(gigabytes, bytes, 1)) return code;
    if (const int code = env.set_lg_bsize(log_buffer_bytes)) return code;
    if (const int code = env.set_lg_max(log_file_bytes)) return code;
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
    return bdb_error(code, doing, place_);
}

void BdbEnvironment::notice(StorageNotice notice, std::string text) {
    const std::lock_guard guard(notice_lock_);
    if (options_.log) options_.log(notice, std::move(text));
}

}  // namespace dynamo
