// Addresses: "host", "host:port", "[v6]:port" or a bare IPv6 address; one grammar for seeds,
// listening addresses and what members say of themselves.
//
// Shape:   host without brackets, never empty; names are not looked up here
// Threads: plain values
// Errors:  bad_request, naming the text and what is wrong with it
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dynamo/error.h"

namespace dynamo {

/// Where a daemon listens for clients when nothing else is said; peers use the next one.
inline constexpr std::uint16_t default_client_port = 7100;
inline constexpr std::uint16_t default_peer_port = 7101;

struct Address {
    std::string host;  ///< a name, an IPv4 or an IPv6 address; "*" for every interface
    std::uint16_t port = 0;
    bool operator==(const Address&) const = default;
};

/// Port 0 is accepted: it asks the system for a free one when listening.
[[nodiscard]] Result<Address> parse_address(std::string_view text, std::uint16_t default_port);

/// "host:port", or "[v6]:port" when the host has a colon. parse_address() reads it back.
[[nodiscard]] std::string to_string(const Address& address);

}  // namespace dynamo
