// Quoting what others sent in a line for people: short, printable, and UTF-8 whatever came.
#pragma once

#include <string>

#include "libdynamo/base/bytes.h"

namespace dynamo {

/// So many octets of a text are shown.
inline constexpr std::size_t max_quoted_octets = 64;

/// The text in single quotes. Control characters, octets that are no UTF-8 and backslashes become
/// \xff, \n and \\; of a longer text the beginning is shown, and how long it is:
/// 'aaa...' (5000000 octets).
[[nodiscard]] std::string quote(BytesView text);

}  // namespace dynamo
