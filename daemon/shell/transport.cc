#include "daemon/shell/transport.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <set>
#include <utility>
#include <zmq.hpp>

#include "daemon/shell/process.h"
#include "daemon/shell/transport_link.h"
#include "daemon/shell/transport_listener.h"
#include "daemon/shell/transport_socket.h"

namespace dynamo {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto guard_interval = std::chrono::milliseconds(100);
/// A link that nothing was sent over for so long is closed.
constexpr auto link_patience = std::chrono::minutes(10);
constexpr int most_sockets = 65536;

}  // namespace

struct Transport::Parts {
    struct Peer {
        std::unique_ptr<Link> link;
        NodeId node;           ///< who was last said to be there
        bool is_told = false;  ///< that it cannot be reached: once for each time
    };

    Parts(const TransportOptions& options, Log& its_log)
        : log(its_log),
          peer_memory(options.peer_memory),
          clients(context,
                  {.who = "client",
                   .address = options.listen,
                   .max_connections = options.max_clients,
                   .memory = options.client_memory},
                  its_log),
          peers(context, {.who = "peer", .address = options.listen_peer}, its_log) {}

    zmq::context_t context;
    Log& log;
    std::uint64_t peer_memory;
    Listener clients;
    Listener peers;
    std::map<std::string, Peer> links;  // by address
    LinkCounters link_counters;
    std::set<NodeId> unreachable;
    std::vector<zmq::pollitem_t> items;
    Clock::time_point next_guard{};
};

Transport::Transport(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Transport::~Transport() = default;

Result<std::unique_ptr<Transport>> Transport::open(const TransportOptions& options, Log& log) {
    try {
        auto parts = std::make_unique<Parts>(options, log);
        parts->context.set(zmq::ctxopt::max_sockets, most_sockets);
        if (const auto bound = parts->clients.bind(); !bound) return std::unexpected(bound.error());
        if (const auto bound = parts->peers.bind(); !bound) return std::unexpected(bound.error());
        return std::unique_ptr<Transport>(new Transport(std::move(parts)));
    } catch (const zmq::error_t& error) {
        return fail(Code::storage, fmt::format("cannot set up sockets: {}", error.what()));
    }
}

const Address& Transport::client_address() const { return parts_->clients.address(); }
const Address& Transport::peer_address() const { return parts_->peers.address(); }

bool Transport::wait(Duration at_most, int descriptor) {
    auto& items = parts_->items;
    items.clear();
    items.push_back({nullptr, descriptor, ZMQ_POLLIN, 0});
    parts_->clients.add_to(items);
    parts_->peers.add_to(items);
    for (auto& [address, peer] : parts_->links) peer.link->add_to(items);

    const bool guarded = !parts_->clients.is_idle() || !parts_->peers.is_idle();
    auto patience = std::chrono::ceil<std::chrono::milliseconds>(at_most);
    if (guarded) patience = std::min(patience, std::chrono::milliseconds(guard_interval));
    try {
        zmq::poll(items, patience);
    } catch (const zmq::error_t& error) {
        // A signal that is handled elsewhere ends the wait, as if the time were over.
        if (error.num() != EINTR)
            parts_->log.write_rarely("poll", Severity::error,
                                     fmt::format("cannot wait for messages: {}", error.what()));
    }
    if (Clock::now() >= parts_->next_guard) guard();
    return (items.front().revents & ZMQ_POLLIN) != 0;
}

void Transport::guard() {
    parts_->next_guard = Clock::now() + guard_interval;
    const auto resident = resident_bytes();
    parts_->clients.guard(resident);
    parts_->peers.guard(resident);
    std::erase_if(parts_->links, [](const auto& entry) {
        return Clock::now() - entry.second.link->last_used() > link_patience;
    });
}

bool Transport::receive_clients(std::size_t messages, std::size_t octets, const Take& take) {
    return parts_->clients.receive(messages, octets, take);
}

bool Transport::receive_peers(std::size_t messages, std::size_t octets, const Take& take) {
    return parts_->peers.receive(messages, octets, take);
}

bool Transport::send_client(ClientHandle client, const wire::Frames& frames) {
    return parts_->clients.send(client, frames);
}

bool Transport::send_peer(const std::string& address, const NodeId& node, wire::Frames frames) {
    auto& peer = parts_->links[address];
    if (!peer.link) {
        try {
            const auto parsed = parse_address(address, default_peer_port);
            if (!parsed) throw zmq::error_t(EINVAL);
            peer.link = std::make_unique<Link>(parts_->context, *parsed, parts_->peer_memory,
                                               parts_->link_counters);
        } catch (const zmq::error_t& error) {
            parts_->log.write_rarely(
                "link", Severity::warning,
                fmt::format("cannot connect to the peer address '{}': {}", address, error.what()));
            parts_->links.erase(address);
            ++parts_->link_counters.dropped;
            if (!node.is_none()) parts_->unreachable.insert(node);
            return false;
        }
    }
    if (!node.is_none()) peer.node = node;
    const bool taken = peer.link->send(std::move(frames));
    // Refused just now; an older refusal would have made it connect anew.
    if (peer.link->is_refused() && !node.is_none()) parts_->unreachable.insert(node);
    return taken;
}

Transport::Noticed Transport::take_noticed() {
    parts_->clients.follow();
    parts_->peers.follow();
    (void)parts_->peers.take_gone();
    for (auto& [address, peer] : parts_->links) {
        const bool lost = peer.link->follow();
        if (lost && !peer.node.is_none()) parts_->unreachable.insert(peer.node);
        if (lost && !std::exchange(peer.is_told, true))
            parts_->log.write(Severity::warning,
                              fmt::format("cannot reach the peer address {}: nobody listens there, "
                                          "or it is no peer address of a daemon; goes on trying",
                                          address));
        if (peer.link->is_connected()) peer.is_told = false;
    }
    Noticed noticed;
    noticed.gone = parts_->clients.take_gone();
    noticed.unreachable.assign(parts_->unreachable.begin(), parts_->unreachable.end());
    parts_->unreachable.clear();
    return noticed;
}

const ListenerCounters& Transport::client_counters() const { return parts_->clients.counters(); }
const ListenerCounters& Transport::peer_counters() const { return parts_->peers.counters(); }
const LinkCounters& Transport::link_counters() const { return parts_->link_counters; }
std::size_t Transport::client_connections() const { return parts_->clients.connections(); }

}  // namespace dynamo
