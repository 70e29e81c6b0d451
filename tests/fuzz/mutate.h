// Changes an input with sense: msgpack stays msgpack, packets stay packets.
//
// libFuzzer's own changes of single octets break a length or a count nearly every time, and then
// only the parser is tested. Both are used in turn.
//
// Threads: plain functions
#pragma once

#include "libdynamo/base/random.h"
#include "tests/fuzz/entries.h"

namespace dynamo::fuzz {

/// The input changed at one place; as it was when it has not its entry's layout.
[[nodiscard]] Bytes mutate(const Entry& entry, BytesView input, Random& random);

}  // namespace dynamo::fuzz
