#include "libdynamo/base/quote.h"

#include <cstdint>

namespace dynamo {
namespace {

std::uint32_t octet_at(BytesView text, std::size_t at) {
    return static_cast<unsigned char>(text[at]);
}

/// Octets of the printable character that begins the text, as RFC 3629 has it: no overlong form, no
/// surrogate, nothing past U+10FFFF. 0 when there is none.
std::size_t character_at(BytesView text, std::size_t at) {
    const std::uint32_t first = octet_at(text, at);
    if (first < 0x80) return first >= 0x20 && first != 0x7f && first != '\\' ? 1 : 0;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() - at < length) return 0;
    std::uint32_t character = first & (0xffU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        const std::uint32_t next = octet_at(text, at + i);
        if ((next & 0xc0U) != 0x80) return 0;
        character = character << 6 | (next & 0x3fU);
    }
    const bool overlong =
        (length == 3 && character < 0x800) || (length == 4 && character < 0x10000);
    const bool surrogate = character >= 0xd800 && character <= 0xdfff;
    // U+0080 to U+009F are control characters; terminals obey some.
    return overlong || surrogate || character > 0x10ffff || character < 0xa0 ? 0 : length;
}

void append_escaped(std::string& out, char octet) {
    if (octet == '\\')
        out += "\\\\";
    else if (octet == '\n')
        out += "\\n";
    else
        out += "\\x" + to_hex({&octet, 1});
}

}  // namespace

std::string quote(BytesView text) {
    std::string out = "'";
    std::size_t at = 0;
    while (at < text.size() && at < max_quoted_octets) {
        const std::size_t length = character_at(text, at);
        if (length == 0) {
            append_escaped(out, text[at++]);
            continue;
        }
        if (at + length > max_quoted_octets) break;
        out += text.substr(at, length);
        at += length;
    }
    if (at == text.size()) return out + "'";
    return out + "...' (" + std::to_string(text.size()) + " octets)";
}

}  // namespace dynamo
