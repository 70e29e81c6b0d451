// The doors that bytes from outside come in by, as functions of one input.
//
// libFuzzer calls them without end (fuzz_main.cc), a test calls them on the golden files, on the
// corpus and on some thousands of damaged copies (fuzz_corpus_test.cc). Each holds what it is given
// to a property: what is decoded is encoded and decoded the same, canonical forms octet by octet.
//
// A checksum or a digest would stop nearly every input, so an entry tries each input as it is and
// once more with these mended.
//
// Threads: one
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libdynamo/base/bytes.h"

namespace dynamo::fuzz {

struct Seed {
    std::string name;
    Bytes input;
};

/// How an input is put together, for whoever changes it with sense (mutate.h).
enum class Layout {
    text,     ///< octets without a structure
    element,  ///< one msgpack element between `before` and `after` other octets
    frames,   ///< two octets, big-endian: the first frame's length; two frames of msgpack
    session,  ///< packets: an octet of kind, two of length, big-endian, then frames
};

struct Entry {
    std::string_view name;
    std::vector<Seed> (*seeds)();
    /// Empty, or which promise was broken.
    std::string (*run)(BytesView input);
    Layout layout = Layout::text;
    std::size_t before = 0;
    std::size_t after = 0;
};

/// By what they need: the wire alone, the node core, the daemon's files.
[[nodiscard]] const std::vector<Entry>& wire_entries();
[[nodiscard]] const std::vector<Entry>& node_entries();
[[nodiscard]] const std::vector<Entry>& file_entries();

/// The entry of that name; null when there is none.
[[nodiscard]] const Entry* find_entry(const std::vector<Entry>& entries, std::string_view name);

/// Two frames as one input (Layout::frames).
[[nodiscard]] Bytes join_frames(BytesView first, BytesView second);
/// The frames of such an input; the length is cut to what is there.
struct TwoFrames {
    BytesView first;
    BytesView second;
};
[[nodiscard]] TwoFrames split_frames(BytesView input);

/// Appends an octet of kind, the length and the octets (Layout::session).
void append_packet(Bytes& session, std::uint8_t kind, BytesView octets);
/// Takes the next packet off the front; false at the end.
struct Packet {
    std::uint8_t kind = 0;
    BytesView octets;
};
[[nodiscard]] bool take_packet(BytesView& session, Packet& packet);

}  // namespace dynamo::fuzz
