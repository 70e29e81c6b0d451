#include "tests/sim/ambush.h"

#include <algorithm>

#include "tests/sim/answers.h"

namespace dynamo::sim {
namespace {

using std::chrono::milliseconds;

constexpr Duration looks_every = milliseconds(3);

}  // namespace

std::vector<OwnerList> Ambush::lists(const Bytes& key) const {
    const RingState& ring = cluster_.known_ring();
    return live_lists(ring, partition_of(position_of(key), ring.settings.partitions));
}

void Ambush::begin(const Plan& plan) {
    const std::vector<Bytes> keys = world_.ledger.keys();
    if (laid_ || keys.empty()) return;
    const auto live = lists(keys.front());
    if (live.size() != 1 || live.front().owners.size() < 3) return;
    std::vector<unsigned> owners;
    for (const NodeId& id : live.front().owners) owners.push_back(cluster_.index_of(id));
    const std::size_t first = plan.detail >> 8 & 0xff;
    const auto owner = [&](std::size_t i) { return owners[(first + i) % owners.size()]; };
    laid_ = Laid{plan, keys.front(), owner(0), owner(1), owner(2), live.front().version};
    if (is_away() && is_down()) cluster_.process(laid_->away).kill();
    if (is_away() && !is_down())
        for (const Member& member : cluster_.known_ring().head().members)
            if (const unsigned other = cluster_.index_of(member.id); other != laid_->away) {
                cluster_.network().cut(laid_->away, other);
                cluster_.network().cut(other, laid_->away);
            }
    world_.timeline.after(milliseconds(200 + (plan.detail >> 16) % 1000), [this] { change(); });
}

void Ambush::change() {
    if (over_) return;
    // What clients were told is on the disks by now; what comes by the change is not.
    for (unsigned node = 0; node < cluster_.size(); ++node) cluster_.process(node).disk().flush();
    note_held();
    laid_->until = world_.timeline.now() + laid_->plan.waits;
    std::vector<unsigned> leavers = {laid_->leaver};
    if ((laid_->plan.detail >> 40 & 1) != 0) leavers.push_back(laid_->via);
    const auto joiners = changes_.replace(
        laid_->via, leavers, world_.chance.at(Stream::ring, laid_->plan.number + 1000));
    if (joiners.empty()) return come_back();
    laid_->joiner = joiners[(laid_->plan.detail >> 41) % joiners.size()];
    watch();
}

void Ambush::note_held() {
    auto& writes = world_.ledger.writes(laid_->key);
    laid_->held = on_every_list(world_, cluster_, laid_->key);
    for (const std::size_t number : laid_->held.members())
        writes[number].strict = writes[number].strict || writes[number].acknowledged;
}

void Ambush::watch() {
    if (over_) return;
    if (world_.timeline.now() >= laid_->until) return come_back();
    const auto live = lists(laid_->key);
    if (live.back().version <= laid_->number)
        note_held();
    else if (live.size() == 1)
        return spring(live.front());
    world_.timeline.after(looks_every, [this] { watch(); });
}

void Ambush::come_back() {
    const Laid laid = *laid_;
    if (!over_ && is_away() && is_down()) cluster_.process(laid.away).start();
    if (!over_ && is_away() && !is_down())
        for (unsigned other = 0; other < cluster_.size(); ++other) {
            cluster_.network().mend(laid.away, other);
            cluster_.network().mend(other, laid.away);
        }
    laid_.reset();
}

void Ambush::spring(const OwnerList& list) {
    std::set<unsigned> stay = {laid_->joiner};
    if (is_away()) stay.insert(laid_->away);
    for (const NodeId& id : list.owners)
        if (stay.size() < world_.setup.r) stay.insert(cluster_.index_of(id));
    world_.marks.hit(Mark::ambushed);
    if (world_.trace.wordy())
        world_.say("n" + std::to_string(laid_->joiner + 1) + " has come and is ambushed");
    for (unsigned node = 0; node < cluster_.size(); ++node) {
        Process& process = cluster_.process(node);
        if (is_away() && node == laid_->away) {
            process.start();
        } else if (!stay.contains(node)) {
            process.kill();
            start_after(node, laid_->plan.holds);
        } else if (process.disk().unsynced() > 0 && atlas_.may_lose(node)) {
            process.lose_power(laid_->plan.detail % process.disk().unsynced());
            start_after(node, milliseconds(20));
        }
    }
    world_.timeline.after(laid_->plan.holds, [this] { come_back(); });
}

void Ambush::start_after(unsigned node, Duration wait) {
    world_.timeline.after(wait, [this, node] { cluster_.process(node).start(); });
}

}  // namespace dynamo::sim
