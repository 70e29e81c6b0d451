#include "daemon/node/coordination/team.h"

#include <algorithm>

namespace dynamo {

Team::Team(const Desk& desk, const Liveness& liveness, std::uint16_t partition,
           const NodeId& self_stands_for)
    : partition_(partition) {
    const auto owners = desk.routes.serving(partition);
    places_.reserve(owners.size());
    for (const NodeId& owner : owners) {
        Place place{owner, {}, desk.now.instant};
        if (owner == self_stands_for)
            place.asked = desk.self();
        else if (owner == desk.self() || liveness.healthy(owner))
            place.asked = owner;
        places_.push_back(place);
    }
    for (Place& place : places_)
        if (place.by_nobody()) replace(desk, liveness, place, Because::refused);
}

void Team::follow(const Desk& desk, const Liveness& liveness) {
    const auto owners = desk.routes.serving(partition_);
    const auto serves = [&](const NodeId& node) {
        return std::ranges::find(owners, node) != owners.end();
    };
    std::vector<Place> before = std::move(places_);
    places_.clear();
    gave_up_.clear();
    for (const NodeId& owner : owners) {
        const auto known = std::ranges::find(before, owner, &Place::owner);
        const bool stays =
            known != before.end() && (known->asked == owner || !serves(known->asked));
        Place place{owner, {}, desk.now.instant};
        if (stays)
            place = *known;
        else if (owner == desk.self() || liveness.healthy(owner))
            place.asked = owner;
        places_.push_back(place);
    }
    for (Place& place : places_)
        if (place.by_nobody() && !place.settled) replace(desk, liveness, place, Because::refused);
}

std::vector<NodeId> Team::filled() const {
    std::vector<NodeId> owners;
    for (const Place& place : places_)
        if (!place.by_nobody()) owners.push_back(place.owner);
    return owners;
}

Team::Place* Team::place_of(const NodeId& node) {
    for (Place& place : places_)
        if (place.asked == node || place.owner == node) return &place;
    const auto gave_up = std::ranges::find(gave_up_, node, &GaveUp::node);
    return gave_up == gave_up_.end() ? nullptr : &places_[gave_up->place];
}

bool Team::in_use(const NodeId& node) const {
    return std::ranges::find(places_, node, &Place::asked) != places_.end() ||
           std::ranges::find(gave_up_, node, &GaveUp::node) != gave_up_.end();
}

void Team::replace(const Desk& desk, const Liveness& liveness, Place& place, Because because) {
    if (!place.by_nobody())
        gave_up_.push_back({place.asked, static_cast<std::size_t>(&place - places_.data()),
                            because == Because::silent});
    place.asked = {};
    place.asks = 0;
    place.settled = true;
    place.asked_at = desk.now.instant;
    for (const NodeId& fallback : desk.routes.fallbacks(partition_)) {
        const bool usable = fallback == desk.self() || liveness.healthy(fallback);
        if (!usable || in_use(fallback)) continue;
        place.asked = fallback;
        place.settled = false;
        return;
    }
}

bool Team::may_be_answered_late() const {
    return std::ranges::any_of(gave_up_, &GaveUp::only_silent);
}

void Team::forget_late(const NodeId& node) {
    for (GaveUp& gave_up : gave_up_)
        if (gave_up.node == node) gave_up.only_silent = false;
}

bool Team::all_settled() const { return std::ranges::all_of(places_, &Place::settled); }

std::optional<Instant> Team::next_silence(Duration patience) const {
    std::optional<Instant> next;
    for (const Place& place : places_) {
        if (place.settled) continue;
        const Instant at = place.asked_at + patience;
        if (!next || at < *next) next = at;
    }
    return next;
}

}  // namespace dynamo
