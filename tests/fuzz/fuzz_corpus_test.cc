// The fuzzers' entries on the golden files and on damaged copies of them, the same ones every time.
#include <gtest/gtest.h>

#include "libdynamo/base/random.h"
#include "tests/fuzz/entries.h"

namespace dynamo::wire {
namespace {

using namespace std::string_view_literals;

constexpr int damaged_copies = 4000;  // of each entry's seeds together

std::vector<Bytes> seeds_of(const Entry& entry) {
    std::vector<Bytes> inputs;
    for (const std::string_view seed : entry.seeds)
        inputs.push_back(entry.input_of(seed, golden(seed)));
    return inputs;
}

/// First octets of msgpack's forms, sizes next to their bounds.
constexpr std::string_view telling_octets =
    "\x00\x01\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xca\xcb\xcc\xcd\xce\xcf"
    "\xd0\xd3\xd4\xd9\xdb\xdc\xdd\xde\xdf\xe0\xff"sv;

void damage(Bytes& input, const std::vector<Bytes>& others, Random& random) {
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
            const Bytes& other = others[random.below(others.size())];
            const std::size_t from = random.below(other.size());
            input.replace(at, random.below(24), other, from, random.below(24));
        }
    }
}

class Corpus : public testing::TestWithParam<std::string_view> {};

TEST_P(Corpus, golden_input_is_read_and_written_the_same) {
    const Entry& entry = *find_entry(GetParam());
    for (const Bytes& input : seeds_of(entry)) {
        ASSERT_FALSE(input.empty());
        EXPECT_EQ(entry.run(input), "") << to_hex(input);
    }
}

TEST_P(Corpus, damaged_input_is_refused_or_read_for_what_it_says) {
    const Entry& entry = *find_entry(GetParam());
    const std::vector<Bytes> seeds = seeds_of(entry);
    Random random(2007);
    for (int i = 0; i < damaged_copies; ++i) {
        Bytes input = seeds[random.below(seeds.size())];
        for (std::uint64_t times = 1 + random.below(4); times > 0; --times)
            damage(input, seeds, random);
        ASSERT_EQ(entry.run(input), "") << to_hex(input);
    }
}

std::vector<std::string_view> names() {
    std::vector<std::string_view> out;
    for (const Entry& entry : entries()) out.push_back(entry.name);
    return out;
}

INSTANTIATE_TEST_SUITE_P(fuzz, Corpus, testing::ValuesIn(names()),
                         [](const auto& instance) { return std::string(instance.param); });

TEST(corpus, every_golden_file_is_a_seed) {
    std::size_t seeds = 0;
    for (const Entry& entry : entries()) seeds += entry.seeds.size();
    EXPECT_EQ(seeds, samples().size());
}

}  // namespace
}  // namespace dynamo::wire
