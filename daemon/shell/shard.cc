#include "daemon/shell/shard.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <system_error>
#include <vector>

#include "daemon/storage/files.h"

namespace dynamo {

namespace {

constexpr std::string_view damaged_prefix = "shard-000.damaged-";
/// "20260131T235959Z": sorts as it reads, and needs no quoting.
constexpr std::size_t stamp_octets = 16;
constexpr WallMs hour = 3'600'000;
/// How long a shard must serve after it was read through and found whole, to be trusted again.
constexpr auto watch_time = std::chrono::hours(1);

std::string stamp_of(WallMs wall) {
    const auto seconds = static_cast<std::time_t>(wall / 1000);
    std::tm parts{};
    (void)gmtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    const auto length = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts);
    return {text.data(), length};
}

/// The times in the names of the shards that lie aside.
std::vector<std::string> stamps_aside(const std::filesystem::path& directory) {
    std::vector<std::string> stamps;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
        const auto name = entry->path().filename().string();
        if (name.starts_with(damaged_prefix))
            stamps.push_back(name.substr(damaged_prefix.size(), stamp_octets));
    }
    return stamps;
}

}  // namespace

Replicas replicas_of(const std::optional<RingState>& ring, const NodeId& self) {
    if (!ring) return {};
    const auto& head = ring->head();
    // What a node holds that is no member any more, nobody would send it again.
    if (std::ranges::find(head.members, self, &Member::id) == head.members.end()) return {};
    return {head.members.size(), head.copies};
}

Shard::Shard(std::filesystem::path directory, const StorageDoor& door, Log& log)
    : directory_(std::move(directory)),
      path_(directory_ / "shard-000"),
      suspect_note_(directory_ / "shard-suspect"),
      watch_note_(directory_ / "shard-watched"),
      door_(door),
      log_(log) {}

Result<std::unique_ptr<Storage>> Shard::open(const StorageOptions& options,
                                             const Replicas& replicas, std::uint64_t limit,
                                             WallMs now) {
    const auto trust = look_at_notes();
    if (!trust) return std::unexpected(trust.error());
    auto opened = open_checked(options, *trust);
    if (opened || opened.error().code != Code::corrupt) return opened;
    const Error damage = opened.error();
    if (const auto reason = reason_to_keep(replicas, limit, now); !reason.empty())
        return fail(Code::corrupt, damage.message + "; " + reason);
    const auto aside = move_aside(now);
    if (!aside) return std::unexpected(aside.error());
    log_.write(
        Severity::error,
        fmt::format("the shard is damaged: {}; all that this node held, hints included, was set "
                    "aside as {} and is pulled from the other replicas now; remove that directory "
                    "when they are in good order",
                    damage.message, aside->string()));
    if (const auto forgotten = forget(); !forgotten) return std::unexpected(forgotten.error());
    return door_.open(options);
}

Result<std::unique_ptr<Storage>> Shard::open_checked(const StorageOptions& options, Trust trust) {
    if (trust == Trust::lost)
        return fail(Code::corrupt,
                    fmt::format("it broke again after it had been read through and found whole "
                                "(without {} it is read through once more)",
                                watch_note_.string()));
    if (trust == Trust::suspected) {
        log_.write(Severity::warning, "recovers, and reads everything before it goes on");
        if (const auto whole = door_.check(options); !whole) return std::unexpected(whole.error());
    }
    auto opened = door_.open(options);
    if (!opened || trust != Trust::suspected) return opened;
    if (const auto watched = watch(); !watched) return std::unexpected(watched.error());
    log_.write(Severity::warning,
               "the shard was read through and is whole: goes on with it; should it break again "
               "within an hour, it is set aside");
    return opened;
}

std::string Shard::reason_to_keep(const Replicas& replicas, std::uint64_t limit, WallMs now) const {
    const auto advice = fmt::format(
        "put a copy of {} back, or move it aside and start without it: the other "
        "replicas send the data again",
        path_.string());
    // Where nobody else has the data, an operator must know what is lost before it is.
    const auto alone = [&](std::string_view why) {
        return fmt::format(
            "{}, so the shard is kept as it is; put a copy of {} back, or move it "
            "aside to start without its data",
            why, path_.string());
    };
    if (replicas.members == 0) return alone("this node is no member of a ring");
    if (replicas.members == 1) return alone("no other member has the data");
    if (replicas.copies < 2) return alone("no key has a second copy");
    if (limit == 0) return "--set-aside-limit is 0; " + advice;
    // A clock that was put back makes older ones look recent, which is the safe side.
    if (const auto recent = set_aside_since(now - hour); recent >= limit)
        return fmt::format(
            "{} damaged shards were set aside within an hour, and --set-aside-limit is {}: the "
            "disk under {} is failing; replace it, or remove {}* and {}",
            recent, limit, directory_.string(), (directory_ / damaged_prefix).string(), advice);
    return {};
}

Result<std::filesystem::path> Shard::move_aside(WallMs now) const {
    const auto first = directory_ / (std::string(damaged_prefix) + stamp_of(now));
    auto aside = first;
    std::error_code error;
    for (int number = 2; std::filesystem::exists(std::filesystem::symlink_status(aside, error));
         ++number)
        aside = first.string() + fmt::format("-{}", number);
    if (std::rename(path_.c_str(), aside.c_str()) != 0)
        return std::unexpected(system_error("set aside", path_, errno));
    if (const auto synced = sync_directory(directory_); !synced)
        return std::unexpected(synced.error());
    return aside;
}

std::size_t Shard::set_aside_since(WallMs first) const {
    const auto stamps = stamps_aside(directory_);
    const auto since = stamp_of(first);
    return static_cast<std::size_t>(
        std::ranges::count_if(stamps, [&](const auto& stamp) { return stamp >= since; }));
}

std::size_t Shard::set_aside() const { return stamps_aside(directory_).size(); }

Error Shard::suspect(Error error, WallMs now) {
    const auto text = fmt::format("{} {}\n", stamp_of(now), error.message);
    auto noted = replace_file(suspect_note_, text);
    if (!noted) {
        // A full disk has room for a name at least.
        const FileHandle file(::open(suspect_note_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        if (file.is_open()) noted = sync_directory(directory_);
    }
    error.message = "the storage engine is broken: " + error.message;
    error.message +=
        noted ? fmt::format("; the next start {}, as {} says",
                            is_watched_ ? "sets the shard aside" : "recovers and reads everything",
                            suspect_note_.string())
              : "; the next start does not know that: " + noted.error().message;
    return error;
}

Result<Shard::Trust> Shard::look_at_notes() {
    const auto watch_note = read_small_file(watch_note_);
    if (!watch_note) return std::unexpected(watch_note.error());
    const auto note = read_small_file(suspect_note_);
    if (!note) return std::unexpected(note.error());
    is_watched_ = watch_note->has_value();
    if (!note->has_value()) return is_watched_ ? Trust::watched : Trust::full;
    const auto text = note->value().substr(0, note->value().find('\n'));
    log_.write(Severity::warning,
               fmt::format("the last process ended because its storage engine broke ({})",
                           text.empty() ? "the disk was too full to say more" : text));
    std::error_code error;
    if (!is_watched_ || std::filesystem::exists(path_, error)) {
        return is_watched_ ? Trust::lost : Trust::suspected;
    }
    // It was moved away since, by hand or by a process that was killed before it said so.
    if (const auto forgotten = forget(); !forgotten) return std::unexpected(forgotten.error());
    return Trust::full;
}

Result<void> Shard::watch() {
    if (std::rename(suspect_note_.c_str(), watch_note_.c_str()) != 0)
        return std::unexpected(system_error("rename", suspect_note_, errno));
    is_watched_ = true;
    return sync_directory(directory_);
}

Result<void> Shard::forget() {
    for (const auto& note : {watch_note_, suspect_note_})
        if (::unlink(note.c_str()) != 0 && errno != ENOENT)
            return std::unexpected(system_error("remove", note, errno));
    is_watched_ = false;
    return sync_directory(directory_);
}

void Shard::still_runs(Instant now) {
    if (!runs_since_) runs_since_ = now;
    if (!is_watched_ || now - *runs_since_ < watch_time) return;
    if (const auto forgotten = forget(); !forgotten) {
        log_.write_rarely("watch", Severity::warning, forgotten.error().message);
        return;
    }
    log_.write(Severity::info, "the shard has served for an hour: trusted again");
}

}  // namespace dynamo
