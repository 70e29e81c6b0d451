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

std::vector<unsigned> RingChanges::spares() const {
    std::vector<unsigned> never_joined;
    for (unsigned i = 0; i < cluster_.size(); ++i)
        if (cluster_.process(i).node() && !cluster_.process(i).node()->ring())
            never_joined.push_back(i);
    return never_joined;
}

std::vector<unsigned> RingChanges::replace(unsigned via, const std::vector<unsigned>& leavers,
                                           Random random) {
    std::vector<unsigned> joiners = spares();
    if (joiners.size() < leavers.size()) return {};
    while (joiners.size() > leavers.size())
        joiners.erase(joiners.begin() + static_cast<std::ptrdiff_t>(random.below(joiners.size())));
    for (const unsigned joiner : joiners)
        stage(via, request_for(self(joiner), MemberOp::Kind::add));
    for (const unsigned leaver : leavers)
        stage(via, request_for(self(leaver), MemberOp::Kind::remove));
    world_.timeline.after(milliseconds(20), [this, via] { commit(via); });
    return joiners;
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
    const auto kind = static_cast<Kind>(random.below(5));
    if (kind == Kind::cancel) {
        wire::StageRequest request;
        request.kind = wire::stage_cancel;
        stage(*via, request);
    }
    if (kind == Kind::join || kind == Kind::replace)
        if (const auto joiners = spares(); !joiners.empty())
            stage(*via,
                  request_for(self(joiners[random.below(joiners.size())]), MemberOp::Kind::add));
    if ((kind == Kind::leave || kind == Kind::replace) && members.size() > 1)
        stage(*via, request_for(*members[random.below(members.size())], MemberOp::Kind::remove));
    if (kind == Kind::weigh) weigh(*via, *members[random.below(members.size())], random);
    if (world_.trace.wordy()) world_.say("the operator changes the ring through " + name(*via));
    const unsigned at = *via;
    const milliseconds wait(20 + random.below(400));
    world_.timeline.after(wait, [this, at] { commit(at); });
    // Now and then another operator commits something else at the same time, or the same, or what
    // the other node knows of it.
    if (random.chance(0.3)) return duel(at, wait, random);
    if (!random.chance(0.4)) return;
    world_.timeline.after(milliseconds(20 + random.below(1500)), [this, random]() mutable {
        if (const auto other = member_up(random)) commit(*other);
    });
}

void RingChanges::weigh(unsigned via, const Member& member, Random& random) {
    Member changed = member;
    changed.weight = 50U << random.below(3);
    stage(via, request_for(changed, MemberOp::Kind::set));
}

/// They do not hear each other, and who votes for both may start anew in between, so that only what
/// it remembers of its votes keeps two rings apart.
void RingChanges::duel(unsigned first, milliseconds wait, Random random) {
    const auto second = member_up(random);
    const auto voter = member_up(random);
    if (!second || *second == first) return;
    cut_for(first, *second, wait, milliseconds(random.below(1000)));
    const milliseconds asks = wait + milliseconds(random.below(random.chance(0.5) ? 5 : 300));
    world_.timeline.after(asks, [this, at = *second, random]() mutable {
        const Node* node = cluster_.process(at).node();
        if (!node || !node->ring()) return;
        const auto& members = node->ring()->head().members;
        weigh(at, members[random.below(members.size())], random);
    });
    world_.timeline.after(asks + milliseconds(5), [this, at = *second] { commit(at); });
    if (random.chance(0.4)) return;
    const milliseconds dies = wait + milliseconds(random.below(10));
    world_.timeline.after(dies, [this, at = *voter] { cluster_.process(at).kill(); });
    world_.timeline.after(dies + milliseconds(20),
                          [this, at = *voter] { cluster_.process(at).start(); });
}

void RingChanges::cut_for(unsigned one, unsigned other, Duration wait, Duration lasts) {
    world_.timeline.after(wait, [this, one, other] {
        cluster_.network().cut(one, other);
        cluster_.network().cut(other, one);
    });
    world_.timeline.after(wait + lasts, [this, one, other] {
        cluster_.network().mend(one, other);
        cluster_.network().mend(other, one);
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
