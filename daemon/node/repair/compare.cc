#include "daemon/node/repair/compare.h"

#include <algorithm>
#include <utility>

namespace dynamo {
namespace {

/// States, and octets of them, that go into one answer. One state always does.
constexpr std::size_t max_states_given = 32;
constexpr std::size_t max_bytes_given = 1u << 20;
/// Rows of this node that are read for one offer.
constexpr std::size_t max_rows_read = 1024;
constexpr std::size_t max_items = 4096;
constexpr std::size_t position_octets = 8;
constexpr std::size_t sum_octets = 16;

/// Walks over the rows that this node holds and those of the offer side by side.
class Comparison {
  public:
    Comparison(Desk& desk, Objects& objects, const wire::ExchangeOffer& offer,
               wire::ExchangeReply& reply)
        : desk_(desk),
          objects_(objects),
          offer_(offer),
          reply_(reply),
          item_(offer.items.begin()) {}

    /// Takes the next row held here; false at the end of the stretch or when a bound is reached.
    bool take(BytesView row, BytesView record);
    /// All rows held here were taken: what is left of the offer is lacking.
    void finish();
    /// Has the budget pay for what was read.
    void pay() {
        desk_.budget.spend(Budget::Kind::exchange, rows_, octets_read_, desk_.now.instant);
    }

  private:
    [[nodiscard]] bool stop_at(BytesView row);
    [[nodiscard]] bool has_room(std::size_t bytes) const;
    void want_item();

    Desk& desk_;
    Objects& objects_;
    const wire::ExchangeOffer& offer_;
    wire::ExchangeReply& reply_;
    std::vector<wire::ExchangeItem>::const_iterator item_;
    std::size_t rows_ = 0;
    std::size_t bytes_ = 0;
    std::size_t octets_read_ = 0;
};

bool Comparison::take(BytesView row, BytesView record) {
    if (!offer_.last.empty() && row >= offer_.last) return false;
    if (rows_++ == max_rows_read) return stop_at(row);
    octets_read_ += row.size() + record.size();
    while (item_ != offer_.items.end() && item_->row < row) want_item();
    const bool offered = item_ != offer_.items.end() && item_->row == row;
    const auto object = object_bytes(row, record);
    if (!object || is_partial(record)) {
        // Whoever rebuilds from here does not learn all that was here.
        reply_.status = wire::PeerStatusCode::not_ready;
        objects_.note_damage({offer_.partition, {}, Bytes(row)});
    }
    if (!object) {
        desk_.counters.add("storage.damaged_records");
        if (offered) want_item();
        return true;
    }
    if (offered && item_->digest == exchange_digest(row, record)) {
        ++item_;
        return true;
    }
    if (!has_room(object->size())) return stop_at(row);
    if (!desk_.breaks(Mutant::exchange_one_way)) {
        reply_.states.push_back({Bytes(row.substr(position_octets)), Bytes(*object)});
        bytes_ += object->size();
    }
    if (offered) want_item();
    return true;
}

void Comparison::finish() {
    if (!reply_.resume.empty()) return;
    while (item_ != offer_.items.end()) want_item();
}

bool Comparison::stop_at(BytesView row) {
    reply_.resume = row;
    return false;
}

bool Comparison::has_room(std::size_t bytes) const {
    return reply_.states.empty() ||
           (reply_.states.size() < max_states_given && bytes_ + bytes <= max_bytes_given);
}

void Comparison::want_item() {
    // A damaged record cannot be given, and what has no room here is not asked for.
    if (!item_->digest.empty() && !desk_.load.refuse_writes) reply_.want.push_back(item_->row);
    ++item_;
}

}  // namespace

Bytes exchange_digest(BytesView row, BytesView record) {
    const auto object = object_bytes(row, record);
    if (!object) return {};
    const Digest of_object = digest(*object);
    return {reinterpret_cast<const char*>(of_object.data()), of_object.size()};
}

bool is_sound(const wire::ExchangeOffer& offer) {
    if (offer.items.size() > max_items) return false;
    BytesView before;
    for (const wire::ExchangeItem& item : offer.items) {
        if (item.row.size() <= position_octets || item.row <= before || item.row < offer.first)
            return false;
        if (!item.digest.empty() && item.digest.size() != sizeof(Digest)) return false;
        before = item.row;
    }
    return offer.last.empty() || (before < offer.last && offer.first < offer.last);
}

bool is_sound(const wire::TreeOffer& offer) {
    if (offer.level > max_tree_depth || offer.nodes.size() > max_items ||
        offer.sums.size() != offer.nodes.size() * sum_octets)
        return false;
    for (std::size_t i = 0; i < offer.nodes.size(); ++i)
        if (offer.nodes[i] >> offer.level != 0 || (i > 0 && offer.nodes[i] <= offer.nodes[i - 1]))
            return false;
    return true;
}

std::vector<std::uint32_t> different_nodes(const Tree& tree, const wire::TreeOffer& offer) {
    std::vector<std::uint32_t> different;
    Bytes own;
    for (std::size_t i = 0; i < offer.nodes.size(); ++i) {
        own.clear();
        append_sum(own, tree.node(offer.level, offer.nodes[i]));
        if (BytesView(offer.sums).substr(i * sum_octets, sum_octets) != own)
            different.push_back(offer.nodes[i]);
    }
    return different;
}

Result<void> compare(Desk& desk, Objects& objects, const wire::ExchangeOffer& offer,
                     wire::ExchangeReply& reply) {
    Comparison comparison(desk, objects, offer, reply);
    const auto scanned = objects.scan_objects(
        offer.partition, offer.first,
        [&](BytesView row, BytesView record) { return comparison.take(row, record); });
    comparison.pay();
    if (!scanned) return scanned;
    comparison.finish();
    return {};
}

}  // namespace dynamo
