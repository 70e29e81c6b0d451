#include "libdynamo/ring/flow.h"

#include <algorithm>

#include "libdynamo/base/check.h"

namespace dynamo {

Flow::ArcId Flow::add_arc(Vertex from, Vertex to, std::int64_t capacity, int cost) {
    const auto id = static_cast<ArcId>(arcs_.size());
    arcs_.push_back({to, static_cast<std::int32_t>(capacity), cost});
    arcs_.push_back({from, 0, -cost});
    leaving_[from].push_back(id);
    leaving_[to].push_back(id ^ 1);
    return id;
}

void Flow::push(ArcId arc) {
    DYN_CHECK(arcs_[arc].room > 0);
    --arcs_[arc].room;
    ++arcs_[arc ^ 1].room;
}

// The primal-dual method: every phase finds the distances under reduced costs, moves the potentials
// by them, and then sends all that can go over arcs of reduced cost 0. With costs of 0 and 1 there
// are only a few phases, one for each length of a cheapest path.
std::int64_t Flow::run(Vertex source, Vertex sink) {
    potential_.assign(leaving_.size(), 0);
    std::int64_t added = 0;
    while (true) {
        const std::vector<int> distance = distances(source);
        if (distance[sink] == unreached) return added;
        for (std::size_t v = 0; v < potential_.size(); ++v)
            potential_[v] += std::min(distance[v], distance[sink]);
        while (build_levels(source, sink)) added += block(source, sink);
    }
}

// Dial's form of Dijkstra's algorithm: distances are small whole numbers, so a list for each of
// them serves as the queue.
std::vector<int> Flow::distances(Vertex source) const {
    std::vector<int> distance(leaving_.size(), unreached);
    std::vector<std::vector<Vertex>> at_distance(1);
    distance[source] = 0;
    at_distance[0].push_back(source);
    for (std::size_t reached = 0; reached < at_distance.size(); ++reached) {
        for (std::size_t i = 0; i < at_distance[reached].size(); ++i) {
            const Vertex from = at_distance[reached][i];
            if (distance[from] < static_cast<int>(reached)) continue;  // reached on a shorter way
            for (const ArcId id : leaving_[from]) {
                const Arc& arc = arcs_[id];
                if (arc.room == 0) continue;
                const int next = static_cast<int>(reached) + reduced_cost(from, arc);
                if (next >= distance[arc.to]) continue;
                distance[arc.to] = next;
                const auto bucket = static_cast<std::size_t>(next);
                if (at_distance.size() <= bucket) at_distance.resize(bucket + 1);
                at_distance[bucket].push_back(arc.to);
            }
        }
    }
    return distance;
}

// Dinic's algorithm over the arcs of reduced cost 0: levels by breadth, then a blocking flow that
// only steps from one level to the next.
bool Flow::build_levels(Vertex source, Vertex sink) {
    level_.assign(leaving_.size(), -1);
    level_[source] = 0;
    std::vector<Vertex> queue{source};
    for (std::size_t i = 0; i < queue.size() && queue[i] != sink; ++i) {
        const Vertex from = queue[i];
        for (const ArcId id : leaving_[from]) {
            const Arc& arc = arcs_[id];
            if (arc.room == 0 || level_[arc.to] >= 0 || reduced_cost(from, arc) != 0) continue;
            level_[arc.to] = level_[from] + 1;
            queue.push_back(arc.to);
        }
    }
    return level_[sink] >= 0;
}

std::int64_t Flow::block(Vertex source, Vertex sink) {
    std::vector<std::size_t> next(leaving_.size(), 0);
    std::vector<ArcId> path;
    std::int64_t sent = 0;
    Vertex at = source;
    while (true) {
        if (at == sink) {
            sent += augment(path);
            at = path.empty() ? source : arcs_[path.back()].to;
            continue;
        }
        const std::vector<ArcId>& out = leaving_[at];
        std::size_t& i = next[at];
        while (i < out.size()) {
            const Arc& arc = arcs_[out[i]];
            if (arc.room > 0 && level_[arc.to] == level_[at] + 1 && reduced_cost(at, arc) == 0)
                break;
            ++i;
        }
        if (i < out.size()) {
            path.push_back(out[i]);
            at = arcs_[out[i]].to;
        } else if (path.empty()) {
            return sent;
        } else {
            level_[at] = -1;  // a dead end
            at = arcs_[path.back() ^ 1].to;
            path.pop_back();
        }
    }
}

/// Sends what the path takes and cuts the path before its first full arc.
std::int64_t Flow::augment(std::vector<ArcId>& path) {
    const ArcId tightest =
        *std::ranges::min_element(path, {}, [this](ArcId id) { return arcs_[id].room; });
    const std::int32_t amount = arcs_[tightest].room;
    for (const ArcId id : path) {
        arcs_[id].room -= amount;
        arcs_[id ^ 1].room += amount;
    }
    path.erase(std::ranges::find(path, tightest), path.end());
    return amount;
}

}  // namespace dynamo
