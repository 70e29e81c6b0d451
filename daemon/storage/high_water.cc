#include "daemon/storage/high_water.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "libdynamo/base/hash.h"

namespace dynamo {
namespace {

constexpr std::size_t slot_bytes = 512;  // a sector: written whole or not at all
constexpr std::array<char, 8> slot_name = {'d', 'y', 'n', 'm', 'a', 'r', 'k', '1'};
constexpr std::size_t boot_octets = 40;  // 36 of a UUID, the rest zero

// One slot as it lies on the disk. The numbers are this machine's: the file never leaves it
// without the environment beside it, which has the same byte order.
struct Slot {
    std::array<char, 8> name{};
    std::uint64_t sequence = 0;
    std::array<char, boot_octets> boot{};
    std::uint64_t written = 0;
    std::uint64_t synced = 0;
    std::uint64_t check = 0;

    [[nodiscard]] std::uint64_t sum() const {
        return checksum({reinterpret_cast<const char*>(this), offsetof(Slot, check)});
    }
};
static_assert(sizeof(Slot) <= slot_bytes);

std::array<char, boot_octets> padded(BytesView boot) {
    std::array<char, boot_octets> octets{};
    std::copy_n(boot.begin(), std::min(boot.size(), octets.size()), octets.begin());
    return octets;
}

std::optional<Slot> read_slot(BytesView content, std::size_t index) {
    if (content.size() < index * slot_bytes + sizeof(Slot)) return std::nullopt;
    Slot slot;
    std::memcpy(&slot, content.data() + index * slot_bytes, sizeof slot);
    if (slot.name != slot_name || slot.check != slot.sum()) return std::nullopt;
    return slot;
}

}  // namespace

HighWater::HighWater(std::filesystem::path file, Bytes boot, FileHandle handle)
    : file_(std::move(file)), boot_(std::move(boot)), handle_(std::move(handle)) {}

Result<std::unique_ptr<HighWater>> HighWater::open(std::filesystem::path file, Bytes boot) {
    FileHandle handle(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!handle.is_open()) return std::unexpected(system_error("open", file, errno));
    std::unique_ptr<HighWater> mark(
        new HighWater(std::move(file), std::move(boot), std::move(handle)));
    if (auto loaded = mark->load(); !loaded) return std::unexpected(loaded.error());
    return mark;
}

Result<void> HighWater::load() {
    auto content = read_small_file(file_);
    if (!content) return std::unexpected(content.error());
    if (!*content || (*content)->empty()) return {};
    std::optional<Slot> newest;
    for (const std::size_t index : {0u, 1u}) {
        const auto slot = read_slot(**content, index);
        if (slot && (!newest || slot->sequence > newest->sequence)) newest = slot;
    }
    if (!newest)
        return fail(Code::corrupt, file_.string() +
                                       " is damaged, so nothing says whether the log beside it is "
                                       "whole; remove that file to go on with what the log has");
    sequence_ = newest->sequence;
    mark_ = {newest->written, newest->synced};
    const bool same_boot = !boot_.empty() && newest->boot == padded(boot_);
    must_reach_ = same_boot ? mark_.written : mark_.synced;
    return {};
}

Result<void> HighWater::begin(std::uint64_t commit) {
    {
        // Not the larger of the two: what a power loss took from `os` commits is gone, and their
        // numbers are given out again.
        const std::lock_guard guard(lock_);
        mark_ = {commit, commit};
        if (!write_slot()) return std::unexpected(system_error("write", file_, errno));
    }
    return sync_file();
}

bool HighWater::note(std::uint64_t commit, Durability durability) {
    const std::lock_guard guard(lock_);
    mark_.written = std::max(mark_.written, commit);
    if (durability == Durability::sync) mark_.synced = std::max(mark_.synced, commit);
    return write_slot();
}

Result<void> HighWater::save(std::uint64_t commit) {
    {
        const std::lock_guard guard(lock_);
        mark_.written = std::max(mark_.written, commit);
        mark_.synced = std::max(mark_.synced, commit);
        if (!write_slot()) return std::unexpected(system_error("write", file_, errno));
    }
    // Outside the lock: the owner's commits go on meanwhile.
    return sync_file();
}

Result<void> HighWater::sync_file() const {
    if (::fdatasync(handle_.get()) != 0) return std::unexpected(system_error("sync", file_, errno));
    return {};
}

bool HighWater::write_slot() {
    Slot slot{slot_name, ++sequence_, padded(boot_), mark_.written, mark_.synced, 0};
    slot.check = slot.sum();
    return write_all(handle_.get(), {reinterpret_cast<const char*>(&slot), sizeof slot},
                     static_cast<off_t>(sequence_ % 2 * slot_bytes));
}

Bytes boot_name() {
    const auto content = read_small_file("/proc/sys/kernel/random/boot_id");
    if (!content || !*content) return {};
    return (*content)->substr(0, (*content)->find('\n'));
}

}  // namespace dynamo
