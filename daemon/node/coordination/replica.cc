#include "daemon/node/coordination/replica.h"

#include <utility>

#include "libdynamo/wire/state_codec.h"

namespace dynamo {

using wire::PeerStatusCode;

/// One list of owners gives way to the next at each replica: from the moment at which it knows the
/// newer one it serves nobody who does not (libdynamo/ring/transition.h).
PeerStatusCode Replica::may_serve(std::uint64_t ring, std::uint16_t partition,
                                  const NodeId& hint_for) const {
    const Desk& desk = service_.desk;
    switch (desk.routes.standing(ring, partition)) {
        case Routes::Standing::behind:
            return PeerStatusCode::behind;
        case Routes::Standing::newer:
            return PeerStatusCode::not_owner;
        case Routes::Standing::same:
            break;
    }
    // A stand-in that has become an owner counts as itself only, and is asked so. One that has left
    // may have given its last hint away.
    const bool serves = desk.routes.serves(desk.self(), partition);
    if (hint_for.is_none()) return serves ? PeerStatusCode::ok : PeerStatusCode::not_owner;
    if (serves || !desk.routes.serves(hint_for, partition) || !desk.routes.is_member(desk.self()))
        return PeerStatusCode::not_owner;
    return PeerStatusCode::ok;
}

bool Replica::on(const NodeId& from, std::uint64_t ring, const wire::ReadRequest& request) {
    Bytes state;
    const PeerStatusCode status = read(request, ring, state);
    service_.desk.send(
        from, wire::ReadReply{request.id, status, std::move(state), service_.desk.fence.number()});
    return status != PeerStatusCode::not_owner;
}

PeerStatusCode Replica::read(const wire::ReadRequest& request, std::uint64_t ring, Bytes& state) {
    Desk& desk = service_.desk;
    const Slot slot = Slot::of(desk.routes, request.key);
    const auto may = may_serve(ring, slot.partition, NodeId::from(request.hint_for));
    if (may != PeerStatusCode::ok) return may;
    if (service_.objects.rebuilding(slot.partition)) return PeerStatusCode::not_ready;
    auto held = service_.objects.state_of(slot);
    if (!held)
        return held.error().code == Code::corrupt ? PeerStatusCode::not_ready
                                                  : PeerStatusCode::storage;
    state = std::move(*held);
    return PeerStatusCode::ok;
}

bool Replica::on(const NodeId& from, std::uint64_t ring, const wire::WriteRequest& request) {
    const PeerStatusCode status = store(request, ring);
    if (request.id != 0) service_.desk.send(from, wire::WriteReply{request.id, status});
    return status != PeerStatusCode::not_owner;
}

PeerStatusCode Replica::store(const wire::WriteRequest& request, std::uint64_t ring) {
    Desk& desk = service_.desk;
    if (desk.load.refuse_writes) return PeerStatusCode::full;
    const NodeId hint_for = NodeId::from(request.hint_for);
    const bool own = hint_for.is_none() || hint_for == desk.self();
    const Slot slot = Slot::of(desk.routes, request.key, own ? NodeId{} : hint_for);
    const auto may = may_serve(ring, slot.partition, own ? NodeId{} : hint_for);
    if (may != PeerStatusCode::ok && !desk.breaks(Mutant::old_ring_writes)) return may;

    const auto object = wire::decode_object(request.object);
    if (!object) {
        desk.counters.add("peers.malformed");
        return PeerStatusCode::storage;
    }
    const auto merged = service_.objects.merge_in(slot, *object, request.object, request.fence);
    if (merged || desk.breaks(Mutant::acknowledged_unstored)) return PeerStatusCode::ok;
    if (merged.error().code == Code::busy) return PeerStatusCode::too_old;
    return merged.error().code == Code::storage_full ? PeerStatusCode::full
                                                     : PeerStatusCode::storage;
}

}  // namespace dynamo
