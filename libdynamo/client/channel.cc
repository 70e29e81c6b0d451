#include "libdynamo/client/channel.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <zmq.hpp>

#include "libdynamo/base/address.h"

namespace dynamo {

namespace {

// libzmq would connect again by itself, and what the session believes to go to the old connection
// would go to the new one. It cannot be told not to without losing the event of a refusal, but it
// can be told to take its time: a day.
constexpr int reconnect_ms = 24 * 3600 * 1000;
constexpr int heartbeat_ms = 2000;
constexpr int heartbeat_timeout_ms = 8000;
// Above the largest frame that a daemon may send, so that only a broken peer meets it.
constexpr std::int64_t max_message_bytes = static_cast<std::int64_t>(wire::max_frame_bytes) + 65536;

/// What the monitor has told of one connection: nothing yet, or how it ended.
enum class Fate : std::uint8_t { unchanged, unresolved, refused, foreign, closed };

/// One connection: while it is being made, while it lasts.
struct Connection {
    Address address;
    bool by_v6 = false;
    bool was_tried = false;  ///< a TCP connection was begun: the name is known
    bool greeted = false;    ///< the handshake has succeeded
    bool connected = false;  ///< and the session was told
    Fate fate = Fate::unchanged;
    zmq::socket_t dealer;
    zmq::socket_t monitor;
};

// A handshake that has succeeded, not a connection or a writable socket, is what counts: libzmq
// takes any peer that does not greet as ZMTP does for one that speaks its first version.
constexpr int watched_events =
    ZMQ_EVENT_CONNECT_DELAYED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED |
    ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
    ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

bool is_name(const std::string& host) {
    const bool v6 = host.find(':') != std::string::npos;
    return !v6 && host.find_first_not_of("0123456789.") != std::string::npos;
}

void open_sockets(zmq::context_t& context, Connection& connection, std::uint64_t serial) {
    connection.dealer = zmq::socket_t(context, zmq::socket_type::dealer);
    auto& dealer = connection.dealer;
    dealer.set(zmq::sockopt::linger, 0);
    // ZMQ_IMMEDIATE would keep a message from being queued for a connection that is not there, and
    // send() does that by the monitor instead: with it libzmq throws away replies that had come
    // before the end, and aborts when the end comes between two frames of one that is being read
    // (fq.cpp: "!_more").
    // What is in flight is bounded by the caller; a limit here would only lose track of it.
    dealer.set(zmq::sockopt::sndhwm, 0);
    dealer.set(zmq::sockopt::rcvhwm, 0);
    dealer.set(zmq::sockopt::reconnect_ivl, reconnect_ms);
    dealer.set(zmq::sockopt::maxmsgsize, max_message_bytes);
    dealer.set(zmq::sockopt::heartbeat_ivl, heartbeat_ms);
    dealer.set(zmq::sockopt::heartbeat_timeout, heartbeat_timeout_ms);
    dealer.set(zmq::sockopt::ipv6, connection.by_v6);

    const std::string name = "inproc://monitor-" + std::to_string(serial);
    if (zmq_socket_monitor(dealer.handle(), name.c_str(), watched_events) != 0)
        throw zmq::error_t();
    connection.monitor = zmq::socket_t(context, zmq::socket_type::pair);
    connection.monitor.set(zmq::sockopt::linger, 0);
    connection.monitor.connect(name);
    dealer.connect("tcp://" + to_string(connection.address));
}

void close_sockets(Connection& connection) {
    zmq_socket_monitor(connection.dealer.handle(), nullptr, 0);
    connection.monitor.close();
    connection.dealer.close();
}

/// Reads the next event of a monitor: a frame with its number, then one with the address.
std::optional<int> next_event(zmq::socket_t& monitor) {
    zmq::message_t event;
    if (!monitor.recv(event, zmq::recv_flags::dontwait)) return std::nullopt;
    zmq::message_t address;
    std::ignore = monitor.recv(address, zmq::recv_flags::dontwait);
    std::uint16_t number = 0;
    if (event.size() >= sizeof number) std::memcpy(&number, event.data(), sizeof number);
    return number;
}

/// Takes notice of what the monitor has to tell; the first end that it tells of counts.
void look(Connection& connection) {
    while (const auto event = next_event(connection.monitor)) {
        if (connection.fate != Fate::unchanged) continue;
        switch (*event) {
            case ZMQ_EVENT_CONNECT_DELAYED:
                connection.was_tried = true;
                break;
            case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
                connection.greeted = true;
                break;
            case ZMQ_EVENT_CONNECT_RETRIED:
                connection.fate = connection.was_tried ? Fate::refused : Fate::unresolved;
                break;
            case ZMQ_EVENT_DISCONNECTED:
                connection.fate = Fate::closed;
                break;
            default:
                connection.fate = Fate::foreign;
                break;
        }
    }
}

/// Reads one message when there is one. False when there is none.
bool receive(zmq::socket_t& dealer, std::vector<zmq::message_t>& parts) {
    parts.clear();
    do {
        zmq::message_t part;
        if (!dealer.recv(part, zmq::recv_flags::dontwait)) return false;
        parts.push_back(std::move(part));
    } while (parts.back().more());
    return true;
}

}  // namespace

struct Channel::Parts {
    zmq::context_t context{1};
    std::map<EndpointIndex, Connection> connections;
    std::uint64_t serial = 0;
    int timer = -1;  ///< for waits shorter than zmq_poll() can count; made when first needed
    /// Told at the next wait: found out outside of one.
    std::vector<Event> early;

    int armed_timer(Duration wait);
    void begin(EndpointIndex endpoint, Connection& connection);
    void fail(EndpointIndex endpoint, Fate fate, std::vector<Event>& events);
    void collect(EndpointIndex endpoint, std::vector<Event>& events);
    bool drain(EndpointIndex endpoint, Connection& connection, std::vector<Event>& events);
};

Channel::Channel() : parts_(std::make_unique<Parts>()) {}

Channel::~Channel() {
    for (auto& [endpoint, connection] : parts_->connections) close_sockets(connection);
    if (parts_->timer >= 0) ::close(parts_->timer);
}

/// Becomes readable after `wait`, which is above 0 and shorter than a second; -1 if there is none.
int Channel::Parts::armed_timer(Duration wait) {
    if (timer < 0) timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    const itimerspec once{{0, 0}, {0, std::chrono::nanoseconds(wait).count()}};
    return timer >= 0 && ::timerfd_settime(timer, 0, &once, nullptr) == 0 ? timer : -1;
}

void Channel::connect(EndpointIndex endpoint, const std::string& address) {
    close(endpoint);
    const auto parsed = parse_address(address, default_client_port);
    Connection& connection = parts_->connections[endpoint];
    if (parsed) connection.address = *parsed;
    connection.by_v6 = connection.address.host.find(':') != std::string::npos;
    parts_->begin(endpoint, connection);
}

void Channel::Parts::begin(EndpointIndex endpoint, Connection& connection) {
    connection.was_tried = false;
    connection.greeted = false;
    connection.fate = Fate::unchanged;
    try {
        open_sockets(context, connection, ++serial);
    } catch (const zmq::error_t& error) {
        early.push_back({endpoint,
                         Event::Kind::refused,
                         std::string("cannot be connected to: ") + error.what(),
                         {}});
        connections.erase(endpoint);
    }
}

bool Channel::send(EndpointIndex endpoint, const wire::Frames& frames) {
    const auto found = parts_->connections.find(endpoint);
    if (found == parts_->connections.end() || !found->second.connected) return false;
    auto& dealer = found->second.dealer;
    try {
        look(found->second);
        if (found->second.fate != Fate::unchanged) return false;
        const auto more = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
        if (!dealer.send(zmq::buffer(wire::magic), more)) return false;
        // From here on it may have been sent: the caller must not think otherwise.
        std::ignore = dealer.send(zmq::buffer(frames.header), more) &&
                      dealer.send(zmq::buffer(frames.body), zmq::send_flags::dontwait);
        return true;
    } catch (const zmq::error_t&) {
        return false;
    }
}

bool Channel::has(EndpointIndex endpoint) const { return parts_->connections.contains(endpoint); }

void Channel::close(EndpointIndex endpoint) {
    const auto found = parts_->connections.find(endpoint);
    if (found == parts_->connections.end()) return;
    close_sockets(found->second);
    parts_->connections.erase(found);
}

void Channel::wait(Duration wait, std::vector<Event>& events) {
    auto& connections = parts_->connections;
    std::vector<zmq_pollitem_t> items;
    std::vector<EndpointIndex> polled;
    for (auto& [endpoint, connection] : connections) {
        const short wanted = connection.connected ? ZMQ_POLLIN : 0;
        items.push_back({connection.dealer.handle(), 0, wanted, 0});
        items.push_back({connection.monitor.handle(), 0, ZMQ_POLLIN, 0});
        polled.push_back(endpoint);
        if (connection.fate != Fate::unchanged) wait = Duration{0};
    }
    if (!parts_->early.empty()) wait = Duration{0};
    if (wait > Duration{0} && wait < std::chrono::milliseconds(1))
        if (const int timer = parts_->armed_timer(wait); timer >= 0)
            items.push_back({nullptr, timer, ZMQ_POLLIN, 0});
    const auto timeout = std::chrono::ceil<std::chrono::milliseconds>(wait);
    // A signal ends the wait early, which does no harm: the caller waits again.
    zmq_poll(items.data(), static_cast<int>(items.size()), timeout.count());
    events.insert(events.end(), std::make_move_iterator(parts_->early.begin()),
                  std::make_move_iterator(parts_->early.end()));
    parts_->early.clear();
    for (std::size_t i = 0; i < polled.size(); ++i)
        if (items[2 * i].revents != 0 || items[2 * i + 1].revents != 0 ||
            connections.at(polled[i]).fate != Fate::unchanged)
            parts_->collect(polled[i], events);
}

void Channel::Parts::collect(EndpointIndex endpoint, std::vector<Event>& events) {
    Connection& connection = connections.at(endpoint);
    try {
        // The monitor first, what it says last: replies that came before the end still count.
        look(connection);
        if (connection.greeted && !connection.connected && connection.fate == Fate::unchanged) {
            connection.connected = true;
            events.push_back({endpoint, Event::Kind::connected, {}, {}});
        }
        if (connection.connected && !drain(endpoint, connection, events)) return;
        if (connection.fate != Fate::unchanged) fail(endpoint, connection.fate, events);
    } catch (const zmq::error_t&) {
        fail(endpoint, Fate::closed, events);
    }
}

bool Channel::Parts::drain(EndpointIndex endpoint, Connection& connection,
                           std::vector<Event>& events) {
    std::vector<zmq::message_t> parts;
    while (receive(connection.dealer, parts)) {
        // An empty frame first is what a REQ socket would send back to us.
        if (!parts.empty() && parts.front().empty()) parts.erase(parts.begin());
        if (parts.size() != 3 || parts[0].to_string_view() != wire::magic) {
            events.push_back({endpoint,
                              Event::Kind::closed,
                              "answered with something that is not the dynamo protocol",
                              {}});
            close_sockets(connection);
            connections.erase(endpoint);
            return false;
        }
        events.push_back(
            {endpoint, Event::Kind::message, {}, {parts[1].to_string(), parts[2].to_string()}});
    }
    return true;
}

void Channel::Parts::fail(EndpointIndex endpoint, Fate fate, std::vector<Event>& events) {
    Connection& connection = connections.at(endpoint);
    const bool was_connected = connection.connected;
    close_sockets(connection);
    // libzmq tries one family of addresses only, and "localhost" may be served on the other.
    if (!was_connected && !connection.by_v6 && is_name(connection.address.host) &&
        (fate == Fate::refused || fate == Fate::unresolved)) {
        connection.by_v6 = true;
        return begin(endpoint, connection);
    }
    const std::string text = was_connected              ? "closed the connection"
                             : fate == Fate::refused    ? "refused the connection"
                             : fate == Fate::unresolved ? "is unknown or cannot be routed to"
                             : fate == Fate::foreign
                                 ? "does not speak the dynamo protocol"
                                 : "closed the connection before it said what it is; "
                                   "it may be no dynamo daemon";
    connections.erase(endpoint);
    events.push_back(
        {endpoint, was_connected ? Event::Kind::closed : Event::Kind::refused, text, {}});
}

}  // namespace dynamo
