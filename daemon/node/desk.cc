#include "daemon/node/desk.h"

#include <utility>

namespace dynamo {

void Desk::answered(Histogram& latencies, Instant begun) {
    const Duration took = now.instant - begun;
    latencies.record(static_cast<std::uint64_t>(took.count()));
    budget.answered(now.instant, took);
}

void Desk::send(const NodeId& node, wire::PeerMessage message) {
    const Member* member = routes.find(node);
    if (!member) return;
    outbox.peers.push_back({node, member->peer_address, std::move(message)});
}

void Desk::send_to_address(const std::string& address, wire::PeerMessage message) {
    outbox.peers.push_back({{}, address, std::move(message)});
}

void Desk::log(Severity severity, std::string text) {
    outbox.log.push_back({severity, std::move(text)});
}

std::string Desk::name_of(const NodeId& node) const {
    const Member* member = routes.find(node);
    return member ? member->name : node.brief();
}

void Outbox::clear() {
    clients.clear();
    peers.clear();
    ring.reset();
    vote.reset();
    sync = false;
    log.clear();
}

std::vector<Outbox::ToPeer> Outbox::take_early() {
    std::vector<ToPeer> early;
    if (ring) return early;
    std::vector<ToPeer> waiting;
    for (ToPeer& to : peers) {
        const bool asks = std::holds_alternative<wire::WriteRequest>(to.message) ||
                          std::holds_alternative<wire::ReadRequest>(to.message) ||
                          std::holds_alternative<wire::ForwardRequest>(to.message);
        (asks ? early : waiting).push_back(std::move(to));
    }
    peers = std::move(waiting);
    return early;
}

}  // namespace dynamo
