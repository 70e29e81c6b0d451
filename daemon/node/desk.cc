#include "daemon/node/desk.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace dynamo {

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
    log.clear();
}

std::vector<Outbox::ToPeer> Outbox::take_early() {
    std::vector<ToPeer> early;
    if (ring) return early;
    const auto waits = [](const ToPeer& to) {
        return !std::holds_alternative<wire::WriteRequest>(to.message) &&
               !std::holds_alternative<wire::ReadRequest>(to.message) &&
               !std::holds_alternative<wire::ForwardRequest>(to.message);
    };
    const auto first = std::stable_partition(peers.begin(), peers.end(), waits);
    early.assign(std::make_move_iterator(first), std::make_move_iterator(peers.end()));
    peers.erase(first, peers.end());
    return early;
}

}  // namespace dynamo
