#include "dynamo/saved_tree.h"

#include <algorithm>
#include <utility>

#include "libdynamo/base/bytes.h"
#include "libdynamo/client/frames.h"
#include "libdynamo/wire/struct_codec.h"

namespace dynamo {
namespace {

constexpr std::size_t place_octets = 4;
constexpr std::size_t leaf_octets = place_octets + 16;

enum class Kind : char { head = 'H', partition = 'P', tail = 'T' };

struct HeadBody {
    std::string cluster;
    Bytes cluster_id;
    std::uint64_t ring = 0;
    std::uint32_t partitions = 0;
    std::string node;
    Bytes node_id;
    std::int64_t wall_ms = 0;
    static constexpr auto fields() {
        return std::tuple{wire::str("cluster", &HeadBody::cluster),
                          wire::bin("cluster_id", &HeadBody::cluster_id),
                          wire::field("ring", &HeadBody::ring),
                          wire::field("partitions", &HeadBody::partitions),
                          wire::str("node", &HeadBody::node),
                          wire::bin("node_id", &HeadBody::node_id),
                          wire::field("wall_ms", &HeadBody::wall_ms)};
    }
};

struct PartitionBody {
    std::uint32_t partition = 0;
    std::uint32_t depth = 0;
    Bytes leaves;  ///< u32 place, u64 high, u64 low of each, the highest octet first
    static constexpr auto fields() {
        return std::tuple{wire::field("partition", &PartitionBody::partition),
                          wire::field("depth", &PartitionBody::depth),
                          wire::bin("leaves", &PartitionBody::leaves)};
    }
};

struct TailBody {
    std::uint64_t partitions = 0;
    Bytes root;
    static constexpr auto fields() {
        return std::tuple{wire::field("partitions", &TailBody::partitions),
                          wire::bin("root", &TailBody::root)};
    }
};

void append(std::string& out, std::uint64_t value, std::size_t octets) {
    for (std::size_t left = octets; left > 0; --left)
        out += static_cast<char>(value >> (8 * (left - 1)) & 255);
}

std::uint64_t number_of(std::string_view octets) {
    std::uint64_t value = 0;
    for (const char octet : octets) value = value << 8 | static_cast<unsigned char>(octet);
    return value;
}

std::unexpected<Error> damaged(const std::string& what, const std::string& why) {
    return fail(Code::corrupt, what + " of the saved tree is damaged: " + why);
}

}  // namespace

TreeWorth PartitionTree::worth(unsigned level, std::uint32_t node) const {
    const unsigned up = depth - std::min(level, depth);
    const std::uint64_t first = std::uint64_t{node} << up;
    const std::uint64_t last = (std::uint64_t{node} + 1) << up;
    TreeWorth sum;
    for (auto at = std::ranges::lower_bound(leaves, first, {}, &Leaf::place);
         at != leaves.end() && at->place < last; ++at) {
        sum.high += at->worth.high;
        sum.low += at->worth.low;
    }
    return sum;
}

// ----------------------------------------------------------------------------------------- writing

std::string TreeFileWriter::head(const TreeFileHead& head) {
    HeadBody body{head.cluster, {}, head.ring, head.partitions, head.node, {}, head.wall_ms};
    (void)from_hex(head.cluster_id, body.cluster_id);
    (void)from_hex(head.node_id, body.node_id);
    const std::string part =
        framed(static_cast<char>(Kind::head), 0, {}, wire::encode_message(body, wire::Style::map));
    root_.add(checksum_in(part));
    return std::string(TreeFileReader::magic) + part;
}

std::string TreeFileWriter::partition(const PartitionTree& tree) {
    PartitionBody body{tree.partition, tree.depth, {}};
    body.leaves.reserve(tree.leaves.size() * leaf_octets);
    for (const PartitionTree::Leaf& leaf : tree.leaves) {
        append(body.leaves, leaf.place, place_octets);
        append(body.leaves, leaf.worth.high, 8);
        append(body.leaves, leaf.worth.low, 8);
    }
    std::string part = framed(static_cast<char>(Kind::partition), ++partitions_, {},
                              wire::encode_message(body, wire::Style::map));
    root_.add(checksum_in(part));
    return part;
}

std::string TreeFileWriter::tail() {
    TailBody body{partitions_, {}};
    (void)from_hex(root_.text(), body.root);
    return framed(static_cast<char>(Kind::tail), partitions_ + 1, {},
                  wire::encode_message(body, wire::Style::map));
}

// ----------------------------------------------------------------------------------------- reading

Result<TreeFileReader::Part> TreeFileReader::next(std::string_view here, bool ended,
                                                  std::size_t& taken) {
    taken = 0;
    if (stage_ == Stage::after_tail) {
        if (here.empty()) return Part{};
        return fail(Code::corrupt, "octets follow the saved tree's trailer");
    }
    const std::size_t before = stage_ == Stage::head ? magic.size() : 0;
    if (!magic.starts_with(here.substr(0, before)) || (ended && here.size() < before))
        return fail(Code::corrupt, "this is no tree that dyn-merkle-diff has saved");
    const std::string_view rest = here.substr(std::min(before, here.size()));
    const std::string what =
        stage_ == Stage::head ? "the head" : "part " + std::to_string(partitions_ + 1);
    const auto frame = cut_frame(rest, stage_ == Stage::head ? 0 : partitions_ + 1);
    if (!frame) return damaged(what, frame.error().message);
    if (!*frame) {
        if (!ended) return Part{};
        return fail(Code::corrupt, "the saved tree is cut off, or damaged, within " + what +
                                       ": its trailer is missing");
    }
    taken = before + (*frame)->octets;
    return part_of(**frame);
}

Result<TreeFileReader::Part> TreeFileReader::part_of(const Frame& frame) {
    const auto kind = static_cast<Kind>(frame.kind);
    if (kind == Kind::head && stage_ == Stage::head) return head_of(frame);
    if (kind == Kind::partition && stage_ == Stage::partitions) return partition_of(frame);
    if (kind == Kind::tail && stage_ == Stage::partitions) return tail_of(frame);
    return fail(Code::corrupt, "a part of the saved tree is not where it belongs");
}

Result<TreeFileReader::Part> TreeFileReader::head_of(const Frame& frame) {
    const auto body = wire::decode_message<HeadBody>(frame.body, wire::Style::map);
    if (!body) return damaged("the head", body.error().message);
    stage_ = Stage::partitions;
    of_cluster_ = body->partitions;
    root_.add(frame.checksum);
    return TreeFileHead{body->cluster, to_hex(body->cluster_id), body->ring,   body->partitions,
                        body->node,    to_hex(body->node_id),    body->wall_ms};
}

Result<TreeFileReader::Part> TreeFileReader::partition_of(const Frame& frame) {
    const std::string what = "part " + std::to_string(partitions_ + 1);
    const auto body = wire::decode_message<PartitionBody>(frame.body, wire::Style::map);
    if (!body) return damaged(what, body.error().message);
    if (body->partition >= of_cluster_ || (previous_ && body->partition <= *previous_))
        return damaged(what, "its partition is out of order");
    if (body->depth > PartitionTree::most_deep || body->leaves.size() % leaf_octets != 0)
        return damaged(what, "no tree is like this");
    PartitionTree tree{body->partition, body->depth, {}};
    tree.leaves.reserve(body->leaves.size() / leaf_octets);
    for (std::string_view left = body->leaves; !left.empty(); left.remove_prefix(leaf_octets)) {
        const std::uint64_t place = number_of(left.substr(0, place_octets));
        if (place >> tree.depth != 0 || (!tree.leaves.empty() && place <= tree.leaves.back().place))
            return damaged(what, "its leaves are out of order");
        tree.leaves.push_back({static_cast<std::uint32_t>(place),
                               {number_of(left.substr(place_octets, 8)),
                                number_of(left.substr(place_octets + 8, 8))}});
    }
    ++partitions_;
    previous_ = tree.partition;
    root_.add(frame.checksum);
    return tree;
}

Result<TreeFileReader::Part> TreeFileReader::tail_of(const Frame& frame) {
    const auto body = wire::decode_message<TailBody>(frame.body, wire::Style::map);
    if (!body) return damaged("the trailer", body.error().message);
    if (body->partitions != partitions_ || to_hex(body->root) != root_.text())
        return fail(Code::corrupt, "the saved tree's trailer is of other partitions");
    stage_ = Stage::after_tail;
    return TreeFileTail{partitions_};
}

}  // namespace dynamo
