#include "libdynamo/ring/placement_rank.h"

#include <algorithm>

#include "libdynamo/base/check.h"
#include "libdynamo/ring/flow.h"

namespace dynamo {
namespace {

/// Who holds the next rank of each partition: one of those that have none yet there, so that each
/// node gets its fair part of them.
///
///     source -> partition -> node that has no rank there yet -> sink          (whole part)
///                                                            -> extra -> sink (at most one more)
std::vector<std::uint16_t> next_rank(const Rows& unranked, std::size_t nodes, const Rows& before,
                                     std::size_t rank) {
    constexpr Flow::Vertex source = 0;
    constexpr Flow::Vertex sink = 1;
    constexpr Flow::Vertex extra = 2;
    const auto partition_vertex = [](std::size_t p) { return static_cast<Flow::Vertex>(3 + p); };
    const auto node_vertex = [&](std::size_t node) {
        return static_cast<Flow::Vertex>(3 + unranked.size() + node);
    };

    std::vector<std::int64_t> held(nodes, 0);
    for (const auto& row : unranked)
        for (const std::uint16_t node : row) ++held[node];
    const auto ranks_left = static_cast<std::int64_t>(unranked.front().size());

    Flow flow(3 + unranked.size() + nodes);
    auto shared = static_cast<std::int64_t>(unranked.size());
    for (std::size_t node = 0; node < nodes; ++node) {
        flow.add_arc(node_vertex(node), sink, held[node] / ranks_left);
        if (held[node] % ranks_left != 0) flow.add_arc(node_vertex(node), extra, 1);
        shared -= held[node] / ranks_left;
    }
    flow.add_arc(extra, sink, shared);
    std::vector<std::vector<Flow::ArcId>> choices(unranked.size());
    for (std::size_t p = 0; p < unranked.size(); ++p) {
        flow.add_arc(source, partition_vertex(p), 1);
        for (const std::uint16_t node : unranked[p]) {
            const bool keeps =
                before.empty() || (rank < before[p].size() && before[p][rank] == node);
            choices[p].push_back(
                flow.add_arc(partition_vertex(p), node_vertex(node), 1, keeps ? 0 : 1));
        }
    }
    const std::int64_t given = flow.run(source, sink);
    DYN_CHECK(given == static_cast<std::int64_t>(unranked.size()));

    std::vector<std::uint16_t> chosen;
    for (std::size_t p = 0; p < unranked.size(); ++p) {
        const auto choice = std::ranges::find_if(
            choices[p], [&](Flow::ArcId arc) { return flow.carried(arc) > 0; });
        chosen.push_back(unranked[p][static_cast<std::size_t>(choice - choices[p].begin())]);
    }
    return chosen;
}

}  // namespace

Rows rank_holders(const Rows& holders, std::size_t nodes, const Rows& before, const Order& order) {
    Rows unranked = holders;
    for (std::size_t p = 0; p < unranked.size(); ++p)
        std::ranges::sort(unranked[p], {}, [&](std::uint16_t node) { return order(p, node); });
    Rows ranked(holders.size());
    while (!unranked.front().empty()) {
        const auto chosen = next_rank(unranked, nodes, before, ranked.front().size());
        for (std::size_t p = 0; p < holders.size(); ++p) {
            ranked[p].push_back(chosen[p]);
            std::erase(unranked[p], chosen[p]);
        }
    }
    return ranked;
}

}  // namespace dynamo
