// Identities: 16 random octets each, made once and never reused.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "libdynamo/base/bytes.h"
#include "libdynamo/base/random.h"

namespace dynamo {

template <typename Tag>
struct Id {
    std::array<std::uint8_t, 16> octets{};
    auto operator<=>(const Id&) const = default;

    [[nodiscard]] bool is_none() const { return *this == Id{}; }
    [[nodiscard]] BytesView bytes() const {
        return {reinterpret_cast<const char*>(octets.data()), octets.size()};
    }
    /// The identity that these 16 octets spell; none when their number is not 16.
    [[nodiscard]] static Id from(BytesView bytes) {
        Id id;
        if (bytes.size() == id.octets.size())
            for (std::size_t i = 0; i < bytes.size(); ++i)
                id.octets[i] = static_cast<std::uint8_t>(bytes[i]);
        return id;
    }
    [[nodiscard]] static Id random(Random& random) {
        Id id;
        for (auto& octet : id.octets) octet = static_cast<std::uint8_t>(random.bits());
        return id;
    }
    /// The first 8 hexadecimal digits: enough for a person, never compared.
    [[nodiscard]] std::string brief() const { return to_hex(bytes().substr(0, 4)); }
};

/// A node. It names one data directory for ever; addresses and names are only attributes of it.
using NodeId = Id<struct NodeTag>;
/// A cluster, made when a daemon founds it.
using ClusterId = Id<struct ClusterTag>;

}  // namespace dynamo
