#include "daemon/node/repair/exchange.h"

#include <algorithm>
#include <utility>

#include "daemon/node/repair/compare.h"
#include "libdynamo/ring/partition_set.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

/// Octets of rows with their records that one offer spans.
constexpr std::size_t max_bytes_offered = 256u << 10;
/// No partner is believed to need more rest than this.
constexpr Duration longest_rest = std::chrono::seconds(10);

std::size_t octets_of(const std::vector<wire::ExchangeState>& states) {
    std::size_t octets = 0;
    for (const wire::ExchangeState& state : states) octets += state.object.size();
    return octets;
}

}  // namespace

Exchange::Exchange(Desk& desk, Objects& objects, Liveness& liveness, Jobs& jobs, Transfer& transfer)
    : desk_(desk),
      objects_(objects),
      liveness_(liveness),
      jobs_(jobs),
      transfer_(transfer),
      next_turn_(desk.now.instant) {}

// ------------------------------------------------------------------------------------------
// a pass, as the node that offers

void Exchange::start(const Pair& pair) {
    pass_ = Pass{};
    pass_->partition = pair.partition;
    pass_->partner = pair.partner;
    pass_->job = pair.job;
    pass_->transfer = pair.transfer;
    pass_->began = desk_.now.instant;
    const auto rebuild = rebuilds_.find(pair.partition);
    if (rebuild != rebuilds_.end() && !pair.transfer) {
        const auto at = rebuild->second.compared.find(pair.partner);
        if (at != rebuild->second.compared.end()) pass_->first = at->second;
        return offer();
    }
    bool scrubs = false;
    if (pair.job.empty() && !pair.transfer) {
        // Begun somewhere, so that after a start not all of them read everything.
        auto& turns = pairs_[{pair.partition, pair.partner}].turns;
        if (!turns) turns = desk_.random.below(desk_.options.scrub_every);
        scrubs = ++*turns % desk_.options.scrub_every == 0;
    }
    const Tree* tree = objects_.trees().want(pair.partition);
    if (tree && !scrubs) begin_with(*tree);
    offer();
}

void Exchange::go_on(Duration partner_asks) {
    const Instant now = desk_.now.instant;
    pass_->rests_until = std::max(desk_.budget.ready(Budget::Kind::exchange, now),
                                  now + std::min(partner_asks, longest_rest));
    if (!pass_->job.empty()) {
        const Instant job_rests = jobs_.rests_until(pass_->job);
        if (!jobs_.may_go_on(pass_->job) || (job_rests > now && job_rests >= next_turn_))
            return put_off_pass();
        pass_->rests_until = std::max(pass_->rests_until, job_rests);
    }
    pass_->resting = pass_->rests_until > now;
    if (!pass_->resting) offer();
}

void Exchange::offer() {
    const Tree* tree = pass_->nodes.empty() ? nullptr : objects_.trees().want(pass_->partition);
    if (tree && pass_->level <= tree->depth()) return offer_nodes(*tree);
    pass_->nodes.clear();
    offer_stretch();
}

void Exchange::offer_stretch() {
    auto offer = make_offer();
    if (!offer) {
        desk_.log(Severity::error, "partition " + std::to_string(pass_->partition) +
                                       " cannot be read: " + offer.error().message);
        abandon_pass();
        return;
    }
    pass_->id = offer->id = desk_.next_id();
    pass_->last = offer->last;
    pass_->sent = desk_.now.instant;
    pass_->rows.clear();
    for (const wire::ExchangeItem& item : offer->items) pass_->rows.push_back(item.row);
    desk_.counters.add("exchange.offers");
    desk_.send(pass_->partner, std::move(*offer));
}

Result<wire::ExchangeOffer> Exchange::make_offer() {
    wire::ExchangeOffer offer;
    offer.partition = pass_->partition;
    offer.first = pass_->first;
    std::size_t bytes = 0;
    const auto visit = [&](BytesView row, BytesView record) {
        if (!pass_->end.empty() && row >= pass_->end) return false;
        bytes += row.size() + record.size();
        if (!offer.items.empty() &&
            (offer.items.size() == desk_.options.exchange_rows || bytes > max_bytes_offered)) {
            offer.last = row;
            return false;
        }
        offer.items.push_back({Bytes(row), exchange_digest(row, record)});
        if (offer.items.back().digest.empty() || is_partial(record))
            objects_.note_damage({offer.partition, {}, Bytes(row)});
        return true;
    };
    const auto scanned = objects_.scan_objects(offer.partition, offer.first, visit);
    desk_.budget.spend(Budget::Kind::exchange, offer.items.size(), bytes, desk_.now.instant);
    if (!scanned) return std::unexpected(scanned.error());
    if (offer.last.empty()) offer.last = pass_->end;
    return offer;
}

void Exchange::on(const NodeId& from, const wire::ExchangeReply& reply) {
    if (!pass_ || pass_->resting || !pass_->nodes.empty() || pass_->id != reply.id ||
        pass_->partner != from)
        return;
    if (!belongs(reply)) {
        desk_.counters.add("exchange.odd");
        return;
    }
    const bool has_no_room = reply.status == wire::PeerStatusCode::full && hands_over();
    if (reply.status == wire::PeerStatusCode::not_owner ||
        reply.status == wire::PeerStatusCode::behind ||
        reply.status == wire::PeerStatusCode::storage || has_no_room) {
        abandon_pass();
        return;
    }
    // One that was put back as it was some time ago knows too little.
    if (reply.fence + 1 < desk_.fence.number() && !desk_.breaks(Mutant::old_states_taken)) {
        abandon_pass();
        return;
    }
    // What is handed over stays as it is: all owners are to have just that.
    const auto merged = hands_over() ? Result<bool>(true) : merge(reply.states, reply.fence);
    if (!merged) {
        desk_.log(Severity::error, "a state cannot be stored: " + merged.error().message);
        abandon_pass();
        return;
    }
    if (!*merged) {
        desk_.counters.add("exchange.odd");
        return;
    }
    const auto given = give(reply.want);
    if (!given) {
        desk_.log(Severity::error, "a state cannot be handed over: " + given.error().message);
        abandon_pass();
        return;
    }
    const std::size_t different = reply.states.size() + reply.want.size();
    pass_->differences += different;
    if (!pass_->job.empty()) jobs_.moved(pass_->job, different, *given + octets_of(reply.states));
    pass_->resent = false;
    if (reply.status == wire::PeerStatusCode::not_ready) pass_->complete = false;
    const Bytes& next = reply.resume.empty() ? pass_->last : reply.resume;
    if (!next.empty() && next != pass_->end) {
        pass_->first = next;
    } else if (!pass_->ranges.empty()) {
        pass_->first = pass_->ranges.back().first;
        pass_->end = pass_->ranges.back().last;
        pass_->ranges.pop_back();
    } else {
        finish_pass();
        return;
    }
    go_on(Duration(
        static_cast<Duration::rep>(std::min<std::uint64_t>(reply.rest_us, longest_rest.count()))));
}

/// Whether the answer speaks of nothing but the stretch that was offered.
bool Exchange::belongs(const wire::ExchangeReply& reply) const {
    const auto within = [&](BytesView row) {
        return row >= pass_->first && (pass_->last.empty() || row < pass_->last);
    };
    if (!reply.resume.empty() && (!within(reply.resume) || reply.resume == pass_->first))
        return false;
    return std::ranges::all_of(
               reply.want,
               [&](const Bytes& row) { return std::ranges::binary_search(pass_->rows, row); }) &&
           std::ranges::all_of(reply.states, [&](const wire::ExchangeState& state) {
               const Slot slot = Slot::of(desk_.routes, state.key);
               return !state.key.empty() && slot.partition == pass_->partition && within(slot.row);
           });
}

/// False when one of them is no state: then none is merged.
Result<bool> Exchange::merge(const std::vector<wire::ExchangeState>& states, std::uint64_t stamp) {
    std::vector<Object> objects;
    for (const wire::ExchangeState& state : states) {
        auto object = wire::decode_object(state.object);
        if (!object) return false;
        objects.push_back(std::move(*object));
    }
    desk_.budget.spend(Budget::Kind::exchange, states.size(), octets_of(states), desk_.now.instant);
    for (std::size_t i = 0; i < states.size(); ++i) {
        const auto merged = objects_.merge_in(Slot::of(desk_.routes, states[i].key), objects[i],
                                              states[i].object, stamp);
        if (!merged) return std::unexpected(merged.error());
        if (*merged) desk_.counters.add("exchange.states_taken");
    }
    return true;
}

/// Of an owner, one that has become unreadable since it was offered is given by somebody else. Of
/// who leaves nobody else may have it: what there is of it is given, and nothing is passed over
/// that could be read another time.
Result<Bytes> Exchange::to_be_given(const Slot& slot) {
    if (!hands_over()) return objects_.read_bytes(slot).value_or(Bytes{});
    const auto record = objects_.read(slot);
    if (!record && record.error().code == Code::corrupt) return Bytes{};
    if (!record) return std::unexpected(record.error());
    return record->object.empty() ? Bytes{} : wire::encode(record->object);
}

Result<std::size_t> Exchange::give(const std::vector<Bytes>& rows) {
    std::size_t octets = 0;
    if (desk_.breaks(Mutant::exchange_one_way)) return octets;
    for (const Bytes& row : rows) {
        const Slot slot{pass_->partition, {}, row};
        auto object = to_be_given(slot);
        if (!object) return std::unexpected(object.error());
        if (object->empty()) continue;
        octets += object->size();
        desk_.budget.spend(Budget::Kind::exchange, 1, object->size(), desk_.now.instant);
        const std::uint64_t id = hands_over() ? desk_.next_id() : 0;
        if (id != 0) pass_->unconfirmed.insert(id);
        desk_.send(pass_->partner,
                   wire::WriteRequest{
                       id, {}, Bytes(slot.key()), std::move(*object), desk_.fence.number()});
        desk_.counters.add("exchange.states_given");
    }
    return octets;
}

void Exchange::on(const NodeId& from, const wire::WriteReply& reply) {
    if (!pass_ || pass_->partner != from || pass_->unconfirmed.erase(reply.id) == 0) return;
    if (reply.status != wire::PeerStatusCode::ok) return abandon_pass();
    pass_->sent = desk_.now.instant;
    if (pass_->all_compared && pass_->unconfirmed.empty()) finish_pass();
}

void Exchange::finish_pass() {
    if (!pass_->unconfirmed.empty()) {
        pass_->all_compared = true;
        pass_->sent = desk_.now.instant;
        return;
    }
    ++passes_;
    if (const auto pair = pairs_.find({pass_->partition, pass_->partner}); pair != pairs_.end()) {
        Together& together = pair->second;
        together.before = std::exchange(together.since, desk_.now.instant);
        together.compared_before = std::exchange(together.compared, true);
        together.differences = pass_->differences;
    }
    rebuilt_from(*pass_);
    jobs_.compared(pass_->partition, pass_->partner, pass_->began);
    if (pass_->transfer) {
        const Pass pass = std::move(*pass_);
        pass_.reset();
        transfer_.compared(*pass.transfer, pass.complete);
        transfers_rest_until_ = desk_.budget.ready(Budget::Kind::exchange, desk_.now.instant);
        return;
    }
    if (pass_->job.empty()) next_turn_ = desk_.now.instant + between_turns();
    pass_.reset();
    // What is rebuilt waits for nothing but the budget.
    if (rebuilds_.empty()) return;
    const Instant ready = desk_.budget.ready(Budget::Kind::exchange, desk_.now.instant);
    if (ready > desk_.now.instant)
        next_turn_ = ready;
    else if (const auto pair = next_to_rebuild())
        start(*pair);
}

void Exchange::abandon_pass() {
    desk_.counters.add("exchange.abandoned");
    const auto rebuild = rebuilds_.find(pass_->partition);
    if (rebuild != rebuilds_.end()) {
        if (pass_->complete)
            rebuild->second.compared[pass_->partner] = pass_->first;
        else
            rebuild->second.compared.erase(pass_->partner);
        rebuild_at_ = static_cast<std::uint16_t>(pass_->partition + 1);
    }
    if (desk_.breaks(Mutant::job_counts_abandoned))
        jobs_.compared(pass_->partition, pass_->partner, pass_->began);
    if (pass_->transfer)
        transfer_.failed(*pass_->transfer);
    else if (pass_->job.empty())
        next_turn_ = desk_.now.instant + between_turns();
    else
        jobs_.failed(pass_->job, pass_->partition);
    pass_.reset();
}

void Exchange::put_off_pass() {
    desk_.counters.add("exchange.put_off");
    pass_.reset();
}

// ------------------------------------------------------------------------------------------
// a pass, as the node that is offered to

wire::PeerStatusCode Exchange::takes_part(const NodeId& from, std::uint64_t ring,
                                          std::uint16_t partition) const {
    // Who gains or leaves counts on it that this node knows the ring under which it asks, and has
    // taken no write under an older one since.
    const auto standing = desk_.routes.standing(ring, partition);
    if (standing == Routes::Standing::behind) return wire::PeerStatusCode::behind;
    // Who stands in no list any more hands over what it has.
    if (!desk_.routes.find(from) || standing == Routes::Standing::newer ||
        !desk_.routes.serves(desk_.self(), partition))
        return wire::PeerStatusCode::not_owner;
    return wire::PeerStatusCode::ok;
}

void Exchange::on(const NodeId& from, std::uint64_t ring, const wire::ExchangeOffer& offer) {
    if (!is_sound(offer)) {
        desk_.counters.add("exchange.odd");
        return;
    }
    wire::ExchangeReply reply;
    reply.id = offer.id;
    reply.fence = desk_.fence.number();
    reply.status = takes_part(from, ring, offer.partition);
    if (reply.status != wire::PeerStatusCode::ok) {
        // It is told so below.
    } else if (const auto compared = compare(desk_, objects_, offer, reply); !compared) {
        desk_.log(Severity::error, "partition " + std::to_string(offer.partition) +
                                       " cannot be read: " + compared.error().message);
        reply = {offer.id, wire::PeerStatusCode::storage, {}, {}, {}, 0, 0};
    } else if (rebuilds_.contains(offer.partition)) {
        reply.status = wire::PeerStatusCode::not_ready;
    } else if (reply.status == wire::PeerStatusCode::ok && desk_.load.refuse_writes) {
        reply.status = wire::PeerStatusCode::full;
    }
    desk_.counters.add("exchange.states_given", reply.states.size());
    const Duration rest = desk_.budget.owed(Budget::Kind::exchange, desk_.now.instant);
    reply.rest_us = static_cast<std::uint64_t>(rest.count());
    desk_.send(from, std::move(reply));
}

}  // namespace dynamo
