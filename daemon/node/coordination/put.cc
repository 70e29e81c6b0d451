#include "daemon/node/coordination/put.h"

#include <algorithm>
#include <utility>

#include "daemon/node/local/given_state.h"
#include "daemon/node/local/inspect.h"
#include "libdynamo/version/context.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

/// How often one that is behind is asked: each time it has been told the ring, which is enough
/// once.
constexpr int most_asks = 4;

}  // namespace

WriteIntent::WriteIntent(wire::PutRequest request, const Position& its_position)
    : key(std::move(request.key)),
      position(its_position),
      value(std::move(request.value)),
      mode(request.mode),
      context(std::move(request.context)),
      w(request.w),
      observe_r(request.observe_r),
      overwrite(request.overwrite),
      if_absent(request.if_absent),
      trace(request.trace) {}

WriteIntent::WriteIntent(wire::DelRequest request, const Position& its_position)
    : kind(Kind::remove),
      key(std::move(request.key)),
      position(its_position),
      mode(request.mode),
      context(std::move(request.context)),
      w(request.w),
      observe_r(request.observe_r),
      overwrite(true),
      trace(request.trace) {}

WriteIntent::WriteIntent(wire::MergeRequest request, const Position& its_position)
    : kind(Kind::merge),
      key(std::move(request.key)),
      position(its_position),
      value(std::move(request.state)),
      fence(request.fence),
      mode(PutMode::blind),
      w(request.w) {}

Put::Put(Service& service, std::uint64_t id, Origin origin, WriteIntent intent, NodeId stands_for,
         Instant deadline)
    : service_(service),
      id_(id),
      origin_(origin),
      intent_(std::move(intent)),
      stands_for_(stands_for),
      started_(service.desk.now.instant),
      deadline_(deadline),
      partition_(service.desk.routes.partition_of(intent_.position)),
      trace_(service.desk, intent_.trace) {}

void Put::start() {
    const Desk& desk = service_.desk;
    auto w = service_.quorum(intent_.w, desk.settings.write_quorum, partition_, "W");
    if (!w) return give_up(w.error());
    quorum_ = std::move(*w);
    if (desk.load.refuse_writes)
        return give_up({Code::storage_full,
                        "the disk is nearly full, so writes are refused; make room, or lower "
                        "--min-free"});
    if (intent_.kind == WriteIntent::Kind::merge) return write({});
    switch (intent_.mode) {
        case PutMode::blind: {
            Clock none;
            if (desk.breaks(Mutant::blind_supersedes))
                if (const auto held =
                        service_.objects.read(Slot::of(desk.routes, intent_.position, intent_.key)))
                    none = held->object.clock;
            return write(none);
        }
        case PutMode::context: {
            const auto context = given_context();
            return context ? write(*context) : give_up(context.error());
        }
        case PutMode::observe: {
            if (const auto observed = observe(); !observed) give_up(observed.error());
            return;
        }
    }
}

Result<Clock> Put::given_context() const {
    if (intent_.context.empty()) return Clock{};
    auto context = wire::decode_context(intent_.context, service_.desk.cluster, intent_.position);
    if (!context) return std::unexpected(context.error());
    return std::move(context->seen);
}

Result<void> Put::observe() {
    const Desk& desk = service_.desk;
    auto r = service_.quorum(intent_.observe_r, desk.settings.read_quorum, partition_,
                             "R of the observation");
    if (!r) return std::unexpected(r.error());
    const bool sparing = r->needed() == 1 && desk.routes.stable(partition_);
    round_.emplace(service_, trace_,
                   ReadRound::Question{id_, intent_.key, intent_.position, std::move(*r), sparing});
    if (auto asked = round_->start(); !asked) return asked;
    advance_observing();
    return {};
}

void Put::advance_observing() {
    if (outdated()) return;
    if (round_->met()) return decide(round_->merged());
    if (round_->hopeless() || at_deadline())
        give_up({Code::too_few_nodes,
                 "only " + std::to_string(round_->answered()) +
                     " nodes could be asked what the key holds; nothing was written; see "
                     "dyn-ring status"});
}

void Put::decide(const Object& seen) {
    const std::size_t values = values_shown(service_.desk, seen);
    existed_ = values > 0;
    if (intent_.if_absent && existed_)
        return give_up({Code::exists, "the key has a value already; nothing was written"});
    if (values > 1 && !intent_.overwrite)
        return give_up({Code::conflict,
                        "the key has " + std::to_string(values) +
                            " differing values; nothing was written; merge them (dyn-merge), put "
                            "with a context, or overwrite them all"});
    if (intent_.kind == WriteIntent::Kind::remove && !existed_) {
        replied_ = finished_ = true;
        const Context context{service_.desk.cluster, intent_.position, seen.clock,
                              round_->first_owner()};
        return service_.answer(origin_,
                               wire::DelReply{wire::encode(context), false, trace_.take()});
    }
    write(seen.clock);
}

void Put::write(const Clock& context) {
    Desk& desk = service_.desk;
    // A ring that came since has given the key to others. What this node stored now nobody would
    // look for; whoever asks again is led to them.
    if (stands_for_.is_none() && !desk.routes.serves(desk.self(), partition_))
        return give_up({Code::busy, "the ring has just given the key to other nodes; ask again"});
    phase_ = Phase::writing;
    follow_lists();
    team_ = Team(desk, service_.liveness, partition_, stands_for_);
    if (const auto filled = team_.filled(); !quorum_.could_be_met_by(filled))
        return give_up({Code::too_few_nodes,
                        "only " + std::to_string(filled.size()) + " of the " +
                            std::to_string(quorum_.needed()) +
                            " nodes that must store it are healthy; nothing was written; see "
                            "dyn-ring status"});

    const Slot slot = Slot::of(desk.routes, intent_.position, intent_.key, stands_for_);
    stamp_ = intent_.fence == 0 ? desk.fence.number() : intent_.fence - 1;
    const auto stored =
        intent_.kind == WriteIntent::Kind::merge ? merge(slot) : mint(slot, context);
    if (!stored) return give_up(stored.error());

    for (Team::Place& place : team_.places()) {
        if (place.asked == desk.self()) {
            trace_.add(desk.self(), "stored");
            stored_by(place.asked);
        } else {
            fill(place);
        }
    }
    advance_writing();
}

void Put::fill(Team::Place& place) {
    if (place.by_nobody())
        keep_hint(place.owner);
    else
        ask(place);
}

Result<void> Put::merge(const Slot& slot) {
    auto object = given_state(intent_.value, service_.desk.options);
    if (!object) return std::unexpected(object.error());
    if (!service_.desk.takes(stamp_))
        return fail(Code::refused,
                    "the state was read so long ago that what superseded it may be forgotten");
    const auto changed = service_.objects.merge_given(slot, *object, intent_.value, stamp_);
    if (!changed) return std::unexpected(changed.error());
    changed_ = *changed;
    object_ = std::move(*object);
    encoded_ = std::move(intent_.value);
    return {};
}

Result<void> Put::mint(const Slot& slot, const Clock& context) {
    const Desk& desk = service_.desk;
    if (intent_.mode != PutMode::observe)
        if (const auto held = service_.objects.read(slot))
            existed_ = values_shown(desk, held->object) > 0;
    Sibling sibling{
        {}, intent_.kind == WriteIntent::Kind::remove, desk.now.wall_ms, std::move(intent_.value)};
    const Sibling* seen_last =
        desk.settings.last_write_wins && round_ ? newest(round_->merged()) : nullptr;
    if (seen_last) sibling.wall_ms = std::max(sibling.wall_ms, seen_last->wall_ms + 1);
    auto stored = service_.objects.write(slot, context, std::move(sibling));
    if (!stored) return std::unexpected(stored.error());
    object_ = std::move(stored->object);
    encoded_ = std::move(stored->encoded);

    // What the writer may claim to have seen: its own context and its own write. With the node's
    // whole clock it would claim siblings that it was never shown, and its next put would drop
    // them.
    Context seen{desk.cluster, intent_.position, context, {}};
    if (stands_for_.is_none()) seen.fastest = desk.self();
    if (!desk.breaks(Mutant::reply_lacks_own_write)) seen.seen.add(stored->dot);
    // Where the last write wins it has superseded all of that.
    if (desk.breaks(Mutant::full_clock_returned) || desk.settings.last_write_wins)
        seen.seen = object_.clock;
    context_ = wire::encode(seen);
    return {};
}

void Put::ask(Team::Place& place) {
    Desk& desk = service_.desk;
    place.asked_at = desk.now.instant;
    ++place.asks;
    if (place.by_stand_in()) desk.counters.add("put.stand_ins");
    trace_.add(place.asked, place.by_stand_in() ? "write asked as stand-in" : "write asked");
    const Bytes hint_for = place.by_stand_in() ? Bytes(place.owner.bytes()) : Bytes{};
    const std::uint64_t stamp =
        desk.breaks(Mutant::sent_again_as_new) ? desk.fence.number() : stamp_;
    desk.send(place.asked, wire::WriteRequest{id_, hint_for, intent_.key, encoded_, stamp});
}

void Put::replace(Team::Place& place, Team::Because because) {
    trace_.add(place.asked, because == Team::Because::silent ? "silent" : "cannot store");
    team_.replace(service_.desk, service_.liveness, place, because);
    fill(place);
}

void Put::keep_hint(const NodeId& owner) {
    const auto kept = service_.objects.merge_in(
        Slot::of(service_.desk.routes, intent_.position, intent_.key, owner), object_, encoded_,
        stamp_);
    service_.desk.counters.add(kept ? "hints.kept" : "hints.failed");
    if (service_.desk.breaks(Mutant::hint_counts_for_coordinator)) quorum_.count(owner);
}

void Put::stored_by(const NodeId& node) {
    Team::Place* place = team_.place_of(node);
    if (!place) return;
    place->settled = true;
    if (!quorum_.count(place->owner, node) && service_.desk.breaks(Mutant::answers_counted_twice))
        quorum_.count_again(place->owner);
}

void Put::on(const NodeId& from, const wire::ReadReply& reply) {
    if (phase_ != Phase::observing) return;
    round_->on(from, reply);
    advance_observing();
}

void Put::on(const NodeId& from, const wire::WriteReply& reply) {
    if (phase_ != Phase::writing) return;
    if (reply.status == wire::PeerStatusCode::ok) {
        trace_.add(from, "stored");
        stored_by(from);
    } else {
        Team::Place* place = team_.place_of(from);
        if (place && place->asked == from && !place->settled) refused_by(*place, reply.status);
    }
    advance_writing();
}

void Put::refused_by(Team::Place& place, wire::PeerStatusCode status) {
    // Its ring is behind: it has been told ours meanwhile.
    if (status == wire::PeerStatusCode::behind && place.asks < most_asks) return ask(place);
    // Ours is: the place is asked again, or leaves, when the next one is there.
    if (status == wire::PeerStatusCode::not_owner && !place.by_stand_in()) return;
    replace(place, Team::Because::refused);
}

/// What is stored stays stored, and counts for the lists that are live now. Places that came with
/// the ring are asked, and those that have refused under the old one.
void Put::on_ring() {
    if (phase_ != Phase::writing || finished_) return;
    const Desk& desk = service_.desk;
    follow_lists();
    for (const NodeId& owner : desk.routes.serving(partition_)) quorum_.forget_as_stand_in(owner);
    team_.follow(desk, service_.liveness);
    for (Team::Place& place : team_.places()) {
        if (place.settled) continue;
        if (place.owner == desk.self() && !place.by_stand_in()) {
            const auto stored = service_.objects.merge_in(
                Slot::of(desk.routes, intent_.position, intent_.key), object_, encoded_, stamp_);
            place.settled = true;
            if (stored) stored_by(desk.self());
        } else {
            place.asks = 0;
            fill(place);
        }
    }
    advance_writing();
}

void Put::follow_lists() {
    quorum_.follow(service_.lists(partition_, Service::Need::write),
                   service_.desk.routes.owners(partition_));
}

bool Put::outdated() const {
    return phase_ == Phase::observing && !finished_ && round_ && round_->is_outdated();
}

void Put::begin_again(std::uint64_t id) {
    id_ = id;
    service_.desk.counters.add("put.begun_again");
    trace_.add(service_.desk.self(), "begun again");
    start();
}

void Put::on_unreachable(const NodeId& node) {
    if (phase_ == Phase::observing) {
        round_->on_unreachable(node);
        return advance_observing();
    }
    team_.forget_late(node);
    for (Team::Place& place : team_.places())
        if (place.asked == node && !place.settled) replace(place, Team::Because::refused);
    advance_writing();
}

void Put::on_timer() {
    if (phase_ == Phase::observing) {
        round_->on_silence(false);
        return advance_observing();
    }
    const Desk& desk = service_.desk;
    for (Team::Place& place : team_.places()) {
        if (place.settled) continue;
        const bool silent = desk.now.instant >= place.asked_at + desk.options.replica_timeout;
        if (!silent && !at_deadline()) continue;
        const bool suspected =
            silent && service_.liveness.silent_since(place.asked, place.asked_at);
        if (at_deadline()) {
            place.settled = true;
            keep_hint(place.owner);
        } else if (suspected || place.asks >= 2) {
            replace(place, Team::Because::silent);
        } else {
            ask(place);
        }
    }
    advance_writing();
}

/// An observation of what was undone is worth nothing. A write whose own copy was undone is over:
/// this node counted towards W and does not hold it, and nobody has been told of it yet. One that
/// was stored by an earlier step goes on.
void Put::on_undone(const Error& error) {
    if (phase_ == Phase::observing) {
        if (!round_->own_answer_stands())
            give_up({Code::busy, "what this node had just stored of the key was undone (" +
                                     error.message + "); nothing was written; try again"});
        return;
    }
    const auto held = service_.objects.read(
        Slot::of(service_.desk.routes, intent_.position, intent_.key, stands_for_));
    if (held && held->object.clock.covers(object_.clock)) return;
    if (!replied_) give_up(error);
    finished_ = true;
}

void Put::advance_writing() {
    const bool one_too_few =
        service_.desk.breaks(Mutant::w_minus_one) && quorum_.answered() + 1 >= quorum_.needed();
    if (!replied_ && (quorum_.met() || one_too_few)) reply_stored();
    if (!team_.all_settled()) return;
    // A slow replica is no dead one: until the deadline its answer still makes W.
    if (!replied_ && team_.may_be_answered_late() && !at_deadline()) return;
    if (!replied_)
        give_up({Code::quorum_not_met,
                 "stored by " + std::to_string(quorum_.answered()) + " of the " +
                     std::to_string(quorum_.needed()) +
                     " nodes asked for (W); it may be applied later; see dyn-ring status",
                 {},
                 Applied::maybe});
    finished_ = true;
}

void Put::reply_stored() {
    replied_ = true;
    Desk& desk = service_.desk;
    if (!stands_for_.is_none()) desk.counters.add("put.stand_in_coordinated");
    if (intent_.kind == WriteIntent::Kind::merge) {
        // A load of many is no measure of what writers wait for.
        desk.counters.add("merge.count");
        return service_.answer(origin_, wire::MergeReply{changed_}, true);
    }
    const bool removes = intent_.kind == WriteIntent::Kind::remove;
    desk.counters.add(removes ? "del.count" : "put.count");
    desk.answered(desk.counters.put_latency, started_);
    if (removes)
        service_.answer(origin_, wire::DelReply{context_, existed_, trace_.take()}, true);
    else
        service_.answer(origin_, wire::PutReply{context_, existed_, trace_.take()}, true);
}

void Put::give_up(Error error) {
    service_.answer(origin_, std::move(error));
    replied_ = finished_ = true;
}

bool Put::at_deadline() const { return service_.desk.now.instant >= deadline_; }

Instant Put::wake_at() const {
    const auto silence = phase_ == Phase::observing
                             ? (round_ ? round_->next_silence() : std::nullopt)
                             : team_.next_silence(service_.desk.options.replica_timeout);
    return silence ? std::min(*silence, deadline_) : deadline_;
}

}  // namespace dynamo
