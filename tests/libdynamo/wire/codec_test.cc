#include "libdynamo/wire/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

// After gtest: it extends it.
#include <rapidcheck/gtest.h>

namespace dynamo::wire {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

template <typename Write>
Bytes written(Write&& write) {
    Bytes out;
    Writer writer(out);
    write(writer);
    return out;
}

std::string reason_of(const Bytes& bytes) { return Reader(bytes).reason(); }

TEST(codec, writes_the_shortest_form_of_each_number) {
    const std::pair<std::uint64_t, std::size_t> sizes[] = {
        {0, 1},     {127, 1},   {128, 2},        {255, 2},         {256, 3},
        {65535, 3}, {65536, 5}, {0xffffffff, 5}, {0x100000000, 9}, {UINT64_MAX, 9}};
    for (const auto& [number, size] : sizes) {
        const Bytes bytes = written([&](Writer& writer) { writer.number(number); });
        EXPECT_EQ(bytes.size(), size) << number;
        Reader reader(bytes);
        EXPECT_TRUE(reader.shortest()) << number;
        EXPECT_EQ(reader.number(), number);
        EXPECT_TRUE(reader.finish());
    }
}

TEST(codec, knows_a_signed_form_of_a_positive_number_though_it_is_as_short) {
    for (const Bytes& bytes : {"\xd1\x01\x2c"s, "\xd1\x7f\xff"s, "\xd2\x00\x01\x00\x00"s}) {
        Reader reader(bytes);
        EXPECT_FALSE(reader.shortest()) << to_hex(bytes);
    }
    Reader reader("\xd1\x01\x2c"s);
    EXPECT_EQ(reader.number(), 300u);
}

TEST(codec, knows_a_number_that_is_not_in_its_shortest_form) {
    for (const Bytes& bytes :
         {"\xcc\x05"s, "\xcd\x00\x05"s, "\xce\x00\x00\x00\x05"s, "\xd0\x05"s, "\xd1\x00\x05"s}) {
        Reader reader(bytes);
        EXPECT_FALSE(reader.shortest()) << to_hex(bytes);
        EXPECT_EQ(reader.number(), 5u) << to_hex(bytes);
    }
    for (const Bytes& bytes : {"\xd0\xff"s, "\xd1\xff\xff"s, "\xd9\x01x"s, "\xc5\x00\x01x"s,
                               "\xdc\x00\x00"s, "\xde\x00\x00"s, "\xca\x00\x00\x00\x00"s}) {
        Reader reader(bytes);
        EXPECT_FALSE(reader.failed()) << to_hex(bytes);
        EXPECT_FALSE(reader.shortest()) << to_hex(bytes);
    }
}

RC_GTEST_PROP(codec, what_is_written_is_read,
              (std::uint64_t number, std::int64_t signed_number, double real, bool boolean,
               Bytes bin, Bytes str)) {
    const Bytes bytes = written([&](Writer& writer) {
        writer.array(7);
        writer.number(number);
        writer.signed_number(signed_number);
        writer.real(real);
        writer.boolean(boolean);
        writer.bin(bin);
        writer.str(str);
        writer.nil();
    });
    Reader reader(bytes);
    RC_ASSERT(reader.shortest());
    RC_ASSERT(reader.array() == 7u);
    RC_ASSERT(reader.number() == number);
    RC_ASSERT(reader.signed_number() == signed_number);
    RC_ASSERT(reader.real() == real);
    RC_ASSERT(reader.boolean() == boolean);
    RC_ASSERT(reader.bin() == bin);
    RC_ASSERT(reader.str() == str);
    RC_ASSERT(reader.peek().kind == Token::Kind::nil);
    reader.skip();
    RC_ASSERT(reader.finish());
}

TEST(codec, long_strings_keep_their_octets) {
    for (const std::size_t size : {0u, 31u, 32u, 255u, 256u, 65535u, 65536u, 70000u}) {
        const Bytes value(size, '\x80');
        const Bytes bytes = written([&](Writer& writer) {
            writer.array(2);
            writer.bin(value);
            writer.str(value);
        });
        Reader reader(bytes);
        EXPECT_TRUE(reader.shortest()) << size;
        EXPECT_EQ(reader.array(), 2u);
        EXPECT_EQ(reader.bin(), value);
        EXPECT_EQ(reader.str(), value);
    }
}

TEST(codec, real_numbers_are_doubles_whatever_their_value) {
    for (const double value :
         {0.0, -0.0, 1.0, -1.5, 1e300, 0x1p63, 0x1p64, std::numeric_limits<double>::infinity()}) {
        const Bytes bytes = written([&](Writer& writer) { writer.real(value); });
        EXPECT_EQ(bytes.size(), 9u);
        EXPECT_EQ(Reader(bytes).real(), value);
    }
    const Bytes nan = written([](Writer& writer) { writer.real(std::nan("")); });
    EXPECT_TRUE(std::isnan(Reader(nan).real()));
}

TEST(codec, whole_numbers_are_read_as_real_ones_too) {
    EXPECT_EQ(Reader("\x05"sv).real(), 5.0);
    EXPECT_EQ(Reader("\xff"sv).real(), -1.0);
    EXPECT_EQ(Reader("\xca\x3f\xc0\x00\x00"sv).real(), 1.5);
}

TEST(codec, refuses_what_is_not_one_element) {
    EXPECT_EQ(reason_of(""), "empty");
    EXPECT_EQ(reason_of("\xc0\xc0"s), "octets after the end");
    EXPECT_EQ(reason_of("\xc1"s), "not msgpack");
    EXPECT_EQ(reason_of("\xd9"s), "cut short");
    EXPECT_EQ(reason_of("\x92\xc0"s), "a container claims more elements than there are octets");
    EXPECT_EQ(reason_of("\xa5milk"s), "cut short");
}

TEST(codec, refuses_extension_types) {
    for (const Bytes& bytes : {"\xd4\x01x"s, "\xd5\x01xx"s, "\xc7\x01\x01x"s, "\xc7\x00\x01"s,
                               "\xd6\xff\x00\x00\x00\x00"s, "\x91\xd4\x01x"s})
        EXPECT_EQ(reason_of(bytes), "extension types are not used") << to_hex(bytes);
}

TEST(codec, refuses_a_key_given_twice_at_any_depth) {
    const auto map_of = [](int keys, int repeated) {
        return written([&](Writer& writer) {
            writer.array(1);
            writer.map(static_cast<std::size_t>(keys));
            for (int i = 0; i < keys; ++i) {
                writer.str("key-" + std::to_string(i == keys - 1 ? repeated : i));
                writer.array(1);
                writer.nil();
            }
        });
    };
    // Few keys and many take different paths.
    for (const int keys : {2, 3, 24, 25, 26, 100}) {
        EXPECT_EQ(reason_of(map_of(keys, keys - 1)), "") << keys;
        for (int repeated = 0; repeated < keys - 1; ++repeated)
            EXPECT_EQ(reason_of(map_of(keys, repeated)), "a map has a key twice")
                << keys << " " << repeated;
    }
}

TEST(codec, tells_keys_of_different_kinds_apart) {
    EXPECT_EQ(reason_of("\x83\xa1k\xc0\xc4\x01k\xc0\x01\xc0"s), "");
    EXPECT_EQ(reason_of("\x82\x01\xc0\xcc\x01\xc0"s), "a map has a key twice");
    EXPECT_EQ(reason_of("\x81\x90\xc0"s), "a map's key is a container");
}

TEST(codec, after_the_first_failure_everything_is_harmless) {
    Reader reader("\x92\x05\xa1x"sv);
    EXPECT_EQ(reader.array(), 2u);
    EXPECT_EQ(reader.str(), "");
    EXPECT_TRUE(reader.failed());
    EXPECT_EQ(reader.reason(), "expected str, got a number");
    EXPECT_EQ(reader.number(), 0u);
    EXPECT_EQ(reader.signed_number(), 0);
    EXPECT_EQ(reader.real(), 0.0);
    EXPECT_FALSE(reader.boolean());
    EXPECT_EQ(reader.bin(), "");
    EXPECT_EQ(reader.array(), 0u);
    EXPECT_EQ(reader.map(), 0u);
    EXPECT_EQ(reader.peek().kind, Token::Kind::nil);
    reader.skip();
    reader.fail("something else");
    EXPECT_FALSE(reader.finish());
    EXPECT_EQ(reader.reason(), "expected str, got a number");
}

TEST(codec, fails_rather_than_reads_past_the_end) {
    Reader reader("\x05"sv);
    EXPECT_EQ(reader.number(), 5u);
    EXPECT_TRUE(reader.at_end());
    EXPECT_EQ(reader.number(), 0u);
    EXPECT_EQ(reader.reason(), "expected a number, and there is no more");
    Reader skipping("\x05"sv);
    skipping.skip();
    skipping.skip();
    EXPECT_TRUE(skipping.failed());
}

TEST(codec, skips_containers_whole) {
    Reader reader("\x93\x92\x01\x81\xa1k\x92\x01\x02\x90\x07"sv);
    EXPECT_EQ(reader.array(), 3u);
    reader.skip();
    reader.skip();
    EXPECT_EQ(reader.number(), 7u);
    EXPECT_TRUE(reader.finish());
}

TEST(codec, refuses_numbers_out_of_range) {
    EXPECT_EQ(Reader("\xcd\x01\x00"sv).number(255), 0u);
    Reader large("\xcf\x80\x00\x00\x00\x00\x00\x00\x00"sv);
    EXPECT_EQ(large.signed_number(), 0);
    EXPECT_EQ(large.reason(), "expected at most 9223372036854775807, got 9223372036854775808");
    Reader negative("\xff"sv);
    EXPECT_EQ(negative.number(), 0u);
    EXPECT_EQ(negative.reason(), "expected a number, got a negative number");
}

TEST(codec, starts_anew_on_other_bytes) {
    Reader reader("\xc1"sv);
    EXPECT_TRUE(reader.failed());
    const Bytes other = "\x07"s;
    reader.reset(other);
    EXPECT_FALSE(reader.failed());
    EXPECT_EQ(reader.reason(), "");
    EXPECT_EQ(reader.number(), 7u);
}

TEST(codec, reports_what_is_left_over) {
    Reader reader("\x92\x01\x02"sv);
    EXPECT_EQ(reader.array(), 2u);
    EXPECT_EQ(reader.number(), 1u);
    EXPECT_FALSE(reader.finish());
    EXPECT_EQ(reader.reason(), "elements are left over");
}

}  // namespace
}  // namespace dynamo::wire
