// What the decoders of state have in common (state_codec.h): numbers, identities, ends.
//
// Threads: pure functions
// Errors:  they are the Reader's; finish() makes them bad_request
#pragma once

#include <string>

#include "libdynamo/base/hash.h"
#include "libdynamo/wire/codec.h"

namespace dynamo::wire {

/// The number at the front of every object, epoch and ring.
inline constexpr std::uint64_t state_format = 1;

inline BytesView view_of(const Sha256& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

/// An array of exactly `count` elements.
inline void expect_array(Reader& reader, std::size_t count) {
    const std::size_t given = reader.array();
    if (!reader.failed() && given != count)
        reader.fail("expected " + std::to_string(count) + " elements, got " +
                    std::to_string(given));
}

inline void expect_format_number(Reader& reader) {
    const std::uint64_t given = reader.number();
    if (!reader.failed() && given != state_format)
        reader.fail("format " + std::to_string(given) + " is not known here");
}

/// The array that a state is, with the number of a format that we know at its front.
inline void expect_format(Reader& reader, std::size_t count) {
    expect_array(reader, count);
    expect_format_number(reader);
}

/// The same for a state that has two forms: how many elements this one has.
inline std::size_t expect_format(Reader& reader, std::size_t count, std::size_t longer) {
    const std::size_t elements = reader.array();
    if (!reader.failed() && elements != count && elements != longer)
        reader.fail("expected " + std::to_string(count) + " or " + std::to_string(longer) +
                    " elements, got " + std::to_string(elements));
    expect_format_number(reader);
    return elements;
}

/// A bin of exactly as many octets.
inline BytesView fixed_bin(Reader& reader, std::size_t octets) {
    const BytesView bytes = reader.bin();
    if (!reader.failed() && bytes.size() != octets)
        reader.fail("expected " + std::to_string(octets) + " octets, got " +
                    std::to_string(bytes.size()));
    return bytes;
}

template <typename AnyId>
AnyId id_from(Reader& reader) {
    return AnyId::from(fixed_bin(reader, 16));
}

inline std::uint16_t small_number(Reader& reader) {
    return static_cast<std::uint16_t>(reader.number(UINT16_MAX));
}

inline std::uint32_t medium_number(Reader& reader) {
    return static_cast<std::uint32_t>(reader.number(UINT32_MAX));
}

inline std::uint64_t big_endian(BytesView octets) {
    std::uint64_t value = 0;
    for (const char octet : octets) value = value << 8 | static_cast<unsigned char>(octet);
    return value;
}

/// The end of every decoder: all was read, and it was written the one way.
[[nodiscard]] inline Result<void> finish(Reader& reader, std::string_view what) {
    if (reader.finish() && !reader.shortest()) reader.fail("not in its shortest form");
    if (reader.failed()) return fail(Code::bad_request, std::string(what) + ": " + reader.reason());
    return {};
}

}  // namespace dynamo::wire
