#include "daemon/shell/transport_listener.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "daemon/shell/transport_socket.h"

namespace dynamo {

namespace {

/// No message is longer: a header, and a body of the largest frame.
constexpr std::uint64_t most_unfinished = wire::max_frame_bytes + (64u << 10);
/// Below this an unfinished message is never worth a thought.
constexpr std::uint64_t least_unfinished = 4u << 10;
/// The greeting, and heartbeats since, which the kernel counts and we are not shown.
constexpr std::uint64_t handshake_octets = 512;
constexpr std::uint64_t heartbeat_octets_per_second = 64;

/// Of one message, without its routing id: at most four frames matter, one more is one too many.
struct Parts {
    std::array<zmq::message_t, 4> frames;
    std::size_t count = 0;
    std::uint64_t octets = 0;

    [[nodiscard]] BytesView view(std::size_t index) const {
        return {static_cast<const char*>(frames[index].data()), frames[index].size()};
    }
};

Parts receive_parts(zmq::socket_t& socket, bool more) {
    Parts parts;
    zmq::message_t beyond;
    while (more) {
        auto& frame = parts.count < parts.frames.size() ? parts.frames[parts.count] : beyond;
        // libzmq delivers messages whole: the rest is there when the beginning was.
        if (!receive_frame(socket, frame)) break;
        ++parts.count;
        parts.octets += wire_octets(frame.size());
        more = frame.more();
    }
    return parts;
}

/// The message without its delimiter, which a REQ socket puts before it.
Received shape(const Parts& parts, bool& delimited) {
    Received received;
    delimited = parts.count > 0 && parts.frames[0].empty();
    const std::size_t first = delimited ? 1 : 0;
    if (parts.count <= first || parts.count > parts.frames.size() ||
        parts.view(first) != wire::magic)
        received.fault = "a message begins with the frame DYN1";
    else if (parts.count != first + 3)
        received.fault = "a message has three frames: DYN1, header and body";
    if (received.fault != nullptr) return received;
    received.header = Bytes(parts.view(first + 1));
    received.body = Bytes(parts.view(first + 2));
    return received;
}

}  // namespace

Listener::Listener(zmq::context_t& context, ListenerOptions options, Log& log)
    : context_(context), options_(std::move(options)), log_(log) {}

Listener::~Listener() { close_watched(socket_, monitor_); }

Result<void> Listener::bind() {
    try {
        socket_ = zmq::socket_t(context_, zmq::socket_type::router);
        set_common(socket_);
        socket_.set(zmq::sockopt::router_mandatory, true);
        socket_.set(zmq::sockopt::backlog, 1024);
        // High enough that only the count of octets decides who is slow.
        socket_.set(zmq::sockopt::sndhwm, 65536);
        // Whole messages that wait for us, of each connection; the kernel slows the sender then.
        socket_.set(zmq::sockopt::rcvhwm, 64);
        monitor_ = open_monitor(context_, socket_, ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED);
        socket_.bind(endpoint_of(options_.address));
        // Bound anew, it is to be found where it was.
        const auto bound = socket_.get(zmq::sockopt::last_endpoint);
        options_.address.port = parse_address(bound.substr(bound.find("//") + 2), 0)->port;
        bound_ = true;
        return {};
    } catch (const zmq::error_t& error) {
        close_watched(socket_, monitor_);
        const auto* advice = error.num() == EADDRINUSE
                                 ? "; is another daemon running? Choose another port, or stop it"
                             : error.num() == EADDRNOTAVAIL ? "; it is no address of this machine"
                                                            : "";
        return fail(Code::storage, fmt::format("cannot listen for {}s on {}: {}{}", options_.who,
                                               to_string(options_.address), error.what(), advice));
    }
}

void Listener::add_to(std::vector<zmq::pollitem_t>& items) {
    if (!bound_) return;
    items.push_back({socket_.handle(), 0, ZMQ_POLLIN, 0});
    items.push_back({monitor_.handle(), 0, ZMQ_POLLIN, 0});
}

bool Listener::receive(std::size_t messages, std::size_t octets,
                       const std::function<void(Received)>& take) {
    if (!bound_) return true;
    follow();
    for (std::uint64_t taken = 0; messages > 0 && taken < octets; --messages) {
        zmq::message_t routing_id;
        if (!receive_frame(socket_, routing_id)) {
            drained_since_look_ = true;
            return true;
        }
        auto parts = receive_parts(socket_, routing_id.more());
        const int descriptor =
            parts.count == 0 ? -1 : zmq_msg_get(parts.frames[0].handle(), ZMQ_SRCFD);
        if (!connections_.contains(descriptor)) follow();
        if (const auto found = connections_.find(descriptor); found != connections_.end())
            found->second.delivered += parts.octets;

        bool delimited = false;
        auto received = shape(parts, delimited);
        received.sender = sender_of({routing_id.data<char>(), routing_id.size()}, descriptor);
        senders_.at(received.sender).delimited = delimited;
        ++taken_since_look_;
        ++counters_.messages_in;
        counters_.octets_in += parts.octets;
        if (received.fault != nullptr) ++counters_.malformed;
        taken += parts.octets;
        take(std::move(received));
    }
    return false;
}

ClientHandle Listener::sender_of(BytesView routing_id, int descriptor) {
    const auto [entry, is_new] = by_routing_id_.try_emplace(Bytes(routing_id), next_sender_);
    if (!is_new) return entry->second;
    const auto sender = next_sender_++;
    senders_.emplace(sender, Sender{Bytes(routing_id), descriptor});
    const auto connection = connections_.find(descriptor);
    if (connection == connections_.end())
        orphans_.push_back({sender, Clock::now()});
    else if (const auto before = std::exchange(connection->second.sender, sender))
        orphans_.push_back({*before, Clock::now()});
    return sender;
}

bool Listener::send(ClientHandle handle, const wire::Frames& frames) {
    const auto found = senders_.find(handle);
    if (found == senders_.end() || !bound_) return false;
    const auto& sender = found->second;
    const bool taken = send_frame(socket_, sender.routing_id, true) &&
                       (!sender.delimited || send_frame(socket_, {}, true)) &&
                       send_message(socket_, frames);
    if (!taken) {
        // EHOSTUNREACH: it has gone, which the monitor may not have told yet.
        if (errno == EAGAIN) cut(sender.descriptor, "does not fetch its answers");
        forget(handle);
        return false;
    }
    const auto octets = wire_octets(frames);
    ++counters_.messages_out;
    counters_.octets_out += octets;
    const auto connection = connections_.find(sender.descriptor);
    if (connection == connections_.end() || connection->second.sender != handle) return true;
    connection->second.sent += octets;
    return fetches(connection->first, connection->second);
}

/// Whether a client takes its answers; one that leaves too many is cut at once.
bool Listener::fetches(int descriptor, Connection& connection) {
    const auto most = options_.memory / 4;
    if (connection.waiting() <= most || !options_.can_measure) return true;
    if (const auto flow = flow_of(descriptor)) connection.fetched = flow->fetched;
    if (connection.waiting() <= most) return true;
    cut(descriptor, "does not fetch its answers");
    if (connection.sender) forget(*connection.sender);
    return false;
}

// ------------------------------------------------------------------------ who is connected

void Listener::follow() {
    if (!bound_) return;
    while (const auto event = next_event(monitor_)) {
        if (event->kind == ZMQ_EVENT_ACCEPTED) on_accepted(event->value);
        if (event->kind == ZMQ_EVENT_DISCONNECTED) on_closed(event->value);
    }
}

void Listener::on_accepted(int descriptor) {
    // The descriptor may have come back before its end was told.
    on_closed(descriptor);
    const auto cookie = cookie_of(descriptor);
    if (!cookie) return;
    Connection connection;
    connection.cookie = *cookie;
    connection.since = Clock::now();
    connections_.emplace(descriptor, connection);
    if (connections_.size() > options_.max_connections) cut(descriptor, "is one too many");
}

void Listener::on_closed(int descriptor) {
    const auto found = connections_.find(descriptor);
    if (found == connections_.end()) return;
    const auto sender = found->second.sender;
    connections_.erase(found);
    if (sender) forget(*sender);
}

void Listener::cut(int descriptor, std::string_view why) {
    const auto found = connections_.find(descriptor);
    if (found == connections_.end() || found->second.cut) return;
    if (cookie_of(descriptor) != found->second.cookie) return;
    found->second.cut = true;
    has_cut_ = true;
    shut(descriptor);
    ++counters_.cut;
    log_.write_rarely(options_.who + " cut", Severity::warning,
                      fmt::format("closed a {}'s connection: it {}", options_.who, why));
}

void Listener::forget(ClientHandle sender) {
    const auto found = senders_.find(sender);
    if (found == senders_.end()) return;
    by_routing_id_.erase(found->second.routing_id);
    const auto connection = connections_.find(found->second.descriptor);
    if (connection != connections_.end() && connection->second.sender == sender)
        connection->second.sender.reset();
    senders_.erase(found);
    gone_.push_back(sender);
}

std::vector<ClientHandle> Listener::take_gone() { return std::exchange(gone_, {}); }

// ------------------------------------------------------------------------ what is held

void Listener::guard(std::uint64_t resident) {
    if (!bound_ && !bind()) return;
    follow();
    // What cut connections held goes back to the system, not only to the allocator's lists.
    if (std::exchange(has_cut_, false)) malloc_trim(0);
    while (!orphans_.empty() && Clock::now() - orphans_.front().since > std::chrono::minutes(1)) {
        forget(orphans_.front().sender);
        orphans_.pop_front();
    }

    // Every connection with a whole message has had its turn since the last look.
    const bool settled = drained_since_look_ || taken_since_look_ > 2 * connections_.size();
    drained_since_look_ = false;
    taken_since_look_ = 0;
    bool counted = options_.can_measure;
    std::vector<int> closed;
    for (auto& [descriptor, connection] : connections_) {
        if (cookie_of(descriptor) != connection.cookie)
            closed.push_back(descriptor);
        else if (counted)
            counted = look(descriptor, connection, settled);
    }
    for (const int descriptor : closed) on_closed(descriptor);

    if (baseline_ == 0) baseline_ = resident;
    if (counted) {
        cut_unfinished(resident);
        cut_largest();
    } else if (resident > baseline_ + options_.memory) {
        rebind();
    }
}

bool Listener::look(int descriptor, Connection& connection, bool settled) {
    const auto flow = flow_of(descriptor);
    if (!flow) return false;
    const auto age =
        std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - connection.since);
    const auto known = flow->unread + connection.delivered + handshake_octets +
                       heartbeat_octets_per_second * static_cast<std::uint64_t>(age.count());
    const auto held = flow->received > known ? flow->received - known : 0;
    // What was held at the last look and has not been delivered since cannot be a whole message.
    const bool stands_still = settled && connection.delivered == connection.delivered_at_look;
    connection.unfinished = stands_still ? std::min(held, connection.held) : 0;
    connection.held = held;
    connection.delivered_at_look = connection.delivered;
    connection.fetched = flow->fetched;
    return true;
}

void Listener::cut_unfinished(std::uint64_t resident) {
    std::uint64_t unfinished = 0;
    for (const auto& [descriptor, connection] : connections_) unfinished += connection.unfinished;
    // Empty frames take 2 octets on the wire and 64 in memory, so the count of octets alone is not
    // enough: growth of the process while messages stand unfinished is put down to them.
    if (unfinished < least_unfinished) baseline_ = resident;
    const bool pressed = resident > baseline_ + options_.memory;
    const auto most = pressed ? least_unfinished : most_unfinished;
    for (const auto& [descriptor, connection] : connections_) {
        if (connection.unfinished <= most || connection.cut) continue;
        cut(descriptor,
            fmt::format("sent {} octets of a message without an end", connection.unfinished));
    }
}

void Listener::cut_largest() {
    std::uint64_t held = 0;
    for (const auto& [descriptor, connection] : connections_)
        if (!connection.cut) held += connection.memory();
    while (held > options_.memory) {
        const auto largest = std::ranges::max_element(connections_, {}, [](const auto& entry) {
            return entry.second.cut ? 0 : entry.second.memory();
        });
        if (largest->second.cut) return;
        held -= largest->second.memory();
        cut(largest->first, fmt::format("made the daemon hold {} octets, and all of them together "
                                        "more than {}",
                                        largest->second.memory(), options_.memory));
        // A connection that could not be cut is closed already.
        largest->second.cut = true;
    }
}

void Listener::rebind() {
    log_.write_rarely(options_.who + " rebind", Severity::warning,
                      fmt::format("{}s make the daemon hold more than {} octets: closing all of "
                                  "their connections",
                                  options_.who, options_.memory));
    ++counters_.rebinds;
    bound_ = false;
    close_watched(socket_, monitor_);
    while (!connections_.empty()) on_closed(connections_.begin()->first);
    while (!senders_.empty()) forget(senders_.begin()->first);
    orphans_.clear();
    baseline_ = 0;
    malloc_trim(0);
    // libzmq closes in its own thread: until it has, the address is in use, and the next look tries
    // again.
    (void)bind();
}

}  // namespace dynamo
