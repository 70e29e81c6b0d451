#include "daemon/node/repair/purge.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "daemon/node/repair/compare.h"

namespace dynamo {
namespace {

/// A record may be reduced at e when no owner has changed it after e minus this. What was read at
/// one number is taken at the next, kept as a hint, and delivered at the one after that; the fourth
/// is for what is under way when the number rises. The model holds with two (0 violations in
/// 20,000 runs) and breaks with one.
constexpr std::uint64_t lag = 4;
constexpr std::size_t max_items = 256;
/// Rows that one step looks at; the next one goes on behind them.
constexpr std::size_t max_looked = 4096;
constexpr int intervals_of_silence = 2;

Digest digest_from(BytesView octets) {
    Digest digest{};
    std::ranges::copy(octets, reinterpret_cast<char*>(digest.data()));
    return digest;
}

}  // namespace

Purge::Purge(Desk& desk, Objects& objects)
    : desk_(desk),
      objects_(objects),
      next_step_(desk.now.instant),
      next_round_(next_step_ + desk.options.purge_interval) {}

Result<void> Purge::start() {
    if (auto read = desk_.fence.read(desk_.storage); !read) return read;
    if (is_alone()) be_sure(desk_.fence.number());
    return {};
}

bool Purge::is_alone() const {
    return desk_.routes.peers().size() == 1 && desk_.routes.find(desk_.self());
}

void Purge::on_ring() {
    asked_.clear();
    heard_.clear();
    reached_.clear();
    numbers_.clear();
    said_.clear();
    objections_.clear();
    batch_.reset();
    settled_ = false;
    next_step_ = desk_.now.instant;
}

void Purge::on_peers() {
    const auto is_gone = [this](const auto& entry) { return !desk_.routes.find(entry.first); };
    std::erase_if(asked_, is_gone);
    std::erase_if(reached_, is_gone);
    std::erase_if(numbers_, is_gone);
    std::erase_if(said_, is_gone);
    std::erase_if(heard_, [this](const NodeId& node) { return !desk_.routes.find(node); });
}

void Purge::rolled_back() {
    batch_.reset();
    given_up_ = false;
    if (const auto read = start(); !read)
        desk_.log(Severity::error, "the fence cannot be read: " + read.error().message);
    next_step_ = std::min(next_step_, desk_.now.instant + interval());
}

// ------------------------------------------------------------------------------------ the fence

void Purge::on_member(const NodeId& from, std::uint64_t fence, bool new_run) {
    // Nothing is asked of who has left and holds nothing.
    if (!desk_.routes.find(desk_.self())) return;
    if (new_run) {
        // What it said before it may say no more.
        reached_.erase(from);
        numbers_.erase(from);
        asked_.erase(from);
        said_.erase(from);
        batch_.reset();
    }
    if (const auto said = said_.find(from); said != said_.end()) said->second.fence = fence;
    const std::uint64_t own = desk_.fence.number();
    if (fence <= own || desk_.fence.out_of_date()) return;
    if (fence == own + 1) {
        raise(fence);
    } else if (!desk_.breaks(Mutant::put_back_goes_on)) {
        desk_.fence.out_of_date(true);
        desk_.log(Severity::warning,
                  desk_.name_of(from) + " is at fence " + std::to_string(fence) +
                      ", this node at " + std::to_string(own) +
                      ": it was put back as it was some time ago; until the others have been "
                      "asked it neither stores nor answers");
        next_step_ = desk_.now.instant;
    }
}

void Purge::on(const NodeId& from, const wire::FenceAsk& ask) {
    desk_.send(from,
               wire::FenceReply{ask.id, desk_.fence.number(), settled(), desk_.fence.is_noted()});
}

void Purge::on(const NodeId& from, const wire::FenceReply& reply, bool same_ring) {
    const auto asked = asked_.find(from);
    if (asked == asked_.end() || asked->second != reply.id) return;
    said_[from] = {
        {}, true, same_ring, reply.settled, desk_.now.instant, desk_.fence.number(), reply.fence};
    if (!same_ring) return;
    asked_.erase(asked);
    heard_.insert(from);
    numbers_[from] = reply.fence;
    // Where all have lost what they held there is nobody who knows better.
    if (reply.noted || numbers_.size() + 1 == desk_.routes.peers().size()) be_sure(reply.fence);
    if (reply.settled) reached_[from] = reply.fence;
    if (desk_.fence.out_of_date()) return decide_if_out_of_date();
    const std::size_t others = desk_.routes.peers().size() - 1;
    if (!settled_ && heard_.size() == others) settled_ = true;
    if (all_answered()) advance();
}

/// Somebody has told his number, so that this node's is known to be right or is known to be wrong.
void Purge::be_sure(std::uint64_t told) {
    if (!desk_.fence.unsure() || !desk_.fence.is_known()) return;
    if (!desk_.fence.is_noted()) {
        // Where nothing is stored, nothing is too old.
        const auto holds = objects_.holds_data();
        if (!holds || !desk_.fence.set(desk_.storage, *holds ? 0 : told)) return;
        if (!*holds) desk_.fence.out_of_date(false);
    }
    desk_.fence.sure();
}

void Purge::decide_if_out_of_date() {
    if (!desk_.fence.is_known()) return;
    const std::size_t others = desk_.routes.peers().size() - 1;
    std::vector<std::uint64_t> numbers;
    for (const auto& [node, number] : numbers_)
        if (number >= desk_.fence.number() + 2) numbers.push_back(number);
    std::ranges::sort(numbers, std::greater());
    // Who holds nothing gives nothing up, and need not ask many.
    const auto holds = objects_.holds_data();
    const std::size_t half = holds && !*holds ? 1 : (others + 1) / 2;
    if (numbers.size() >= half) return give_up_all(numbers[half - 1]);
    if (numbers_.size() < others) return;
    desk_.log(Severity::info, "the other members are not ahead: goes on with what it holds");
    desk_.fence.out_of_date(false);
}

void Purge::give_up_all(std::uint64_t number) {
    desk_.log(Severity::warning,
              "the others have gone on without what is stored here, and may have purged what it "
              "deletes: it is given up, and pulled from them anew");
    desk_.counters.add("purge.given_up");
    auto done = desk_.fence.set(desk_.storage, number);
    if (done) done = objects_.drop_all();
    if (!done) {
        desk_.log(Severity::error, "storage: " + done.error().message);
        return;
    }
    desk_.fence.out_of_date(false);
    given_up_ = true;
}

bool Purge::all_answered() const {
    const std::uint64_t own = desk_.fence.number();
    std::size_t there = 0;
    for (const auto& [node, number] : reached_)
        there += number >= own && desk_.routes.find(node) != nullptr;
    const std::size_t others = desk_.routes.peers().size() - 1;
    if (desk_.breaks(Mutant::fence_raised_alone)) return settled_ && there + 1 >= others;
    return settled() && there == others;
}

Result<bool> Purge::may_raise() {
    if (desk_.breaks(Mutant::fence_raised_with_hints)) return true;
    if (!objects_.hints_counted() || objects_.hints_held() > 0) return false;
    if (raisable_ring_ == desk_.routes.number()) return true;
    const auto held = strays();
    if (!held) return std::unexpected(held.error());
    // What is not served is not stored either; an older list may still take writes.
    if (*held == 0 && desk_.routes.moving().empty()) raisable_ring_ = desk_.routes.number();
    return *held == 0;
}

Result<std::uint64_t> Purge::strays() const {
    if (raisable_ring_ == desk_.routes.number()) return 0;
    std::uint64_t held = 0;
    for (std::uint32_t partition = 0; partition < desk_.routes.partitions(); ++partition) {
        const auto at = static_cast<std::uint16_t>(partition);
        if (desk_.routes.is_owner(desk_.self(), at)) continue;
        bool found = false;
        const auto scanned =
            objects_.scan_objects(at, {}, [&](BytesView, BytesView) { return !(found = true); });
        if (!scanned) return std::unexpected(scanned.error());
        held += found ? 1 : 0;
    }
    return held;
}

void Purge::raise(std::uint64_t number) {
    const auto may = may_raise();
    if (!may || !*may) return;
    if (const auto set = desk_.fence.set(desk_.storage, number); !set) {
        desk_.log(Severity::error, "the fence cannot be stored: " + set.error().message);
        return;
    }
    // All that this node holds was written before it, so power loss cannot put it back further.
    desk_.outbox.sync = true;
    desk_.counters.add("purge.raised");
}

// ------------------------------------------------------------------------------------ rounds

Duration Purge::interval() const {
    const Duration most = desk_.options.purge_interval;
    if (desk_.fence.unsure()) return std::min(most, desk_.options.replica_timeout / 4);
    return settled() ? most : std::min(most, desk_.options.gossip_interval);
}

void Purge::tick() {
    if (batch_ &&
        desk_.now.instant >= batch_->sent + intervals_of_silence * desk_.options.replica_timeout)
        batch_.reset();
    if (desk_.now.instant < next_step_ || !desk_.routes.find(desk_.self())) return;
    next_step_ = desk_.now.instant + interval();
    if (!desk_.fence.is_known() || (is_alone() && desk_.fence.unsure()))
        if (const auto started = start(); !started) return;
    if (is_alone()) settled_ = true;
    if (batch_) return;
    const auto work = has_work();
    if (!work || (settled() && !*work)) return;
    if (is_alone()) return advance();
    ask_members();
}

void Purge::hurry() { next_step_ = next_round_ = desk_.now.instant; }

Instant Purge::wake_at() const {
    if (!desk_.routes.find(desk_.self())) return Instant::max();
    if (!batch_) return next_step_;
    return std::min(next_step_,
                    batch_->sent + intervals_of_silence * desk_.options.replica_timeout);
}

Result<bool> Purge::has_work() const {
    const auto first = objects_.reducible().next(0);
    if (!first) return std::unexpected(first.error());
    return first->has_value();
}

/// All of them each time: an answer counts for the number at which it was given.
void Purge::ask_members() {
    numbers_.clear();
    for (const Member& member : desk_.routes.peers()) {
        if (member.id == desk_.self()) continue;
        asked_[member.id] = desk_.next_id();
        if (Said& said = said_[member.id]; !said.unanswered) said.unanswered = desk_.now.instant;
        desk_.send(member.id, wire::FenceAsk{asked_[member.id]});
    }
}

/// Every member has been at this node's number.
void Purge::advance() {
    if (batch_ || desk_.now.instant < next_round_) return;
    next_round_ = desk_.now.instant + desk_.options.purge_interval;
    looked_ = 0;
    objections_.clear();
    unreadable_ = 0;
    go_on();
}

/// One batch after the other, then the next number.
void Purge::go_on() {
    if (auto batch = next_batch()) return offer(std::move(*batch));
    const auto work = has_work();
    if (work && *work && all_answered()) raise(desk_.fence.number() + 1);
}

std::uint64_t Purge::needed(std::uint64_t since) { return since + lag; }

bool Purge::may_go(std::uint64_t since, std::uint64_t fence) const {
    return needed(since) <= fence || desk_.breaks(Mutant::purged_at_once);
}

std::optional<Purge::Batch> Purge::next_batch() {
    while (looked_ < max_looked) {
        const auto found = objects_.reducible().next(next_partition_);
        if (!found) return std::nullopt;
        if (!*found) {
            next_partition_ = 0;
            next_row_.clear();
            return std::nullopt;
        }
        if (**found != next_partition_) {
            next_partition_ = **found;
            next_row_.clear();
        }
        const std::uint16_t at = **found;
        const auto owners = desk_.routes.owners(at);
        if (!owners.empty() && owners.front() == desk_.self() && desk_.routes.stable(at) &&
            !objects_.rebuilding(at)) {
            Batch batch;
            batch.partition = **found;
            if (!collect(batch)) return std::nullopt;
            if (!batch.items.empty()) return batch;
            if (looked_ >= max_looked) return std::nullopt;
        }
        ++next_partition_;
        next_row_.clear();
    }
    return std::nullopt;
}

Result<void> Purge::collect(Batch& batch) {
    std::vector<Bytes> rows;
    const auto visit = [&](BytesView row, std::uint64_t since) {
        next_row_ = Bytes(row) + '\0';
        if (may_go(since, desk_.fence.number())) rows.emplace_back(row);
        return ++looked_ < max_looked && rows.size() < max_items;
    };
    if (auto scanned = objects_.reducible().scan(batch.partition, Bytes(next_row_), visit);
        !scanned)
        return scanned;
    for (Bytes& row : rows) {
        const auto object = objects_.read_bytes({batch.partition, {}, row});
        if (!object) ++unreadable_;
        if (!object || object->empty()) continue;
        const Digest of_object = digest(*object);
        batch.items.push_back(
            {std::move(row), {reinterpret_cast<const char*>(of_object.data()), of_object.size()}});
    }
    return {};
}

void Purge::offer(Batch batch) {
    batch.id = desk_.next_id();
    batch.sent = desk_.now.instant;
    batch.agreed.assign(batch.items.size(), 0);
    for (const NodeId& owner : desk_.routes.owners(batch.partition)) {
        if (owner == desk_.self()) continue;
        if (desk_.breaks(Mutant::purged_from_some) && batch.waiting.size() == 1) break;
        batch.waiting.insert(owner);
        desk_.send(owner,
                   wire::PurgeOffer{batch.id, batch.partition, desk_.fence.number(), batch.items});
    }
    batch_ = std::move(batch);
    if (batch_->waiting.empty()) finish_batch();
}

void Purge::on(const NodeId& from, const wire::PurgeOffer& offer) {
    wire::PurgeReply reply;
    reply.id = offer.id;
    if (!desk_.routes.is_owner(desk_.self(), offer.partition) ||
        !desk_.routes.is_owner(from, offer.partition)) {
        reply.status = wire::PeerStatusCode::not_owner;
    } else if (!settled() || !desk_.routes.stable(offer.partition) ||
               desk_.fence.number() < offer.fence || objects_.rebuilding(offer.partition)) {
        reply.status = wire::PeerStatusCode::not_ready;
    } else {
        for (std::size_t i = 0; i < offer.items.size(); ++i) {
            const wire::ExchangeItem& item = offer.items[i];
            const auto since = objects_.reducible().since(offer.partition, item.row);
            if (!since || !*since || !may_go(**since, offer.fence)) continue;
            const auto object = objects_.read_bytes({offer.partition, {}, item.row});
            if (object && item.digest.size() == sizeof(Digest) &&
                digest(*object) == digest_from(item.digest))
                reply.agreed.push_back(static_cast<std::uint32_t>(i));
        }
    }
    desk_.send(from, std::move(reply));
}

void Purge::on(const NodeId& from, const wire::PurgeReply& reply) {
    if (!batch_ || batch_->id != reply.id || batch_->waiting.erase(from) == 0) return;
    note(from, reply);
    if (reply.status != wire::PeerStatusCode::ok) return batch_.reset();
    for (const std::uint32_t place : reply.agreed)
        if (place < batch_->agreed.size()) ++batch_->agreed[place];
    if (batch_->waiting.empty()) finish_batch();
}

void Purge::note(const NodeId& from, const wire::PurgeReply& reply) {
    const bool looked = reply.status == wire::PeerStatusCode::ok;
    const std::size_t agreed = std::min(reply.agreed.size(), batch_->items.size());
    if (looked && agreed == batch_->items.size()) return;
    Objection& objection = objections_[from];
    objection.refused |= !looked;
    if (looked) objection.records += batch_->items.size() - agreed;
}

void Purge::finish_batch() {
    Batch batch = std::move(*batch_);
    batch_.reset();
    const auto owners = desk_.routes.owners(batch.partition);
    std::size_t others = owners.size() - 1;
    if (desk_.breaks(Mutant::purged_from_some)) others = std::min<std::size_t>(others, 1);
    wire::PurgeOrder order{batch.partition, desk_.fence.number(), {}};
    for (std::size_t i = 0; i < batch.items.size(); ++i)
        if (batch.agreed[i] >= others) order.items.push_back(std::move(batch.items[i]));
    if (!order.items.empty()) {
        for (const NodeId& owner : owners)
            if (owner != desk_.self()) desk_.send(owner, order);
        reduce(order.partition, order.items);
    }
    go_on();
}

void Purge::on(const NodeId& from, const wire::PurgeOrder& order) {
    if (!desk_.routes.is_owner(desk_.self(), order.partition) ||
        !desk_.routes.is_owner(from, order.partition) || !desk_.routes.stable(order.partition) ||
        desk_.fence.out_of_date() || desk_.fence.number() < order.fence)
        return;
    reduce(order.partition, order.items);
}

void Purge::reduce(std::uint16_t partition, const std::vector<wire::ExchangeItem>& items) {
    for (const wire::ExchangeItem& item : items) {
        if (item.digest.size() != sizeof(Digest) || item.row.size() <= 8) continue;
        const auto done = objects_.reduce({partition, {}, item.row}, digest_from(item.digest));
        if (!done) {
            desk_.log(Severity::error, "a record cannot be reduced: " + done.error().message);
            return;
        }
    }
}

}  // namespace dynamo
