// The fuzzers' entries on their seeds, on the corpus and on damaged copies of these, the same ones
// every time.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "libdynamo/base/random.h"
#include "tests/fuzz/mutate.h"
#include "tests/libdynamo/wire/samples.h"

namespace dynamo::fuzz {
namespace {

using namespace std::string_view_literals;

// Of each entry's inputs together; a session is a node's whole life, and a file is a file.
constexpr int damaged_copies = 4000;
constexpr int damaged_copies_of_slow_ones = 400;

std::vector<const Entry*> all_entries() {
    std::vector<const Entry*> all;
    for (const auto* entries : {&wire_entries(), &node_entries(), &file_entries()})
        for (const Entry& entry : *entries) all.push_back(&entry);
    return all;
}

const Entry& entry_called(std::string_view name) {
    for (const Entry* entry : all_entries())
        if (entry->name == name) return *entry;
    ADD_FAILURE() << "no entry is called " << name;
    return *all_entries().front();
}

std::filesystem::path corpus_of(const Entry& entry) {
    return std::filesystem::path(DYNAMO_CORPUS_DIR) / entry.name;
}

/// The seeds, then what fuzzing has found worth keeping, by name.
std::vector<Seed> inputs_of(const Entry& entry) {
    std::vector<Seed> inputs = entry.seeds();
    std::set<std::filesystem::path> paths;
    if (std::filesystem::exists(corpus_of(entry)))
        for (const auto& file : std::filesystem::directory_iterator(corpus_of(entry)))
            paths.insert(file.path());
    for (const auto& path : paths) {
        std::ifstream file(path, std::ios::binary);
        inputs.push_back({path.filename(), {std::istreambuf_iterator<char>(file), {}}});
    }
    return inputs;
}

/// First octets of msgpack's forms, sizes next to their bounds.
constexpr std::string_view telling_octets =
    "\x00\x01\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xca\xcb\xcc\xcd\xce\xcf"
    "\xd0\xd3\xd4\xd9\xdb\xdc\xdd\xde\xdf\xe0\xff"sv;

void damage(Bytes& input, const std::vector<Seed>& others, Random& random) {
    const std::size_t at = random.below(input.size() + 1);
    const std::size_t left = input.size() - at;
    const char octet = telling_octets[random.below(telling_octets.size())];
    switch (random.below(6)) {
        case 0:
            if (left > 0) input[at] = static_cast<char>(input[at] ^ (1 << random.below(8)));
            break;
        case 1:
            if (left > 0) input[at] = octet;
            break;
        case 2:
            input.insert(at, 1, octet);
            break;
        case 3:
            input.erase(at, random.below(4));
            break;
        case 4:
            input.insert(at, Bytes(input, at, random.below(24)));
            break;
        default: {
            const Bytes& other = others[random.below(others.size())].input;
            const std::size_t from = random.below(other.size() + 1);
            input.replace(at, random.below(24), other, from, random.below(24));
        }
    }
}

bool is_slow(const Entry& entry) {
    const bool of_wire = find_entry(wire_entries(), entry.name) != nullptr;
    return !of_wire && entry.name != "record";
}

class Corpus : public testing::TestWithParam<std::string_view> {};

TEST_P(Corpus, what_is_kept_holds_its_promises) {
    const Entry& entry = entry_called(GetParam());
    for (const Seed& seed : inputs_of(entry))
        EXPECT_EQ(entry.run(seed.input), "") << seed.name << " " << to_hex(seed.input);
}

TEST_P(Corpus, damaged_input_is_refused_or_read_for_what_it_says) {
    const Entry& entry = entry_called(GetParam());
    const std::vector<Seed> inputs = inputs_of(entry);
    Random random(2007);
    for (int i = 0; i < (is_slow(entry) ? damaged_copies_of_slow_ones : damaged_copies); ++i) {
        Bytes input = inputs[random.below(inputs.size())].input;
        for (std::uint64_t times = 1 + random.below(4); times > 0; --times)
            if (random.chance(0.5))
                damage(input, inputs, random);
            else
                input = mutate(entry, input, random);
        ASSERT_EQ(entry.run(input), "") << to_hex(input);
    }
}

std::vector<std::string_view> names() {
    std::vector<std::string_view> out;
    for (const Entry* entry : all_entries()) out.push_back(entry->name);
    return out;
}

INSTANTIATE_TEST_SUITE_P(fuzz, Corpus, testing::ValuesIn(names()),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(corpus, every_golden_file_is_a_seed) {
    std::set<std::string> seeds;
    for (const Entry& entry : wire_entries())
        for (const Seed& seed : entry.seeds()) seeds.insert(seed.name);
    for (const wire::Sample& sample : wire::samples())
        EXPECT_TRUE(seeds.contains(sample.name)) << sample.name;
}

TEST(corpus, every_folder_is_an_entrys) {
    const auto all = names();
    for (const auto& folder : std::filesystem::directory_iterator(DYNAMO_CORPUS_DIR))
        EXPECT_EQ(std::ranges::count(all, folder.path().filename().string()), 1) << folder.path();
}

}  // namespace
}  // namespace dynamo::fuzz
