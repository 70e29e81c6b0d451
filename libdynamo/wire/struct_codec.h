// From a struct's field list to its bytes and back; both styles from the one list.
//
//     Style::map     {"key": …, "r": 2}    keys that are not known are skipped, fields that are
//                                          missing keep their defaults; requests leave those out
//     Style::array   […, 2]                in list order; a shorter array leaves the defaults of
//     the
//                                          tail, what a newer sender has added at its end is
//                                          skipped
//
// Threads: pure functions
// Errors:  they are the Reader's: bad_request names the field ("versions: value: expected bin")
#pragma once

#include <algorithm>
#include <concepts>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "libdynamo/wire/codec.h"

namespace dynamo::wire {

template <typename T>
inline constexpr bool is_vector = false;
template <typename T>
inline constexpr bool is_vector<std::vector<T>> = true;

template <Fielded T>
void encode_struct(Writer& writer, const T& value, Style style);
template <Fielded T>
void decode_struct(Reader& reader, T& out, Style style);

/// The number of fields in a list.
template <Fielded T>
inline constexpr std::size_t field_count = std::tuple_size_v<decltype(T::fields())>;

template <typename T>
void encode_value(Writer& writer, const T& value, As as, Style style) {
    const bool for_clients = style == Style::map;
    constexpr auto bound = static_cast<std::int64_t>(max_client_number);
    if constexpr (std::same_as<T, bool>) {
        writer.boolean(value);
    } else if constexpr (std::is_enum_v<T>) {
        writer.number(static_cast<std::uint64_t>(value));
    } else if constexpr (std::unsigned_integral<T>) {
        const std::uint64_t number = value;
        writer.number(for_clients ? std::min(number, max_client_number) : number);
    } else if constexpr (std::signed_integral<T>) {
        const std::int64_t number = value;
        writer.signed_number(for_clients ? std::clamp(number, -bound, bound) : number);
    } else if constexpr (std::floating_point<T>) {
        writer.real(value);
    } else if constexpr (std::same_as<T, std::string>) {
        as == As::bin ? writer.bin(value) : writer.str(value);
    } else if constexpr (is_vector<T>) {
        writer.array(value.size());
        for (const auto& element : value) encode_value(writer, element, as, style);
    } else {
        encode_struct(writer, value, style);
    }
}

template <typename T>
void decode_value(Reader& reader, T& out, As as, Style style) {
    if constexpr (std::same_as<T, bool>) {
        out = reader.boolean();
    } else if constexpr (std::is_enum_v<T>) {
        out = static_cast<T>(reader.number(static_cast<std::uint64_t>(LastOf<T>::value)));
    } else if constexpr (std::unsigned_integral<T>) {
        out = static_cast<T>(reader.number(std::numeric_limits<T>::max()));
    } else if constexpr (std::signed_integral<T>) {
        static_assert(sizeof(T) == sizeof(std::int64_t), "a narrower one would need a range check");
        out = reader.signed_number();
    } else if constexpr (std::floating_point<T>) {
        out = reader.real();
    } else if constexpr (std::same_as<T, std::string>) {
        out = as == As::bin ? reader.bin() : reader.str();
    } else if constexpr (is_vector<T>) {
        const std::size_t count = reader.array();
        out.clear();
        out.reserve(count);
        for (std::size_t i = 0; i < count && !reader.failed(); ++i)
            decode_value(reader, out.emplace_back(), as, style);
    } else {
        decode_struct(reader, out, style);
    }
}

/// The fields alone, without the head of their container.
template <Fielded T>
void encode_fields(Writer& writer, const T& value, Style style) {
    const auto one = [&](const auto& field) {
        if (style == Style::map) writer.str(field.name);
        encode_value(writer, value.*field.member, field.as, style);
    };
    std::apply([&](const auto&... field) { (one(field), ...); }, T::fields());
}

template <Fielded T>
void encode_struct(Writer& writer, const T& value, Style style) {
    style == Style::map ? writer.map(field_count<T>) : writer.array(field_count<T>);
    encode_fields(writer, value, style);
}

/// A map of those fields alone that differ from their defaults: what a client asks for is short.
template <Fielded T>
void encode_sparse(Writer& writer, const T& value) {
    [[maybe_unused]] static const T defaults;
    std::size_t count = 0;
    const auto given = [&](const auto& field) {
        return value.*field.member != defaults.*field.member;
    };
    const auto one = [&](const auto& field) {
        if (!given(field)) return;
        writer.str(field.name);
        encode_value(writer, value.*field.member, field.as, Style::map);
    };
    std::apply([&](const auto&... field) { ((count += given(field) ? 1 : 0), ...); }, T::fields());
    writer.map(count);
    std::apply([&](const auto&... field) { (one(field), ...); }, T::fields());
}

/// Reads `count` elements into the fields, in list order.
template <Fielded T>
void decode_listed(Reader& reader, T& out, std::size_t count) {
    std::size_t at = 0;
    const auto one = [&](const auto& field) {
        if (at == count || reader.failed()) return;
        ++at;
        decode_value(reader, out.*field.member, field.as, Style::array);
        if (reader.failed()) reader.within(field.name);
    };
    std::apply([&](const auto&... field) { (one(field), ...); }, T::fields());
    for (; at < count && !reader.failed(); ++at) reader.skip();
}

/// Reads the value of the field called `name`; false when there is none, then nothing is read.
template <Fielded T>
bool decode_named(Reader& reader, T& out, std::string_view name) {
    const auto one = [&](const auto& field) {
        if (field.name != name) return false;
        decode_value(reader, out.*field.member, field.as, Style::map);
        if (reader.failed()) reader.within(field.name);
        return true;
    };
    return std::apply([&](const auto&... field) { return (one(field) || ...); }, T::fields());
}

template <Fielded T>
void decode_struct(Reader& reader, T& out, Style style) {
    if (style == Style::array) return decode_listed(reader, out, reader.array());
    const std::size_t count = reader.map();
    for (std::size_t i = 0; i < count && !reader.failed(); ++i) {
        // A key that is no str is one that we do not know: no field is called by the empty name.
        const std::string_view name = reader.peek().word();
        reader.skip();
        if (!decode_named(reader, out, name)) reader.skip();
    }
}

/// Octets that the fields take at most, near enough to make one allocation do.
template <Fielded T>
std::size_t room_for(const T& value) {
    std::size_t octets = 5;
    const auto one = [&](const auto& field) {
        octets += field.name.size() + 10;
        if constexpr (std::same_as<std::remove_cvref_t<decltype(value.*field.member)>, std::string>)
            octets += (value.*field.member).size();
    };
    std::apply([&](const auto&... field) { (one(field), ...); }, T::fields());
    return octets;
}

/// A message by itself.
template <Fielded T>
[[nodiscard]] Bytes encode_message(const T& value, Style style) {
    Bytes out;
    out.reserve(room_for(value));
    Writer writer(out);
    encode_struct(writer, value, style);
    return out;
}
template <Fielded T>
[[nodiscard]] Result<T> decode_message(BytesView bytes, Style style) {
    Reader reader(bytes);
    T out;
    decode_struct(reader, out, style);
    if (!reader.finish()) return fail(Code::bad_request, reader.reason());
    return out;
}

}  // namespace dynamo::wire
