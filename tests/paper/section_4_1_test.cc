#include <gtest/gtest.h>

#include "libdynamo/base/hash.h"
#include "libdynamo/version/siblings.h"

namespace dynamo {
namespace {

// "It applies a MD5 hash on the key to generate a 128-bit identifier, which is used to determine
// the storage nodes that are responsible for serving the key."
TEST(section_4_1, applies_md5_to_the_key_to_generate_a_128_bit_identifier) {
    EXPECT_EQ(to_hex(position_of("message digest").bytes()), "f96b697d7cb7938d525a2f31aaf161d0");
}

// "Dynamo treats both the key and the object supplied by the caller as an opaque array of bytes."
TEST(section_4_1, treats_key_and_object_as_opaque_bytes) {
    Bytes all;
    for (int octet = 0; octet < 256; ++octet) all += static_cast<char>(octet);
    EXPECT_NE(position_of(all), position_of(all + Bytes(1, '\0')));
    Object object;
    add_version(object, {}, {{{}, 1}, false, 0, all});
    EXPECT_EQ(live_values(object).front()->value, all);
}

}  // namespace
}  // namespace dynamo
