#include "daemon/shell/transport_socket.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <cstring>

namespace dynamo {

std::string endpoint_of(const Address& address) { return "tcp://" + to_string(address); }

void set_common(zmq::socket_t& socket) {
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::ipv6, true);
    socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(wire::max_frame_bytes));
    socket.set(zmq::sockopt::handshake_ivl, 5000);
    // A peer that was unplugged is noticed although nothing is sent to it.
    socket.set(zmq::sockopt::heartbeat_ivl, 10000);
    socket.set(zmq::sockopt::heartbeat_timeout, 30000);
    socket.set(zmq::sockopt::heartbeat_ttl, 60000);
}

bool receive_frame(zmq::socket_t& socket, zmq::message_t& frame) {
    return zmq_msg_recv(frame.handle(), socket.handle(), ZMQ_DONTWAIT) >= 0;
}

bool send_frame(zmq::socket_t& socket, BytesView frame, bool more) {
    return zmq_send(socket.handle(), frame.data(), frame.size(),
                    ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >= 0;
}

bool send_message(zmq::socket_t& socket, const wire::Frames& frames) {
    return send_frame(socket, wire::magic, true) && send_frame(socket, frames.header, true) &&
           send_frame(socket, frames.body, false);
}

std::uint64_t wire_octets(const wire::Frames& frames) {
    return wire_octets(wire::magic.size()) + wire_octets(frames.header.size()) +
           wire_octets(frames.body.size());
}

zmq::socket_t open_monitor(zmq::context_t& context, zmq::socket_t& watched, int kinds) {
    static std::atomic<std::uint64_t> next{0};
    const auto endpoint = "inproc://monitor-" + std::to_string(next++);
    if (zmq_socket_monitor(watched.handle(), endpoint.c_str(), kinds) != 0) throw zmq::error_t();
    zmq::socket_t monitor(context, zmq::socket_type::pair);
    monitor.set(zmq::sockopt::linger, 0);
    monitor.set(zmq::sockopt::rcvhwm, 0);
    monitor.connect(endpoint);
    return monitor;
}

std::optional<SocketEvent> next_event(zmq::socket_t& monitor) {
    zmq::message_t frame;
    if (!receive_frame(monitor, frame)) return std::nullopt;
    SocketEvent event;
    if (frame.size() >= 6) {
        std::uint16_t kind = 0;
        std::int32_t value = 0;
        std::memcpy(&kind, frame.data(), sizeof kind);
        std::memcpy(&value, static_cast<const char*>(frame.data()) + sizeof kind, sizeof value);
        event = {kind, value};
    }
    // The second frame is the endpoint's text.
    while (frame.more() && receive_frame(monitor, frame)) {
    }
    return event;
}

void close_watched(zmq::socket_t& watched, zmq::socket_t& monitor) {
    if (watched.handle() != nullptr) zmq_socket_monitor(watched.handle(), nullptr, 0);
    monitor.close();
    watched.close();
}

std::uint64_t wire_octets(std::size_t frame) { return frame + (frame > 255 ? 9 : 2); }

std::optional<Flow> flow_of(int descriptor) {
    tcp_info info{};
    socklen_t size = sizeof info;
    constexpr auto needed =
        offsetof(tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received);
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 || size < needed)
        return std::nullopt;
    int unread = 0;
    if (ioctl(descriptor, SIOCINQ, &unread) != 0) return std::nullopt;
    return Flow{info.tcpi_bytes_received, static_cast<std::uint64_t>(unread),
                info.tcpi_bytes_acked};
}

std::optional<std::uint64_t> cookie_of(int descriptor) {
    std::uint64_t cookie = 0;
    socklen_t size = sizeof cookie;
    if (getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return std::nullopt;
    return cookie;
}

void shut(int descriptor) {
    // Without a lingering end the other side is told at once; with one, a client whose window we
    // had closed would try to go on for a minute.
    const linger none{1, 0};
    (void)setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    (void)shutdown(descriptor, SHUT_RDWR);
}

}  // namespace dynamo
