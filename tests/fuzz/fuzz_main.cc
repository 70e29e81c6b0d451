// One entry under libFuzzer; DYNAMO_FUZZ_ENTRY names it.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tests/fuzz/entries.h"

// NOLINTNEXTLINE(readability-identifier-naming): the name is libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* octets, std::size_t size) {
    static const dynamo::wire::Entry* const entry = dynamo::wire::find_entry(DYNAMO_FUZZ_ENTRY);
    const std::string wrong = entry->run({reinterpret_cast<const char*>(octets), size});
    if (!wrong.empty()) {
        (void)std::fprintf(stderr, "%s\n", wrong.c_str());
        std::abort();
    }
    return 0;
}
