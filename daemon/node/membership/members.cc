#include "daemon/node/membership/members.h"

#include <algorithm>
#include <utility>

#include "daemon/node/membership/change.h"
#include "libdynamo/base/address.h"
#include "libdynamo/base/quote.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

/// How much rarer than its regular interval a peer is gossiped with out of turn.
constexpr int out_of_turn_share = 10;
/// Lines that are logged once are remembered up to this number, then nothing more is logged.
constexpr std::size_t max_refusals_told = 64;

BytesView view_of(const Sha256& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

bool names(const RingState& ring, const NodeId& node) {
    return std::ranges::binary_search(ring.head().members, node, {}, &Member::id);
}

/// Whether it is a member, or was one and has not handed over all: it may have been removed before
/// it ever heard of its joining.
bool concerns(const RingState& ring, const NodeId& node) {
    if (is_released(ring, node) || std::ranges::binary_search(ring.head().lost, node)) return false;
    return std::ranges::any_of(ring.epochs, [&](const Epoch& epoch) {
        return std::ranges::binary_search(epoch.members, node, {}, &Member::id);
    });
}

std::string short_text(std::size_t few, std::size_t partitions, unsigned quorum) {
    if (few == 0)
        return "the plan leaves every partition at least W copies: it needs no --accept-loss";
    return std::to_string(few) + " of " + std::to_string(partitions) +
           " partitions would be left with fewer than W=" + std::to_string(quorum) +
           " copies, and acknowledged writes may be lost; if that is meant, say --accept-loss=" +
           std::to_string(few);
}

/// One form per address, so that they can be compared; as it is when it cannot be read.
std::string with_port(const std::string& text) {
    const auto address = parse_address(text, default_peer_port);
    return address ? to_string(*address) : text;
}

}  // namespace

Members::Members(Desk& desk, std::optional<RingState> ring)
    : desk_(desk), next_gossip_(desk.now.instant) {
    for (const std::string& seed : desk_.options.seeds)
        if (with_port(seed) != with_port(desk_.options.self.peer_address))
            seeds_.push_back(with_port(seed));
    if (ring) {
        take_up(std::move(*ring));
    } else if (desk_.options.seeds.empty()) {
        adopt(found(ClusterId::random(desk_.random), desk_.options.founding, desk_.options.self,
                    desk_.now.wall_ms));
        desk_.log(Severity::info,
                  "founded cluster " + ring_->settings.name + " (" + ring_->cluster.brief() + ")");
    }
    warn_of_old_addresses();
}

bool Members::joined() const { return ring_ && names(*ring_, desk_.self()); }

// ------------------------------------------------------------------------------------------
// gossip

void Members::tick() {
    if (desk_.now.instant < wake_at()) return;
    next_gossip_ = desk_.now.instant + desk_.options.gossip_interval;
    std::vector<const Member*> others;
    for (const Member& member : desk_.routes.peers())
        if (member.id != desk_.self()) others.push_back(&member);
    // Seeds are asked as well as members, so that two halves of a cluster that have never heard of
    // each other become one (section 4.8.2).
    const std::uint64_t chosen = desk_.random.below(others.size() + seeds_.size());
    if (chosen < others.size())
        desk_.send(others[chosen]->id, root_message());
    else
        desk_.send_to_address(seeds_[chosen - others.size()], root_message());
    desk_.counters.add("gossip.sent");
}

Instant Members::wake_at() const {
    const std::size_t others =
        desk_.routes.peers().size() - (desk_.routes.find(desk_.self()) ? 1 : 0);
    return others + seeds_.size() > 0 ? next_gossip_ : Instant::max();
}

void Members::on(const wire::PeerEnvelope& from, const wire::GossipDigest& message) {
    if (NodeId::from(from.from) == desk_.self() || is_other_cluster(from)) return;
    if (!ring_) {
        if (!message.root.empty()) answer(from, root_message());
        return;
    }
    if (message.root == view_of(root_)) return;
    // A stray node that waits learns nothing until an operator has named it.
    if (message.root.empty() && !concerns(*ring_, NodeId::from(from.from))) return;
    tell_state(from, true);
}

void Members::on(const wire::PeerEnvelope& from, const wire::GossipState& message) {
    if (NodeId::from(from.from) == desk_.self() || is_other_cluster(from)) return;
    auto theirs = wire::decode_ring(message.state);
    if (!theirs) {
        desk_.counters.add("gossip.bad");
        desk_.log(Severity::debug,
                  "gossip from " + from.peer_address + " was dropped: " + theirs.error().message);
        return;
    }
    if (!ring_) {
        adopt_first(std::move(*theirs));
        return;
    }
    const Sha256 their_root = wire::digest_of(*theirs);
    if (their_root != root_) {
        RingState joined_state = *ring_;
        const auto changed = join(joined_state, *theirs);
        if (!changed) {
            desk_.counters.add("gossip.refused");
            log_once(Severity::error, "the ring of " + from.peer_address +
                                          " is refused: " + changed.error().message);
            return;
        }
        if (*changed) adopt(std::move(joined_state));
    }
    if (message.answer && their_root != root_) tell_state(from, false);
}

void Members::on_other_ring(const wire::PeerEnvelope& from) {
    const NodeId node = NodeId::from(from.from);
    // Who waits asks by itself; who is asked out of turn need not be asked again for a while.
    if (node == desk_.self() || from.ring == 0 || is_other_cluster(from)) return;
    const Duration pause = desk_.options.gossip_interval / out_of_turn_share;
    std::erase_if(told_,
                  [&](const auto& entry) { return entry.second + pause <= desk_.now.instant; });
    if (!told_.emplace(node, desk_.now.instant).second) return;
    answer(from, root_message());
}

bool Members::is_other_cluster(const wire::PeerEnvelope& from) {
    if (!ring_ || from.cluster.empty() || from.cluster == ring_->cluster.bytes()) return false;
    desk_.counters.add("gossip.refused");
    log_once(Severity::warning, from.peer_address + " belongs to another cluster (" +
                                    ClusterId::from(from.cluster).brief() +
                                    "); is it a wrong seed of one of us?");
    return true;
}

void Members::answer(const wire::PeerEnvelope& from, wire::PeerMessage message) {
    const NodeId node = NodeId::from(from.from);
    const Member* const member = desk_.routes.find(node);
    if (member && member->peer_address == from.peer_address)
        desk_.send(node, std::move(message));
    else
        desk_.send_to_address(from.peer_address, std::move(message));
}

void Members::tell_state(const wire::PeerEnvelope& from, bool answer_wanted) {
    answer(from, wire::GossipState{wire::encode(*ring_), answer_wanted});
    desk_.counters.add("gossip.states_sent");
}

wire::GossipDigest Members::root_message() const {
    return {ring_ ? Bytes(view_of(root_)) : Bytes{}};
}

// ------------------------------------------------------------------------------------------
// adopting

void Members::take_up(RingState ring) {
    ring_ = std::move(ring);
    ++revision_;
    root_ = wire::digest_of(*ring_);
    const Sha256 head = wire::digest_of(ring_->head());
    desk_.cluster = ring_->cluster;
    desk_.settings = ring_->settings;
    desk_.routes = Routes(*ring_, head);
    desk_.cluster = ring_->cluster;
    desk_.settings = ring_->settings;
}

void Members::adopt(RingState ring) {
    const std::uint64_t before = ring_ ? ring_->head().number : 0;
    forget_rings(ring, desk_.options.kept_rings);
    take_up(std::move(ring));
    desk_.outbox.ring = *ring_;
    const Epoch& head = ring_->head();
    if (head.number == before) return;
    desk_.counters.add("ring.adopted");
    desk_.log(Severity::info, "ring " + std::to_string(head.number) + " with " +
                                  std::to_string(head.members.size()) +
                                  (head.members.size() == 1 ? " member" : " members"));
}

void Members::adopt_first(RingState ring) {
    if (!concerns(ring, desk_.self())) return;
    if (desk_.options.refuse_other_name && ring.settings.name != desk_.options.founding.name) {
        desk_.counters.add("gossip.refused");
        log_once(Severity::warning, "cluster " + ring.settings.name +
                                        " names this node a member, which waits for cluster " +
                                        desk_.options.founding.name +
                                        "; start it with that name to let it join");
        return;
    }
    adopt(std::move(ring));
    next_gossip_ = desk_.now.instant + desk_.options.gossip_interval;
    warn_of_old_addresses();
}

void Members::warn_of_old_addresses() {
    const Member* const member = desk_.routes.find(desk_.self());
    const Member& self = desk_.options.self;
    if (!member || !desk_.routes.is_member(desk_.self()) ||
        (member->client_address == self.client_address &&
         member->peer_address == self.peer_address))
        return;
    desk_.log(Severity::warning,
              "the ring names this node at " + member->client_address +
                  " (peers: " + member->peer_address + "), but it is started at " +
                  self.client_address + " (peers: " + self.peer_address +
                  "): others will look for it at the old address; start it there");
}

void Members::log_once(Severity severity, std::string text) {
    if (refusals_told_.size() < max_refusals_told && refusals_told_.insert(text).second)
        desk_.log(severity, std::move(text));
}

// ------------------------------------------------------------------------------------------
// changes

Result<wire::StageReply> Members::stage(const wire::StageRequest& request) {
    if (auto member = check_joined(); !member) return std::unexpected(member.error());
    auto change = check_change(*ring_, request);
    if (!change) return std::unexpected(change.error());
    RingState next = *ring_;
    if (change->kind == MemberOp::Kind::discard)
        stage_discard(next, desk_.self(), change->kept, std::move(change->note), desk_.now.wall_ms);
    else
        dynamo::stage(next, desk_.self(), change->kind, change->subject, std::move(change->note),
                      desk_.now.wall_ms);
    adopt(std::move(next));
    return wire::StageReply{staged(*ring_).size()};
}

Result<wire::PlanReply> Members::plan() const {
    auto epoch = planned();
    if (!epoch) return std::unexpected(epoch.error());
    return wire::PlanReply{wire::plan_id(*epoch), wire::encode(*epoch)};
}

Result<Epoch> Members::proposed(const wire::CommitRequest& request) const {
    auto epoch = planned();
    if (!epoch) return epoch;
    if (const std::string present = wire::plan_id(*epoch); present != request.plan)
        return fail(Code::stale_plan, "the present plan is " + present + ", not " +
                                          quote(request.plan) +
                                          ": something was staged or committed since; look at it "
                                          "with dyn-ring plan and commit that");
    if (const std::size_t few = short_partitions(*ring_, *epoch); few != request.accept_loss)
        return fail(Code::refused,
                    short_text(few, epoch->partitions, ring_->settings.write_quorum));
    const Issued& parent = ring_->head().issued;
    epoch->proposer = desk_.self();
    epoch->issued = {desk_.now.wall_ms, 0};
    if (epoch->issued <= parent) epoch->issued = {parent.wall_ms, parent.count + 1};
    if (auto follows = followed_by(wire::encode(*epoch)); !follows)
        return fail(Code::internal, "the plan makes no valid ring: " + follows.error().message);
    return epoch;
}

Result<RingState> Members::followed_by(BytesView epoch) const {
    auto decoded = wire::decode_epoch(epoch);
    if (!decoded) return std::unexpected(decoded.error());
    if (decoded->parent != wire::digest_of(ring_->head()))
        return fail(Code::bad_request, "it was planned on another ring");
    RingState next = *ring_;
    next.epochs.push_back(std::move(*decoded));
    if (auto valid = validate(next); !valid) return std::unexpected(valid.error());
    return next;
}

bool Members::may_follow(BytesView epoch) const { return followed_by(epoch).has_value(); }

Result<void> Members::chosen(BytesView epoch) {
    auto next = followed_by(epoch);
    if (!next) return std::unexpected(next.error());
    adopt(std::move(*next));
    tell_all();
    return {};
}

void Members::note_complete(const std::set<std::uint16_t>& partitions) {
    RingState next = *ring_;
    bool changed = false;
    for (const std::uint16_t partition : partitions) {
        changed = dynamo::note_synced(next, desk_.self(), partition) || changed;
        if (desk_.breaks(Mutant::complete_for_all))
            for (const NodeId& owner : desk_.routes.owners(partition))
                dynamo::note_synced(next, owner, partition);
    }
    if (changed) adopt(std::move(next));
}

void Members::note_released() {
    RingState next = *ring_;
    next.released[desk_.self()] = next.head().number;
    desk_.log(Severity::info,
              "this node has left the ring and holds nothing any more: it may be stopped");
    adopt(std::move(next));
    tell_all();
}

void Members::tell(const NodeId& peer) {
    desk_.send(peer, wire::GossipState{wire::encode(*ring_), false});
}

/// Who waits for nothing else need not wait for its turn of gossip.
void Members::tell_all() {
    for (const Member& member : desk_.routes.peers())
        if (member.id != desk_.self()) tell(member.id);
    next_gossip_ = desk_.now.instant + desk_.options.gossip_interval;
}

Result<Epoch> Members::planned() const {
    if (auto member = check_joined(); !member) return std::unexpected(member.error());
    if (staged(*ring_).empty())
        return fail(Code::refused,
                    "nothing is staged; stage a change first: dyn-ring join ADDRESS");
    return dynamo::plan(*ring_, wire::digest_of(ring_->head()));
}

Result<void> Members::check_joined() const {
    if (joined()) return {};
    if (ring_) return fail(Code::not_joined, "this node was removed from its cluster");
    return fail(Code::not_joined,
                "this node is no member of a cluster yet: it waits for dyn-ring join on a member");
}

}  // namespace dynamo
