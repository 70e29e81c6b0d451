// Sockets: clients on one ROUTER, peers on another, and a DEALER to each peer.
//
//     clients ⇄ ROUTER 7100        answers go back the way the request came
//     peers   → ROUTER 7101        everything to a peer goes by our DEALER to its ROUTER,
//     peers   ← DEALER, one each   and its answers by its DEALER to ours
//
// Two ports, so that a flood of clients cannot delay peers. Nothing here waits except wait(), and
// nothing that others do makes it hold more than its budgets: a slow client is cut, what a peer
// does not take is dropped (the node sees silence, which it has to handle anyway).
//
// Threads: one owner
// Errors:  open() says what cannot be bound; later trouble is counted, logged and survived
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "daemon/node/outbox.h"
#include "daemon/shell/log.h"
#include "libdynamo/base/address.h"
#include "libdynamo/base/id.h"
#include "libdynamo/wire/frames.h"

namespace dynamo {

struct TransportOptions {
    Address listen;
    Address listen_peer;
    std::size_t max_clients = 4096;
    std::uint64_t client_memory = 256u << 20;
    std::uint64_t peer_memory = 64u << 20;  ///< waiting for one peer, octets
};

struct ListenerCounters {
    std::uint64_t messages_in = 0;
    std::uint64_t messages_out = 0;
    std::uint64_t octets_in = 0;
    std::uint64_t octets_out = 0;
    std::uint64_t malformed = 0;  ///< wrong number of frames, or without the magic
    std::uint64_t cut = 0;        ///< connections, for holding or not fetching too much
    std::uint64_t rebinds = 0;
};
struct LinkCounters {
    std::uint64_t messages_out = 0;
    std::uint64_t octets_out = 0;
    std::uint64_t dropped = 0;  ///< frames that a peer did not take
    std::uint64_t losses = 0;   ///< connections refused or broken
};

/// A message as it came. Exactly the frames of wire/frames.h, or `fault` says what is wrong.
struct Received {
    ClientHandle sender = 0;
    Bytes header;
    Bytes body;
    const char* fault = nullptr;
};

class Transport {
  public:
    using Take = std::function<void(Received)>;

    [[nodiscard]] static Result<std::unique_ptr<Transport>> open(const TransportOptions& options,
                                                                 Log& log);
    ~Transport();

    /// With the ports that were bound.
    [[nodiscard]] const Address& client_address() const;
    [[nodiscard]] const Address& peer_address() const;

    /// Returns when a message, a change of a connection or `descriptor` is there, or the time is
    /// over. True when `descriptor` can be read.
    bool wait(Duration at_most, int descriptor);

    /// Takes up to so many messages and octets that have arrived. False when there may be more.
    bool receive_clients(std::size_t messages, std::size_t octets, const Take& take);
    bool receive_peers(std::size_t messages, std::size_t octets, const Take& take);

    /// False when the client has gone.
    bool send_client(ClientHandle client, const wire::Frames& frames);
    /// False when the frames were dropped: no such address, or more waits than may.
    bool send_peer(const std::string& address, const NodeId& node, wire::Frames frames);

    /// What has been noticed since the last call.
    struct Noticed {
        std::vector<ClientHandle> gone;
        std::vector<NodeId> unreachable;
    };
    [[nodiscard]] Noticed take_noticed();

    [[nodiscard]] const ListenerCounters& client_counters() const;
    [[nodiscard]] const ListenerCounters& peer_counters() const;
    [[nodiscard]] const LinkCounters& link_counters() const;
    [[nodiscard]] std::size_t client_connections() const;

  private:
    struct Parts;
    explicit Transport(std::unique_ptr<Parts> parts);
    void guard();

    std::unique_ptr<Parts> parts_;
};

}  // namespace dynamo
