#include "tests/fuzz/mutate.h"

#include <algorithm>
#include <utility>

#include "tests/fuzz/tree.h"

namespace dynamo::fuzz {
namespace {

constexpr std::size_t longest_packet = 65535;

Bytes changed(BytesView element, Random& random) {
    auto tree = parse_tree(element);
    if (!tree) return Bytes(element);
    change_tree(*tree, random);
    return encode_tree(*tree);
}

Bytes mutate_element(BytesView input, std::size_t before, std::size_t after, Random& random) {
    if (input.size() <= before + after) return Bytes(input);
    const std::size_t length = input.size() - before - after;
    return Bytes(input.substr(0, before)) + changed(input.substr(before, length), random) +
           Bytes(input.substr(before + length));
}

Bytes mutate_frames(BytesView input, Random& random) {
    if (input.size() < 2) return Bytes(input);
    const auto [first, second] = split_frames(input);
    Bytes one(first);
    Bytes other(second);
    Bytes& chosen = random.chance(0.3) ? one : other;
    chosen = changed(chosen, random);
    return one.size() > longest_packet ? Bytes(input) : join_frames(one, other);
}

Bytes mutate_session(BytesView input, Random& random) {
    std::vector<std::pair<std::uint8_t, Bytes>> packets;
    BytesView rest = input;
    for (Packet packet; take_packet(rest, packet);)
        packets.emplace_back(packet.kind, Bytes(packet.octets));
    if (packets.empty()) return Bytes(input);
    const std::size_t at = random.below(packets.size());
    const auto place = packets.begin() + static_cast<std::ptrdiff_t>(at);
    switch (random.below(8)) {
        case 0:
            packets.erase(place);
            break;
        case 1:
            // Moves or repeats it: an answer that comes twice, or before its question.
            packets.insert(
                packets.begin() + static_cast<std::ptrdiff_t>(random.below(packets.size() + 1)),
                std::pair(packets[at]));
            break;
        case 2:
            std::swap(packets[at], packets[random.below(packets.size())]);
            break;
        case 3:
            packets[at].first = static_cast<std::uint8_t>(random.bits());
            break;
        default:
            packets[at].second = mutate_frames(packets[at].second, random);
    }
    Bytes out;
    for (const auto& [kind, octets] : packets)
        append_packet(out, kind, BytesView(octets).substr(0, longest_packet));
    return out;
}

}  // namespace

Bytes mutate(const Entry& entry, BytesView input, Random& random) {
    switch (entry.layout) {
        case Layout::element:
            return mutate_element(input, entry.before, entry.after, random);
        case Layout::frames:
            return mutate_frames(input, random);
        case Layout::session:
            return mutate_session(input, random);
        case Layout::text:
            break;
    }
    return Bytes(input);
}

}  // namespace dynamo::fuzz
