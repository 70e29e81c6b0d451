#include "daemon/node/repair/handback.h"

#include <algorithm>
#include <utility>

#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

constexpr std::size_t max_bytes_in_flight = 4u << 20;
/// Hints that one look reads at most, so that a look at a large table does not hold up the node.
constexpr std::size_t max_hints_per_look = 256;
/// How many intervals an owner is left alone that has no room or whose storage failed.
constexpr int intervals_of_rest = 4;
constexpr std::size_t position_octets = 8;

}  // namespace

Handback::Handback(Desk& desk, Objects& objects, Liveness& liveness)
    : desk_(desk), objects_(objects), liveness_(liveness) {}

bool Handback::on(const NodeId& from, const wire::WriteReply& reply) {
    const auto at = deliveries_.find(reply.id);
    if (at == deliveries_.end()) return false;
    if (!at->second.waiting.contains(from)) return true;
    const NodeId owner = at->second.slot.hint_for;
    if (reply.status != wire::PeerStatusCode::ok && !desk_.breaks(Mutant::hint_erased_on_refusal)) {
        // An owner that is none any more: the rings of the two differ, and gossip mends that.
        const bool moved = reply.status == wire::PeerStatusCode::not_owner;
        desk_.counters.add("hints.declined");
        land(at);
        look_again(owner, desk_.options.handback_interval * (moved ? 1 : intervals_of_rest));
        return true;
    }
    at->second.waiting.erase(from);
    if (!at->second.waiting.empty()) return true;
    erase(at->second);
    land(at);
    return true;
}

void Handback::on_heard(const NodeId& node) {
    for (auto& [owner, look] : looks_)
        if (owner == node || !desk_.routes.find(owner)) look.due = desk_.now.instant;
}

void Handback::tick() {
    expire();
    if (!objects_.hints_counted() && next_count_ <= desk_.now.instant) count_again();
    std::erase_if(looks_,
                  [&](const auto& entry) { return objects_.hints_held_for(entry.first) == 0; });
    paid_for_ = desk_.budget.ready(Budget::Kind::handback, desk_.now.instant);
    // Whoever was served last comes last, so that no owner waits for another's many hints.
    std::vector<NodeId> owners = objects_.hint_owners();
    std::ranges::rotate(owners, std::ranges::upper_bound(owners, last_served_));
    for (const NodeId& owner : owners) {
        if (!worth_a_look(owner)) continue;
        Look& present = looks_[owner];
        if (std::max(present.due, paid_for_) > desk_.now.instant) continue;
        look(owner, present);
        paid_for_ = desk_.budget.ready(Budget::Kind::handback, desk_.now.instant);
    }
}

Instant Handback::wake_at() const {
    Instant wake = Instant::max();
    for (const auto& [id, delivery] : deliveries_)
        wake = std::min(wake, delivery.sent + desk_.options.replica_timeout);
    if (!objects_.hints_counted()) wake = std::min(wake, next_count_);
    if (objects_.hints_held() == 0) return wake;
    for (const NodeId& owner : objects_.hint_owners()) {
        if (!worth_a_look(owner)) continue;
        const auto known = looks_.find(owner);
        const Instant due = known == looks_.end() ? desk_.now.instant : known->second.due;
        wake = std::min(wake, std::max(due, paid_for_));
    }
    return wake;
}

void Handback::flush() {
    for (auto& [owner, look] : looks_) look.due = desk_.now.instant;
}

/// The read that counts them has failed: until it succeeds nobody knows for whom there are hints.
void Handback::count_again() {
    next_count_ = desk_.now.instant + desk_.options.handback_interval * intervals_of_rest;
    if (const auto counted = objects_.count_hints(); !counted)
        desk_.log(Severity::error, "hints cannot be counted: " + counted.error().message);
}

std::vector<NodeId> Handback::targets(const Slot& slot) const {
    if (desk_.routes.serves(slot.hint_for, slot.partition) && !desk_.routes.is_lost(slot.hint_for))
        return {slot.hint_for};
    std::vector<NodeId> nodes;
    for (const NodeId& owner : desk_.routes.owners(slot.partition))
        if (!desk_.routes.is_lost(owner)) nodes.push_back(owner);
    if (desk_.breaks(Mutant::departed_hint_to_one)) nodes.resize(1);
    return nodes;
}

bool Handback::worth_a_look(const NodeId& owner) const {
    // One that serves nothing any more need not be there: what was for it goes to others.
    const bool is_awaited = !desk_.routes.served_by(owner).empty() && !desk_.routes.is_lost(owner);
    if ((is_awaited && !liveness_.healthy(owner)) || desk_.routes.number() == 0) return false;
    const auto known = looks_.find(owner);
    return known == looks_.end() || !known->second.waits_for_room;
}

void Handback::look(const NodeId& owner, Look& present) {
    auto found = find(owner, present);
    if (!found) {
        desk_.log(Severity::error, "hints for " + desk_.name_of(owner) +
                                       " cannot be read: " + found.error().message);
        present.due = desk_.now.instant + desk_.options.handback_interval * intervals_of_rest;
        return;
    }
    if (!found->empty()) last_served_ = owner;
    for (Found& hint : *found) deliver(std::move(hint));
    open_looks();  // not everything that was found need have been sent
}

/// The next hints that can be sent now, as far as there is room; moves the look past them.
Result<std::vector<Handback::Found>> Handback::find(const NodeId& owner, Look& present) {
    std::vector<Found> found;
    std::size_t looked_at = 0;
    std::size_t octets = 0;
    std::size_t hints = deliveries_.size();
    std::size_t bytes = bytes_in_flight_;
    const Bytes first = std::exchange(present.next_row, {});
    const auto visit = [&](BytesView row, BytesView record) {
        // One hint always has room, however large.
        const bool full = hints >= desk_.options.hints_in_flight ||
                          (hints > 0 && bytes + record.size() > max_bytes_in_flight);
        if (full || looked_at == max_hints_per_look) {
            present.waits_for_room = full;
            present.next_row = row;
            return false;
        }
        ++looked_at;
        octets += row.size() + record.size();
        if (row.size() <= position_octets) return true;
        Slot slot = Slot::of(desk_.routes, row.substr(position_octets), owner);
        if (in_flight_.contains(slot.storage_key()) || !all_healthy(targets(slot))) return true;
        ++hints;
        bytes += record.size();
        found.push_back({std::move(slot), Bytes(record)});
        return true;
    };
    const auto scanned = objects_.scan_hints(owner, first, visit);
    desk_.budget.spend(Budget::Kind::handback, looked_at, octets, desk_.now.instant);
    if (!scanned) return std::unexpected(scanned.error());
    const bool ended = present.next_row.empty();
    present.due = desk_.now.instant + (ended ? desk_.options.handback_interval : Duration{0});
    return found;
}

bool Handback::all_healthy(const std::vector<NodeId>& nodes) const {
    return std::ranges::all_of(nodes, [&](const NodeId& node) { return liveness_.healthy(node); });
}

void Handback::deliver(Found found) {
    const auto object = object_bytes(found.slot.row, found.record);
    if (!object) {
        desk_.counters.add("hints.damaged");
        if (!std::exchange(damage_told_, true))
            desk_.log(Severity::error,
                      "a hint for " + desk_.name_of(found.slot.hint_for) +
                          " is damaged and cannot be handed back: " + object.error().message);
        return;
    }
    Delivery delivery;
    delivery.digest = digest(found.record);
    delivery.bytes = found.record.size();
    delivery.ring = desk_.routes.number();
    delivery.sent = desk_.now.instant;
    for (const NodeId& node : targets(found.slot)) {
        if (node != desk_.self())
            delivery.waiting.insert(node);
        else if (!take_over(found.slot, *object))
            return;
    }
    delivery.slot = std::move(found.slot);
    const std::uint64_t id = desk_.next_id();
    for (const NodeId& node : delivery.waiting)
        desk_.send(node,
                   wire::WriteRequest{
                       id, {}, Bytes(delivery.slot.key()), Bytes(*object), desk_.fence.number()});
    desk_.counters.add("hints.sent");
    const bool departed = !desk_.routes.serves(delivery.slot.hint_for, delivery.slot.partition);
    if (delivery.waiting.empty() || desk_.breaks(Mutant::hint_dropped_when_sent) ||
        (departed && desk_.breaks(Mutant::departed_hint_dropped)))
        erase(delivery);
    if (delivery.waiting.empty()) return;
    in_flight_.insert(delivery.slot.storage_key());
    bytes_in_flight_ += delivery.bytes;
    deliveries_.emplace(id, std::move(delivery));
}

/// This node has become an owner of a key that it keeps a hint for. Both are one commit.
bool Handback::take_over(const Slot& hint, BytesView object) {
    const auto decoded = wire::decode_object(object);
    if (!decoded) return false;
    const auto merged = objects_.merge_in(Slot::of(desk_.routes, hint.key()), *decoded, object,
                                          desk_.fence.number());
    return merged.has_value();
}

void Handback::expire() {
    std::vector<std::uint64_t> silent;
    for (const auto& [id, delivery] : deliveries_)
        if (delivery.sent + desk_.options.replica_timeout <= desk_.now.instant)
            silent.push_back(id);
    for (const std::uint64_t id : silent) {
        const auto at = deliveries_.find(id);
        for (const NodeId& node : at->second.waiting) liveness_.silent_since(node, at->second.sent);
        desk_.counters.add("hints.unanswered");
        look_again(at->second.slot.hint_for, desk_.options.handback_interval);
        land(at);
    }
}

void Handback::land(std::map<std::uint64_t, Delivery>::iterator at) {
    in_flight_.erase(at->second.slot.storage_key());
    bytes_in_flight_ -= at->second.bytes;
    deliveries_.erase(at);
    open_looks();
}

/// Looks go on when half of the room is free, not for every single hint.
void Handback::open_looks() {
    if (deliveries_.size() > desk_.options.hints_in_flight / 2 ||
        bytes_in_flight_ > max_bytes_in_flight / 2)
        return;
    for (auto& [owner, present] : looks_) present.waits_for_room = false;
}

void Handback::erase(const Delivery& delivery) {
    // Under another ring other nodes may have to confirm; the next look finds them.
    if (delivery.ring != desk_.routes.number()) return;
    const auto erased = objects_.erase_hint(delivery.slot, delivery.digest);
    if (!erased)
        desk_.log(Severity::error,
                  "a hint that was handed back cannot be erased: " + erased.error().message);
    else
        desk_.counters.add(*erased ? "hints.delivered" : "hints.changed");
}

void Handback::look_again(const NodeId& owner, Duration after) {
    looks_[owner].due = desk_.now.instant + after;
}

}  // namespace dynamo
