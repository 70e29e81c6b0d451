#include "daemon/storage/bdb_page_guard.h"

#include <db_cxx.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/storage/bdb_process.h"
#include "libdynamo/base/hash.h"

namespace dynamo {
namespace {

constexpr std::array<char, 8> guard_name = {'d', 'y', 'n', 'p', 'a', 'g', 'e', '2'};
constexpr std::size_t most_page_bytes = 65536;
constexpr std::size_t most_name_bytes = 64;

bool is_log(std::string_view file) { return file.starts_with("log."); }

// Which guard a descriptor of the library belongs to. The library has one set of hooks for the
// process and tells them nothing but descriptors and paths.
class Registry {
  public:
    void add(const std::filesystem::path& directory, BdbPageGuard& guard) {
        const std::lock_guard hold(lock_);
        guards_[directory.string()] = &guard;
    }
    void remove(const std::filesystem::path& directory) {
        const std::lock_guard hold(lock_);
        guards_.erase(directory.string());
    }
    void opened(int descriptor, const std::filesystem::path& path) {
        const std::lock_guard hold(lock_);
        BdbPageGuard* const guard = guard_of(path);
        const auto index = static_cast<std::size_t>(descriptor);
        if (index >= files_.size()) {
            if (guard == nullptr) return;
            files_.resize(index + 1);
        }
        files_[index] = {guard, guard == nullptr ? "" : path.filename().string()};
    }
    void closed(int descriptor) {
        const std::lock_guard hold(lock_);
        const auto index = static_cast<std::size_t>(descriptor);
        if (index < files_.size()) files_[index] = {};
    }
    void unlinked(const std::filesystem::path& path) {
        const std::lock_guard hold(lock_);
        if (BdbPageGuard* const guard = guard_of(path)) guard->forget(path.filename().string());
    }
    std::pair<BdbPageGuard*, std::string> find(int descriptor) {
        const std::lock_guard hold(lock_);
        const auto index = static_cast<std::size_t>(descriptor);
        return index < files_.size() ? files_[index] : std::pair<BdbPageGuard*, std::string>{};
    }

  private:
    BdbPageGuard* guard_of(const std::filesystem::path& path) const {
        if (path.extension() != ".db" && !is_log(path.filename().string())) return nullptr;
        const auto guard = guards_.find(path.parent_path().string());
        return guard == guards_.end() ? nullptr : guard->second;
    }

    std::mutex lock_;
    std::map<std::string, BdbPageGuard*> guards_;               // by directory
    std::vector<std::pair<BdbPageGuard*, std::string>> files_;  // by descriptor
};

Registry& registry() {
    static Registry instance;
    return instance;
}

// The library's type for open() is variadic, as the system's is.
int guarded_open(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const auto mode = static_cast<mode_t>(va_arg(arguments, int));
    va_end(arguments);
    const int descriptor = ::open(path, flags, mode);
    if (descriptor >= 0) registry().opened(descriptor, path);
    return descriptor;
}

int guarded_close(int descriptor) {
    registry().closed(descriptor);
    return ::close(descriptor);
}

int guarded_unlink(const char* path) {
    const int result = ::unlink(path);
    if (result == 0) registry().unlinked(path);
    return result;
}

ssize_t guarded_write(int descriptor, const void* bytes, size_t size, off_t offset) {
    const auto [guard, file] = registry().find(descriptor);
    if (guard == nullptr) return ::pwrite(descriptor, bytes, size, offset);
    if (is_log(file))
        return guard->write_log(descriptor, {static_cast<const char*>(bytes), size}, offset);
    return guard->write(descriptor, file, {static_cast<const char*>(bytes), size}, offset);
}

}  // namespace

// As they lie in the file. A kill keeps stores in the order of the program; the marks are atomic so
// that the compiler does too.
struct BdbPageGuard::Header {
    std::array<char, 8> name;
    std::array<char, 64> boot;
};

struct BdbPageGuard::Slot {
    std::uint32_t marked;  // in flight: the seal, through std::atomic_ref; else 0
    std::uint32_t size;    // from here on it is what the seal is of
    std::uint64_t offset;
    std::array<char, most_name_bytes> file;
    std::array<char, most_page_bytes> page;

    [[nodiscard]] bool is_marked() {
        return std::atomic_ref(marked).load(std::memory_order_acquire) != 0;
    }
    void mark(bool in_flight) {
        std::atomic_ref(marked).store(in_flight ? seal() : 0, std::memory_order_release);
    }
    [[nodiscard]] bool is_whole() {
        return std::atomic_ref(marked).load(std::memory_order_acquire) == seal();
    }
    [[nodiscard]] std::uint32_t seal() const {
        const std::size_t bytes =
            offsetof(Slot, page) - offsetof(Slot, size) + std::min<std::size_t>(size, page.size());
        const auto* const first = reinterpret_cast<const char*>(this) + offsetof(Slot, size);
        return static_cast<std::uint32_t>(checksum({first, bytes})) | 1u;
    }
    [[nodiscard]] std::string file_name() const {
        return {file.data(), ::strnlen(file.data(), file.size())};
    }
};

namespace {

constexpr std::size_t header_bytes = 4096;

}  // namespace

void use_guarded_writes() {
    (void)db_env_set_func_open(&guarded_open);
    (void)db_env_set_func_close(&guarded_close);
    (void)db_env_set_func_unlink(&guarded_unlink);
    (void)db_env_set_func_pwrite(&guarded_write);
}

BdbPageGuard::BdbPageGuard(std::filesystem::path directory, void* memory)
    : directory_(std::move(directory)), memory_(memory) {}

BdbPageGuard::~BdbPageGuard() {
    registry().remove(directory_);
    (void)::munmap(memory_, header_bytes + slot_count * sizeof(Slot));
}

BdbPageGuard::Slot& BdbPageGuard::slot(std::size_t index) const {
    char* const first = static_cast<char*>(memory_) + header_bytes;
    return *std::launder(reinterpret_cast<Slot*>(first + index * sizeof(Slot)));
}

Result<std::unique_ptr<BdbPageGuard>> BdbPageGuard::open(const std::filesystem::path& directory,
                                                         const Bytes& boot) {
    constexpr std::size_t bytes = header_bytes + slot_count * sizeof(Slot);
    const auto path = directory / "pages-in-flight";
    const FileHandle file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file.is_open()) return std::unexpected(system_error("open", path, errno));
    // Every block is taken now: a store to mapped memory cannot say that the disk is full.
    if (const int number = ::posix_fallocate(file.get(), 0, bytes))
        return std::unexpected(system_error("make room for", path, number));
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) return std::unexpected(system_error("map", path, errno));
    std::unique_ptr<BdbPageGuard> guard(new BdbPageGuard(directory, memory));

    Header present{guard_name, {}};
    std::copy_n(boot.begin(), std::min(boot.size(), present.boot.size()), present.boot.begin());
    auto* const header = static_cast<Header*>(memory);
    const bool same_boot = !boot.empty() && std::memcmp(header, &present, sizeof present) == 0;
    if (same_boot) {
        if (auto restored = guard->restore(); !restored) return std::unexpected(restored.error());
    } else {
        for (std::size_t index = 0; index < slot_count; ++index) guard->slot(index).mark(false);
        std::memcpy(header, &present, sizeof present);
    }
    registry().add(directory, *guard);
    return guard;
}

Result<void> BdbPageGuard::restore() {
    for (std::size_t index = 0; index < slot_count; ++index) {
        Slot& held = slot(index);
        // One that is damaged itself is void: a page that needed it has a wrong checksum of its
        // own.
        if (!held.is_whole()) held.mark(false);
        if (!held.is_marked()) continue;
        const auto path = directory_ / held.file_name();
        const FileHandle file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
        if (!file.is_open() && errno != ENOENT)
            return std::unexpected(system_error("open", path, errno));
        const BytesView page(held.page.data(), std::min<std::size_t>(held.size, held.page.size()));
        if (file.is_open() && !write_all(file.get(), page, static_cast<off_t>(held.offset)))
            return std::unexpected(system_error("restore a page of", path, errno));
        held.mark(false);
    }
    return {};
}

BdbPageGuard::Slot* BdbPageGuard::take() {
    const std::lock_guard hold(lock_);
    for (std::size_t index = 0; index < slot_count; ++index) {
        if (busy_[index] || slot(index).is_marked()) continue;
        busy_[index] = true;
        return &slot(index);
    }
    return nullptr;
}

void BdbPageGuard::give_back(const Slot& held) {
    const std::lock_guard hold(lock_);
    busy_[static_cast<std::size_t>(&held - &slot(0))] = false;
}

bool BdbPageGuard::forget_older(const std::string& file, off_t offset) {
    const std::lock_guard hold(lock_);
    bool any = false;
    for (std::size_t index = 0; index < slot_count; ++index) {
        Slot& older = slot(index);
        if (busy_[index] || !older.is_marked() ||
            older.offset != static_cast<std::uint64_t>(offset) || older.file_name() != file)
            continue;
        older.mark(false);
        any = true;
    }
    return any;
}

ssize_t BdbPageGuard::write(int descriptor, const std::string& file, BytesView page, off_t offset) {
    const bool fits = page.size() <= most_page_bytes && file.size() < most_name_bytes;
    Slot* const held = fits ? take() : nullptr;
    bool was_cut = false;
    if (held != nullptr) {
        held->size = static_cast<std::uint32_t>(page.size());
        held->offset = static_cast<std::uint64_t>(offset);
        held->file.fill('\0');
        std::copy(file.begin(), file.end(), held->file.begin());
        std::copy(page.begin(), page.end(), held->page.begin());
        held->mark(true);
        // An older image that a full disk cut is void now. Should a kill leave both marked, either
        // is good: the log is ahead of each, and no checkpoint counts on a page that was cut.
        was_cut = forget_older(file, offset);
    }
    std::size_t taken = 0;
    const bool written = write_all(descriptor, page, offset, &taken);
    const int number = written ? 0 : errno;
    last_failure_ = number;
    // Without a slot the older image was needed until here. Left marked, a kill would put it back
    // over a page that the next checkpoint counts on.
    if (written && held == nullptr) forget_older(file, offset);
    if (held != nullptr) {
        // A disk that took nothing left the page as it was: a full one would soon hold every slot.
        if (written || (taken == 0 && !was_cut)) held->mark(false);
        give_back(*held);
    }
    errno = number;
    return written ? static_cast<ssize_t>(page.size()) : -1;
}

ssize_t BdbPageGuard::write_log(int descriptor, BytesView bytes, off_t offset) {
    if (write_all(descriptor, bytes, offset)) return static_cast<ssize_t>(bytes.size());
    if (serving_) end_process(descriptor, errno);
    return -1;
}

void BdbPageGuard::forget(const std::string& file) {
    const std::lock_guard hold(lock_);
    for (std::size_t index = 0; index < slot_count; ++index)
        if (!busy_[index] && slot(index).is_marked() && slot(index).file_name() == file)
            slot(index).mark(false);
}

}  // namespace dynamo
