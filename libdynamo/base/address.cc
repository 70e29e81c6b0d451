#include "libdynamo/base/address.h"

#include <algorithm>
#include <charconv>

#include "libdynamo/base/quote.h"

namespace dynamo {

namespace {

constexpr std::size_t max_host_octets = 253;  // RFC 1035, as it is written with dots

bool is_host_octet(char octet) {
    const bool letter = (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z');
    const bool digit = octet >= '0' && octet <= '9';
    return letter || digit || octet == '.' || octet == '-' || octet == '_' || octet == '*';
}

bool is_v6_octet(char octet) {
    // The % and what follows name an interface of a link-local address.
    return is_host_octet(octet) || octet == ':' || octet == '%';
}

std::unexpected<Error> bad(std::string_view text, const std::string& why) {
    return fail(Code::bad_request, "bad address " + quote(text) + ": " + why +
                                       "; write host, host:port or [v6 address]:port");
}

Result<std::uint16_t> parse_port(std::string_view text, std::string_view port) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    const bool whole = end == port.data() + port.size() && !port.empty();
    if (error != std::errc{} || !whole || number > 65535)
        return bad(text, "the port " + quote(port) + " is no number from 0 to 65535");
    return static_cast<std::uint16_t>(number);
}

}  // namespace

Result<Address> parse_address(std::string_view text, std::uint16_t default_port) {
    std::string_view host = text;
    std::string_view port;
    bool has_port = false;
    bool is_v6 = false;

    if (text.starts_with('[')) {
        const auto close = text.find(']');
        if (close == std::string_view::npos) return bad(text, "'[' without ']'");
        host = text.substr(1, close - 1);
        is_v6 = true;
        if (host.find(':') == std::string_view::npos)
            return bad(text, "only a v6 address stands in brackets");
        const auto rest = text.substr(close + 1);
        if (!rest.empty() && rest.front() != ':')
            return bad(text, "only ':' and a port may follow ']'");
        has_port = !rest.empty();
        port = has_port ? rest.substr(1) : rest;
    } else if (std::ranges::count(text, ':') > 1) {
        // A bare IPv6 address; it cannot carry a port without brackets.
        is_v6 = true;
    } else if (const auto colon = text.find(':'); colon != std::string_view::npos) {
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
        has_port = true;
    }

    if (host.empty()) return bad(text, "the host is missing");
    if (host.size() > max_host_octets) return bad(text, "the host is longer than a name may be");
    if (!std::ranges::all_of(host, is_v6 ? is_v6_octet : is_host_octet))
        return bad(text, "the host has a character that no host has");
    Address address{std::string(host), default_port};
    if (has_port) {
        const auto number = parse_port(text, port);
        if (!number) return std::unexpected(number.error());
        address.port = *number;
    }
    return address;
}

std::string to_string(const Address& address) {
    const bool is_v6 = address.host.find(':') != std::string::npos;
    const std::string host = is_v6 ? "[" + address.host + "]" : address.host;
    return host + ":" + std::to_string(address.port);
}

}  // namespace dynamo
