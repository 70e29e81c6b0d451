// Samples cut short, lengthened and damaged: each is refused or read, and nothing else happens.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "libdynamo/wire/frames.h"
#include "libdynamo/wire/state_codec.h"
#include "tests/libdynamo/wire/samples.h"

namespace {

/// Octets asked of the allocator since a test set it to 0.
std::size_t allocated = 0;

}  // namespace

// The allocator of this test binary counts.
void* operator new(std::size_t size) {
    allocated += size;
    if (void* memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace dynamo::wire {
namespace {

using namespace std::string_literals;

TEST(hostile, a_few_octets_that_claim_billions_of_elements_allocate_next_to_nothing) {
    const Bytes huge[] = {"\xdd\xff\xff\xff\xff"s,         "\xdf\xff\xff\xff\xff"s,
                          "\xdb\xff\xff\xff\xff"s,         "\xc6\xff\xff\xff\xff"s,
                          "\xc9\xff\xff\xff\xff"s,         "\x91\xdd\x7f\xff\xff\xff"s,
                          "\x81\xa1k\xdf\x7f\xff\xff\xff"s};
    for (const Bytes& bytes : huge) {
        allocated = 0;
        EXPECT_TRUE(Reader(bytes).failed()) << to_hex(bytes);
        EXPECT_LT(allocated, 4096u) << to_hex(bytes);
    }
}

TEST(hostile, what_nested_containers_claim_adds_up) {
    // Each claims 1,000 of the 3,000 octets, which is fine for one and not for twelve.
    Bytes bytes;
    for (int i = 0; i < 12; ++i) bytes += "\xdc\x03\xe8"s;
    bytes.resize(3000, '\xc0');
    const Reader reader(bytes);
    EXPECT_EQ(reader.reason(), "a container claims more elements than there are octets");
}

TEST(hostile, memory_is_bounded_by_a_frames_length_and_by_max_tokens) {
    const std::uint32_t count = 4u << 20;
    Bytes bytes = "\xdd\x00\x40\x00\x00"s;
    bytes.resize(bytes.size() + count, '\xc0');
    allocated = 0;
    const Reader reader(bytes);
    EXPECT_EQ(reader.reason(), "more elements than allowed");
    EXPECT_LE(allocated, 2 * max_tokens * sizeof(Token) + 65536);
}

TEST(hostile, a_map_of_very_many_keys_is_checked_in_reasonable_time) {
    // Pair by pair this would be five thousand million comparisons.
    const std::uint32_t count = 100'000;
    Bytes bytes;
    Writer writer(bytes);
    writer.map(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        writer.number(i);
        writer.nil();
    }
    EXPECT_FALSE(Reader(bytes).failed());
    bytes.replace(bytes.size() - 2, 1, 1, '\x00');
    EXPECT_TRUE(Reader(bytes).failed());
}

TEST(hostile, an_object_of_very_many_writers_is_read_in_reasonable_time) {
    // From the front for each sibling this would be eight hundred million steps.
    Object object;
    for (std::uint64_t birth = 1; birth <= 40'000; ++birth) {
        const Dot dot{{node(0x11), birth}, 1};
        object.clock.add(dot);
        object.siblings.push_back({dot, false, 0, ""});
    }
    const auto decoded = decode_object(encode(object));
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(*decoded, object);
}

TEST(hostile, nesting_past_the_limit_is_refused_and_up_to_it_is_read) {
    for (const char* open : {"\x91", "\x81\xa1k"}) {
        Bytes nested;
        for (std::size_t i = 0; i < max_depth; ++i) nested += open;
        EXPECT_FALSE(Reader(nested + '\xc0').failed()) << open;
        EXPECT_EQ(Reader(open + nested + '\xc0').reason(), "nested too deeply");
    }
    EXPECT_TRUE(Reader(Bytes(1 << 20, '\x91')).failed());
}

TEST(hostile, every_sample_cut_short_anywhere_is_refused) {
    for (const Sample& sample : samples()) {
        for (std::size_t part = 0; part < sample.parts.size(); ++part) {
            for (std::size_t size = 0; size < sample.parts[part].size(); ++size) {
                Parts parts = sample.parts;
                parts[part].resize(size);
                const auto again = sample.again(parts);
                ASSERT_FALSE(again) << sample.name << " at " << size;
                ASSERT_FALSE(again.error().message.empty()) << sample.name << " at " << size;
            }
        }
    }
}

TEST(hostile, every_sample_with_an_octet_more_is_refused) {
    for (const Sample& sample : samples()) {
        for (std::size_t part = 0; part < sample.parts.size(); ++part) {
            for (const char octet : {'\x00', '\xc0', '\xff'}) {
                Parts parts = sample.parts;
                parts[part] += octet;
                EXPECT_FALSE(sample.again(parts)) << sample.name;
            }
        }
    }
}

TEST(hostile, a_flipped_bit_is_refused_or_read_for_what_it_says) {
    for (const Sample& sample : samples()) {
        for (std::size_t part = 0; part < sample.parts.size(); ++part) {
            for (std::size_t bit = 0; bit < sample.parts[part].size() * 8; ++bit) {
                Parts parts = sample.parts;
                parts[part][bit / 8] = static_cast<char>(parts[part][bit / 8] ^ (1 << bit % 8));
                const auto once = sample.again(parts);
                if (!once) continue;
                if (sample.canonical) {
                    ASSERT_EQ(*once, parts) << sample.name << " bit " << bit;
                }
                const auto twice = sample.again(*once);
                ASSERT_TRUE(twice) << sample.name << " bit " << bit;
                ASSERT_EQ(*once, *twice) << sample.name << " bit " << bit;
            }
        }
    }
}

/// What a daemon answers to a request of these octets.
std::string message_about(std::string_view op, BytesView body) {
    Bytes header;
    Writer writer(header);
    writer.array(4);
    writer.number(0);
    writer.number(7);
    writer.str(op);
    writer.map(0);
    bool batched = false;
    const auto requests = decode_requests(header, body, {}, batched);
    if (!requests || requests->size() != 1) return "not one request";
    const auto* rejected = std::get_if<Rejected>(&requests->front());
    return rejected ? to_reply(rejected->error).message : "understood";
}

TEST(hostile, an_error_quotes_little_and_only_text) {
    EXPECT_EQ(message_about("fly", "\x80"), "there is no operation 'fly'");
    EXPECT_EQ(message_about("\xff\n", "\x80"), "there is no operation '\\xff\\n'");
    EXPECT_EQ(message_about("", "\x80"), "there is no operation ''");
    EXPECT_EQ(message_about(Bytes(5'000'000, 'a'), "\x80"),
              "there is no operation '" + std::string(64, 'a') + "...' (5000000 octets)");
    // The names of fields that nobody knows, whatever they are, appear in no message.
    EXPECT_EQ(message_about("get", "\x81\xa1\xff\xc1"s).find('\xff'), std::string::npos);
    Bytes body;
    Writer writer(body);
    writer.map(2);
    for (const char last : {'a', 'a'}) {
        writer.str(Bytes(100'000, '\xfe') + last);
        writer.nil();
    }
    const std::string twice = message_about("get", body);
    EXPECT_LT(twice.size(), 200u);
    EXPECT_EQ(twice.find('\xfe'), std::string::npos);
}

TEST(hostile, a_context_token_damaged_in_any_bit_is_refused) {
    const Bytes token = encode(sample_context());
    for (std::size_t bit = 0; bit < token.size() * 8; ++bit) {
        Bytes damaged = token;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
        const auto context = decode_context(damaged, sample_cluster(), sample_position());
        ASSERT_FALSE(context) << bit;
        EXPECT_EQ(context.error().code, Code::bad_context);
    }
}

}  // namespace
}  // namespace dynamo::wire
