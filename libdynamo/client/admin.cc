#include "dynamo/admin.h"

#include <algorithm>

#include "libdynamo/base/address.h"
#include "libdynamo/client/parts.h"
#include "libdynamo/client/ring_view.h"
#include "libdynamo/ring/placement.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {

namespace {

Result<std::string> canonical(const std::string& address) {
    const auto parsed = parse_address(address, default_client_port);
    if (!parsed) return std::unexpected(parsed.error());
    return to_string(*parsed);
}

Hello to_hello(wire::HelloReply&& reply) {
    Hello hello;
    hello.node = {to_hex(reply.node_id),           std::move(reply.node),
                  std::move(reply.zone),           reply.weight,
                  std::move(reply.client_address), std::move(reply.peer_address)};
    hello.server = std::move(reply.server);
    hello.cluster = std::move(reply.cluster);
    hello.cluster_id = to_hex(reply.cluster_id);
    hello.state = std::move(reply.state);
    hello.ring = reply.ring;
    hello.max_key = reply.max_key;
    hello.max_value = reply.max_value;
    hello.max_context = reply.max_context;
    return hello;
}

Error unreadable_ring(const std::string& address, const Error& why) {
    return {Code::internal, address + " gave a ring that cannot be read: " + why.message, address};
}

Result<RingState> to_state(Session::Completion&& completion) {
    const std::string address = completion.address;
    const auto reply = reply_as<wire::RingReply>(std::move(completion));
    if (!reply) return std::unexpected(reply.error());
    auto state = wire::decode_ring(reply->state);
    if (!state) return std::unexpected(unreadable_ring(address, state.error()));
    return state;
}

NodeStatus to_status(const wire::StatusReply& reply, const RingState* ring) {
    NodeStatus status;
    status.node.id = to_hex(reply.node_id);
    if (ring) {
        const auto id = NodeId::from(reply.node_id);
        const auto member = std::ranges::find(ring->head().members, id, &Member::id);
        if (member != ring->head().members.end()) status.node = info_of(*member);
    }
    status.ring = reply.ring;
    status.stored_bytes = reply.stored_bytes;
    status.free_bytes = reply.free_bytes;
    status.hints_held = reply.hints_held;
    status.uptime_ms = reply.uptime_ms;
    status.durability = reply.durability;
    status.writes_refused = reply.writes_refused;
    for (const auto& peer : reply.peers)
        status.peers.push_back({to_hex(peer.node_id), peer.suspected, peer.silent_ms, peer.hints});
    return status;
}

/// Refuses what would be no joining of a new node.
Result<void> may_join(const Hello& hello, const std::string& address, const NodeInfo& joining,
                      const RingView& ring) {
    const std::string who = hello.node.name + " at " + address;
    for (const auto& member : ring.nodes)
        if (member.id == joining.id)
            return fail(Code::refused, who + " is a member of '" + ring.cluster + "' already");
    if (hello.state == "removed")
        return fail(Code::refused, who +
                                       " was removed from its cluster and cannot join again; "
                                       "start it with a new data directory");
    if (hello.state != "waiting")
        return fail(Code::refused, who + " belongs to cluster '" + hello.cluster +
                                       "' already; start it with --seeds and an empty data "
                                       "directory, so that it waits to be joined");
    const auto has_name = [&joining](const NodeInfo& node) {
        return node.name == joining.name && node.id != joining.id;
    };
    const auto staged_name = [&](const StagedChange& change) {
        return change.kind == "add" && has_name(change.node);
    };
    if (std::ranges::any_of(ring.nodes, has_name) || std::ranges::any_of(ring.staged, staged_name))
        return fail(Code::refused, "the name '" + joining.name + "' is taken in cluster '" +
                                       ring.cluster + "'; give " + address +
                                       " another with --name");
    return {};
}

/// A node that need not exist: it goes by its name.
Member imagined(const NodeInfo& node) {
    Member member;
    const Sha256 digest = sha256(node.name);
    member.id = NodeId::from({reinterpret_cast<const char*>(digest.data()), 16});
    member.name = node.name;
    member.zone = node.zone;
    member.weight = node.weight;
    member.client_address = node.name + ":" + std::to_string(default_client_port);
    member.peer_address = node.name + ":" + std::to_string(default_peer_port);
    return member;
}

}  // namespace

Result<Plan> simulate(std::string_view saved_ring, const WhatIf& change) {
    auto state = wire::decode_ring(saved_ring);
    if (!state) return fail(Code::bad_request, "this is no saved ring: " + state.error().message);
    const NodeId issuer = state->head().members.front().id;
    if (!staged(*state).empty()) stage_discard(*state, issuer, state->head().covers, {}, 0);
    for (const NodeInfo& node : change.join) {
        const Member member = imagined(node);
        if (auto valid = validate(member); !valid) return std::unexpected(valid.error());
        stage(*state, issuer, MemberOp::Kind::add, member, {}, 0);
    }
    for (const std::string& name : change.leave) {
        const auto& members = state->head().members;
        const auto member = std::ranges::find(members, name, &Member::name);
        if (member == members.end())
            return fail(Code::bad_request, "no member is named " + name + " in the saved ring");
        stage(*state, issuer, MemberOp::Kind::remove, *member, {}, 0);
    }
    const auto planned = plan(*state, wire::digest_of(state->head()));
    if (!planned) return std::unexpected(planned.error());
    return plan_of(*state, *planned, wire::plan_id(*planned));
}

Admin::Admin(Client client) : client_(std::move(client)) {}
Admin::Admin(Admin&&) noexcept = default;
Admin& Admin::operator=(Admin&&) noexcept = default;
Admin::~Admin() = default;

Result<Admin> Admin::open(ClientOptions options) {
    auto client = Client::open(std::move(options));
    if (!client) return std::unexpected(client.error());
    return Admin(std::move(*client));
}

Result<Hello> Admin::hello() {
    auto reply = reply_as<wire::HelloReply>(
        client_.parts_->ask(wire::HelloRequest{client_.parts_->program}));
    if (!reply) return std::unexpected(reply.error());
    return to_hello(std::move(*reply));
}

Result<Hello> Admin::hello_at(const std::string& address) {
    const auto exact = canonical(address);
    if (!exact) return std::unexpected(exact.error());
    auto reply = reply_as<wire::HelloReply>(
        client_.parts_->ask(wire::HelloRequest{client_.parts_->program}, *exact));
    if (!reply) return std::unexpected(reply.error());
    return to_hello(std::move(*reply));
}

Result<RingView> Admin::ring() {
    const auto state = to_state(client_.parts_->ask(wire::RingRequest{}));
    if (!state) return std::unexpected(state.error());
    return view_of(*state);
}

Result<RingView> Admin::ring_at(const std::string& address) {
    const auto exact = canonical(address);
    if (!exact) return std::unexpected(exact.error());
    const auto state = to_state(client_.parts_->ask(wire::RingRequest{}, *exact));
    if (!state) return std::unexpected(state.error());
    return view_of(*state);
}

Result<std::string> Admin::saved_ring() {
    const auto state = to_state(client_.parts_->ask(wire::RingRequest{}));
    if (!state) return std::unexpected(state.error());
    return wire::encode(*state);
}

Result<RingView> Admin::ring_version(std::uint64_t number) {
    const auto state = to_state(client_.parts_->ask(wire::RingRequest{}));
    if (!state) return std::unexpected(state.error());
    const auto epoch = std::ranges::find(state->epochs, number, &Epoch::number);
    if (epoch == state->epochs.end())
        return fail(Code::bad_request, "there is no ring " + std::to_string(number) +
                                           "; those remembered are " +
                                           std::to_string(state->epochs.front().number) + " to " +
                                           std::to_string(state->head().number));
    return view_of(*state, *epoch);
}

Result<NodeStatus> Admin::status_at(const std::string& address) {
    const auto exact = canonical(address);
    if (!exact) return std::unexpected(exact.error());
    const auto reply =
        reply_as<wire::StatusReply>(client_.parts_->ask(wire::StatusRequest{}, *exact));
    if (!reply) return std::unexpected(reply.error());
    // A node's name and zone are the ring's to tell; of one that stands in no ring, its own.
    const auto state = to_state(client_.parts_->ask(wire::RingRequest{}, *exact));
    NodeStatus status = to_status(*reply, state ? &*state : nullptr);
    if (status.node.name.empty())
        if (auto hello = hello_at(*exact)) status.node = std::move(hello->node);
    return status;
}

Result<Held> Admin::peek_at(const std::string& address, std::string_view key) {
    const auto exact = canonical(address);
    if (!exact) return std::unexpected(exact.error());
    // The ring gives the nodes' names; without one they go by their ids.
    if (!client_.parts_->ring) (void)client_.parts_->learn_ring();
    auto reply =
        reply_as<wire::PeekReply>(client_.parts_->ask(wire::PeekRequest{std::string(key)}, *exact));
    if (!reply) return std::unexpected(reply.error());
    return to_held(std::move(*reply), client_.parts_->ring_routes);
}

Result<std::map<std::string, double>> Admin::stats_at(const std::string& address) {
    const auto exact = canonical(address);
    if (!exact) return std::unexpected(exact.error());
    auto reply = reply_as<wire::StatsReply>(client_.parts_->ask(wire::StatsRequest{}, *exact));
    if (!reply) return std::unexpected(reply.error());
    std::map<std::string, double> stats;
    for (auto& stat : reply->stats) stats[std::move(stat.name)] = stat.value;
    return stats;
}

Result<unsigned> Admin::stage_join(const std::string& address, const JoinOptions& options) {
    const auto exact = canonical(address);
    if (!exact) return std::unexpected(exact.error());
    const auto hello = hello_at(*exact);
    if (!hello) return std::unexpected(hello.error());
    const auto view = ring();
    if (!view) return std::unexpected(view.error());

    NodeInfo joining = hello->node;
    if (!options.name.empty()) joining.name = options.name;
    if (!options.zone.empty()) joining.zone = options.zone;
    if (options.weight) joining.weight = *options.weight;
    if (const auto good = may_join(*hello, *exact, joining, *view); !good)
        return std::unexpected(good.error());

    wire::StageRequest request;
    request.kind = static_cast<std::uint8_t>(MemberOp::Kind::add);
    if (!from_hex(joining.id, request.node_id) || request.node_id.size() != 16)
        return fail(Code::internal, *exact + " gave no usable node id");
    request.name = joining.name;
    request.zone = joining.zone;
    request.weight = joining.weight;
    request.client_address = joining.client_address;
    request.peer_address = joining.peer_address;
    request.note = options.note;
    const auto reply = reply_as<wire::StageReply>(client_.parts_->ask(std::move(request)));
    if (!reply) return std::unexpected(reply.error());
    return static_cast<unsigned>(reply->staged);
}

Result<unsigned> Admin::stage_leave(const NodeInfo& node, Leaving leaving,
                                    const std::string& note) {
    wire::StageRequest request;
    request.kind = static_cast<std::uint8_t>(leaving == Leaving::lost ? MemberOp::Kind::lost
                                                                      : MemberOp::Kind::remove);
    if (!from_hex(node.id, request.node_id))
        return fail(Code::bad_request, node.id + " is no node's id");
    request.note = note;
    const auto reply = reply_as<wire::StageReply>(client_.parts_->ask(std::move(request)));
    if (!reply) return std::unexpected(reply.error());
    return static_cast<unsigned>(reply->staged);
}

Result<unsigned> Admin::stage_set(const NodeInfo& node, const std::string& note) {
    wire::StageRequest request;
    request.kind = static_cast<std::uint8_t>(MemberOp::Kind::set);
    if (!from_hex(node.id, request.node_id))
        return fail(Code::bad_request, node.id + " is no node's id");
    request.name = node.name;
    request.zone = node.zone;
    request.weight = node.weight;
    request.client_address = node.client_address;
    request.peer_address = node.peer_address;
    request.note = note;
    const auto reply = reply_as<wire::StageReply>(client_.parts_->ask(std::move(request)));
    if (!reply) return std::unexpected(reply.error());
    return static_cast<unsigned>(reply->staged);
}

Result<unsigned> Admin::stage_rebalance(const std::string& note) {
    const auto state = to_state(client_.parts_->ask(wire::RingRequest{}));
    if (!state) return std::unexpected(state.error());
    const Epoch& head = state->head();
    if (place(head.members, head.partitions, head.copies, &head) == head.table) return 0;
    // Any change has all lists placed anew; one that changes no member changes nothing else.
    return stage_set(info_of(head.members.front()), note);
}

Result<unsigned> Admin::stage_discard(bool head, const std::string& note) {
    wire::StageRequest request;
    request.kind = head ? wire::stage_cancel : wire::stage_discard;
    request.note = note;
    const auto reply = reply_as<wire::StageReply>(client_.parts_->ask(std::move(request)));
    if (!reply) return std::unexpected(reply.error());
    return static_cast<unsigned>(reply->staged);
}

Result<Plan> Admin::plan() {
    auto planned = client_.parts_->ask(wire::PlanRequest{});
    const std::string address = planned.address;
    const auto reply = reply_as<wire::PlanReply>(std::move(planned));
    if (!reply) return std::unexpected(reply.error());
    const auto epoch = wire::decode_epoch(reply->epoch);
    if (!epoch) return std::unexpected(unreadable_ring(address, epoch.error()));
    // The same node's ring: another's may be older.
    const auto state = to_state(client_.parts_->ask(wire::RingRequest{}, address));
    if (!state) return std::unexpected(state.error());
    if (epoch->parent != wire::digest_of(state->head()))
        return std::unexpected(Error{
            Code::stale_plan, "the ring changed while it was planned on; plan again", address});
    return plan_of(*state, *epoch, reply->plan);
}

Result<std::uint64_t> Admin::commit(const std::string& plan_id, std::uint64_t accept_loss) {
    const auto reply =
        reply_as<wire::CommitReply>(client_.parts_->ask(wire::CommitRequest{plan_id, accept_loss}));
    if (!reply) return std::unexpected(reply.error());
    return reply->ring;
}

}  // namespace dynamo
