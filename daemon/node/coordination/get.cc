#include "daemon/node/coordination/get.h"

#include <algorithm>
#include <utility>

#include "daemon/node/local/inspect.h"
#include "libdynamo/version/context.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {

namespace {

/// Where the last write wins, readers are shown that one; its context covers the others as well.
wire::GetReply to_reply(const Desk& desk, const Object& object, const Context& context) {
    wire::GetReply reply;
    const Sibling* last = desk.settings.last_write_wins ? newest(object) : nullptr;
    if (desk.breaks(Mutant::subset_returned) && !object.siblings.empty())
        last = &object.siblings.front();
    reply.versions = last ? versions_of({object.clock, {*last}}) : versions_of(object);
    reply.context = wire::encode(context);
    reply.clock_entries = object.clock.size();
    return reply;
}

}  // namespace

Get::Get(Service& service, std::uint64_t id, Origin origin, wire::GetRequest request,
         Instant deadline)
    : service_(service),
      id_(id),
      origin_(origin),
      request_(std::move(request)),
      position_(position_of(request_.key)),
      started_(service.desk.now.instant),
      deadline_(deadline),
      trace_(service.desk, request_.trace) {}

Get::Get(Service& service, std::uint64_t id, Origin origin, wire::StateRequest request,
         Instant deadline)
    : Get(service, id, origin, wire::GetRequest{std::move(request.key), request.r}, deadline) {
    wants_state_ = true;
}

void Get::start() {
    const Desk& desk = service_.desk;
    auto quorum = service_.quorum(request_.r, desk.settings.read_quorum,
                                  desk.routes.partition_of(position_), "R");
    if (!quorum) return give_up(quorum.error());
    round_.emplace(service_, trace_,
                   ReadRound::Question{id_, request_.key, position_, std::move(*quorum)});
    if (const auto asked = round_->start(); !asked) return give_up(asked.error());
    advance();
}

void Get::on(const NodeId& from, const wire::ReadReply& reply) {
    round_->on(from, reply);
    advance();
}

void Get::on_unreachable(const NodeId& node) {
    round_->on_unreachable(node);
    advance();
}

void Get::on_timer() {
    if (service_.desk.now.instant >= deadline_) {
        if (!replied_)
            return give_up({Code::quorum_not_met,
                            std::to_string(round_->answered()) +
                                " nodes answered in time, too few for R; see dyn-ring status"});
        finished_ = true;
        return;
    }
    round_->on_silence(replied_);
    advance();
}

/// What this node itself contributed may be undone: such an answer would show a write that is none.
void Get::on_undone(const Error& error) {
    if (round_->own_answer_stands()) return;
    if (!replied_)
        give_up({Code::busy, "what this node had just stored of the key was undone (" +
                                 error.message + "); try again"});
    finished_ = true;
}

/// Who has been answered waits for nothing that a newer list could say.
void Get::on_ring() {
    if (replied_ && round_->is_outdated()) finished_ = true;
}

bool Get::outdated() const { return !replied_ && round_ && round_->is_outdated(); }

void Get::begin_again(std::uint64_t id) {
    id_ = id;
    service_.desk.counters.add("get.begun_again");
    trace_.add(service_.desk.self(), "begun again");
    start();
}

void Get::advance() {
    if (outdated()) return;
    if (!replied_ && round_->met()) reply();
    if (!replied_ && round_->hopeless())
        return give_up(
            {Code::quorum_not_met, "only " + std::to_string(round_->answered()) +
                                       " nodes could answer, too few for R; see dyn-ring status"});
    // Late answers are used: whoever turns out to hold less is given the rest (section 5).
    if (replied_ && round_->all_settled()) {
        round_->repair();
        finished_ = true;
    }
}

void Get::reply() {
    replied_ = true;
    Desk& desk = service_.desk;
    const Object& merged = round_->merged();
    if (wants_state_) {
        // A backup that reads everything is no measure of what clients wait for.
        desk.counters.add("state.count");
        return service_.answer(
            origin_,
            wire::StateReply{merged.empty() ? Bytes{} : wire::encode(merged), round_->stamp() + 1});
    }
    wire::GetReply answer =
        to_reply(desk, merged, {desk.cluster, position_, merged.clock, round_->first_owner()});
    answer.trace = trace_.take();
    desk.counters.add("get.count");
    if (answer.versions.size() > 1 && values_shown(desk, merged) > 1)
        desk.counters.add("get.siblings");
    desk.answered(desk.counters.get_latency, started_);
    service_.answer(origin_, std::move(answer));
}

void Get::give_up(Error error) {
    service_.answer(origin_, std::move(error));
    replied_ = finished_ = true;
}

Instant Get::wake_at() const {
    const auto silence = round_ ? round_->next_silence() : std::nullopt;
    return silence ? std::min(*silence, deadline_) : deadline_;
}

}  // namespace dynamo
