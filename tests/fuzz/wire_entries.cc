// What comes in by the wire, and the ring states and tokens inside of it.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "dynamo/dump.h"
#include "dynamo/saved_tree.h"
#include "libdynamo/base/address.h"
#include "libdynamo/base/check.h"
#include "libdynamo/base/hash.h"
#include "libdynamo/base/quote.h"
#include "libdynamo/ring/route.h"
#include "libdynamo/wire/state_codec.h"
#include "tests/fuzz/entries.h"
#include "tests/fuzz/tree.h"
#include "tests/libdynamo/wire/samples.h"

namespace dynamo::fuzz {
namespace {

using wire::Parts;
using wire::Sample;

const Sample& sample_called(std::string_view name) {
    const auto at = std::ranges::find(wire::samples(), name, &Sample::name);
    DYN_CHECK(at != wire::samples().end());
    return *at;
}

/// The frames that a golden file holds.
Parts golden(std::string_view name) {
    std::ifstream file(std::filesystem::path(DYNAMO_GOLDEN_DIR) / (std::string(name) + ".hex"));
    Parts parts;
    for (std::string line; std::getline(file, line);)
        DYN_CHECK(from_hex(line, parts.emplace_back()));
    return parts;
}

template <typename InputOf>
std::vector<Seed> golden_seeds(std::initializer_list<std::string_view> names, InputOf input_of) {
    std::vector<Seed> seeds;
    for (const std::string_view name : names)
        seeds.push_back({std::string(name), input_of(golden(name))});
    return seeds;
}

Bytes part_input(const Parts& parts) { return parts.front(); }
Bytes frames_input(const Parts& parts) { return join_frames(parts.at(0), parts.at(1)); }

/// What is decoded must be encoded and decoded the same; a canonical form, octet by octet.
std::string check(const Sample& sample, const Parts& parts) {
    const auto once = sample.again(parts);
    if (!once) return once.error().message.empty() ? "refused without a reason" : "";
    if (sample.canonical && *once != parts) return "decoded what the encoder does not write";
    const auto twice = sample.again(*once);
    if (!twice) return "its own encoding is refused: " + twice.error().message;
    return *once == *twice ? "" : "encoded in two ways";
}

std::string run_part(std::string_view name, BytesView input) {
    return check(sample_called(name), {Bytes(input)});
}

std::string run_frames(std::string_view name, BytesView input) {
    const auto [header, body] = split_frames(input);
    return check(sample_called(name), {Bytes(header), Bytes(body)});
}

// ------------------------------------------------------------------------------- messages, tokens

std::string run_context(BytesView input) {
    if (auto wrong = run_part("context", input); !wrong.empty()) return wrong;
    if (input.size() < 8) return "";
    Bytes mended(input.substr(0, input.size() - 8));
    const std::uint64_t sum = checksum(mended);
    for (int shift = 56; shift >= 0; shift -= 8) mended += static_cast<char>(sum >> shift & 255);
    return run_part("context", mended);
}

bool is_message(const Sample& sample) { return sample.parts.size() == 1 && !sample.canonical; }

/// Any message by itself: the first octet chooses which.
std::string run_message(BytesView input) {
    if (input.empty()) return "";
    const auto wanted = static_cast<unsigned char>(input.front());
    const auto& samples = wire::samples();
    if (wanted >= samples.size() || !is_message(samples[wanted])) return "";
    return check(samples[wanted], {Bytes(input.substr(1))});
}

std::vector<Seed> message_seeds() {
    std::vector<Seed> seeds;
    for (const Sample& sample : wire::samples())
        if (is_message(sample))
            seeds.push_back({sample.name, static_cast<char>(&sample - wire::samples().data()) +
                                              golden(sample.name).front()});
    return seeds;
}

// ------------------------------------------------------------------------------------ ring states

/// Each epoch names its parent's digest again, whatever the parent was changed to.
Bytes chained(BytesView ring) {
    auto tree = parse_tree(ring);
    if (!tree || tree->children.size() != 5) return Bytes(ring);
    Bytes before;
    for (Tree& epoch : tree->children[4].children) {
        if (epoch.children.empty() || epoch.children[0].children.size() < 3) return Bytes(ring);
        Tree& parent = epoch.children[0].children[2];
        const Sha256 digest = before.empty() ? Sha256{} : sha256(before);
        parent = {};
        parent.kind = wire::Token::Kind::bin;
        parent.octets.assign(digest.begin(), digest.end());
        before = encode_tree(epoch.children[0]);
    }
    return encode_tree(*tree);
}

/// What a node does with a ring that it has taken: no state that is accepted may break it.
std::string use(const RingState& state) {
    constexpr std::size_t most_places = 1024;  // larger ones only take longer
    const Epoch& head = state.head();
    if (head.table.size() > most_places || head.members.size() > 64) return "";
    const Routes routes(state, wire::digest_of(head));
    for (std::uint16_t partition = 0; partition < routes.partitions(); ++partition)
        for (const NodeId& owner : routes.owners(partition))
            if (!routes.find(owner)) return "an owner who is no member";
    const auto planned = plan(state, wire::digest_of(head));
    if (!planned) return planned.error().message.empty() ? "refused without a reason" : "";
    RingState next = state;
    next.epochs.push_back(*planned);
    if (const auto valid = validate(next); !valid)
        return "a plan that nobody accepts: " + valid.error().message;
    return wire::decode_epoch(wire::encode(*planned)) ? "" : "a plan that nobody can read";
}

std::string run_ring_once(BytesView input) {
    if (auto wrong = run_part("ring", input); !wrong.empty()) return wrong;
    const auto state = wire::decode_ring(input);
    return state ? use(*state) : "";
}

std::string run_ring(BytesView input) {
    auto wrong = run_ring_once(input);
    return wrong.empty() ? run_ring_once(chained(input)) : wrong;
}

/// Two states meet (gossip): the order does not matter, and what comes of it is sound.
std::string run_gossip(BytesView input) {
    const auto [first, second] = split_frames(input);
    const auto one = wire::decode_ring(chained(first));
    const auto other = wire::decode_ring(chained(second));
    if (!one || !other) return "";
    RingState here = *one;
    RingState there = *other;
    const auto changed = join(here, *other);
    if (const auto back = join(there, *one); changed.has_value() != back.has_value())
        return "refused one way and taken the other";
    if (!changed) return here == *one ? "" : "a refused state has changed something";
    if (here != there) return "two nodes that have told each other differ";
    if (wire::digest_of(here) != wire::digest_of(there)) return "equal states, two digests";
    if (join(here, *other).value_or(true) || join(here, *one).value_or(true))
        return "heard again, it changes something";
    if (const auto again = wire::decode_ring(wire::encode(here)); !again || *again != here)
        return "the joined state cannot be read";
    return use(here);
}

std::vector<Seed> gossip_seeds() {
    RingState founded = wire::sample_ring();
    founded.epochs.resize(1);
    RingState waiting = wire::sample_ring();
    Member third = waiting.head().members.back();
    third.id = wire::node(0x33);
    third.name = "n3";
    stage(waiting, wire::node(0x22), MemberOp::Kind::add, third, "", 1700000009000);
    const Bytes whole = wire::encode(wire::sample_ring());
    return {{"ahead", join_frames(wire::encode(founded), whole)},
            {"staged", join_frames(wire::encode(waiting), whole)}};
}

// ------------------------------------------------------------------------------------------ texts

/// Addresses, hexadecimal, base64: the first octet chooses.
std::string run_text(BytesView input) {
    if (input.empty()) return "";
    const BytesView text = input.substr(1);
    Bytes octets;
    Bytes again;
    switch (input.front() % 4) {
        case 0: {
            const auto address = parse_address(text, default_peer_port);
            if (!address) return address.error().message.empty() ? "refused without a reason" : "";
            const auto twice = parse_address(to_string(*address), 1);
            return twice && *twice == *address ? "" : "an address that is not read back";
        }
        case 1:
            if (!from_hex(text, octets)) return "";
            return from_hex(to_hex(octets), again) && again == octets ? "" : "hex is not read back";
        case 2:
            if (!from_base64(text, octets)) return "";
            return from_base64(to_base64(octets), again) && again == octets
                       ? ""
                       : "base64 is not read back";
        default: {
            const std::string quoted = quote(text);
            if (quoted.size() > 4 * max_quoted_octets + 64) return "a quotation without an end";
            const bool plain = std::ranges::none_of(
                quoted, [](char octet) { return static_cast<unsigned char>(octet) < 32; });
            return plain ? "" : "a control character is quoted as it is";
        }
    }
}

using namespace std::string_view_literals;

std::vector<Seed> text_seeds() {
    return {{"name", Bytes("\0example.org:7100"sv)},
            {"v4", Bytes("\0127.0.0.1"sv)},
            {"v6", Bytes("\0[::1]:7101"sv)},
            {"bare", Bytes("\0fe80::1%eth0"sv)},
            {"hex", Bytes("\1c0fFee"sv)},
            {"base64", Bytes("\2bWlsaw"sv)},
            {"padded", Bytes("\2bWlsaw=="sv)},
            {"quote", Bytes("\3it\\\n\xc3\xa9\xff"sv)}};
}

// ------------------------------------------------------------------------ dumps and saved trees

/// With the checksums that its parts ought to have: without, hardly an input comes any further.
Bytes with_checksums(BytesView input) {
    constexpr std::size_t magic = 8, front = 17, sum = 16;
    Bytes dump(input);
    for (std::size_t at = magic; at + front <= dump.size();) {
        std::size_t octets = front;
        for (const std::size_t place : {at + 9, at + 13}) {
            std::size_t length = 0;
            for (std::size_t i = 0; i < 4; ++i)
                length = length << 8 | static_cast<unsigned char>(dump[place + i]);
            octets += length;
        }
        if (octets > dump.size() || at + octets + sum > dump.size()) break;
        const Sha256 right = sha256(BytesView(dump).substr(at, octets));
        std::copy_n(right.begin(), sum, dump.begin() + static_cast<std::ptrdiff_t>(at + octets));
        at += octets + sum;
    }
    return dump;
}

/// What is wrong with a record, or empty.
Bytes tell(const DumpReader::Part& part, Bytes& told) {
    const auto* record = std::get_if<DumpRecord>(&part);
    if (!record) return {};
    told += record->key + " ";
    return wire::decode_object(record->state.octets) ? "" : "a record without a state";
}
Bytes tell(const TreeFileReader::Part& part, Bytes& told) {
    const auto* tree = std::get_if<PartitionTree>(&part);
    if (!tree) return {};
    told += std::to_string(tree->partition) + " ";
    for (const PartitionTree::Leaf& leaf : tree->leaves)
        if (leaf.place >> tree->depth != 0) return "a leaf beside the tree";
    static_cast<void>(tree->worth(0, 0));
    return {};
}

/// What is told of a file that comes so many octets at a time; `wrong` is set when it should not
/// be.
template <typename Reader>
Bytes told_of(BytesView file, std::size_t at_once, std::string& wrong) {
    Reader reader;
    Bytes told;
    std::size_t begin = 0;
    std::size_t end = 0;
    for (;;) {
        std::size_t taken = 0;
        const auto part = reader.next(file.substr(begin, end - begin), end == file.size(), taken);
        if (!part) return told + part.error().message;
        begin += taken;
        if (const Bytes found = tell(*part, told); !found.empty()) wrong = found;
        if (!std::holds_alternative<std::monostate>(*part)) continue;
        if (end == file.size()) {
            if (!reader.complete()) wrong = "no end";
            return told;
        }
        end = std::min(file.size(), end + at_once);
    }
}

template <typename Reader>
std::string run_file(BytesView input) {
    const Bytes file = with_checksums(input);
    std::string wrong;
    const Bytes whole = told_of<Reader>(file, file.size(), wrong);
    for (const std::size_t at_once : {std::size_t{1}, std::size_t{100}})
        if (told_of<Reader>(file, at_once, wrong) != whole) wrong = "it matters how a file arrives";
    return wrong;
}

std::vector<Seed> saved_tree_seeds() {
    TreeFileWriter writer;
    const std::string id(32, '7');
    const Bytes head = writer.head({"shop", id, 17, 256, "n1", id, 1'700'000'000'000});
    const Bytes first = writer.partition({3, 4, {{0, {1, 2}}, {15, {3, 4}}}});
    const Bytes second = writer.partition({9, 0, {}});
    const Bytes tail = writer.tail();
    return {{"whole", head + first + second + tail},
            {"head", head},
            {"cut", head + first.substr(0, 30)},
            {"swapped", head + second + first + tail}};
}

std::vector<Seed> dump_seeds() {
    DumpWriter writer;
    const KeyState state{wire::encode(wire::sample_object())};
    const Bytes head = writer.head({"shop", std::string(32, '7'), 1, 256, 17, "cart:"});
    const Bytes first = writer.record("cart:7", state);
    const Bytes second = writer.record("cart:8", state);
    const Bytes tail = writer.tail(1, 2);
    return {{"whole", head + first + second + tail},
            {"head", head},
            {"cut", head + first.substr(0, 30)},
            {"swapped", head + second + first + tail}};
}

}  // namespace

const std::vector<Entry>& wire_entries() {
    static const std::vector<Entry> all = {
        {"requests", [] { return golden_seeds({"request_frame", "request_batch"}, frames_input); },
         [](BytesView input) { return run_frames("request_frame", input); }, Layout::frames},
        {"replies",
         [] { return golden_seeds({"reply_frame", "error_frame", "reply_batch"}, frames_input); },
         [](BytesView input) { return run_frames("reply_frame", input); }, Layout::frames},
        {"peer", [] { return golden_seeds({"peer_frame"}, frames_input); },
         [](BytesView input) { return run_frames("peer_frame", input); }, Layout::frames},
        {"message", message_seeds, run_message, Layout::element, 1},
        {"context", [] { return golden_seeds({"context"}, part_input); }, run_context,
         Layout::element, 1, 8},
        {"object", [] { return golden_seeds({"object"}, part_input); },
         [](BytesView input) { return run_part("object", input); }, Layout::element},
        {"epoch", [] { return golden_seeds({"epoch"}, part_input); },
         [](BytesView input) { return run_part("epoch", input); }, Layout::element},
        {"ring", [] { return golden_seeds({"ring"}, part_input); }, run_ring, Layout::element},
        {"gossip", gossip_seeds, run_gossip, Layout::frames},
        {"text", text_seeds, run_text},
        {"dump", dump_seeds, run_file<DumpReader>},
        {"saved_tree", saved_tree_seeds, run_file<TreeFileReader>},
    };
    return all;
}

}  // namespace dynamo::fuzz
