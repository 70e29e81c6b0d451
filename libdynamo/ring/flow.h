// A flow network with arc costs of 0 and 1: the largest flow, and of those the cheapest.
//
// Placement asks it who holds what (placement.cc): a copy that stays costs 0, one that moves 1.
//
// Threads: one owner
// Errors:  none; what cannot flow does not
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace dynamo {

class Flow {
  public:
    using Vertex = std::uint32_t;
    using ArcId = std::uint32_t;

    explicit Flow(std::size_t vertices) : leaving_(vertices) {}

    /// `capacity` is at most 2^31 - 1. The search tries the arcs of a vertex in the order in which
    /// they were added.
    ArcId add_arc(Vertex from, Vertex to, std::int64_t capacity, int cost = 0);

    [[nodiscard]] bool has_room(ArcId arc) const { return arcs_[arc].room > 0; }
    [[nodiscard]] std::int64_t carried(ArcId arc) const { return arcs_[arc ^ 1].room; }
    /// Sends one unit over an arc that has room. Before run(), over arcs of cost 0 only, and so
    /// that whole paths from source to sink come about.
    void push(ArcId arc);
    /// Augments to the largest flow, at the least cost; returns how much was added.
    std::int64_t run(Vertex source, Vertex sink);

  private:
    /// Small, for there is one for every partition and node.
    struct Arc {
        Vertex to = 0;
        std::int32_t room = 0;
        std::int32_t cost = 0;
    };
    static constexpr int unreached = 1 << 30;

    /// What an arc costs under the present potentials; never negative where there is room.
    [[nodiscard]] int reduced_cost(Vertex from, const Arc& arc) const {
        return arc.cost + potential_[from] - potential_[arc.to];
    }
    [[nodiscard]] std::vector<int> distances(Vertex source) const;
    bool build_levels(Vertex source, Vertex sink);
    std::int64_t block(Vertex source, Vertex sink);
    std::int64_t augment(std::vector<ArcId>& path);

    std::vector<Arc> arcs_;  ///< an arc and its reverse are neighbours: ids 2i and 2i + 1
    std::vector<std::vector<ArcId>> leaving_;
    std::vector<int> potential_;
    std::vector<int> level_;
};

}  // namespace dynamo
