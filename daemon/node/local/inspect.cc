#include "daemon/node/local/inspect.h"

#include <algorithm>

#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

constexpr std::size_t position_octets = 8;
constexpr std::size_t page_octets = 4u << 20;
constexpr unsigned most_levels_down = 4;
constexpr std::size_t most_nodes_asked = 2048;
constexpr std::size_t most_roots_asked = 4096;

Bytes digest_octets(BytesView canonical) {
    const Digest sum = digest(canonical);
    return {reinterpret_cast<const char*>(sum.data()), sum.size()};
}

/// Whether this node can speak for the partition.
Result<void> holds(const Desk& desk, Objects& objects, std::uint16_t partition) {
    if (partition >= desk.routes.partitions())
        return fail(Code::bad_request, "there is no partition " + std::to_string(partition) +
                                           "; the ring has " +
                                           std::to_string(desk.routes.partitions()));
    if (!desk.routes.serves(desk.self(), partition))
        return fail(Code::bad_request,
                    "this node does not own partition " + std::to_string(partition));
    if (objects.rebuilding(partition))
        return fail(Code::busy, "this node's copy of partition " + std::to_string(partition) +
                                    " is being rebuilt");
    return {};
}

/// Whether a tree may have such a node. Its level is small enough to shift by.
bool may_have(Objects& objects, unsigned level, std::uint32_t node) {
    return level <= objects.trees().most_depth() && node < std::uint64_t{1} << level;
}

wire::KeyRow row_of(const Desk& desk, BytesView row, BytesView record) {
    wire::KeyRow listed;
    listed.row = Bytes(row);
    const auto canonical = object_bytes(row, record);
    const auto object = canonical ? wire::decode_object(*canonical) : fail(Code::corrupt, {});
    if (!object) return listed;
    listed.digest = digest_octets(*canonical);
    listed.values = static_cast<std::uint32_t>(values_shown(desk, *object));
    listed.tombstone = std::ranges::any_of(object->siblings, &Sibling::tombstone);
    return listed;
}

}  // namespace

std::size_t values_shown(const Desk& desk, const Object& object) {
    if (!desk.settings.last_write_wins) return live_values(object).size();
    const Sibling* last = newest(object);
    return last && !last->tombstone ? 1 : 0;
}

std::vector<wire::VersionReply> versions_of(const Object& object) {
    std::vector<wire::VersionReply> versions;
    versions.reserve(object.siblings.size());
    for (const Sibling& sibling : object.siblings)
        versions.push_back({sibling.value, sibling.tombstone, sibling.wall_ms,
                            Bytes(sibling.dot.actor.node.bytes()),
                            std::to_string(sibling.dot.actor.birth), sibling.dot.counter});
    return versions;
}

Result<wire::PeekReply> peek(const Desk& desk, Objects& objects, BytesView key) {
    const Slot own = Slot::of(desk.routes, key);
    wire::PeekReply reply;
    reply.owner = desk.routes.serves(desk.self(), own.partition);
    reply.rebuilding = objects.rebuilding(own.partition);

    std::vector<NodeId> accounts = {NodeId{}};
    for (const NodeId& owner : desk.routes.serving(own.partition))
        if (objects.hints_held_for(owner) > 0) accounts.push_back(owner);
    for (const NodeId& account : accounts) {
        const auto record = objects.read({own.partition, account, own.row});
        if (!record && record.error().code != Code::corrupt) return std::unexpected(record.error());
        if (record && record->object.empty()) continue;
        wire::PeekCopy copy;
        if (!account.is_none()) copy.hint_for = Bytes(account.bytes());
        copy.damaged = !record;
        if (record) {
            copy.versions = versions_of(record->object);
            copy.clock_entries = record->object.clock.size();
            copy.digest = digest_octets(wire::encode(record->object));
            copy.seen = wire::encode(
                Context{desk.cluster, position_of(key), record->object.clock, NodeId{}});
        }
        reply.copies.push_back(std::move(copy));
    }
    return reply;
}

Result<wire::KeysReply> list_keys(const Desk& desk, Objects& objects,
                                  const wire::KeysRequest& request) {
    if (const auto held = holds(desk, objects, request.partition); !held)
        return std::unexpected(held.error());
    if (!may_have(objects, request.level, request.node))
        return fail(Code::bad_request, "no tree has such a node");
    const RowRange range = rows_under(objects.trees().partition_bits(), request.partition,
                                      request.level, request.node);
    const std::size_t limit =
        request.limit == 0 ? rows_returned : std::min<std::size_t>(request.limit, rows_returned);
    wire::KeysReply reply;
    std::size_t examined = 0;
    std::size_t octets = 0;  // read from storage
    const auto visit = [&](BytesView row, BytesView record) {
        if (!range.last.empty() && row >= range.last) return false;
        if (examined == rows_examined || reply.rows.size() == limit || octets > page_octets) {
            reply.next = Bytes(row);
            return false;
        }
        ++examined;
        octets += row.size() + record.size();
        if (row.substr(std::min(position_octets, row.size())).starts_with(request.prefix))
            reply.rows.push_back(row_of(desk, row, record));
        return true;
    };
    if (const auto scanned =
            objects.scan_objects(request.partition, std::max(request.first, range.first), visit);
        !scanned)
        return std::unexpected(scanned.error());
    return reply;
}

Result<wire::TreeNodesReply> list_nodes(const Desk& desk, Objects& objects,
                                        const wire::TreeRequest& request) {
    if (const auto held = holds(desk, objects, request.partition); !held)
        return std::unexpected(held.error());
    const bool sound = request.down <= most_levels_down &&
                       request.nodes.size() <= most_nodes_asked &&
                       std::ranges::all_of(request.nodes, [&](std::uint32_t node) {
                           return may_have(objects, request.level, node);
                       });
    if (!sound) return fail(Code::bad_request, "no tree has such nodes");
    Trees& trees = objects.trees();
    if (request.anew) trees.distrust(request.partition);
    wire::TreeNodesReply reply;
    const Tree* tree = trees.want(request.partition);
    if (!tree) return reply;
    reply.complete = true;
    reply.depth = static_cast<std::uint8_t>(tree->depth());
    if (request.level > tree->depth()) return reply;
    const unsigned down = std::min<unsigned>(request.down, tree->depth() - request.level);
    reply.level = static_cast<std::uint8_t>(request.level + down);
    for (const std::uint32_t node : request.nodes)
        for (std::uint32_t child = 0; child < std::uint32_t{1} << down; ++child)
            append_sum(reply.sums, tree->node(reply.level, node << down | child));
    return reply;
}

Result<wire::RootsReply> list_roots(const Desk& desk, Objects& objects,
                                    const wire::RootsRequest& request) {
    if (request.partitions.size() > most_roots_asked)
        return fail(Code::bad_request, "too many partitions at once");
    wire::RootsReply reply;
    for (const std::uint16_t partition : request.partitions) {
        const Tree* tree =
            holds(desk, objects, partition) ? objects.trees().want(partition) : nullptr;
        if (tree)
            append_sum(reply.sums, tree->node(0, 0));
        else
            reply.unknown.push_back(partition);
    }
    return reply;
}

}  // namespace dynamo
