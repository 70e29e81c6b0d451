// What all sockets share: settings, events of connections, and the kernel's counts.
//
// Threads: plain functions
// Errors:  opening and setting throw zmq::error_t, which the transport's own files catch
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <zmq.hpp>

#include "libdynamo/base/address.h"
#include "libdynamo/wire/frames.h"

namespace dynamo {

/// "tcp://host:port" as libzmq takes it.
[[nodiscard]] std::string endpoint_of(const Address& address);

/// The limits and patience that every socket has.
void set_common(zmq::socket_t& socket);

/// False when nothing is there now.
[[nodiscard]] bool receive_frame(zmq::socket_t& socket, zmq::message_t& frame);
/// False, with errno set, when it was not taken: EAGAIN at a high-water mark or without a
/// connection, EHOSTUNREACH when a ROUTER does not know the routing id.
[[nodiscard]] bool send_frame(zmq::socket_t& socket, BytesView frame, bool more);
/// The three frames of a message, after whatever was sent before them.
[[nodiscard]] bool send_message(zmq::socket_t& socket, const wire::Frames& frames);
/// Octets that such a message takes on the wire.
[[nodiscard]] std::uint64_t wire_octets(const wire::Frames& frames);

struct SocketEvent {
    int kind = 0;   ///< ZMQ_EVENT_…
    int value = 0;  ///< a descriptor, mostly
};
/// A socket that delivers what happens to the connections of `watched`, without bound, so that
/// libzmq's thread never waits for us.
[[nodiscard]] zmq::socket_t open_monitor(zmq::context_t& context, zmq::socket_t& watched,
                                         int kinds);
/// The next event; none when there is none now.
[[nodiscard]] std::optional<SocketEvent> next_event(zmq::socket_t& monitor);
/// Closes both, without waiting.
void close_watched(zmq::socket_t& watched, zmq::socket_t& monitor);

/// Octets that a frame takes on the wire.
[[nodiscard]] std::uint64_t wire_octets(std::size_t frame);

/// The kernel's counts of a TCP connection.
struct Flow {
    std::uint64_t received = 0;
    std::uint64_t unread = 0;   ///< of those received
    std::uint64_t fetched = 0;  ///< sent and acknowledged
};
/// None when it is no connection (any more) or the kernel does not count.
[[nodiscard]] std::optional<Flow> flow_of(int descriptor);
/// The kernel's name of a socket, never used twice; none when `descriptor` is no socket.
[[nodiscard]] std::optional<std::uint64_t> cookie_of(int descriptor);
/// Ends a connection; libzmq's thread sees its end and cleans up.
void shut(int descriptor);

}  // namespace dynamo
