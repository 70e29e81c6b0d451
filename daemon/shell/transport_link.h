// One DEALER to one peer: sending only.
//
//     connecting ──handshake──▶ connected ──broken──▶ refused ──accepted, or sent to──▶ connecting
//          └───────refused───────────────────────────────▲
//
// Until the connection stands, and while the peer does not read, frames wait here within a budget;
// when the connection breaks or is refused what waits is dropped: to the node it is silence, and
// silence is what it handles. libzmq connects again by itself, after 50 ms and then ever more
// slowly up to a second. What is sent meanwhile does not wait for that: a peer that was away a
// moment ago may be there by now, so the link connects anew at once and only says "refused" again
// when it is.
//
// Threads: one owner
// Errors:  an address that cannot be is refused by open(); all else shows as not connected
#pragma once

#include <chrono>
#include <deque>
#include <vector>
#include <zmq.hpp>

#include "daemon/shell/transport.h"

namespace dynamo {

class Link {
  public:
    /// Throws zmq::error_t when libzmq will not have the address.
    Link(zmq::context_t& context, const Address& address, std::uint64_t memory,
         LinkCounters& counters);
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;
    ~Link();

    void add_to(std::vector<zmq::pollitem_t>& items);

    /// False when it was dropped because more waits than may. is_refused() after it is news.
    bool send(wire::Frames frames);
    /// Takes what has happened to the connection and sends what waits. True when the connection
    /// was refused or broke since the last call.
    bool follow();

    [[nodiscard]] bool is_refused() const { return state_ == State::refused; }
    [[nodiscard]] bool is_connected() const { return state_ == State::connected; }
    [[nodiscard]] std::chrono::steady_clock::time_point last_used() const { return last_used_; }

  private:
    enum class State : std::uint8_t { connecting, connected, refused };

    void open();
    void open_anew();
    [[nodiscard]] bool try_send(const wire::Frames& frames);
    [[nodiscard]] std::uint64_t in_socket();
    void lose();

    zmq::context_t& context_;
    Address address_;
    zmq::socket_t socket_;
    zmq::socket_t monitor_;
    std::uint64_t memory_;
    LinkCounters& counters_;
    State state_ = State::connecting;
    bool lost_ = false;  // since the last handshake
    std::chrono::steady_clock::time_point refused_at_;
    std::deque<wire::Frames> waiting_;
    std::uint64_t waiting_octets_ = 0;
    int descriptor_ = -1;        // of the present connection
    std::uint64_t sent_ = 0;     // over it
    std::uint64_t fetched_ = 0;  // of those, when last asked
    std::chrono::steady_clock::time_point last_used_;
};

}  // namespace dynamo
