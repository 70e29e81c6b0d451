#include "tests/fuzz/entries.h"

#include <algorithm>
#include <cstdint>

#include "libdynamo/base/check.h"

namespace dynamo::fuzz {
namespace {

constexpr std::size_t most_octets = 65535;

std::size_t length_at(BytesView input, std::size_t at) {
    return static_cast<unsigned char>(input[at]) * 256u + static_cast<unsigned char>(input[at + 1]);
}

void append_length(Bytes& out, std::size_t length) {
    DYN_CHECK(length <= most_octets);
    out += static_cast<char>(length >> 8);
    out += static_cast<char>(length & 255);
}

}  // namespace

const Entry* find_entry(const std::vector<Entry>& entries, std::string_view name) {
    const auto at = std::ranges::find(entries, name, &Entry::name);
    return at == entries.end() ? nullptr : &*at;
}

Bytes join_frames(BytesView first, BytesView second) {
    Bytes out;
    append_length(out, first.size());
    return out.append(first).append(second);
}

TwoFrames split_frames(BytesView input) {
    if (input.size() < 2) return {};
    const std::size_t size = std::min(length_at(input, 0), input.size() - 2);
    return {input.substr(2, size), input.substr(2 + size)};
}

void append_packet(Bytes& session, std::uint8_t kind, BytesView octets) {
    session += static_cast<char>(kind);
    append_length(session, octets.size());
    session += octets;
}

bool take_packet(BytesView& session, Packet& packet) {
    if (session.size() < 3) return false;
    const std::size_t size = std::min(length_at(session, 1), session.size() - 3);
    packet = {static_cast<std::uint8_t>(session[0]), session.substr(3, size)};
    session.remove_prefix(3 + size);
    return true;
}

}  // namespace dynamo::fuzz
