#include "daemon/node/coordination/coordinator.h"

#include <algorithm>
#include <vector>

#include "daemon/node/coordination/get.h"
#include "daemon/node/coordination/put.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

constexpr Duration longest_timeout = std::chrono::minutes(5);

/// The owner that answered first when the context was read (paper section 5); none when the token
/// names none, or is no token: its coordinator refuses it then.
template <typename WriteRequest>
NodeId preferred(const Desk& desk, const WriteRequest& request, const Position& position) {
    if constexpr (requires { request.context; }) {
        if (request.context.empty()) return {};
        const auto context = wire::decode_context(request.context, desk.cluster, position);
        if (context) return context->fastest;
    }
    return {};
}

}  // namespace

Instant Coordinator::deadline(Duration timeout) const {
    const Desk& desk = service_.desk;
    if (timeout <= Duration::zero()) timeout = desk.options.request_timeout;
    return desk.now.instant + std::min(timeout, longest_timeout);
}

bool Coordinator::admits(const Origin& origin) {
    if (service_.desk.fence.out_of_date()) {
        service_.answer(origin, Error{Code::busy,
                                      "this node was put back as it was some time ago and asks "
                                      "the others about that; ask another node"});
        return false;
    }
    if (operations_.size() < service_.desk.options.max_requests) return true;
    service_.answer(origin, Error{Code::busy, "too many requests are in progress; try again"});
    return false;
}

Coordinator::Running* Coordinator::find(std::uint64_t id) {
    const auto at = operations_.find(id);
    return at == operations_.end() ? nullptr : &at->second;
}

void Coordinator::run(std::uint64_t id, std::unique_ptr<Operation> operation) {
    operation->start();
    if (operation->finished()) return;
    Running& running = operations_[id];
    running = {std::move(operation), {}};
    set_timer(id, running);
}

void Coordinator::set_timer(std::uint64_t id, Running& running) {
    const Instant wake = running.operation->wake_at();
    if (wake == running.wake) return;
    running.wake = wake;
    timers_.emplace(wake, id);
}

void Coordinator::settle(std::uint64_t id, Running& running) {
    if (running.operation->finished()) {
        operations_.erase(id);
    } else if (running.operation->outdated()) {
        auto operation = std::move(running.operation);
        operations_.erase(id);
        begin_again(std::move(operation));
    } else {
        set_timer(id, running);
    }
}

void Coordinator::begin_again(std::unique_ptr<Operation> operation) {
    const std::uint64_t id = service_.desk.next_id();
    operation->begin_again(id);
    if (operation->finished()) return;
    Running& running = operations_[id];
    running = {std::move(operation), {}};
    set_timer(id, running);
}

void Coordinator::on_ring() {
    for (const std::uint64_t id : ids()) {
        Running* running = find(id);
        running->operation->on_ring();
        settle(id, *running);
    }
}

void Coordinator::get(const Origin& origin, wire::GetRequest request, Duration timeout) {
    if (!admits(origin)) return;
    const std::uint64_t id = service_.desk.next_id();
    run(id, std::make_unique<Get>(service_, id, origin, std::move(request), deadline(timeout)));
}

void Coordinator::put(const Origin& origin, wire::PutRequest request, Duration timeout) {
    write(origin, std::move(request), timeout);
}

void Coordinator::del(const Origin& origin, wire::DelRequest request, Duration timeout) {
    write(origin, std::move(request), timeout);
}

void Coordinator::state(const Origin& origin, wire::StateRequest request, Duration timeout) {
    if (!admits(origin)) return;
    const std::uint64_t id = service_.desk.next_id();
    run(id, std::make_unique<Get>(service_, id, origin, std::move(request), deadline(timeout)));
}

void Coordinator::merge(const Origin& origin, wire::MergeRequest request, Duration timeout) {
    write(origin, std::move(request), timeout);
}

template <typename WriteRequest>
void Coordinator::write(const Origin& origin, WriteRequest request, Duration timeout) {
    if (!admits(origin)) return;
    Desk& desk = service_.desk;
    const std::uint64_t id = desk.next_id();
    const Position position = position_of(request.key);
    const std::uint16_t partition = desk.routes.partition_of(position);
    NodeId stands_for;
    // Who has just started stores nothing yet, and so coordinates nothing.
    const bool unsure = desk.fence.unsure();
    if (unsure || !desk.routes.serves(desk.self(), partition)) {
        const auto owners = desk.routes.serving(partition);
        const auto is_healthy = [&](const NodeId& node) {
            return service_.liveness.healthy(node) && node != desk.self();
        };
        auto owner = std::ranges::find(owners, preferred(desk, request, position));
        if (owner == owners.end() || !is_healthy(*owner))
            owner = std::ranges::find_if(owners, is_healthy);
        if (owner != owners.end() && !origin.forwarder.is_none())
            return service_.answer(
                origin,
                Error{Code::busy, unsure ? "the coordinator has just started; try again"
                                         : "the ring that forwarded it differs; try again"});
        if (owner != owners.end())
            return run(id, std::make_unique<Forward>(service_, id, origin, std::move(request),
                                                     *owner, deadline(timeout)));
        if (unsure)
            return service_.answer(
                origin, Error{Code::busy,
                              "this node has just started and has not heard from another member "
                              "yet; try again, or ask another node"});
        stands_for = owners.front();
    }
    run(id, std::make_unique<Put>(service_, id, origin, WriteIntent(std::move(request), position),
                                  stands_for, deadline(timeout)));
}

void Coordinator::on(const wire::PeerEnvelope& envelope, const wire::ForwardRequest& request) {
    const NodeId from = NodeId::from(envelope.from);
    const Origin origin{0, request.id, from};
    if (request.run == 0)
        return service_.answer(origin, Error{Code::busy, "the coordinator's run is not known yet"});
    if (request.run != service_.desk.run)
        return service_.answer(
            origin, Error{Code::timed_out,
                          "the coordinator has started anew since; the write may be applied",
                          {},
                          Applied::maybe});
    if (!seen_.first_time(from, envelope.run, request.id) &&
        !service_.desk.breaks(Mutant::forward_obeyed_twice)) {
        service_.desk.counters.add("put.repeated_forwards");
        return;
    }
    auto body = wire::decode_request_body(request.op, request.body, service_.desk.options.limits);
    if (!body) return service_.answer(origin, body.error());
    const auto timeout = Duration(static_cast<Duration::rep>(
        std::min<std::uint64_t>(request.timeout_us, longest_timeout.count())));
    if (auto* put_request = std::get_if<wire::PutRequest>(&*body))
        put(origin, std::move(*put_request), timeout);
    else if (auto* del_request = std::get_if<wire::DelRequest>(&*body))
        del(origin, std::move(*del_request), timeout);
    else if (auto* merge_request = std::get_if<wire::MergeRequest>(&*body))
        merge(origin, std::move(*merge_request), timeout);
    else
        service_.answer(origin, Error{Code::bad_request, "only writes are forwarded"});
}

void Coordinator::on(const NodeId& from, const wire::ForwardReply& reply) {
    Running* running = find(reply.id);
    auto* forward = running ? dynamic_cast<Forward*>(running->operation.get()) : nullptr;
    if (!forward) return;
    forward->on_reply(from, reply);
    settle(reply.id, *running);
}

bool Coordinator::on(const NodeId& from, const wire::ReadReply& reply) {
    Running* running = find(reply.id);
    if (!running) return false;
    running->operation->on(from, reply);
    settle(reply.id, *running);
    return true;
}

bool Coordinator::on(const NodeId& from, const wire::WriteReply& reply) {
    Running* running = find(reply.id);
    if (!running) return false;
    running->operation->on(from, reply);
    settle(reply.id, *running);
    return true;
}

std::vector<std::uint64_t> Coordinator::ids() const {
    std::vector<std::uint64_t> ids;
    ids.reserve(operations_.size());
    for (const auto& [id, running] : operations_) ids.push_back(id);
    std::ranges::sort(ids);
    return ids;
}

void Coordinator::on_unreachable(const NodeId& node) {
    for (const std::uint64_t id : ids()) {
        Running* running = find(id);
        running->operation->on_unreachable(node);
        settle(id, *running);
    }
}

void Coordinator::on_undone(const Error& error) {
    for (const std::uint64_t id : ids()) {
        Running* running = find(id);
        running->operation->on_undone(error);
        settle(id, *running);
    }
}

void Coordinator::tick() {
    const Instant now = service_.desk.now.instant;
    std::vector<std::uint64_t> again;
    while (!timers_.empty() && timers_.top().first <= now) {
        const auto [wake, id] = timers_.top();
        timers_.pop();
        Running* running = find(id);
        if (!running || running->wake != wake) continue;
        running->wake = {};
        running->operation->on_timer();
        // A timer that would fire again at once gives way to the next step.
        if (!running->operation->finished() && running->operation->wake_at() <= now)
            again.push_back(id);
        else
            settle(id, *running);
    }
    for (const std::uint64_t id : again)
        if (Running* running = find(id)) settle(id, *running);
}

Instant Coordinator::wake_at() const {
    return timers_.empty() ? Instant::max() : timers_.top().first;
}

}  // namespace dynamo
