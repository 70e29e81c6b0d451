#include "libdynamo/client/frames.h"

#include "libdynamo/base/hash.h"

namespace dynamo {
namespace {

constexpr std::size_t front_octets = 1 + 8 + 4 + 4;
constexpr std::size_t checksum_octets = 16;
constexpr std::size_t most_key_octets = 64u << 10;
constexpr std::size_t most_body_octets = 32u << 20;

void append_number(std::string& out, std::uint64_t value, int octets) {
    for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8)
        out += static_cast<char>(value >> shift & 255);
}

std::uint64_t number_of(std::string_view octets) {
    std::uint64_t value = 0;
    for (const char octet : octets) value = value << 8 | static_cast<unsigned char>(octet);
    return value;
}

}  // namespace

std::string sha256_octets(std::string_view octets) {
    const Sha256 sum = sha256(octets);
    return {reinterpret_cast<const char*>(sum.data()), sum.size()};
}

std::string framed(char kind, std::uint64_t number, std::string_view key, std::string_view body) {
    std::string out;
    out.reserve(front_octets + key.size() + body.size() + checksum_octets);
    out += kind;
    append_number(out, number, 8);
    append_number(out, key.size(), 4);
    append_number(out, body.size(), 4);
    out += key;
    out += body;
    out += sha256_octets(out).substr(0, checksum_octets);
    return out;
}

std::string_view checksum_in(std::string_view part) {
    return part.substr(part.size() - checksum_octets);
}

Result<std::optional<Frame>> cut_frame(std::string_view here, std::uint64_t number) {
    if (here.size() < front_octets) return std::nullopt;
    const std::size_t key_octets = number_of(here.substr(9, 4));
    const std::size_t body_octets = number_of(here.substr(13, 4));
    if (key_octets > most_key_octets || body_octets > most_body_octets)
        return fail(Code::corrupt, "no part is so long");
    const std::size_t whole = front_octets + key_octets + body_octets + checksum_octets;
    if (here.size() < whole) return std::nullopt;
    const std::string_view octets = here.substr(0, whole);
    const std::string_view checked = octets.substr(0, whole - checksum_octets);
    if (sha256_octets(checked).substr(0, checksum_octets) != checksum_in(octets))
        return fail(Code::corrupt, "its checksum does not match");
    if (number_of(octets.substr(1, 8)) != number)
        return fail(Code::corrupt, "it has the number of another one");
    return Frame{octets[0], octets.substr(front_octets, key_octets),
                 octets.substr(front_octets + key_octets, body_octets), checksum_in(octets), whole};
}

}  // namespace dynamo
