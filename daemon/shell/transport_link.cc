#include "daemon/shell/transport_link.h"

#include <algorithm>
#include <utility>

#include "daemon/shell/transport_socket.h"

namespace dynamo {
namespace {

using Clock = std::chrono::steady_clock;

/// For so long a refusal is proof enough; it also bounds how often a dead peer is connected to.
constexpr auto fresh = std::chrono::milliseconds(10);

}  // namespace

Link::Link(zmq::context_t& context, const Address& address, std::uint64_t memory,
           LinkCounters& counters)
    : context_(context),
      address_(address),
      memory_(memory),
      counters_(counters),
      last_used_(Clock::now()) {
    open();
}

Link::~Link() { close_watched(socket_, monitor_); }

void Link::open() {
    socket_ = zmq::socket_t(context_, zmq::socket_type::dealer);
    set_common(socket_);
    // A message is taken only when there is a connection to put it on.
    socket_.set(zmq::sockopt::immediate, true);
    socket_.set(zmq::sockopt::connect_timeout, 2000);
    socket_.set(zmq::sockopt::reconnect_ivl, 50);
    socket_.set(zmq::sockopt::reconnect_ivl_max, 1000);
    // High enough that only the count of octets decides what waits.
    socket_.set(zmq::sockopt::sndhwm, 65536);
    // Nothing is ever sent back over this socket.
    socket_.set(zmq::sockopt::rcvhwm, 1);
    socket_.set(zmq::sockopt::maxmsgsize, std::int64_t{1024});
    monitor_ = open_monitor(context_, socket_,
                            ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                                ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_DISCONNECTED);
    socket_.connect(endpoint_of(address_));
}

/// On a socket of its own, so that no event of the old attempts is taken for one of this.
void Link::open_anew() {
    close_watched(socket_, monitor_);
    try {
        open();
        state_ = State::connecting;
    } catch (const zmq::error_t&) {
        // It stays refused, and the next one that is sent tries again.
        refused_at_ = Clock::now();
    }
}

void Link::add_to(std::vector<zmq::pollitem_t>& items) {
    // Without a handle it would be a descriptor.
    if (monitor_.handle() != nullptr) items.push_back({monitor_.handle(), 0, ZMQ_POLLIN, 0});
    if (!waiting_.empty() && state_ == State::connected)
        items.push_back({socket_.handle(), 0, ZMQ_POLLOUT, 0});
}

bool Link::send(wire::Frames frames) {
    last_used_ = Clock::now();
    if (is_refused() && last_used_ - refused_at_ > fresh) open_anew();
    const auto octets = wire_octets(frames);
    if (waiting_octets_ + in_socket() + octets > memory_) {
        ++counters_.dropped;
        return false;
    }
    if (waiting_.empty() && try_send(frames)) return true;
    waiting_octets_ += octets;
    waiting_.push_back(std::move(frames));
    return true;
}

bool Link::try_send(const wire::Frames& frames) {
    if (!send_message(socket_, frames)) return false;
    const auto octets = wire_octets(frames);
    sent_ += octets;
    ++counters_.messages_out;
    counters_.octets_out += octets;
    return true;
}

/// What libzmq and the kernel hold that the peer's kernel has not taken.
std::uint64_t Link::in_socket() {
    if (sent_ - fetched_ < memory_ / 4) return sent_ - fetched_;
    if (const auto flow = flow_of(descriptor_)) fetched_ = std::min(sent_, flow->fetched);
    return sent_ - fetched_;
}

bool Link::follow() {
    bool lost = false;
    while (const auto event = next_event(monitor_)) {
        switch (event->kind) {
            case ZMQ_EVENT_CONNECTED:
                state_ = State::connecting;
                descriptor_ = event->value;
                sent_ = 0;
                fetched_ = 0;
                break;
            case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
                state_ = State::connected;
                lost_ = false;
                lost = false;
                break;
            default:
                lose();
                lost = true;
        }
    }
    while (!waiting_.empty() && try_send(waiting_.front())) {
        waiting_octets_ -= wire_octets(waiting_.front());
        waiting_.pop_front();
    }
    return lost;
}

void Link::lose() {
    if (!std::exchange(lost_, true)) ++counters_.losses;
    state_ = State::refused;
    refused_at_ = Clock::now();
    counters_.dropped += waiting_.size();
    waiting_.clear();
    waiting_octets_ = 0;
    descriptor_ = -1;
    sent_ = 0;
    fetched_ = 0;
}

}  // namespace dynamo
