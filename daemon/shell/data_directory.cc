#include "daemon/shell/data_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <sstream>
#include <system_error>

#include "daemon/shell/process.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {

namespace {

constexpr unsigned identity_format = 1;
constexpr unsigned ring_format = 1;
constexpr unsigned vote_format = 1;
/// A ring of thousands of partitions and members takes less, twice.
constexpr std::uint64_t ballast_bytes = 4u << 20;

/// A line "TITLE FORMAT CHECKSUM", then what the checksum is of.
Bytes sealed(std::string_view title, unsigned format, BytesView content) {
    return fmt::format("{} {} {:016x}\n{}", title, format, checksum(content), content);
}

std::unexpected<Error> damaged(const std::filesystem::path& file) {
    return fail(Code::corrupt,
                fmt::format("{} is damaged; put it back from a backup of this node, or move the "
                            "whole directory aside and let the daemon join as a new node",
                            file.string()));
}

Result<Bytes> unsealed(std::string_view title, unsigned format, const Bytes& file,
                       const std::filesystem::path& path) {
    const auto line_end = file.find('\n');
    if (line_end == Bytes::npos) return damaged(path);
    std::istringstream line(file.substr(0, line_end));
    std::string found_title;
    unsigned found_format = 0;
    std::string found_checksum;
    line >> found_title >> found_format >> found_checksum;
    if (!line || found_title != title || found_format == 0) return damaged(path);
    if (found_format > format)
        return fail(Code::storage,
                    fmt::format("{} has format {}, and this dynamod knows formats up to {}; start "
                                "the newer dynamod that wrote it",
                                path.string(), found_format, format));
    Bytes content = file.substr(line_end + 1);
    if (found_checksum != fmt::format("{:016x}", checksum(content))) return damaged(path);
    return content;
}

/// What a start that was cut short may have left before there was an identity.
bool may_precede_identity(const std::string& name) {
    return name == "lock" || name == "identity.new" || name == "lost+found";
}

/// Without an identity the directory must hold nothing: it is somebody else's, or half of a node's.
Result<void> refuse_foreign(const std::filesystem::path& directory) {
    std::error_code error;
    if (std::filesystem::exists(directory / "identity", error)) return {};
    for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
        const auto name = entry->path().filename().string();
        if (may_precede_identity(name)) continue;
        if (name == "ring" || name.starts_with("shard-"))
            return fail(Code::refused,
                        fmt::format("{} holds '{}' but no identity: half of a node. Put 'identity' "
                                    "back from a backup, or move the directory aside to start a "
                                    "new node",
                                    directory.string(), name));
        return fail(Code::refused,
                    fmt::format("{} is not a data directory: it holds '{}' and no identity; give "
                                "--data-dir an empty directory or one to be made",
                                directory.string(), name));
    }
    if (error) return std::unexpected(system_error("read the directory", directory, error.value()));
    return {};
}

/// Makes the parents, as a home directory without ~/.local/share needs.
Result<void> make_parents(const std::filesystem::path& directory) {
    std::error_code error;
    const auto parent = std::filesystem::absolute(directory, error).parent_path();
    if (!error) std::filesystem::create_directories(parent, error);
    if (error) return std::unexpected(system_error("make the directory", parent, error.value()));
    return {};
}

}  // namespace

Result<DataDirectory> DataDirectory::open(const std::filesystem::path& directory) {
    DataDirectory data;
    data.directory_ = directory;
    if (const auto made = make_parents(directory); !made) return std::unexpected(made.error());
    if (const auto ready = prepare_directory(directory); !ready)
        return std::unexpected(ready.error());
    if (const auto ours = refuse_foreign(directory); !ours) return std::unexpected(ours.error());
    if (const auto locked = data.take_lock(); !locked) return std::unexpected(locked.error());
    if (const auto loaded = data.load_identity(); !loaded) return std::unexpected(loaded.error());
    std::error_code error;
    if (!data.had_ring_ && std::filesystem::exists(directory / "ring", error)) {
        // Cut short between the first ring and saying so.
        data.had_ring_ = true;
        if (const auto saved = data.save_identity(); !saved) return std::unexpected(saved.error());
    }
    data.ballast().lay();
    return data;
}

Ballast DataDirectory::ballast() const { return {directory_, ballast_bytes}; }

Result<void> DataDirectory::take_lock() {
    const auto file = directory_ / "lock";
    lock_ = FileHandle(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock_.is_open()) return std::unexpected(system_error("open", file, errno));
    if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return std::unexpected(system_error("lock", file, errno));
        std::array<char, 32> holder{};
        const auto read = pread(lock_.get(), holder.data(), holder.size() - 1, 0);
        const std::string process(holder.data(), static_cast<std::size_t>(read < 0 ? 0 : read));
        return fail(
            Code::refused,
            fmt::format("{} is in use by process {}; stop that daemon, or give this one "
                        "another --data-dir",
                        directory_.string(),
                        process.empty() ? "(unknown)" : process.substr(0, process.find('\n'))));
    }
    const auto process = fmt::format("{}\n", getpid());
    // Only told to people; the lock itself is the kernel's.
    if (ftruncate(lock_.get(), 0) != 0 || !write_all(lock_.get(), process, 0))
        return std::unexpected(system_error("write", file, errno));
    return {};
}

Result<void> DataDirectory::load_identity() {
    const auto path = directory_ / "identity";
    const auto file = read_small_file(path);
    if (!file) return std::unexpected(file.error());
    if (!file->has_value()) {
        // The directory may have been made by an operator, readable by everyone; it is empty yet.
        (void)chmod(directory_.c_str(), 0700);
        node_ = NodeId::from(system_random(node_.octets.size()));
        is_new_ = true;
        return save_identity();
    }
    const auto content = unsealed("dynamo-identity", identity_format, **file, path);
    if (!content) return std::unexpected(content.error());

    std::istringstream lines(*content);
    std::string key;
    std::string value;
    while (lines >> key >> value) {
        Bytes octets;
        if (key == "node" && from_hex(value, octets)) node_ = NodeId::from(octets);
        if (key == "ring") had_ring_ = value == "yes";
    }
    if (node_.is_none()) return damaged(path);
    return {};
}

Result<void> DataDirectory::save_identity() const {
    return replace_file(
        directory_ / "identity",
        sealed("dynamo-identity", identity_format,
               fmt::format("node {}\nring {}\n", to_hex(node_.bytes()), had_ring_ ? "yes" : "no")));
}

Result<std::optional<RingState>> DataDirectory::load_ring() const {
    const auto path = directory_ / "ring";
    const auto file = read_small_file(path);
    if (!file) return std::unexpected(file.error());
    if (!file->has_value()) {
        if (!had_ring_) return std::nullopt;
        return fail(Code::corrupt,
                    fmt::format("{} is missing, though this node belonged to a cluster; put it "
                                "back from a backup, or move the whole directory aside and let the "
                                "daemon join as a new node",
                                path.string()));
    }
    const auto content = unsealed("dynamo-ring", ring_format, **file, path);
    if (!content) return std::unexpected(content.error());
    auto ring = wire::decode_ring(*content);
    if (!ring) return damaged(path);
    return std::move(*ring);
}

Result<void> DataDirectory::save_durably(const char* name, const Bytes& file) {
    auto saved = replace_file(directory_ / name, file);
    // What was adopted or promised cannot be put off until there is room, and it is seldom.
    if (!saved && saved.error().code == Code::storage_full && ballast().release())
        saved = replace_file(directory_ / name, file);
    if (saved) ballast().lay();
    return saved;
}

Result<void> DataDirectory::save_ring(const RingState& ring) {
    const auto file = sealed("dynamo-ring", ring_format, wire::encode(ring));
    if (auto saved = save_durably("ring", file); !saved) return saved;
    if (had_ring_) return {};
    // From now on a missing ring is a loss, and not a first start.
    had_ring_ = true;
    return save_identity();
}

Result<wire::Ballots> DataDirectory::load_vote() const {
    const auto path = directory_ / "vote";
    const auto file = read_small_file(path);
    if (!file) return std::unexpected(file.error());
    if (!file->has_value()) return wire::Ballots{};
    const auto content = unsealed("dynamo-vote", vote_format, **file, path);
    if (!content) return std::unexpected(content.error());
    auto ballots = wire::decode_ballots(*content);
    if (!ballots) return damaged(path);
    return ballots;
}

Result<void> DataDirectory::save_vote(const wire::Ballots& ballots) {
    return save_durably("vote", sealed("dynamo-vote", vote_format, wire::encode(ballots)));
}

}  // namespace dynamo
