#include "daemon/node/node.h"

#include <algorithm>
#include <set>
#include <utility>

#include "daemon/node/local/inspect.h"
#include "daemon/node/node_parts.h"
#include "daemon/node/repair/gc.h"
#include "daemon/node/repair/upkeep.h"
#include "libdynamo/base/check.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {

namespace {

bool is_gossip(const wire::PeerMessage& message) {
    return std::holds_alternative<wire::GossipDigest>(message) ||
           std::holds_alternative<wire::GossipState>(message);
}

/// Requests that a node answers though it is no member yet.
bool is_for_anyone(const wire::ClientRequest& request) {
    return std::holds_alternative<wire::HelloRequest>(request) ||
           std::holds_alternative<wire::StatsRequest>(request) ||
           std::holds_alternative<wire::StatusRequest>(request);
}

}  // namespace

// ------------------------------------------------------------------------------------ from clients

bool Node::Parts::admits(const Origin& origin, const wire::Request& request) {
    if (!request.cluster.empty() && ClusterId::from(request.cluster) != desk.cluster) {
        service.answer(origin, Error{Code::wrong_cluster,
                                     "this daemon does not belong to that cluster; check --seed"});
        return false;
    }
    if (members.joined() || is_for_anyone(request.body)) return true;
    service.answer(origin, Error{Code::not_joined,
                                 "it waits to be joined to a cluster; on a member's side: "
                                 "dyn-ring join " +
                                     desk.options.self.client_address});
    return false;
}

void Node::Parts::answer(const Origin& origin, const wire::HelloRequest&) {
    const NodeOptions& options = desk.options;
    const Member& self = options.self;
    wire::HelloReply reply;
    reply.server = "dynamod " + options.version;
    reply.features = {"batch",   "forward", "jobs",   "keys",  "merge",
                      "observe", "peek",    "repair", "trace", "tree"};
    reply.max_key = options.limits.key_bytes;
    reply.max_value = options.limits.value_bytes;
    reply.max_context = options.limits.context_bytes;
    if (members.ring()) {
        reply.cluster = desk.settings.name;
        reply.cluster_id = Bytes(desk.cluster.bytes());
    }
    reply.node = self.name;
    reply.node_id = Bytes(self.id.bytes());
    reply.zone = self.zone;
    reply.weight = self.weight;
    reply.client_address = self.client_address;
    reply.peer_address = self.peer_address;
    reply.state = members.joined() ? "member" : members.ring() ? "removed" : "waiting";
    reply.ring = desk.routes.number();
    service.answer(origin, std::move(reply));
}

void Node::Parts::answer(const Origin& origin, const wire::StatsRequest&) {
    std::vector<wire::Stat> stats = desk.counters.list();
    const auto add = [&](std::string name, std::uint64_t value) {
        stats.push_back({std::move(name), static_cast<double>(value)});
    };
    add("hints.held", objects.hints_held());
    add("requests.in_progress", coordinator.in_progress());
    add("exchange.passes", exchange.passes());
    add("trees.complete", objects.trees().complete());
    add("repairs.in_progress", mend.in_progress());
    add("partitions.owned", desk.routes.owned_by(desk.self()).size());
    add("partitions.rebuilding", objects.rebuilding().size());
    add("partitions.gaining", transfer.gaining());
    add("partitions.leaving", transfer.leaving());
    add("purge.fence", desk.fence.number());
    add("storage.stored_bytes", desk.load.stored_bytes);
    add("storage.free_bytes", desk.load.free_bytes);
    add("ring.number", desk.routes.number());
    const wire::Pace pace = desk.budget.pace(desk.now.instant);
    add("background.rate", pace.rate);
    add("requests.recent_p99", pace.p99_us);
    for (const auto& [name, value] : desk.load.gauges) stats.push_back({name, value});
    std::ranges::sort(stats, {}, &wire::Stat::name);
    service.answer(origin, wire::StatsReply{std::move(stats)});
}

void Node::Parts::answer(const Origin& origin, const wire::StatusRequest&) {
    wire::StatusReply reply;
    reply.node_id = Bytes(desk.self().bytes());
    reply.ring = desk.routes.number();
    reply.stored_bytes = desk.load.stored_bytes;
    reply.free_bytes = desk.load.free_bytes;
    reply.hints_held = objects.hints_held();
    reply.uptime_ms = (desk.now.instant - started).count() / 1000;
    reply.durability = desk.options.durability;
    reply.writes_refused = desk.load.refuse_writes;
    for (const Member& member : desk.routes.members()) {
        if (member.id == desk.self()) continue;
        const std::int64_t silence = liveness.silence_us(member.id);
        reply.peers.push_back({Bytes(member.id.bytes()), !liveness.healthy(member.id),
                               silence < 0 ? -1 : silence / 1000,
                               objects.hints_held_for(member.id)});
    }
    service.answer(origin, std::move(reply));
}

void Node::Parts::answer(const Origin& origin, const wire::RingRequest&) {
    service.answer(origin, wire::RingReply{wire::encode(*members.ring())});
}

void Node::Parts::answer(const Origin& origin, const wire::FlushRequest&) {
    handback.flush();
    service.answer(origin, wire::FlushReply{objects.hints_held()});
}

void Node::Parts::steer(const Origin& origin, const wire::JobRequest& request) {
    if (auto reply = jobs.on(request))
        service.answer(origin, std::move(*reply), true);
    else
        service.answer(origin, reply.error());
}

void Node::on_client(ClientHandle client, wire::Request request, Now now) {
    Parts& parts = *parts_;
    parts.desk.now = now;
    const Origin origin{client, request.id, {}};
    if (!parts.admits(origin, request)) return;
    const Duration timeout = request.timeout;
    std::visit(
        [&]<typename Request>(Request& body) {
            if constexpr (std::is_same_v<Request, wire::GetRequest>)
                parts.coordinator.get(origin, std::move(body), timeout);
            else if constexpr (std::is_same_v<Request, wire::PutRequest>)
                parts.coordinator.put(origin, std::move(body), timeout);
            else if constexpr (std::is_same_v<Request, wire::DelRequest>)
                parts.coordinator.del(origin, std::move(body), timeout);
            else if constexpr (std::is_same_v<Request, wire::StateRequest>)
                parts.coordinator.state(origin, std::move(body), timeout);
            else if constexpr (std::is_same_v<Request, wire::MergeRequest>)
                parts.coordinator.merge(origin, std::move(body), timeout);
            else if constexpr (std::is_same_v<Request, wire::StageRequest>)
                parts.answer(origin, parts.members.stage(body));
            else if constexpr (std::is_same_v<Request, wire::PlanRequest>)
                parts.answer(origin, parts.members.plan());
            else if constexpr (std::is_same_v<Request, wire::CommitRequest>)
                parts.vote.commit({client, request.id}, body, timeout);
            else if constexpr (std::is_same_v<Request, wire::PeekRequest>)
                parts.answer(origin, peek(parts.desk, parts.objects, body.key));
            else if constexpr (std::is_same_v<Request, wire::KeysRequest>)
                parts.answer(origin, list_keys(parts.desk, parts.objects, body));
            else if constexpr (std::is_same_v<Request, wire::TreeRequest>)
                parts.answer(origin, list_nodes(parts.desk, parts.objects, body));
            else if constexpr (std::is_same_v<Request, wire::RootsRequest>)
                parts.answer(origin, list_roots(parts.desk, parts.objects, body));
            else if constexpr (std::is_same_v<Request, wire::RepairRequest>)
                parts.service.answer(origin, repair_status(parts.desk, parts.objects,
                                                           parts.exchange, parts.mend, body));
            else if constexpr (std::is_same_v<Request, wire::ThrottleRequest>)
                parts.answer(origin, set_throttle(parts.desk, body));
            else if constexpr (std::is_same_v<Request, wire::ScrubRequest>)
                parts.answer(origin, scrub(parts.desk, parts.objects, body));
            else if constexpr (std::is_same_v<Request, wire::CheckRequest>)
                parts.answer(origin, check_tree(parts.desk, parts.objects, body));
            else if constexpr (std::is_same_v<Request, wire::GcRequest>)
                parts.answer(origin, gc_status(parts.desk, parts.objects, parts.liveness,
                                               parts.purge, body));
            else if constexpr (std::is_same_v<Request, wire::JobRequest>)
                parts.steer(origin, body);
            else if constexpr (std::is_same_v<Request, wire::JobsRequest>)
                parts.service.answer(origin, parts.jobs.list());
            else
                parts.answer(origin, body);
        },
        request.body);
    parts.follow_ring();
}

// -------------------------------------------------------------------------------------- from peers

bool Node::Parts::accepts(const wire::PeerEnvelope& envelope, const wire::PeerMessage& message) {
    const NodeId to = NodeId::from(envelope.to);
    const NodeId from = NodeId::from(envelope.from);
    if (from.is_none() || from == desk.self() || (!to.is_none() && to != desk.self())) {
        desk.counters.add("peers.misdirected");
        return false;
    }
    const ClusterId cluster = ClusterId::from(envelope.cluster);
    if (cluster.is_none() || desk.cluster.is_none()) return is_gossip(message);
    if (cluster == desk.cluster) return true;
    desk.counters.add("peers.wrong_cluster");
    if (foreign_clusters.size() < 64 && foreign_clusters.insert(envelope.cluster).second)
        desk.log(Severity::warning, "refused messages of another cluster (" + cluster.brief() +
                                        ") from " + envelope.peer_address +
                                        "; check its --seeds and ours");
    return false;
}

void Node::Parts::dispatch(const wire::PeerEnvelope& envelope, wire::PeerMessage& message) {
    const NodeId from = NodeId::from(envelope.from);
    std::visit(
        [&]<typename Message>(Message& body) {
            if constexpr (std::is_same_v<Message, wire::ReadRequest> ||
                          std::is_same_v<Message, wire::WriteRequest>) {
                if (!replica.on(from, envelope.ring, body)) members.tell(from);
            } else if constexpr (std::is_same_v<Message, wire::ReadReply>) {
                if (!coordinator.on(from, body)) mend.on(from, body);
            } else if constexpr (std::is_same_v<Message, wire::ForwardReply>) {
                coordinator.on(from, body);
            } else if constexpr (std::is_same_v<Message, wire::WriteReply>) {
                if (!coordinator.on(from, body) && !handback.on(from, body))
                    exchange.on(from, body);
            } else if constexpr (std::is_same_v<Message, wire::ForwardRequest>) {
                coordinator.on(envelope, body);
            } else if constexpr (std::is_same_v<Message, wire::GossipDigest> ||
                                 std::is_same_v<Message, wire::GossipState>) {
                members.on(envelope, body);
            } else if constexpr (std::is_same_v<Message, wire::Ping>) {
                desk.send(from, wire::Pong{body.id});
            } else if constexpr (std::is_same_v<Message, wire::ExchangeOffer> ||
                                 std::is_same_v<Message, wire::TreeOffer>) {
                exchange.on(from, envelope.ring, body);
            } else if constexpr (std::is_same_v<Message, wire::ExchangeReply> ||
                                 std::is_same_v<Message, wire::TreeReply>) {
                exchange.on(from, body);
            } else if constexpr (std::is_same_v<Message, wire::VoteAsk>) {
                vote.on(envelope, body);
            } else if constexpr (std::is_same_v<Message, wire::VoteReply>) {
                vote.on(from, body);
            } else if constexpr (std::is_same_v<Message, wire::FenceReply>) {
                purge.on(from, body,
                         envelope.ring == desk.routes.number() &&
                             envelope.fingerprint == desk.routes.fingerprint());
            } else if constexpr (std::is_same_v<Message, wire::FenceAsk> ||
                                 std::is_same_v<Message, wire::PurgeOffer> ||
                                 std::is_same_v<Message, wire::PurgeReply> ||
                                 std::is_same_v<Message, wire::PurgeOrder>) {
                purge.on(from, body);
            } else {
                // A Pong says all by arriving: its sender was heard.
                static_assert(std::is_same_v<Message, wire::Pong>);
            }
        },
        message);
}

void Node::on_peer(const wire::PeerEnvelope& envelope, wire::PeerMessage message, Now now) {
    Parts& parts = *parts_;
    parts.desk.now = now;
    if (!parts.accepts(envelope, message)) return;
    const NodeId from = NodeId::from(envelope.from);
    if (parts.desk.routes.find(from)) {
        const std::uint64_t run = parts.liveness.run_of(from);
        parts.liveness.set_run(from, envelope.run);
        parts.purge.on_member(from, envelope.fence, run != 0 && run != envelope.run);
        if (parts.liveness.heard(from)) parts.handback.on_heard(from);
        if (!is_gossip(message) && (envelope.ring != parts.desk.routes.number() ||
                                    envelope.fingerprint != parts.desk.routes.fingerprint()))
            parts.members.on_other_ring(envelope);
    }
    const bool waited = parts.desk.routes.number() == 0;
    parts.dispatch(envelope, message);
    if (waited && parts.members.joined()) parts.purge.on_joined(envelope.fence);
    parts.follow_ring();
    parts.follow_purge();
}

void Node::Parts::follow_purge() {
    if (!purge.take_given_up()) return;
    // Dots of this run, and requests that count on what was here, are void.
    desk.run = desk.random.bits();
    coordinator.on_undone({Code::busy, "this node gave up what it held, which was out of date",
                           desk.options.self.name, Applied::maybe});
    mend.on_ring();
    jobs.given_up();
    // What is to be rebuilt first: a copy that was given up counts for nothing.
    report(exchange.given_up());
    transfer.rolled_back();
}

void Node::on_unreachable(const NodeId& node, Now now) {
    parts_->desk.now = now;
    if (!parts_->desk.routes.find(node)) return;
    parts_->liveness.unreachable(node);
    parts_->coordinator.on_unreachable(node);
}

// -------------------------------------------------------------------------------------- the loop's

Node::Node(NodeOptions options, std::optional<RingState> ring, Storage& storage, Random random,
           Now now)
    : parts_(std::make_unique<Parts>(std::move(options), std::move(ring), storage, random, now)) {}

Node::~Node() = default;

void Node::on_load(const LoadSample& sample) { parts_->desk.load = sample; }

void Node::tick(Now now) {
    Parts& parts = *parts_;
    parts.desk.now = now;
    parts.coordinator.tick();
    parts.liveness.tick();
    parts.members.tick();
    parts.handback.tick();
    parts.jobs.tick();
    parts.transfer.tick();
    parts.exchange.tick();
    parts.mend.tick();
    parts.purge.tick();
    parts.objects.trees().tick();
    parts.vote.tick();
    parts.follow_ring();
    parts.follow_transfer();
}

Instant Node::wake_at() const {
    const Parts& parts = *parts_;
    return std::min({parts.coordinator.wake_at(), parts.liveness.wake_at(), parts.members.wake_at(),
                     parts.handback.wake_at(), parts.jobs.wake_at(), parts.exchange.wake_at(),
                     parts.mend.wake_at(), parts.purge.wake_at(), parts.objects.trees().wake_at(),
                     parts.transfer.wake_at(), parts.vote.wake_at()});
}

void Node::recall(wire::Ballots ballots) { parts_->vote.recall(std::move(ballots)); }

Outbox& Node::outbox() { return parts_->desk.outbox; }

const std::string& Node::name() const { return parts_->desk.options.self.name; }

wire::PeerEnvelope Node::envelope() const {
    const Desk& desk = parts_->desk;
    wire::PeerEnvelope envelope;
    if (!desk.cluster.is_none()) envelope.cluster = Bytes(desk.cluster.bytes());
    envelope.from = Bytes(desk.self().bytes());
    envelope.peer_address = desk.options.self.peer_address;
    envelope.run = desk.run;
    envelope.ring = desk.routes.number();
    envelope.fingerprint = desk.routes.fingerprint();
    envelope.fence = desk.fence.number();
    return envelope;
}

Result<bool> Node::tree_is_right(std::uint16_t partition) const {
    return parts_->objects.trees().is_right(partition);
}

const RingState* Node::ring() const { return parts_->members.ring(); }

bool Node::settled() const { return parts_->purge.settled(); }

bool Node::vote_open() const { return parts_->vote.open(); }

std::size_t Node::in_progress() const { return parts_->coordinator.in_progress(); }

}  // namespace dynamo
