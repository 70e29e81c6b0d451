#include "libdynamo/ring/shares.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace dynamo {
namespace {

/// Copies per unit of weight. The numerator is below 2^19 and the denominator below 2^37, so that
/// products of two stay in 64 bits.
struct Level {
    std::int64_t copies = 0;
    std::int64_t weight = 1;
    bool operator<(const Level& other) const {
        return copies * other.weight < other.copies * weight;
    }
};

// Any set S of nodes holds at most Q * min(|S|, min(k, zones(S)) + N - k) copies. Of all these
// bounds only two kinds can be the first to bind: the heaviest node alone (Q copies), and the
// nodes of the heaviest j zones ((N - k + j) * Q copies). A node that is frozen takes a place in
// every row, so N shrinks for the rest, and its zone is covered from then on, so k shrinks too.
class Filling {
  public:
    Filling(const std::vector<Weighted>& nodes, const Demand& demand)
        : nodes_(nodes),
          partitions_(demand.partitions),
          copies_(demand.copies),
          zones_(demand.zones),
          shares_(nodes.size()) {
        for (std::size_t i = 0; i < nodes.size(); ++i) growing_.insert(i);
    }

    std::vector<Share> run() {
        while (!growing_.empty() && copies_ > 0) step();
        return shares_;
    }

  private:
    struct Zone {
        std::int64_t weight = 0;
        std::size_t index = 0;
    };

    static bool heavier(const Zone& a, const Zone& b) {
        return a.weight != b.weight ? a.weight > b.weight : a.index < b.index;
    }

    void step() {
        Level level{copies_ * partitions_, 0};
        std::map<std::size_t, std::int64_t> weights;
        for (const std::size_t i : growing_) {
            level.weight += nodes_[i].weight;
            weights[nodes_[i].zone] += nodes_[i].weight;
        }
        const std::size_t heaviest = *std::ranges::max_element(
            growing_, {}, [this](std::size_t i) { return nodes_[i].weight; });
        const Level alone{partitions_, nodes_[heaviest].weight};
        const bool node_binds = alone < level;
        if (node_binds) level = alone;

        std::int64_t together = 0;  // the weight of the covered zones and the j heaviest others
        std::vector<Zone> others;
        for (const auto& [zone, weight] : weights) {
            if (covered_.contains(zone))
                together += weight;
            else
                others.push_back({weight, zone});
        }
        std::ranges::sort(others, heavier);
        std::optional<std::size_t> binding;  // that many of `others`, and the covered ones
        for (std::size_t j = 0; j <= others.size() && std::cmp_less(j, zones_); ++j) {
            if (j > 0) together += others[j - 1].weight;
            const Level bound{(copies_ - zones_ + static_cast<std::int64_t>(j)) * partitions_,
                              together};
            if (together == 0 || !(bound < level)) continue;
            level = bound;
            binding = j;
        }
        if (binding) {
            others.resize(*binding);
            freeze_zones(level, others);
        } else if (node_binds) {
            freeze_node(level, heaviest);
        } else {
            freeze_all(level);
        }
    }

    void freeze(const Level& level, std::size_t node) {
        const std::int64_t copies = level.copies * nodes_[node].weight;
        shares_[node] = {copies / level.weight, copies % level.weight != 0};
        growing_.erase(node);
    }

    void freeze_all(const Level& level) {
        for (const std::size_t node : std::set(growing_)) freeze(level, node);
    }

    void freeze_node(const Level& level, std::size_t node) {
        freeze(level, node);
        --copies_;
        if (covered_.insert(nodes_[node].zone).second)
            zones_ = std::max<std::int64_t>(0, zones_ - 1);
    }

    void freeze_zones(const Level& level, const std::vector<Zone>& zones) {
        for (const Zone& zone : zones) covered_.insert(zone.index);
        for (const std::size_t node : std::set(growing_))
            if (covered_.contains(nodes_[node].zone)) freeze(level, node);
        zones_ -= static_cast<std::int64_t>(zones.size());
        copies_ = zones_;
        covered_.clear();
    }

    const std::vector<Weighted>& nodes_;
    std::int64_t partitions_;
    std::int64_t copies_;
    std::int64_t zones_;
    std::vector<Share> shares_;
    std::set<std::size_t> growing_;
    std::set<std::size_t> covered_;
};

}  // namespace

std::vector<Share> fair_shares(const std::vector<Weighted>& nodes, const Demand& demand) {
    return Filling(nodes, demand).run();
}

}  // namespace dynamo
