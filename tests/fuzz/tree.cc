#include "tests/fuzz/tree.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>
#include <utility>

namespace dynamo::fuzz {
namespace {

using namespace std::string_view_literals;
using wire::Reader;
using wire::Writer;
using Kind = wire::Token::Kind;

constexpr std::size_t deepest_bin = 3;
constexpr std::size_t most_elements = 4096;

bool is_container(Kind kind) { return kind == Kind::array || kind == Kind::map; }

Tree read_tree(Reader& reader, std::size_t bins);

/// What a bin holds, if it is an array or a map.
void look_inside(Tree& bin, std::size_t bins) {
    if (bins == deepest_bin) return;
    Reader inside(bin.octets);
    if (!is_container(inside.peek().kind)) return;
    Tree child = read_tree(inside, bins + 1);
    if (inside.failed()) return;
    bin.children.push_back(std::move(child));
    bin.octets.clear();
}

Tree read_tree(Reader& reader, std::size_t bins) {
    Tree tree;
    tree.kind = reader.peek().kind;
    tree.number = reader.peek().value;
    if (!is_container(tree.kind)) {
        if (reader.peek().is_string()) tree.octets = reader.peek().octets();
        reader.skip();
        if (tree.kind == Kind::bin) look_inside(tree, bins);
        return tree;
    }
    const std::size_t elements = tree.kind == Kind::array ? reader.array() : reader.map() * 2;
    for (std::size_t i = 0; i < elements && !reader.failed(); ++i)
        tree.children.push_back(read_tree(reader, bins));
    return tree;
}

void write_tree(Writer& writer, const Tree& tree) {
    switch (tree.kind) {
        case Kind::nil:
            return writer.nil();
        case Kind::boolean:
            return writer.boolean(tree.number != 0);
        case Kind::number:
            return writer.number(tree.number);
        case Kind::negative:
            return writer.signed_number(std::bit_cast<std::int64_t>(tree.number));
        case Kind::real:
            return writer.real(std::bit_cast<double>(tree.number));
        case Kind::bin:
            return writer.bin(tree.children.empty() ? tree.octets
                                                    : encode_tree(tree.children.front()));
        case Kind::str:
            return writer.str(tree.octets);
        case Kind::array:
            writer.array(tree.children.size());
            break;
        case Kind::map:
            writer.map(tree.children.size() / 2);
            break;
    }
    for (const Tree& child : tree.children) write_tree(writer, child);
}

void collect(Tree& tree, std::vector<Tree*>& all) {
    all.push_back(&tree);
    for (Tree& child : tree.children) collect(child, all);
}

constexpr std::array telling_numbers = {
    std::uint64_t{0},          std::uint64_t{1},       std::uint64_t{2},
    std::uint64_t{127},        std::uint64_t{128},     std::uint64_t{255},
    std::uint64_t{256},        std::uint64_t{65535},   std::uint64_t{65536},
    std::uint64_t{UINT32_MAX}, std::uint64_t{1} << 53, std::uint64_t{1} << 63,
    std::uint64_t{UINT64_MAX}};
constexpr std::array telling_lengths = {
    std::size_t{0},  std::size_t{1},  std::size_t{8},  std::size_t{15},  std::size_t{16},
    std::size_t{17}, std::size_t{32}, std::size_t{64}, std::size_t{256}, std::size_t{1025}};

template <typename List>
auto any_of(const List& list, Random& random) {
    return list[random.below(list.size())];
}

Tree any_scalar(Random& random) {
    constexpr std::array kinds = {Kind::nil,      Kind::boolean, Kind::number,
                                  Kind::negative, Kind::real,    Kind::bin,
                                  Kind::str,      Kind::array,   Kind::map};
    Tree tree;
    tree.kind = any_of(kinds, random);
    tree.number =
        tree.kind == Kind::negative ? ~random.below(1u << 20) : any_of(telling_numbers, random);
    if (tree.kind == Kind::bin || tree.kind == Kind::str)
        tree.octets.assign(any_of(telling_lengths, random), static_cast<char>(random.bits()));
    return tree;
}

void change_octets(Bytes& octets, Random& random) {
    const std::size_t at = random.below(octets.size() + 1);
    switch (random.below(5)) {
        case 0:
            octets.resize(any_of(telling_lengths, random), 'x');
            break;
        case 1:
            octets.insert(at, 1, static_cast<char>(random.bits()));
            break;
        case 2:
            octets.erase(at, 1 + random.below(4));
            break;
        case 3:
            if (at < octets.size()) octets[at] = static_cast<char>(random.bits());
            break;
        default:
            if (at < octets.size()) octets[at] = static_cast<char>(octets[at] ^ 1);
    }
}

void change_number(std::uint64_t& number, Random& random) {
    constexpr std::array<std::uint64_t, 4> steps = {1, UINT64_MAX, 2, 256};
    number = random.chance(0.5) ? number + any_of(steps, random) : any_of(telling_numbers, random);
}

void change_children(std::vector<Tree>& children, Random& random) {
    if (children.empty()) return children.push_back(any_scalar(random));
    const std::size_t at = random.below(children.size());
    const auto place = children.begin() + static_cast<std::ptrdiff_t>(at);
    const Tree copy = any_of(children, random);
    switch (random.below(6)) {
        case 0:
            children.erase(place);
            break;
        case 1:
            children.insert(place, copy);
            break;
        case 2:
            std::swap(children[at], children[random.below(children.size())]);
            break;
        case 3:
            children.insert(place, any_scalar(random));
            break;
        case 4:
            children.resize(at);
            break;
        default:
            // Many of one thing; the whole is bounded by the mutator's caller.
            for (std::uint64_t times = 2 + random.below(100);
                 times > 0 && children.size() < most_elements; --times)
                children.push_back(copy);
    }
}

void wrap(Tree& tree, Random& random) {
    for (std::uint64_t times = 1 + random.below(18); times > 0; --times) {
        Tree outer;
        outer.kind = random.chance(0.1) ? Kind::bin : Kind::array;
        outer.children.push_back(std::exchange(tree, {}));
        tree = std::move(outer);
    }
}

}  // namespace

std::optional<Tree> parse_tree(BytesView octets) {
    Reader reader(octets);
    Tree tree = read_tree(reader, 0);
    if (!reader.finish()) return std::nullopt;
    return tree;
}

Bytes encode_tree(const Tree& tree) {
    Bytes out;
    Writer writer(out);
    write_tree(writer, tree);
    return out;
}

void change_tree(Tree& tree, Random& random) {
    std::vector<Tree*> all;
    collect(tree, all);
    Tree& chosen = *all[random.below(all.size())];
    const std::uint64_t how = random.below(16);
    if (how == 0) {
        chosen = any_scalar(random);
    } else if (how == 1) {
        // A copy first: the other may lie within the chosen one.
        Tree other = *all[random.below(all.size())];
        chosen = std::move(other);
    } else if (how == 2) {
        wrap(chosen, random);
    } else if (chosen.kind == Kind::bin && !chosen.children.empty() && how < 8) {
        change_tree(chosen.children.front(), random);
    } else if (is_container(chosen.kind)) {
        change_children(chosen.children, random);
    } else if (chosen.kind == Kind::bin || chosen.kind == Kind::str) {
        if (how == 3) chosen.kind = chosen.kind == Kind::bin ? Kind::str : Kind::bin;
        if (!chosen.children.empty()) {
            chosen.octets = encode_tree(chosen.children.front());
            chosen.children.clear();
        }
        change_octets(chosen.octets, random);
    } else {
        change_number(chosen.number, random);
        if (how == 3) chosen.kind = Kind::number;
    }
}

}  // namespace dynamo::fuzz
