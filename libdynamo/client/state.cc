#include "dynamo/state.h"

#include <algorithm>

#include "libdynamo/client/parts.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

Result<Object> object_of(const KeyState& state) {
    if (state.empty()) return Object{};
    auto object = wire::decode_object(state.octets);
    if (!object) return fail(Code::bad_request, "no state of a key: " + object.error().message);
    return object;
}

/// The node's name in the ring, or the first digits of its id.
std::string name_of(const RingView& ring, const NodeId& node) {
    const std::string id = to_hex(node.bytes());
    const auto at = std::ranges::find(ring.nodes, id, &NodeInfo::id);
    return at == ring.nodes.end() ? node.brief() : at->name;
}

}  // namespace

Result<bool> would_change(const KeyState& into, const KeyState& from) {
    auto here = object_of(into);
    if (!here) return std::unexpected(here.error());
    const auto there = object_of(from);
    if (!there) return std::unexpected(there.error());
    return merge(*here, *there);
}

Result<HeldCopy> copy_of(const RingView& ring, std::string_view key, const KeyState& state) {
    const auto object = object_of(state);
    if (!object) return std::unexpected(object.error());
    HeldCopy copy;
    if (object->empty()) return copy;
    for (const Sibling& sibling : object->siblings)
        copy.versions.push_back({sibling.value, sibling.tombstone, sibling.wall_ms,
                                 name_of(ring, sibling.dot.actor.node), sibling.dot.actor.birth,
                                 sibling.dot.counter});
    copy.clock_entries = object->clock.size();
    const Digest sum = digest(state.octets);
    copy.digest = to_hex({reinterpret_cast<const char*>(sum.data()), sum.size()});
    Bytes cluster;
    if (from_hex(ring.cluster_id, cluster))
        copy.seen.octets = wire::encode(
            Context{ClusterId::from(cluster), position_of(key), object->clock, NodeId{}});
    return copy;
}

}  // namespace dynamo
