#include "libdynamo/base/hash.h"

#include <md5.h>
#include <sha2.h>
#include <xxhash.h>

namespace dynamo {
namespace {

std::uint64_t load_big_endian(const std::uint8_t* octets) {
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | octets[i];
    return value;
}

void append_big_endian(Bytes& out, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 255);
}

const std::uint8_t* octets_of(BytesView bytes) {
    return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

}  // namespace

Bytes Position::bytes() const {
    Bytes out;
    append_big_endian(out, high);
    append_big_endian(out, low);
    return out;
}

Bytes Position::prefix() const {
    Bytes out;
    append_big_endian(out, high);
    return out;
}

Position position_of(BytesView key) {
    MD5_CTX context;
    std::array<std::uint8_t, MD5_DIGEST_LENGTH> octets{};
    MD5Init(&context);
    MD5Update(&context, octets_of(key), key.size());
    MD5Final(octets.data(), &context);
    return {load_big_endian(octets.data()), load_big_endian(octets.data() + 8)};
}

Sha256 sha256(BytesView bytes) {
    SHA2_CTX context;
    Sha256 out{};
    SHA256Init(&context);
    SHA256Update(&context, octets_of(bytes), bytes.size());
    SHA256Final(out.data(), &context);
    return out;
}

std::uint64_t checksum(BytesView bytes, std::uint64_t seed) {
    return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Digest digest(BytesView bytes) {
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits(bytes.data(), bytes.size()));
    Digest out{};
    std::copy(std::begin(canonical.digest), std::end(canonical.digest), out.begin());
    return out;
}

}  // namespace dynamo
