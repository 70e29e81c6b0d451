#include "daemon/node/coordination/read_round.h"

#include <algorithm>

#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

/// How often one that is behind is asked: each time it has been told the ring, which is enough
/// once.
constexpr int most_asks = 4;

std::uint64_t base_of(const Routes& routes, std::uint16_t partition) {
    const auto& lists = routes.lists(partition);
    return lists.empty() ? routes.version(partition) : lists.front().version;
}

}  // namespace

ReadRound::ReadRound(Service& service, Trace& trace, Question question)
    : service_(service),
      trace_(trace),
      id_(question.id),
      key_(std::move(question.key)),
      slot_(Slot::of(service.desk.routes, question.position, key_)),
      version_(service.desk.routes.version(slot_.partition)),
      base_(base_of(service.desk.routes, slot_.partition)),
      sparing_(question.sparing),
      quorum_(std::move(question.quorum)),
      team_(service.desk, service.liveness, slot_.partition),
      stamp_(service.desk.fence.number()) {}

Result<void> ReadRound::start() {
    if (const auto filled = team_.filled(); !quorum_.could_be_met_by(filled))
        return fail(Code::too_few_nodes,
                    "only " + std::to_string(filled.size()) + " of the " +
                        std::to_string(quorum_.needed()) +
                        " nodes that must answer are healthy; see dyn-ring status");
    const auto own = std::ranges::find(team_.places(), service_.desk.self(), &Team::Place::asked);
    if (sparing_ && own != team_.places().end()) {
        ask(*own);
        return {};
    }
    ask_the_others();
    return {};
}

void ReadRound::ask_the_others() {
    sparing_ = false;
    for (Team::Place& place : team_.places())
        if (place.asks == 0) ask(place);
}

void ReadRound::ask(Team::Place& place) {
    if (place.settled || place.by_nobody()) return;
    place.asked_at = service_.desk.now.instant;
    ++place.asks;
    trace_.add(place.asked, place.by_stand_in() ? "read asked as stand-in" : "read asked");
    if (place.asked != service_.desk.self()) {
        const Bytes hint_for = place.by_stand_in() ? Bytes(place.owner.bytes()) : Bytes{};
        service_.desk.send(place.asked, wire::ReadRequest{id_, key_, hint_for});
        return;
    }
    if (service_.objects.rebuilding(slot_.partition)) return leave_vacant(place);
    auto state = service_.objects.state_of(slot_);
    if (!state && state.error().code == Code::corrupt) return leave_vacant(place);
    if (!state) return replace(place, Team::Because::refused);
    own_ = *state;
    take(service_.desk.self(), std::move(*state), service_.desk.fence.number());
}

/// An owner that lives and lacks the key is no owner that is down: whoever stood in for it would
/// know nothing, and would be counted as if it did.
void ReadRound::leave_vacant(Team::Place& place) {
    trace_.add(place.asked, "cannot answer");
    place.settled = true;
    if (sparing_) ask_the_others();
}

void ReadRound::replace(Team::Place& place, Team::Because because) {
    trace_.add(place.asked, because == Team::Because::silent ? "silent" : "cannot answer");
    team_.replace(service_.desk, service_.liveness, place, because);
    ask(place);
    if (sparing_) ask_the_others();
}

void ReadRound::take(const NodeId& from, Bytes state, std::uint64_t stamp) {
    Team::Place* place = team_.place_of(from);
    if (!place) return;
    const bool counted_before = quorum_.has(place->owner);
    const bool empty = state.empty();
    const bool is_owner = from == place->owner;
    if (!empty) {
        // Equal bytes are equal states (the encoding is canonical): most answers need no merge.
        const bool known = std::ranges::any_of(
            answers_, [&](const auto& answer) { return answer.second == state; });
        if (!known) {
            auto object = wire::decode_object(state);
            if (!object) {
                service_.desk.counters.add("peers.malformed");
                return;
            }
            merge(merged_, *object);
        }
        stamp_ = std::min(stamp_, stamp);
    }
    trace_.add(from, empty ? "read answered: nothing" : "read answered");
    place->settled = true;
    owner_answered_ = owner_answered_ || is_owner || !empty;
    quorum_.count(place->owner);
    if (counted_before && service_.desk.breaks(Mutant::answers_counted_twice))
        quorum_.count_again(place->owner);
    if (is_owner) answers_.emplace_back(from, std::move(state));
}

void ReadRound::on(const NodeId& from, const wire::ReadReply& reply) {
    // What was put back as it was some time ago may show what has been purged since.
    const bool is_old = reply.fence + 1 < service_.desk.fence.number() &&
                        !service_.desk.breaks(Mutant::old_states_taken);
    if (reply.status == wire::PeerStatusCode::ok && !is_old) {
        take(from, reply.object, reply.fence);
        return;
    }
    Team::Place* place = team_.place_of(from);
    if (!place || place->asked != from || place->settled) return;
    // Our ring or its own is behind: it is asked again when the next one is there.
    if (reply.status == wire::PeerStatusCode::not_owner) {
        refused_ = true;
        return;
    }
    if (reply.status == wire::PeerStatusCode::behind) {
        if (place->asks < most_asks) ask(*place);
        return;
    }
    const bool lacks = is_old || reply.status == wire::PeerStatusCode::not_ready;
    if (lacks && !place->by_stand_in())
        leave_vacant(*place);
    else
        replace(*place, Team::Because::refused);
}

void ReadRound::on_unreachable(const NodeId& node) {
    team_.forget_late(node);
    for (Team::Place& place : team_.places())
        if (place.asked == node && !place.settled) replace(place, Team::Because::refused);
}

void ReadRound::on_silence(bool give_up) {
    const Desk& desk = service_.desk;
    if (sparing_) ask_the_others();
    for (Team::Place& place : team_.places()) {
        if (place.settled || desk.now.instant < place.asked_at + desk.options.replica_timeout)
            continue;
        // One message may be lost; two in a row mean that the node is.
        if (place.asks >= 2) (void)service_.liveness.silent_since(place.asked, place.asked_at);
        if (give_up)
            place.settled = true;
        else if (place.asks >= 2 || !service_.liveness.healthy(place.asked))
            replace(place, Team::Because::silent);
        else
            ask(place);
    }
}

bool ReadRound::is_outdated() const {
    const Routes& routes = service_.desk.routes;
    return version_ != routes.version(slot_.partition) ||
           (refused_ && base_ != base_of(routes, slot_.partition));
}

bool ReadRound::own_answer_stands() const {
    if (!own_) return true;
    const auto state = service_.objects.state_of(slot_);
    return state && *state == *own_;
}

bool ReadRound::met() const {
    const Desk& desk = service_.desk;
    if (desk.breaks(Mutant::empty_stand_ins_answer)) return quorum_.met();
    if (desk.breaks(Mutant::r_minus_one) && owner_answered_)
        return quorum_.answered() + 1 >= quorum_.needed();
    return quorum_.met() && owner_answered_;
}

bool ReadRound::hopeless() const {
    return !met() && team_.all_settled() && !team_.may_be_answered_late();
}

std::optional<Instant> ReadRound::next_silence() const {
    return team_.next_silence(service_.desk.options.replica_timeout);
}

void ReadRound::repair() {
    if (merged_.empty()) return;
    const Bytes joined = wire::encode(merged_);
    const Desk& desk = service_.desk;
    for (const auto& [node, state] : answers_) {
        if (state == joined) continue;
        // Its list may have ended since it answered: then it keeps nothing of the key.
        if (!desk.routes.serves(node, slot_.partition)) continue;
        service_.desk.counters.add("repairs.by_read");
        if (node == desk.self())
            (void)service_.objects.merge_in(slot_, merged_, joined, stamp_);
        else
            service_.desk.send(node, wire::WriteRequest{0, {}, key_, joined, stamp_});
    }
}

}  // namespace dynamo
