#include "daemon/storage/bdb_memory.h"

#include <db_cxx.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

namespace dynamo {
namespace {

constexpr std::size_t huge_page_bytes = 2u << 20;
constexpr std::size_t region_bytes = 8u << 20;
constexpr std::size_t least_block_bytes = 4u << 10;
constexpr std::size_t most_block_bytes = 80u << 10;

// Before every block, as wide as malloc aligns: what realloc() and free() need to know.
struct alignas(16) Header {
    std::size_t bytes;  // of the block behind it
};

bool comes_from_region(std::size_t bytes) {
    return bytes >= least_block_bytes && bytes <= most_block_bytes;
}

// Cuts regions into blocks, and hands freed blocks out again to whoever asks for the same size: a
// cache asks for two or three sizes in all.
class Regions {
  public:
    void* allocate(std::size_t bytes) {
        const std::lock_guard hold(lock_);
        auto& reusable = free_[bytes];
        if (!reusable.empty()) {
            void* const block = reusable.back();
            reusable.pop_back();
            return block;
        }
        if (left_ < bytes && !map_region()) return nullptr;
        void* const block = next_;
        next_ += bytes;
        left_ -= bytes;
        return block;
    }
    void release(void* block, std::size_t bytes) {
        const std::lock_guard hold(lock_);
        free_[bytes].push_back(block);
    }

  private:
    bool map_region() {
        // One huge page more than needed, so that the region can start where one starts.
        constexpr std::size_t mapped_bytes = region_bytes + huge_page_bytes;
        void* const mapped = ::mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mapped == MAP_FAILED) return false;
        const auto start = reinterpret_cast<std::uintptr_t>(mapped);
        const std::size_t skipped = (huge_page_bytes - start % huge_page_bytes) % huge_page_bytes;
        next_ = static_cast<char*>(mapped) + skipped;
        left_ = region_bytes;
        // A kernel without huge pages says no, and the region works all the same.
        (void)::madvise(next_, region_bytes, MADV_HUGEPAGE);
        return true;
    }

    std::mutex lock_;
    std::map<std::size_t, std::vector<void*>> free_;  // by size
    char* next_ = nullptr;
    std::size_t left_ = 0;
};

Regions& regions() {
    // Never destroyed: the library may free during the end of the process.
    static Regions* const instance = new Regions;
    return *instance;
}

std::size_t with_header(std::size_t bytes) {
    constexpr std::size_t step = alignof(Header);
    return sizeof(Header) + (bytes + step - 1) / step * step;
}

void* allocate(std::size_t bytes) {
    const std::size_t whole = with_header(bytes);
    // NOLINTNEXTLINE(cppcoreguidelines-no-malloc): this is an allocator
    void* const block = comes_from_region(bytes) ? regions().allocate(whole) : std::malloc(whole);
    if (block == nullptr) return nullptr;
    return ::new (block) Header{bytes} + 1;
}

Header* header_of(void* memory) { return static_cast<Header*>(memory) - 1; }

void release(void* memory) {
    if (memory == nullptr) return;
    Header* const header = header_of(memory);
    if (comes_from_region(header->bytes))
        regions().release(header, with_header(header->bytes));
    else
        std::free(header);  // NOLINT(cppcoreguidelines-no-malloc)
}

void* reallocate(void* memory, std::size_t bytes) {
    if (memory == nullptr) return allocate(bytes);
    void* const grown = allocate(bytes);
    if (grown == nullptr) return nullptr;
    std::memcpy(grown, memory, std::min(bytes, header_of(memory)->bytes));
    release(memory);
    return grown;
}

}  // namespace

void use_huge_pages() {
    (void)db_env_set_func_malloc(&allocate);
    (void)db_env_set_func_realloc(&reallocate);
    (void)db_env_set_func_free(&release);
}

void free_from_bdb(void* memory) { release(memory); }

}  // namespace dynamo
