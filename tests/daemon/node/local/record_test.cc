#include "daemon/node/local/record.h"

#include <gtest/gtest.h>

namespace dynamo {
namespace {

Record a_record() {
    Record record;
    record.own_birth = 0x0102030405060708;
    record.own_run = 42;
    const Actor actor{NodeId::from("0123456789abcdef"), 7};
    add_version(record.object, {}, {{actor, 1}, false, 123, Bytes("a\0b", 3)});
    return record;
}

TEST(record, comes_back_as_it_was_stored) {
    const Record record = a_record();
    const auto back = decode_record("row", encode_record("row", record));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->object, record.object);
    EXPECT_EQ(back->own_birth, record.own_birth);
    EXPECT_EQ(back->own_run, record.own_run);
}

TEST(record, with_any_flipped_bit_is_corrupt) {
    const Bytes good = encode_record("row", a_record());
    for (std::size_t octet = 0; octet < good.size(); ++octet) {
        for (int bit = 0; bit < 8; ++bit) {
            Bytes bad = good;
            bad[octet] = static_cast<char>(bad[octet] ^ (1 << bit));
            const auto back = decode_record("row", bad);
            ASSERT_FALSE(back);
            EXPECT_EQ(back.error().code, Code::corrupt);
        }
    }
}

TEST(record, cut_short_anywhere_is_corrupt) {
    const Bytes good = encode_record("row", a_record());
    for (std::size_t length = 0; length < good.size(); ++length)
        EXPECT_FALSE(decode_record("row", BytesView(good).substr(0, length)));
}

TEST(record, that_lies_under_another_key_is_corrupt) {
    EXPECT_FALSE(decode_record("other row", encode_record("row", a_record())));
}

}  // namespace
}  // namespace dynamo
