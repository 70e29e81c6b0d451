// One listening ROUTER socket, and what its connections make the process hold.
//
// libzmq bounds frames (MAXMSGSIZE) and whole messages (high-water marks), but not a message that
// never ends: its parts pile up unseen. So each connection's octets are counted on both sides: what
// the kernel has received (TCP_INFO) less what was delivered here is held by libzmq. A connection
// that holds more of an unfinished message than any message may have is cut; when all of them hold
// more than the budget, the largest are. The same counts, the other way, find clients that do not
// fetch their answers. Only connections are cut, by shutting their sockets down; where the kernel
// does not count, the whole socket is closed and bound anew instead.
//
// Threads: one owner
// Errors:  bind() says why; a connection that misbehaves is cut, counted and logged
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>
#include <zmq.hpp>

#include "daemon/node/outbox.h"
#include "daemon/shell/log.h"
#include "daemon/shell/transport.h"
#include "libdynamo/base/address.h"
#include "libdynamo/wire/frames.h"

namespace dynamo {

struct ListenerOptions {
    std::string who;  ///< "client" or "peer", for the log
    Address address;
    std::size_t max_connections = 4096;
    std::uint64_t memory = 256u << 20;  ///< for all connections, octets
    bool can_measure = true;            ///< false, for tests: as if the kernel did not count
};

class Listener {
  public:
    Listener(zmq::context_t& context, ListenerOptions options, Log& log);
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener();

    /// Port 0 becomes the one that the system chose.
    [[nodiscard]] Result<void> bind();
    [[nodiscard]] const Address& address() const { return options_.address; }

    /// What poll() waits for.
    void add_to(std::vector<zmq::pollitem_t>& items);

    /// Takes up to so many messages and octets. False when there may be more.
    bool receive(std::size_t messages, std::size_t octets,
                 const std::function<void(Received)>& take);
    /// False when the sender is gone, or was cut because it does not fetch its answers.
    bool send(ClientHandle handle, const wire::Frames& frames);

    /// Follows connections that open and close.
    void follow();
    /// Compares what is held with the budget; ten times a second. `resident` is the process's.
    void guard(std::uint64_t resident);
    /// Senders that have gone since the last call.
    [[nodiscard]] std::vector<ClientHandle> take_gone();

    [[nodiscard]] const ListenerCounters& counters() const { return counters_; }
    [[nodiscard]] std::size_t connections() const { return connections_.size(); }
    /// Nothing is watched when nobody is connected.
    [[nodiscard]] bool is_idle() const { return connections_.empty() && bound_; }

  private:
    using Clock = std::chrono::steady_clock;

    struct Connection {
        std::uint64_t cookie = 0;  ///< the kernel's name of the socket: descriptors come back
        Clock::time_point since{};
        std::uint64_t delivered = 0;  ///< octets, as on the wire
        std::uint64_t sent = 0;
        std::uint64_t fetched = 0;  ///< of those sent: acknowledged by the other kernel
        std::uint64_t held = 0;     ///< at the last look
        std::uint64_t delivered_at_look = 0;
        std::uint64_t unfinished = 0;
        std::optional<ClientHandle> sender;
        bool cut = false;
        [[nodiscard]] std::uint64_t waiting() const { return sent > fetched ? sent - fetched : 0; }
        [[nodiscard]] std::uint64_t memory() const { return held + waiting(); }
    };
    struct Sender {
        Bytes routing_id;
        int descriptor = -1;
        bool delimited = false;
    };
    struct Orphan {
        ClientHandle sender;
        Clock::time_point since;
    };

    void on_accepted(int descriptor);
    void on_closed(int descriptor);
    void cut(int descriptor, std::string_view why);
    ClientHandle sender_of(BytesView routing_id, int descriptor);
    void forget(ClientHandle sender);
    [[nodiscard]] bool fetches(int descriptor, Connection& connection);
    [[nodiscard]] bool look(int descriptor, Connection& connection, bool settled);
    void cut_unfinished(std::uint64_t resident);
    void cut_largest();
    void rebind();

    zmq::context_t& context_;
    ListenerOptions options_;
    Log& log_;
    zmq::socket_t socket_;
    zmq::socket_t monitor_;
    bool bound_ = false;
    std::map<int, Connection> connections_;  // by descriptor
    std::map<ClientHandle, Sender> senders_;
    std::unordered_map<Bytes, ClientHandle> by_routing_id_;  // only looked up, never walked
    std::deque<Orphan> orphans_;  // senders whose connection had closed before their message came
    std::vector<ClientHandle> gone_;
    ClientHandle next_sender_ = 1;
    ListenerCounters counters_;
    std::uint64_t taken_since_look_ = 0;
    bool drained_since_look_ = false;
    bool has_cut_ = false;        // since the last look
    std::uint64_t baseline_ = 0;  // the process's memory when nothing unfinished was held
};

}  // namespace dynamo
