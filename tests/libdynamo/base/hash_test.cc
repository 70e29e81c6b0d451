#include "libdynamo/base/hash.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <utility>
#include <vector>

namespace dynamo {
namespace {

std::string hex_of(const Sha256& octets) {
    return to_hex({reinterpret_cast<const char*>(octets.data()), octets.size()});
}

// RFC 1321, appendix A.5.
TEST(position, is_the_md5_digest_of_the_key) {
    const std::vector<std::pair<Bytes, std::string>> vectors{
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    for (const auto& [key, digest] : vectors)
        EXPECT_EQ(to_hex(position_of(key).bytes()), digest) << key;
}

TEST(position, reads_the_digest_as_one_big_endian_number) {
    const Position position = position_of("abc");
    EXPECT_EQ(position.high, 0x900150983cd24fb0U);
    EXPECT_EQ(position.low, 0xd6963f7d28e17f72U);
    EXPECT_EQ(to_hex(position.prefix()), "900150983cd24fb0");
}

RC_GTEST_PROP(position, sorts_as_its_octets_do,
              (std::uint64_t a, std::uint64_t b, std::uint64_t c)) {
    const Position left{a, c};
    const Position right{*rc::gen::element(a, b), c + 1};
    RC_ASSERT((left < right) == (left.bytes() < right.bytes()));
    RC_ASSERT(left.bytes().substr(0, 8) == left.prefix());
}

TEST(position, takes_keys_with_any_octets) {
    EXPECT_NE(position_of(Bytes("a\0b", 3)), position_of("a"));
    EXPECT_NE(position_of(Bytes("\0", 1)), position_of(""));
    EXPECT_NE(position_of("\xff"), position_of("\xfe"));
}

// FIPS 180-4, the examples published with it.
TEST(sha256, agrees_with_the_standard) {
    EXPECT_EQ(hex_of(sha256("")),
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(hex_of(sha256("abc")),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hex_of(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

// Records on disk carry these: a different answer would call every one of them damaged.
TEST(checksum, never_changes) {
    EXPECT_EQ(checksum(""), 0x2d06800538d394c2U);
    EXPECT_EQ(checksum("dynamo"), checksum("dynamo", 0));
    EXPECT_EQ(to_hex({reinterpret_cast<const char*>(digest("").data()), 16}),
              "99aa06d3014798d86001c324468d497f");
}

RC_GTEST_PROP(checksum, notices_every_flipped_bit, (Bytes bytes)) {
    RC_PRE(!bytes.empty());
    const std::uint64_t before = checksum(bytes);
    const Digest digest_before = digest(bytes);
    const auto bit = *rc::gen::inRange<std::size_t>(0, bytes.size() * 8);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    RC_ASSERT(checksum(bytes) != before);
    RC_ASSERT(digest(bytes) != digest_before);
}

TEST(checksum, depends_on_its_seed) { EXPECT_NE(checksum("key", 1), checksum("key", 2)); }

}  // namespace
}  // namespace dynamo
