#include "daemon/node/coordination/replica.h"

#include <utility>

#include "libdynamo/wire/state_codec.h"

namespace dynamo {

using wire::PeerStatusCode;

void Replica::on(const NodeId& from, const wire::ReadRequest& request) {
    Desk& desk = service_.desk;
    const Slot slot = Slot::of(desk.routes, request.key);
    if (service_.objects.rebuilding(slot.partition)) {
        desk.send(from,
                  wire::ReadReply{request.id, PeerStatusCode::not_ready, {}, desk.fence.number()});
        return;
    }
    auto state = service_.objects.state_of(slot);
    if (state)
        desk.send(from, wire::ReadReply{request.id, PeerStatusCode::ok, std::move(*state),
                                        desk.fence.number()});
    else if (state.error().code == Code::corrupt)
        desk.send(from,
                  wire::ReadReply{request.id, PeerStatusCode::not_ready, {}, desk.fence.number()});
    else
        desk.send(from,
                  wire::ReadReply{request.id, PeerStatusCode::storage, {}, desk.fence.number()});
}

void Replica::on(const NodeId& from, const wire::WriteRequest& request) {
    const PeerStatusCode status = store(request);
    if (request.id != 0) service_.desk.send(from, wire::WriteReply{request.id, status});
}

PeerStatusCode Replica::store(const wire::WriteRequest& request) {
    Desk& desk = service_.desk;
    if (desk.load.refuse_writes) return PeerStatusCode::full;
    NodeId hint_for = NodeId::from(request.hint_for);
    if (hint_for == desk.self()) hint_for = {};
    const Slot slot = Slot::of(desk.routes, request.key, hint_for);
    const NodeId& owner = hint_for.is_none() ? desk.self() : hint_for;
    if (!desk.routes.is_owner(owner, slot.partition)) return PeerStatusCode::not_owner;

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
