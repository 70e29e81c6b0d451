#include "daemon/node/local/inspect.h"

#include <algorithm>

#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

constexpr std::size_t position_octets = 8;
constexpr std::size_t page_octets = 4u << 20;

Bytes digest_octets(BytesView canonical) {
    const Digest sum = digest(canonical);
    return {reinterpret_cast<const char*>(sum.data()), sum.size()};
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
    reply.owner = desk.routes.is_owner(desk.self(), own.partition);
    reply.rebuilding = objects.rebuilding(own.partition);

    std::vector<NodeId> accounts = {NodeId{}};
    for (const NodeId& owner : desk.routes.owners(own.partition))
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
        }
        reply.copies.push_back(std::move(copy));
    }
    return reply;
}

Result<wire::KeysReply> list_keys(const Desk& desk, Objects& objects,
                                  const wire::KeysRequest& request) {
    if (request.partition >= desk.routes.partitions())
        return fail(Code::bad_request, "there is no partition " +
                                           std::to_string(request.partition) + "; the ring has " +
                                           std::to_string(desk.routes.partitions()));
    if (!desk.routes.is_owner(desk.self(), request.partition))
        return fail(Code::bad_request,
                    "this node does not own partition " + std::to_string(request.partition));
    if (objects.rebuilding(request.partition))
        return fail(Code::busy, "this node's copy of partition " +
                                    std::to_string(request.partition) + " is being rebuilt");
    const std::size_t limit =
        request.limit == 0 ? rows_returned : std::min<std::size_t>(request.limit, rows_returned);
    wire::KeysReply reply;
    std::size_t examined = 0;
    std::size_t octets = 0;  // read from storage
    const auto visit = [&](BytesView row, BytesView record) {
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
    if (const auto scanned = objects.scan_objects(request.partition, request.first, visit);
        !scanned)
        return std::unexpected(scanned.error());
    return reply;
}

}  // namespace dynamo
