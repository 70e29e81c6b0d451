// What an exchange gives back to a node that has lost its copies of partitions, and what it notes
// of that on its disk.
#include <algorithm>
#include <utility>

#include "daemon/node/repair/exchange.h"
#include "daemon/node/repair/learn.h"
#include "libdynamo/ring/partition_set.h"

namespace dynamo {
namespace {

constexpr std::string_view formed_row = "formed";
constexpr std::string_view rebuilding_row = "rebuilding";

}  // namespace

Result<void> Exchange::on_ring(RingCame came) {
    pass_.reset();
    pair_up();
    if (!desk_.routes.find(desk_.self())) {
        rebuilds_.clear();
        objects_.rebuilding().clear();
        notes_due_ = false;
        return {};
    }
    notes_unread_ = false;
    if (came == RingCame::at_start) {
        if (auto read = read_notes(); !read) {
            wait_for_notes();
            return read;
        }
    } else {
        notes_due_ = true;
    }
    // What is being rebuilt starts over: there may be other owners to learn from.
    const auto& owned = desk_.routes.served_by(desk_.self());
    for (auto& [partition, rebuild] : rebuilds_) rebuild = {};
    (void)end_rebuilds();
    close_to_reads();
    turn_ = desk_.random.below(std::max<std::size_t>(1, owned.size()));
    turn_owner_ = 0;
    next_turn_ = desk_.now.instant;
    if (rebuilds_.empty()) {
        next_turn_ += between_turns();
    } else {
        desk_.log(Severity::warning, std::to_string(rebuilds_.size()) +
                                         " partitions are being rebuilt from their other owners; "
                                         "until then they are not read from here");
    }
    return notes_due_ ? write_notes() : Result<void>{};
}

/// Of what is not served any more, and of what needs nothing more by the lists of now.
bool Exchange::end_rebuilds() {
    const auto& served = desk_.routes.served_by(desk_.self());
    const auto ended = std::erase_if(rebuilds_, [&](const auto& entry) {
        return !std::ranges::binary_search(served, entry.first) ||
               is_rebuilt(entry.first, entry.second);
    });
    if (ended > 0) notes_due_ = true;
    return ended > 0;
}

/// Whether the stored copies are whole is not known yet, so none of them answers a read.
void Exchange::wait_for_notes() {
    notes_unread_ = true;
    notes_at_ = next_turn_ =
        desk_.now.instant + std::min<Duration>(desk_.options.exchange_interval, notes_again);
    for (const std::uint16_t partition : desk_.routes.served_by(desk_.self()))
        objects_.rebuilding().insert(partition);
}

Result<void> Exchange::read_notes() {
    const auto formed = desk_.storage.get(Table::notes(), formed_row);
    if (!formed) return std::unexpected(formed.error());
    const auto noted = desk_.storage.get(Table::notes(), rebuilding_row);
    if (!noted) return std::unexpected(noted.error());
    const std::size_t octets = set_octets(desk_.routes.partitions());
    const bool lost = !formed->has_value() || (noted->has_value() && (*noted)->size() != octets);
    rebuilds_.clear();
    for (const std::uint16_t partition : desk_.routes.served_by(desk_.self()))
        if (lost || (noted->has_value() && is_in(**noted, partition))) rebuilds_[partition] = {};
    if (!lost) return {};
    notes_due_ = true;
    desk_.counters.add("storage.losses");
    std::string told =
        "the ring names this node a member, but its storage knows nothing of it: "
        "what was stored here is lost";
    if (desk_.routes.members().size() == 1)
        told += ", and there is no other member to rebuild it from";
    desk_.log(Severity::error, std::move(told));
    return {};
}

Result<void> Exchange::write_notes() {
    if (auto put = desk_.storage.put(Table::notes(), formed_row, "1"); !put) return put;
    auto noted = rebuilds_.empty() || desk_.breaks(Mutant::rebuild_not_noted)
                     ? desk_.storage.erase(Table::notes(), rebuilding_row)
                     : desk_.storage.put(Table::notes(), rebuilding_row,
                                         set_of_keys(rebuilds_, desk_.routes.partitions()));
    if (noted) notes_due_ = false;
    return noted;
}

void Exchange::rolled_back() {
    pass_.reset();
    next_turn_ = desk_.now.instant + desk_.options.exchange_interval;
    for (auto& [pair, together] : pairs_)
        if (together.compared && together.since == desk_.now.instant) {
            together.since = together.before;
            together.compared = together.compared_before;
        }
    if (!desk_.routes.find(desk_.self()) || notes_unread_) return;
    // What was merged in this step is gone, and with it the end of a pass that it may have been:
    // storage says what had to be rebuilt before it.
    for (auto& [partition, rebuild] : rebuilds_) rebuild = {};
    const auto formed = desk_.storage.get(Table::notes(), formed_row);
    const auto noted = desk_.storage.get(Table::notes(), rebuilding_row);
    if (formed && !formed->has_value()) {
        notes_due_ = true;
        return;
    }
    const bool readable =
        noted && (!noted->has_value() || (*noted)->size() == set_octets(desk_.routes.partitions()));
    for (const std::uint16_t partition : desk_.routes.served_by(desk_.self()))
        if (!readable || (noted->has_value() && is_in(**noted, partition)))
            rebuilds_.try_emplace(partition);
    close_to_reads();
}

Result<void> Exchange::given_up() {
    pass_.reset();
    for (auto& [pair, together] : pairs_)
        together = {.since = desk_.now.instant, .turns = {}, .before = desk_.now.instant};
    for (const std::uint16_t partition : desk_.routes.served_by(desk_.self()))
        rebuilds_[partition] = {};
    close_to_reads();
    next_turn_ = desk_.now.instant;
    return write_notes();
}

void Exchange::close_to_reads() {
    objects_.rebuilding().clear();
    if (desk_.breaks(Mutant::wiped_answers_reads)) return;
    for (const auto& [partition, rebuild] : rebuilds_) objects_.rebuilding().insert(partition);
    transfer_.on_rebuilt();
}

bool Exchange::is_rebuilt(std::uint16_t partition, const Rebuild& rebuild) const {
    return is_learnt(desk_, partition, rebuild.complete, rebuild.passed,
                     desk_.breaks(Mutant::rebuilt_from_one));
}

void Exchange::rebuilt_from(const Pass& pass) {
    const auto at = rebuilds_.find(pass.partition);
    if (at == rebuilds_.end()) return;
    Rebuild& rebuild = at->second;
    rebuild.compared.erase(pass.partner);
    if (!rebuild.passed.insert(pass.partner).second) return;
    if (pass.complete) rebuild.complete.insert(pass.partner);
    if (!is_rebuilt(pass.partition, rebuild)) return;
    rebuilds_.erase(at);
    objects_.rebuilding().erase(pass.partition);
    transfer_.on_rebuilt();
    notes_due_ = true;
    if (rebuilds_.empty()) desk_.log(Severity::info, "all partitions are rebuilt");
}

}  // namespace dynamo
