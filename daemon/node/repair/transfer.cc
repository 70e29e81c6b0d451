#include "daemon/node/repair/transfer.h"

#include <algorithm>
#include <utility>

#include "libdynamo/base/numbers.h"

namespace dynamo {
namespace {

/// What failed is tried again after that.
constexpr Duration after_failure = std::chrono::milliseconds(250);
/// What becomes complete within that is noted in one step: each costs a sync and a new ring state.
constexpr Duration gathers_for = std::chrono::milliseconds(50);
constexpr std::string_view sealed_row = "gained";

}  // namespace

// ------------------------------------------------------------------------------------------
// following the ring

void Transfer::on_ring() {
    follow_gains();
    follow_leaves();
}

void Transfer::follow_gains() {
    const Routes& routes = desk_.routes;
    std::map<std::uint16_t, Gain> gains;
    for (const std::uint16_t partition : routes.moving()) {
        if (!routes.is_owner(desk_.self(), partition) || routes.is_synced(desk_.self(), partition))
            continue;
        const std::uint64_t base = routes.lists(partition).front().version;
        const std::uint64_t version = routes.version(partition);
        const auto known = gains_.find(partition);
        Gain& gain = gains[partition];
        if (known != gains_.end() && known->second.base == base && known->second.version == version)
            gain = std::move(known->second);
        else
            gain = {base, version, {}, desk_.now.instant};
    }
    // What was complete for one list is not for another, nor is it when this node's own copy, which
    // counted, is given up.
    const auto is_over = [&](std::uint16_t partition) {
        const auto before = gains_.find(partition);
        const auto now = gains.find(partition);
        return before == gains_.end() || now == gains.end() ||
               before->second.base != now->second.base ||
               before->second.version != now->second.version || !is_enough(partition, now->second);
    };
    std::erase_if(learnt_, is_over);
    std::erase_if(sealed_, is_over);
    std::erase_if(durable_, is_over);
    gains_ = std::move(gains);
    // An owner that is in the older lists itself may need nobody.
    for (const auto& [partition, gain] : gains_)
        if (is_enough(partition, gain) && !sealed_.contains(partition) &&
            !durable_.contains(partition) && learnt_.insert(partition).second)
            seal_at_ = std::min(seal_at_, desk_.now.instant + gathers_for);
}

/// Of what this node served until now it may hold records; at start, of anything.
void Transfer::follow_leaves() {
    const Routes& routes = desk_.routes;
    std::set<std::uint16_t> candidates = std::move(served_);
    served_.clear();
    for (const std::uint16_t partition : routes.served_by(desk_.self())) served_.insert(partition);
    if (std::exchange(looks_again_, false))
        for (std::uint32_t partition = 0; partition < routes.partitions(); ++partition)
            candidates.insert(static_cast<std::uint16_t>(partition));
    for (const std::uint16_t partition : candidates)
        if (!served_.contains(partition) && has_records(partition))
            leaves_.try_emplace(partition, Leave{0, {}, desk_.now.instant});
    std::erase_if(leaves_, [&](const auto& entry) { return served_.contains(entry.first); });
    for (auto& [partition, leave] : leaves_) {
        if (leave.version == routes.version(partition)) continue;
        leave.version = routes.version(partition);
        leave.confirmed.clear();
    }
}

bool Transfer::has_records(std::uint16_t partition) {
    bool found = false;
    const auto scanned =
        objects_.scan_objects(partition, {}, [&](BytesView, BytesView) { return !(found = true); });
    if (!scanned) looks_again_ = true;
    return found;
}

void Transfer::rolled_back() {
    for (auto& [partition, gain] : gains_) gain.learnt.clear();
    learnt_.clear();
    sealed_.clear();
    durable_.clear();
    dropped_at_.reset();
    emptied_at_.reset();
    seal_at_ = Instant::max();
    looks_again_ = true;
    on_ring();
}

// ------------------------------------------------------------------------------------------
// what is to be compared

/// Of each older live list the owners of a fence are learnt from, or all that are not lost.
bool Transfer::is_enough(std::uint16_t partition, const Gain& gain) const {
    if (desk_.breaks(Mutant::gained_at_once)) return true;
    const auto& lists = desk_.routes.lists(partition);
    const bool own = !objects_.rebuilding(partition);
    for (std::size_t i = 0; i + 1 < lists.size(); ++i) {
        const std::vector<NodeId>& owners = lists[i].owners;
        std::size_t learnt = 0;
        bool left = false;
        for (const NodeId& owner : owners) {
            if (gain.learnt.contains(owner) || (own && owner == desk_.self()))
                ++learnt;
            else
                left = left || !desk_.routes.is_lost(owner);
        }
        const std::size_t wanted =
            desk_.breaks(Mutant::learnt_from_one) ? 1 : fence_of(desk_.settings, owners.size());
        if (left && learnt < wanted) return false;
    }
    return true;
}

std::vector<NodeId> Transfer::sources(std::uint16_t partition, const Gain& gain) const {
    std::vector<NodeId> nodes;
    const auto& lists = desk_.routes.lists(partition);
    for (std::size_t i = 0; i + 1 < lists.size(); ++i)
        for (const NodeId& owner : lists[i].owners)
            if (owner != desk_.self() && !gain.learnt.contains(owner) &&
                !desk_.routes.is_lost(owner) && std::ranges::find(nodes, owner) == nodes.end())
                nodes.push_back(owner);
    return nodes;
}

std::vector<NodeId> Transfer::takers(std::uint16_t partition, const Leave& leave) const {
    std::vector<NodeId> nodes;
    for (const NodeId& owner : desk_.routes.owners(partition))
        if (!leave.confirmed.contains(owner) && !desk_.routes.is_lost(owner))
            nodes.push_back(owner);
    return nodes;
}

std::optional<Transfer::Turn> Transfer::next() {
    if (auto turn = next_gain()) return turn;
    return next_leave();
}

std::optional<Transfer::Turn> Transfer::next_gain() {
    auto at = gains_.lower_bound(gain_at_);
    for (std::size_t looked = 0; looked < gains_.size(); ++looked, ++at) {
        if (at == gains_.end()) at = gains_.begin();
        auto& [partition, gain] = *at;
        if (gain.rests_until > desk_.now.instant || is_enough(partition, gain)) continue;
        for (const NodeId& source : sources(partition, gain)) {
            if (!liveness_.healthy(source)) continue;
            gain_at_ = partition;
            return Turn{partition, source, Kind::gain, gain.base, gain.version};
        }
        gain.rests_until = desk_.now.instant + after_failure;
    }
    return std::nullopt;
}

std::optional<Transfer::Turn> Transfer::next_leave() {
    drop_confirmed();
    auto at = leaves_.lower_bound(leave_at_);
    for (std::size_t looked = 0; looked < leaves_.size(); ++looked, ++at) {
        if (at == leaves_.end()) at = leaves_.begin();
        auto& [partition, leave] = *at;
        if (leave.rests_until > desk_.now.instant) continue;
        for (const NodeId& taker : takers(partition, leave)) {
            if (!liveness_.healthy(taker)) continue;
            leave_at_ = partition;
            return Turn{partition, taker, Kind::leave, 0, leave.version};
        }
        leave.rests_until = desk_.now.instant + after_failure;
    }
    return std::nullopt;
}

Instant Transfer::ready_at() const {
    Instant first = Instant::max();
    for (const auto& [partition, gain] : gains_)
        if (!is_enough(partition, gain)) first = std::min(first, gain.rests_until);
    for (const auto& [partition, leave] : leaves_) first = std::min(first, leave.rests_until);
    return first;
}

void Transfer::compared(const Turn& turn, bool whole) {
    if (turn.kind == Kind::leave) {
        const auto at = leaves_.find(turn.partition);
        if (at == leaves_.end() || at->second.version != turn.version) return;
        at->second.confirmed.insert(turn.partner);
        return drop_confirmed();
    }
    const auto at = gains_.find(turn.partition);
    // A pass that saw another list come began before its partner knew of that.
    if (at == gains_.end() || at->second.base != turn.base || at->second.version != turn.version)
        return;
    // Who rebuilds its own copy knows too little.
    if (!whole) return failed(turn);
    at->second.learnt.insert(turn.partner);
    if (!is_enough(at->first, at->second)) return;
    learnt_.insert(turn.partition);
    seal_at_ = std::min(seal_at_, desk_.now.instant + gathers_for);
    gain_at_ = static_cast<std::uint16_t>(turn.partition + 1);
}

void Transfer::failed(const Turn& turn) {
    const Instant then = desk_.now.instant + after_failure;
    if (turn.kind == Kind::gain) {
        if (const auto at = gains_.find(turn.partition); at != gains_.end())
            at->second.rests_until = then;
        gain_at_ = static_cast<std::uint16_t>(turn.partition + 1);
    } else {
        if (const auto at = leaves_.find(turn.partition); at != leaves_.end())
            at->second.rests_until = then;
        leave_at_ = static_cast<std::uint16_t>(turn.partition + 1);
    }
}

// ------------------------------------------------------------------------------------------
// what comes of it

/// All members know that it has handed over what it held.
bool Transfer::has_gone() const {
    return !desk_.routes.find(desk_.self()) && !desk_.routes.is_lost(desk_.self());
}

bool Transfer::is_confirmed(std::uint16_t partition, const Leave& leave) const {
    if (desk_.breaks(Mutant::dropped_at_once)) return true;
    if (has_gone()) return true;  // a failed commit or an old disk has brought it back
    if (desk_.breaks(Mutant::dropped_after_one) && !leave.confirmed.empty()) return true;
    return takers(partition, leave).empty();
}

/// One that cannot be dropped for the moment is looked at again.
void Transfer::drop_confirmed() {
    for (auto at = leaves_.begin(); at != leaves_.end();) {
        const auto partition = at->first;
        if (at->second.rests_until > desk_.now.instant || !is_confirmed(partition, at->second)) {
            ++at;
            continue;
        }
        if (const auto dropped = objects_.drop_partition(partition); !dropped) {
            desk_.log(Severity::error,
                      "partition " + std::to_string(partition) +
                          " was handed over and cannot be dropped: " + dropped.error().message);
            at->second.rests_until = desk_.now.instant + after_failure;
            ++at;
            continue;
        }
        desk_.outbox.sync = true;  // nothing comes back of what is said to be gone
        desk_.counters.add("transfer.dropped");
        dropped_at_ = desk_.now.instant;
        at = leaves_.erase(at);
        if (leaves_.empty()) desk_.log(Severity::info, "all that moved away is handed over");
    }
}

/// Has the commit of this step wait for the disk, also when nothing else is in it.
bool Transfer::put_down() {
    Bytes number;
    append_number(number, desk_.routes.number());
    if (!desk_.storage.put(Table::notes(), sealed_row, number)) return false;
    desk_.outbox.sync = true;
    return true;
}

bool Transfer::is_emptied(bool holds_nothing) {
    if (desk_.breaks(Mutant::released_unsynced)) return holds_nothing;
    if (!holds_nothing) emptied_at_.reset();
    if (!holds_nothing || emptied_at_) return emptied_at_ && desk_.now.instant > *emptied_at_;
    if (put_down()) emptied_at_ = desk_.now.instant;
    return false;
}

/// What is said to be complete must survive whatever happens to this node, as an acknowledged write
/// does; so the commit of this step waits for the disk, and only the next step counts on it.
void Transfer::seal() {
    seal_at_ = Instant::max();
    if (learnt_.empty()) return;
    if (!put_down()) {
        seal_at_ = desk_.now.instant + after_failure;
        return;
    }
    sealed_.merge(learnt_);
    learnt_.clear();
    sealed_at_ = desk_.now.instant;
}

void Transfer::tick() {
    if (looks_again_) follow_leaves();
    // Who has left asks nobody, and nobody tells it the number of its fence.
    if (!leaves_.empty() && has_gone()) drop_confirmed();
    // Who may have to give up what it holds says nothing of it.
    if (desk_.fence.out_of_date() || desk_.fence.unsure()) {
        if (desk_.now.instant >= seal_at_) seal_at_ = desk_.now.instant + after_failure;
        return;
    }
    if (!sealed_.empty() && desk_.now.instant > sealed_at_) {
        durable_.merge(sealed_);
        sealed_.clear();
    }
    if (dropped_at_ && desk_.now.instant > *dropped_at_) dropped_at_.reset();
    if (desk_.now.instant >= seal_at_) seal();
}

Instant Transfer::wake_at() const {
    Instant wake = seal_at_;
    if (has_gone()) wake = std::min(wake, ready_at());
    if (desk_.fence.out_of_date() || desk_.fence.unsure()) return wake;
    if (!sealed_.empty()) wake = std::min(wake, sealed_at_ + Duration(1));
    if (dropped_at_) wake = std::min(wake, *dropped_at_ + Duration(1));
    if (emptied_at_) wake = std::min(wake, *emptied_at_ + Duration(1));
    return wake;
}

std::set<std::uint16_t> Transfer::take_complete() { return std::exchange(durable_, {}); }

}  // namespace dynamo
