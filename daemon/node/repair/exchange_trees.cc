// The half of an exchange that compares Merkle trees, from the top down (paper section 4.7).
#include <algorithm>
#include <utility>

#include "daemon/node/repair/compare.h"
#include "daemon/node/repair/exchange.h"

namespace dynamo {
namespace {

/// Levels of a tree that one offer goes down, and nodes that it has at most.
constexpr unsigned levels_at_once = 4;
constexpr std::size_t max_nodes_offered = 2048;

}  // namespace

void Exchange::begin_with(const Tree& tree) {
    pass_->level = std::min(levels_at_once, tree.depth());
    for (std::uint32_t node = 0; node < std::uint32_t{1} << pass_->level; ++node)
        pass_->nodes.push_back(node);
}

void Exchange::offer_nodes(const Tree& tree) {
    wire::TreeOffer offer;
    pass_->id = offer.id = desk_.next_id();
    pass_->sent = desk_.now.instant;
    offer.partition = pass_->partition;
    offer.depth = static_cast<std::uint8_t>(tree.depth());
    offer.level = static_cast<std::uint8_t>(pass_->level);
    offer.nodes = pass_->nodes;
    for (const std::uint32_t node : pass_->nodes)
        append_sum(offer.sums, tree.node(pass_->level, node));
    desk_.counters.add("exchange.tree_offers");
    desk_.send(pass_->partner, std::move(offer));
}

void Exchange::on(const NodeId& from, const wire::TreeReply& reply) {
    if (!pass_ || pass_->id != reply.id || pass_->partner != from || pass_->nodes.empty()) return;
    if (reply.status == wire::PeerStatusCode::not_owner ||
        reply.status == wire::PeerStatusCode::behind)
        return abandon_pass();
    if (!std::ranges::includes(pass_->nodes, reply.nodes)) {
        desk_.counters.add("exchange.odd");
        return;
    }
    pass_->resent = false;
    const Tree* tree = objects_.trees().want(pass_->partition);
    if (!tree || reply.status != wire::PeerStatusCode::ok) return compare_all_rows();
    if (reply.nodes.empty()) return finish_pass();
    descend(*tree, reply);
}

void Exchange::descend(const Tree& tree, const wire::TreeReply& reply) {
    const unsigned deepest = std::min<unsigned>(tree.depth(), reply.depth);
    if (pass_->level >= deepest) return compare_rows_under(reply.nodes);
    const unsigned level = std::min(pass_->level + levels_at_once, deepest);
    const unsigned deeper = level - pass_->level;
    // So many that comparing nodes costs as much as comparing rows.
    if (reply.nodes.size() << deeper > max_nodes_offered) return compare_rows_under(reply.nodes);
    pass_->level = level;
    pass_->nodes.clear();
    for (const std::uint32_t node : reply.nodes)
        for (std::uint32_t child = 0; child < std::uint32_t{1} << deeper; ++child)
            pass_->nodes.push_back(node << deeper | child);
    offer();
}

void Exchange::compare_rows_under(const std::vector<std::uint32_t>& nodes) {
    desk_.counters.add("exchange.nodes_different", nodes.size());
    const unsigned bits = objects_.trees().partition_bits();
    for (const std::uint32_t node : nodes) {
        RowRange range = rows_under(bits, pass_->partition, pass_->level, node);
        if (!pass_->ranges.empty() && pass_->ranges.back().last == range.first)
            pass_->ranges.back().last = range.last;
        else
            pass_->ranges.push_back(std::move(range));
    }
    std::ranges::reverse(pass_->ranges);
    pass_->nodes.clear();
    pass_->first = pass_->ranges.back().first;
    pass_->end = pass_->ranges.back().last;
    pass_->ranges.pop_back();
    offer();
}

void Exchange::compare_all_rows() {
    pass_->nodes.clear();
    offer();
}

void Exchange::on(const NodeId& from, std::uint64_t ring, const wire::TreeOffer& offer) {
    if (!is_sound(offer)) {
        desk_.counters.add("exchange.odd");
        return;
    }
    wire::TreeReply reply;
    reply.id = offer.id;
    const Tree* tree = nullptr;
    reply.status = takes_part(from, ring, offer.partition);
    if (reply.status == wire::PeerStatusCode::ok && !rebuilds_.contains(offer.partition))
        tree = objects_.trees().want(offer.partition);
    if (tree && offer.level <= tree->depth()) {
        reply.depth = static_cast<std::uint8_t>(tree->depth());
        if (!desk_.breaks(Mutant::tree_always_equal)) reply.nodes = different_nodes(*tree, offer);
    } else if (reply.status == wire::PeerStatusCode::ok) {
        reply.status = wire::PeerStatusCode::not_ready;
    }
    desk_.send(from, std::move(reply));
}

}  // namespace dynamo
