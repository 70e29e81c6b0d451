// Writes the golden files as seeds: fuzz_seeds DIR makes DIR/<entry>/<golden file>.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "tests/fuzz/entries.h"

int main(int count, char** words) {
    if (count != 2) {
        (void)std::fputs("usage: fuzz_seeds DIR\n", stderr);
        return 2;
    }
    for (const dynamo::wire::Entry& entry : dynamo::wire::entries()) {
        const auto folder = std::filesystem::path(words[1]) / entry.name;
        std::filesystem::create_directories(folder);
        for (const std::string_view seed : entry.seeds)
            std::ofstream(folder / seed, std::ios::binary)
                << entry.input_of(seed, dynamo::wire::golden(seed));
    }
    return 0;
}
