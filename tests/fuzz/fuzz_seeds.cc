// Writes where each entry's fuzzing begins: fuzz_seeds DIR makes DIR/<entry>/<seed>.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/entries.h"

int main(int count, char** words) {
    if (count != 2) {
        (void)std::fputs("usage: fuzz_seeds DIR\n", stderr);
        return 2;
    }
    using namespace dynamo::fuzz;
    for (const auto* entries : {&wire_entries(), &node_entries(), &file_entries()})
        for (const Entry& entry : *entries) {
            const auto folder = std::filesystem::path(words[1]) / entry.name;
            std::filesystem::create_directories(folder);
            for (const Seed& seed : entry.seeds())
                std::ofstream(folder / seed.name, std::ios::binary) << seed.input;
        }
    return 0;
}
