// Bytes: keys, values and encoded things; any octets, NUL included.
#pragma once

#include <string>
#include <string_view>

namespace dynamo {

using Bytes = std::string;
using BytesView = std::string_view;

/// Lower-case hexadecimal, two digits an octet.
[[nodiscard]] std::string to_hex(BytesView bytes);

/// The octets that `hex` names; false, and `out` as it was, when it is no even number of
/// hexadecimal digits.
[[nodiscard]] bool from_hex(std::string_view hex, Bytes& out);

/// URL-safe base64 (RFC 4648 section 5) without padding: what context tokens are shown in.
[[nodiscard]] std::string to_base64(BytesView bytes);

/// Reads what to_base64() writes, with or without padding, and the standard alphabet as well.
/// False, and `out` as it was, when a character belongs to neither, the length cannot be, or bits
/// are set that belong to no octet.
[[nodiscard]] bool from_base64(std::string_view text, Bytes& out);

}  // namespace dynamo
