// One group of entries under libFuzzer: DYNAMO_FUZZ_ENTRIES is the function that lists them. The
// environment variable DYNAMO_FUZZ_ENTRY names the entry, as tests/fuzz/run sets it.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/fuzz/mutate.h"

// NOLINTBEGIN(readability-identifier-naming): the names are libFuzzer's.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* octets, std::size_t size, std::size_t most);

namespace dynamo::fuzz {
namespace {

const Entry& chosen_entry() {
    static const Entry& entry = []() -> const Entry& {
        const char* const name = std::getenv("DYNAMO_FUZZ_ENTRY");
        const Entry* const found = find_entry(DYNAMO_FUZZ_ENTRIES(), name == nullptr ? "" : name);
        if (found) return *found;
        (void)std::fputs("DYNAMO_FUZZ_ENTRY names one of:\n", stderr);
        for (const Entry& each : DYNAMO_FUZZ_ENTRIES())
            (void)std::fprintf(stderr, "%s\n", Bytes(each.name).c_str());
        std::_Exit(2);
    }();
    return entry;
}

}  // namespace
}  // namespace dynamo::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
    const std::string wrong =
        dynamo::fuzz::chosen_entry().run({reinterpret_cast<const char*>(octets), size});
    if (!wrong.empty()) {
        (void)std::fprintf(stderr, "%s\n", wrong.c_str());
        std::abort();
    }
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* octets, std::size_t size,
                                               std::size_t most, unsigned seed) {
    dynamo::Random random(seed);
    const dynamo::fuzz::Entry& entry = dynamo::fuzz::chosen_entry();
    if (entry.layout != dynamo::fuzz::Layout::text && random.chance(0.6)) {
        const dynamo::Bytes changed =
            mutate(entry, {reinterpret_cast<const char*>(octets), size}, random);
        if (!changed.empty() && changed.size() <= most) {
            std::memcpy(octets, changed.data(), changed.size());
            return changed.size();
        }
    }
    return LLVMFuzzerMutate(octets, size, most);
}
// NOLINTEND(readability-identifier-naming)
