// msgpack as a tree: to change it with sense, and to mend what hangs on other parts of it.
//
// A bin that holds an array or a map is taken apart as well: epochs in a ring, objects in a write,
// requests in a batch.
//
// Threads: plain values
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libdynamo/base/random.h"
#include "libdynamo/wire/codec.h"

namespace dynamo::fuzz {

struct Tree {
    wire::Token::Kind kind = wire::Token::Kind::nil;
    std::uint64_t number = 0;    ///< also a negative number's bits, a boolean, a double's bits
    Bytes octets;                ///< of a bin without a tree inside, or of a str
    std::vector<Tree> children;  ///< a map's keys and values in turn; one: what a bin holds
};

/// None when the octets are no element that the codec's reader takes.
[[nodiscard]] std::optional<Tree> parse_tree(BytesView octets);
/// In shortest form, with the lengths and counts that the tree has.
[[nodiscard]] Bytes encode_tree(const Tree& tree);

/// Changes one thing somewhere in the tree: a value, a kind, a count, an order, a depth.
void change_tree(Tree& tree, Random& random);

}  // namespace dynamo::fuzz
