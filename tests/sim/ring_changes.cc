#include "tests/sim/ring_changes.h"

#include <algorithm>

#include "libdynamo/wire/state_codec.h"

namespace dynamo::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string name(unsigned node) { return "n" + std::to_string(node + 1); }

wire::StageRequest request_for(const Member& member, MemberOp::Kind kind) {
    wire::StageRequest request;
    request.kind = static_cast<std::uint8_t>(kind);
    request.node_id = Bytes(member.id.bytes());
    request.name = member.name;
    request.zone = member.zone;
    request.weight = member.weight;
    request.client_address = member.client_address;
    request.peer_address = member.peer_address;
    return request;
}

}  // namespace

void RingChanges::schedule() {
    for (unsigned number = 0; number < world_.setup.ring_changes; ++number) {
        Random random = world_.chance.at(Stream::ring, number);
        const auto within = static_cast<std::uint64_t>(world_.setup.chaos.count());
        const auto at = Duration(static_cast<Duration::rep>(random.below(within)));
        world_.timeline.after(at, [this, random] { begin(random); });
    }
}

std::optional<unsigned> RingChanges::member_up(Random& random) const {
    std::vector<unsigned> up;
    for (unsigned i = 0; i < cluster_.size(); ++i) {
        const Process& process = cluster_.process(i);
        const RingState* ring = process.node() ? process.node()->ring() : nullptr;
        if (ring && std::ranges::binary_search(ring->head().members, process.id(), {}, &Member::id))
            up.push_back(i);
    }
    if (up.empty()) return std::nullopt;
    return up[random.below(up.size())];
}

std::optional<unsigned> RingChanges::spare(Random& random) const {
    std::vector<unsigned> never_joined;
    for (unsigned i = 0; i < cluster_.size(); ++i)
        if (cluster_.process(i).node() && !cluster_.process(i).node()->ring())
            never_joined.push_back(i);
    if (never_joined.empty()) return std::nullopt;
    return never_joined[random.below(never_joined.size())];
}

std::optional<unsigned> RingChanges::replace(unsigned via, unsigned leaver, Random random) {
    const auto joiner = spare(random);
    if (!joiner) return std::nullopt;
    stage(via, request_for(self(*joiner), MemberOp::Kind::add));
    stage(via, request_for(self(leaver), MemberOp::Kind::remove));
    world_.timeline.after(milliseconds(20), [this, via] { commit(via); });
    return joiner;
}

void RingChanges::stage(unsigned via, const wire::StageRequest& request) {
    cluster_.ask(operator_end, via, {++asked_, seconds(2), {}, request});
}

void RingChanges::begin(Random random) {
    const auto via = member_up(random);
    if (!via) return;
    const RingState& ring = *cluster_.process(*via).node()->ring();
    std::vector<const Member*> members;
    for (const Member& member : ring.head().members) members.push_back(&member);
    const auto kind = static_cast<Kind>(random.below(4));
    if (kind == Kind::cancel) {
        wire::StageRequest request;
        request.kind = wire::stage_cancel;
        stage(*via, request);
    }
    if (kind == Kind::join || kind == Kind::replace)
        if (const auto joiner = spare(random))
            stage(*via, request_for(self(*joiner), MemberOp::Kind::add));
    if ((kind == Kind::leave || kind == Kind::replace) && members.size() > 1)
        stage(*via, request_for(*members[random.below(members.size())], MemberOp::Kind::remove));
    if (world_.trace.wordy()) world_.say("the operator changes the ring through " + name(*via));
    // Now and then another node is asked to commit the same, or what it knows of it.
    const unsigned at = *via;
    world_.timeline.after(milliseconds(20 + random.below(400)), [this, at] { commit(at); });
    if (!random.chance(0.4)) return;
    world_.timeline.after(milliseconds(20 + random.below(1500)), [this, random]() mutable {
        if (const auto other = member_up(random)) commit(*other);
    });
}

void RingChanges::commit(unsigned via) {
    const Node* node = cluster_.process(via).node();
    const RingState* ring = node ? node->ring() : nullptr;
    if (!ring) return;
    const auto planned = plan(*ring, wire::digest_of(ring->head()));
    if (!planned) return;
    cluster_.ask(operator_end, via,
                 {++asked_,
                  seconds(5),
                  {},
                  wire::CommitRequest{wire::plan_id(*planned), short_partitions(*ring, *planned)}});
}

void RingChanges::conclude() {
    const std::uint64_t last = cluster_.known_ring().head().number;
    for (const auto& [issuer, operations] : cluster_.known_ring().history)
        for (const MemberOp& operation : operations)
            if (operation.kind == MemberOp::Kind::discard)
                world_.marks.hit(Mark::change_taken_back);
    if (last > 2) world_.marks.hit(Mark::ring_changed, last - 2);
}

std::string ring_not_at_rest(Scene& scene) {
    const Cluster& cluster = scene.cluster;
    const Routes& routes = cluster.routes();
    RingState known = cluster.known_ring();
    forget_rings(known, scene.world.setup.kept_rings);
    if (!routes.moving().empty())
        return std::to_string(routes.moving().size()) + " partitions still move";
    for (const unsigned node : scene.alive) {
        const Process& process = cluster.process(node);
        // What it holds is nobody's any more.
        if (routes.is_lost(process.id())) continue;
        const RingState* ring = process.node() ? process.node()->ring() : nullptr;
        if (!ring) {
            if (routes.is_member(process.id())) return name(node) + " has no ring";
            continue;
        }
        if (process.node()->vote_open()) return name(node) + " waits for the end of a vote";
        if (*ring != known) return name(node) + " has another ring";
        if (routes.find(process.id()) && !routes.is_member(process.id()))
            return name(node) + " was removed and has not handed over what it holds";
        for (const Bytes& key : scene.keys)
            if (!routes.is_owner(process.id(), routes.partition_of(position_of(key))) &&
                scene.cluster.stored(node, key))
                return name(node) + " still holds " + key;
    }
    return {};
}

}  // namespace dynamo::sim
