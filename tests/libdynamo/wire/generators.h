// Random messages, clocks and objects.
#pragma once

// gtest comes before rapidcheck's part for it.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "libdynamo/version/context.h"
#include "libdynamo/version/siblings.h"
#include "libdynamo/wire/struct_codec.h"

namespace dynamo::wire {

/// A value for one field. `style` bounds numbers to what clients are given.
template <typename T>
void fill(T& value, Style style) {
    constexpr auto bound = static_cast<std::int64_t>(max_client_number);
    if constexpr (std::is_enum_v<T>) {
        value = static_cast<T>(*rc::gen::inRange(0, static_cast<int>(LastOf<T>::value) + 1));
    } else if constexpr (std::same_as<T, bool> || std::floating_point<T>) {
        value = *rc::gen::arbitrary<T>();
    } else if constexpr (std::unsigned_integral<T> && sizeof(T) == 8) {
        value = *rc::gen::oneOf(rc::gen::inRange<T>(0, 300), rc::gen::arbitrary<T>());
        if (style == Style::map) value %= max_client_number + 1;
    } else if constexpr (std::signed_integral<T>) {
        value = *rc::gen::arbitrary<T>();
        if (style == Style::map) value %= bound + 1;
    } else if constexpr (is_vector<T>) {
        value.resize(*rc::gen::inRange<std::size_t>(0, 5));
        for (auto& element : value) fill(element, style);
    } else if constexpr (Fielded<T>) {
        std::apply([&](const auto&... field) { (fill(value.*field.member, style), ...); },
                   T::fields());
    } else {
        value = *rc::gen::arbitrary<T>();
    }
}

/// Compares member by member, as the field lists name them.
template <typename T>
bool equal(const T& a, const T& b) {
    if constexpr (is_vector<T>) {
        return std::ranges::equal(a, b, [](const auto& x, const auto& y) { return equal(x, y); });
    } else if constexpr (Fielded<T>) {
        return std::apply(
            [&](const auto&... field) { return (equal(a.*field.member, b.*field.member) && ...); },
            T::fields());
    } else {
        return a == b;
    }
}

inline Actor any_actor() {
    Actor actor;
    actor.node.octets.fill(*rc::gen::inRange<std::uint8_t>(0, 4));
    actor.birth = *rc::gen::element<std::uint64_t>(0, 1, 255, UINT64_MAX);
    return actor;
}

inline Clock any_clock() {
    Clock clock;
    const int runs = *rc::gen::inRange(0, 12);
    for (int i = 0; i < runs; ++i) {
        const auto first = *rc::gen::inRange<std::uint64_t>(1, 400);
        clock.add(any_actor(), {first, first + *rc::gen::inRange<std::uint64_t>(0, 20)});
    }
    return clock;
}

/// Some of the dots that the clock covers have a sibling.
inline Object any_object() {
    Object object;
    object.clock = any_clock();
    for (const Clock::Entry& entry : object.clock.entries()) {
        for (const std::uint64_t counter : std::set{entry.interval.first, entry.interval.last}) {
            if (*rc::gen::arbitrary<bool>()) continue;
            const bool tombstone = *rc::gen::arbitrary<bool>();
            object.siblings.push_back({{entry.actor, counter},
                                       tombstone,
                                       *rc::gen::arbitrary<WallMs>(),
                                       tombstone ? Bytes() : *rc::gen::arbitrary<Bytes>()});
        }
    }
    return object;
}

}  // namespace dynamo::wire
