#include "libdynamo/ring/placement.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "libdynamo/base/check.h"
#include "libdynamo/ring/flow.h"
#include "libdynamo/ring/placement_rank.h"
#include "libdynamo/ring/shares.h"

namespace dynamo {
namespace {

constexpr std::uint64_t holder_seed = 1;
constexpr std::uint64_t rank_seed = 2;

/// A keyed hash of (partition, node): arcs in its order spread a node's partitions over all
/// partners, so that the load of a dead node falls on many. Ids, not indexes, so that a node that
/// joins changes no other's numbers.
std::uint64_t order_of(const NodeId& node, std::size_t partition, std::uint64_t seed) {
    return checksum(node.bytes(), seed << 32 | partition);
}

/// The rows of an older epoch as indexes into `members`; who has left is `nobody`, in its place.
Rows rows_of(const Epoch& epoch, const std::vector<Member>& members) {
    std::vector<std::uint16_t> renamed(epoch.members.size(), Epoch::nobody);
    for (std::size_t i = 0; i < epoch.members.size(); ++i) {
        const auto at = std::ranges::lower_bound(members, epoch.members[i].id, {}, &Member::id);
        if (at != members.end() && at->id == epoch.members[i].id)
            renamed[i] = static_cast<std::uint16_t>(at - members.begin());
    }
    Rows rows(epoch.partitions);
    for (std::size_t i = 0; i < epoch.table.size(); ++i)
        rows[i / epoch.copies].push_back(epoch.table[i] == Epoch::nobody ? Epoch::nobody
                                                                         : renamed[epoch.table[i]]);
    return rows;
}

/// Zones as indexes, in order of their names.
std::vector<Weighted> weighted(const std::vector<Member>& members) {
    std::map<std::string_view, std::size_t> zones;
    for (const Member& member : members) zones.emplace(member.zone, 0);
    std::size_t next = 0;
    for (auto& [name, index] : zones) index = next++;
    std::vector<Weighted> nodes;
    for (const Member& member : members)
        nodes.push_back(
            {std::clamp<std::uint32_t>(member.weight, 1, max_weight), zones.at(member.zone)});
    return nodes;
}

std::size_t count_zones(const std::vector<Weighted>& nodes) {
    std::size_t zones = 0;
    for (const Weighted& node : nodes) zones = std::max(zones, node.zone + 1);
    return zones;
}

// Who holds a copy of what, as one flow of Q * N units. A row gives out `zones` copies that must
// land in different zones and N - zones that may land anywhere (a node still takes one of each
// row):
//
//                 zones     /-> row, spread --1--\                           /--whole share--> sink
//     source -----------< row                   zone of the row --1--> node <
//                 N - zones \-> row, free --------/        (cost)            \--1--> extra --> sink
//
// An arc from row to node costs 1 unless the node holds the row already, so the cheapest flow moves
// the fewest copies that any assignment with these loads can move. All loads are forced between the
// floor and the ceiling of their exact share, for the sum of both is what must flow.
class Holders {
  public:
    Holders(const std::vector<Member>& members, const std::vector<Weighted>& nodes,
            const Demand& demand, const Rows& before)
        : members_(members),
          nodes_(nodes),
          before_(before),
          partitions_(static_cast<std::size_t>(demand.partitions)),
          copies_(demand.copies),
          zones_(demand.zones),
          zone_count_(zones_ > 1 ? count_zones(nodes) : 0),
          row_vertices_(zone_count_ == 0 ? 1 : 2 + zone_count_),
          flow_(3 + partitions_ * row_vertices_ + nodes.size()),
          rows_(partitions_) {
        add_sinks(fair_shares(nodes, demand));
        for (std::size_t p = 0; p < partitions_; ++p) add_row(p);
    }

    Rows run() {
        std::int64_t placed = 0;
        if (!before_.empty())
            for (const std::size_t p : shuffled_partitions())
                for (const std::uint16_t node : before_[p])
                    if (node != Epoch::nobody && keep(p, node)) ++placed;
        placed += flow_.run(source, sink);
        DYN_CHECK(placed == static_cast<std::int64_t>(partitions_) * copies_);

        Rows holders(partitions_);
        for (std::size_t p = 0; p < partitions_; ++p)
            for (std::size_t node = 0; node < nodes_.size(); ++node)
                if (flow_.carried(rows_[p].to_node[node]) > 0)
                    holders[p].push_back(static_cast<std::uint16_t>(node));
        return holders;
    }

  private:
    static constexpr Flow::Vertex source = 0;
    static constexpr Flow::Vertex sink = 1;
    static constexpr Flow::Vertex extra = 2;

    struct Row {
        Flow::ArcId spread = 0;              ///< from the source
        std::optional<Flow::ArcId> free;     ///< from the source
        std::vector<Flow::ArcId> spread_to;  ///< by zone
        std::vector<Flow::ArcId> free_to;    ///< by zone
        std::vector<Flow::ArcId> to_node;    ///< by node
    };

    [[nodiscard]] Flow::Vertex row_vertex(std::size_t partition, std::size_t part = 0) const {
        return static_cast<Flow::Vertex>(3 + partition * row_vertices_ + part);
    }
    [[nodiscard]] Flow::Vertex node_vertex(std::size_t node) const {
        return static_cast<Flow::Vertex>(3 + partitions_ * row_vertices_ + node);
    }

    void add_sinks(const std::vector<Share>& shares) {
        std::int64_t fractions = static_cast<std::int64_t>(partitions_) * copies_;
        for (std::size_t node = 0; node < shares.size(); ++node) {
            whole_.push_back(flow_.add_arc(node_vertex(node), sink, shares[node].whole));
            fraction_.push_back(
                flow_.add_arc(node_vertex(node), extra, shares[node].has_fraction ? 1 : 0));
            fractions -= shares[node].whole;
        }
        extra_to_sink_ = flow_.add_arc(extra, sink, fractions);
    }

    void add_row(std::size_t p) {
        Row& row = rows_[p];
        if (zone_count_ == 0) {
            row.spread = flow_.add_arc(source, row_vertex(p), copies_);
        } else {
            row.spread = flow_.add_arc(source, row_vertex(p, 0), zones_);
            if (copies_ > zones_)
                row.free = flow_.add_arc(source, row_vertex(p, 1), copies_ - zones_);
            for (std::size_t zone = 0; zone < zone_count_; ++zone)
                row.spread_to.push_back(
                    flow_.add_arc(row_vertex(p, 0), row_vertex(p, 2 + zone), 1));
            for (std::size_t zone = 0; row.free && zone < zone_count_; ++zone)
                row.free_to.push_back(
                    flow_.add_arc(row_vertex(p, 1), row_vertex(p, 2 + zone), copies_ - zones_));
        }
        std::vector<std::pair<std::uint64_t, std::size_t>> order;
        for (std::size_t node = 0; node < nodes_.size(); ++node)
            order.emplace_back(order_of(members_[node].id, p, holder_seed), node);
        std::ranges::sort(order);
        row.to_node.resize(nodes_.size());
        for (const auto& [hash, node] : order) {
            const std::size_t part = zone_count_ == 0 ? 0 : 2 + nodes_[node].zone;
            const bool holds = !before_.empty() && std::ranges::count(before_[p], node) > 0;
            row.to_node[node] =
                flow_.add_arc(row_vertex(p, part), node_vertex(node), 1, holds ? 0 : 1);
        }
    }

    // Starting from the copies that may stay saves most of the search. A flow over arcs of cost 0
    // is the cheapest of its size, so the result is as good as from nothing.
    bool keep(std::size_t p, std::uint16_t node) {
        const Row& row = rows_[p];
        std::vector<Flow::ArcId> path{row.to_node[node]};
        if (flow_.has_room(whole_[node])) {
            path.push_back(whole_[node]);
        } else {
            path.push_back(fraction_[node]);
            path.push_back(extra_to_sink_);
        }
        const std::size_t zone = nodes_[node].zone;
        if (zone_count_ == 0) {
            path.push_back(row.spread);
        } else if (flow_.has_room(row.spread) && flow_.has_room(row.spread_to[zone])) {
            path.push_back(row.spread);
            path.push_back(row.spread_to[zone]);
        } else if (row.free) {
            path.push_back(*row.free);
            path.push_back(row.free_to[zone]);
        } else {
            return false;
        }
        if (!std::ranges::all_of(path, [&](Flow::ArcId arc) { return flow_.has_room(arc); }))
            return false;
        for (const Flow::ArcId arc : path) flow_.push(arc);
        return true;
    }

    [[nodiscard]] std::vector<std::size_t> shuffled_partitions() const {
        std::vector<std::size_t> order(partitions_);
        std::iota(order.begin(), order.end(), 0);
        std::ranges::sort(order, {}, [](std::size_t p) { return order_of({}, p, holder_seed); });
        return order;
    }

    const std::vector<Member>& members_;
    const std::vector<Weighted>& nodes_;
    const Rows& before_;
    std::size_t partitions_;
    std::int64_t copies_;
    std::int64_t zones_;
    std::size_t zone_count_;    ///< 0 when a row needs only one zone: zones have no vertices then
    std::size_t row_vertices_;  ///< of each row
    Flow flow_;
    std::vector<Row> rows_;
    std::vector<Flow::ArcId> whole_;     ///< by node
    std::vector<Flow::ArcId> fraction_;  ///< by node
    Flow::ArcId extra_to_sink_ = 0;
};

Demand demand_of(const std::vector<Weighted>& nodes, std::uint16_t partitions,
                 std::uint16_t copies) {
    const std::size_t held = std::min<std::size_t>(copies, nodes.size());
    return {partitions, static_cast<std::int64_t>(held),
            static_cast<std::int64_t>(std::min(held, count_zones(nodes)))};
}

}  // namespace

std::size_t fewest_moves(const std::vector<Member>& members, const Epoch& before) {
    const std::vector<Weighted> nodes = weighted(members);
    const Demand demand = demand_of(nodes, before.partitions, before.copies);
    const std::vector<Share> shares = fair_shares(nodes, demand);
    std::vector<std::int64_t> had(members.size(), 0);
    for (const auto& row : rows_of(before, members))
        for (const std::uint16_t node : row)
            if (node != Epoch::nobody) ++had[node];
    std::int64_t moves = 0;
    std::int64_t extras = demand.partitions * demand.copies;
    for (std::size_t node = 0; node < members.size(); ++node) {
        moves += std::max<std::int64_t>(0, shares[node].whole - had[node]);
        extras -= shares[node].whole;
    }
    // What is left of the fractions, a copy each, goes first to those who have it already.
    for (std::size_t node = 0; node < members.size(); ++node)
        if (shares[node].has_fraction && had[node] > shares[node].whole) --extras;
    return static_cast<std::size_t>(moves + std::max<std::int64_t>(0, extras));
}

std::vector<std::uint16_t> place(const std::vector<Member>& members, std::uint16_t partitions,
                                 std::uint16_t copies, const Epoch* before) {
    DYN_CHECK(!members.empty() && partitions > 0);
    const std::vector<Weighted> nodes = weighted(members);
    const Demand demand = demand_of(nodes, partitions, copies);
    const bool follows = before && before->partitions == partitions;
    const Rows old_rows = follows ? rows_of(*before, members) : Rows{};
    const Rows holders = Holders(members, nodes, demand, old_rows).run();
    const Rows ranked = rank_holders(holders, members.size(), old_rows,
                                     [&](std::size_t partition, std::uint16_t node) {
                                         return order_of(members[node].id, partition, rank_seed);
                                     });

    std::vector<std::uint16_t> table(std::size_t{partitions} * copies, Epoch::nobody);
    for (std::size_t p = 0; p < ranked.size(); ++p)
        std::ranges::copy(ranked[p], table.begin() + static_cast<std::ptrdiff_t>(p * copies));
    return table;
}

}  // namespace dynamo
