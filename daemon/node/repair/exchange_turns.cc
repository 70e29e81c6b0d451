// Whose turn it is: which partition an exchange compares with whom, and when.
#include <algorithm>
#include <utility>

#include "daemon/node/repair/exchange.h"

namespace dynamo {
namespace {

constexpr Duration until_sure = std::chrono::milliseconds(50);

}  // namespace

void Exchange::pair_up() {
    Pairs pairs;
    for (const std::uint16_t partition : desk_.routes.served_by(desk_.self()))
        for (const NodeId& owner : desk_.routes.serving(partition)) {
            if (owner == desk_.self()) continue;
            const auto known = pairs_.find({partition, owner});
            Together& together = pairs[{partition, owner}];
            if (known != pairs_.end())
                together = known->second;
            else
                together.since = together.before = desk_.now.instant;
        }
    pairs_ = std::move(pairs);
}

Duration Exchange::between_turns() const {
    if (pairs_.empty()) return desk_.options.exchange_interval;
    const auto turns = static_cast<Duration::rep>(2 * pairs_.size());
    return std::min(
        desk_.options.exchange_interval,
        std::max<Duration>(desk_.options.exchange_pass / turns, std::chrono::milliseconds(1)));
}

void Exchange::on_lists() {
    pair_up();
    // Of an older list that has ended nothing needs to be learnt.
    if (!notes_unread_ && end_rebuilds()) close_to_reads();
    // What is not served any more takes nothing any more; it is handed over as it is.
    if (pass_ && !desk_.routes.serves(desk_.self(), pass_->partition) && !hands_over())
        pass_.reset();
}

void Exchange::note_again() {
    notes_at_ =
        desk_.now.instant + std::min<Duration>(desk_.options.exchange_interval, notes_again);
    if (notes_unread_)
        if (const auto read = on_ring(RingCame::at_start); !read)
            desk_.log(Severity::error, "notes cannot be read: " + read.error().message);
    if (!notes_due_) return;
    if (const auto written = write_notes(); !written)
        desk_.log(Severity::error, "notes cannot be written: " + written.error().message);
}

void Exchange::tick() {
    if ((notes_unread_ || notes_due_) && desk_.now.instant >= notes_at_) note_again();
    if (pass_ && pass_->resting) {
        if (desk_.now.instant >= pass_->rests_until) go_on(Duration{0});
        return;
    }
    if (pass_) {
        if (desk_.now.instant < pass_->sent + desk_.options.replica_timeout) return;
        if (!std::exchange(pass_->resent, true) && !pass_->all_compared) {
            offer();
            return;
        }
        liveness_.silent_since(pass_->partner, pass_->sent);
        abandon_pass();
    }
    const Instant now = desk_.now.instant;
    if (now < next_start()) return;
    const auto put_off = [&](Instant then) {
        next_turn_ = std::max(next_turn_, then);
        transfers_rest_until_ = std::max(transfers_rest_until_, then);
        jobs_.rest_until(then);
    };
    if (desk_.fence.unsure())  // what comes could not be stored; that is a matter of one answer
        return put_off(now + until_sure);
    const Instant ready = desk_.budget.ready(Budget::Kind::exchange, now);
    if (ready > now) return put_off(ready);
    if (desk_.load.refuse_writes || desk_.fence.out_of_date())
        return put_off(now + between_turns());
    // A turn that is due comes before anything else, so that nothing holds up what is done anyway.
    std::optional<Pair> pair;
    if (!pairs_.empty() && now >= next_turn_) {
        next_turn_ = now + between_turns();
        pair = next_to_rebuild();
        if (!pair) pair = next_in_turn();
    }
    if (!pair && now >= transfers_rest_until_) pair = next_of_transfers();
    if (!pair && !pairs_.empty()) pair = next_of_jobs();
    if (pair) start(*pair);
}

std::optional<Exchange::Pair> Exchange::next_of_jobs() {
    auto turn = jobs_.next();
    if (!turn) return std::nullopt;
    return Pair{turn->partition, turn->partner, std::move(turn->job)};
}

std::optional<Exchange::Pair> Exchange::next_of_transfers() {
    const auto turn = transfer_.next();
    if (!turn) return std::nullopt;
    return Pair{turn->partition, turn->partner, {}, turn};
}

Instant Exchange::next_start() const {
    Instant start = std::max(transfer_.ready_at(), transfers_rest_until_);
    if (!pairs_.empty()) start = std::min({start, next_turn_, jobs_.ready_at()});
    return start;
}

Instant Exchange::wake_at() const {
    if (pass_ && pass_->resting) return pass_->rests_until;
    if (pass_) return pass_->sent + desk_.options.replica_timeout;
    const Instant start = next_start();
    return notes_due_ || notes_unread_ ? std::min(start, notes_at_) : start;
}

std::optional<Exchange::Pair> Exchange::next_to_rebuild() {
    auto at = rebuilds_.lower_bound(rebuild_at_);
    for (std::size_t looked = 0; looked < rebuilds_.size(); ++looked, ++at) {
        if (at == rebuilds_.end()) at = rebuilds_.begin();
        Rebuild& rebuild = at->second;
        const auto owners = desk_.routes.serving(at->first);
        const std::size_t from = rebuild.attempts++;
        for (std::size_t i = 0; i < owners.size(); ++i) {
            const NodeId& owner = owners[(from + i) % owners.size()];
            if (owner == desk_.self() || rebuild.passed.contains(owner) ||
                !liveness_.healthy(owner))
                continue;
            rebuild_at_ = at->first;
            return Pair{at->first, owner, {}};
        }
    }
    return std::nullopt;
}

std::optional<Exchange::Pair> Exchange::next_in_turn() {
    const auto& owned = desk_.routes.served_by(desk_.self());
    for (std::size_t looked = 0; !owned.empty() && looked <= owned.size();) {
        const std::uint16_t partition = owned[turn_ % owned.size()];
        const auto owners = desk_.routes.serving(partition);
        if (turn_owner_ >= owners.size()) {
            turn_owner_ = 0;
            ++turn_;
            ++looked;
            continue;
        }
        const NodeId& owner = owners[turn_owner_++];
        if (owner != desk_.self() && liveness_.healthy(owner)) return Pair{partition, owner, {}};
    }
    return std::nullopt;
}

}  // namespace dynamo
