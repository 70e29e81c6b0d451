#include "daemon/node/coordination/forwards.h"

namespace dynamo {
namespace {

constexpr std::size_t remembered = 4096;  // forwards in flight between two nodes, with room

}  // namespace

Forward::Forward(Service& service, std::uint64_t id, Origin origin, wire::ClientRequest request,
                 NodeId owner, Instant deadline)
    : service_(service),
      id_(id),
      origin_(origin),
      request_(std::move(request)),
      owner_(owner),
      deadline_(deadline) {}

void Forward::start() {
    service_.desk.counters.add("put.forwarded");
    send();
}

void Forward::send() {
    Desk& desk = service_.desk;
    named_run_ = service_.liveness.run_of(owner_);
    const auto left = deadline_ - desk.now.instant;
    desk.send(owner_, wire::ForwardRequest{
                          id_, named_run_, static_cast<std::uint64_t>(left.count()),
                          std::string(wire::op_of(request_)), wire::encode_body(request_)});
}

void Forward::on_reply(const NodeId& from, const wire::ForwardReply& reply) {
    if (finished_ || from != owner_) return;
    if (reply.code == static_cast<std::uint16_t>(Code::busy)) {
        // Refused because it named no run: certainly not applied, and by now we know the run. A
        // second copy of that refusal says nothing about the second sending.
        if (sent_again_) return;
        if (named_run_ == 0) {
            sent_again_ = true;
            return send();
        }
    }
    auto body = wire::decode_reply_body(wire::op_of(request_), reply.code, reply.body);
    if (!body) {
        service_.desk.counters.add("peers.malformed");
        return;
    }
    finished_ = true;
    service_.answer(origin_, std::move(*body));
}

void Forward::on_unreachable(const NodeId& node) {
    if (node == owner_) give_up("is gone");
}

void Forward::on_timer() {
    if (service_.desk.now.instant < deadline_) return;
    (void)service_.liveness.silent_since(owner_, deadline_);
    give_up("did not answer in time");
}

void Forward::give_up(const std::string& why) {
    finished_ = true;
    service_.answer(origin_, Error{Code::timed_out,
                                   "the coordinator " + service_.desk.name_of(owner_) + " " + why +
                                       "; the write may be applied",
                                   {},
                                   Applied::maybe});
}

bool SeenForwards::first_time(const NodeId& from, std::uint64_t run, std::uint64_t id) {
    Window& window = windows_[{from, run}];
    if (id <= window.forgotten || !window.ids.insert(id).second) return false;
    if (window.ids.size() > remembered) {
        window.forgotten = *window.ids.begin();
        window.ids.erase(window.ids.begin());
    }
    return true;
}

}  // namespace dynamo
