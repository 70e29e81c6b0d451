// The ring as a picture: one self-contained SVG file.
//
// The outer ring shows the first owner of every partition, the rings inside it the second, the
// third and so on. Partition 0 begins at the top; positions grow clockwise.
//
// Threads: any
#pragma once

#include <string>

#include "dynamo/admin.h"

namespace dynamo::cli {

[[nodiscard]] std::string ring_svg(const RingView& ring);

/// Text as XML takes it, in content and in attributes; what is no UTF-8 or no character of XML is
/// replaced.
[[nodiscard]] std::string xml_escaped(std::string_view text);

}  // namespace dynamo::cli
