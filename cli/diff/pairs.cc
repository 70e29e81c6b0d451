#include "cli/diff/pairs.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace dynamo::cli {
namespace {

Result<void> check_partition(const RingView& ring, std::optional<unsigned> partition) {
    if (partition && *partition >= ring.partitions) {
        return std::unexpected(Error{
            Code::bad_request,
            fmt::format("there is no partition {}; the ring has {}", *partition, ring.partitions)});
    }
    return {};
}

/// The pairs of `node` with those other owners that are wanted.
std::vector<Pair> pairs_with(const RingView& ring, const NodeInfo& node,
                             std::optional<unsigned> partition,
                             const std::function<bool(const NodeInfo&)>& wanted) {
    std::vector<Pair> pairs;
    for (unsigned at = 0; at < ring.partitions; ++at) {
        if (partition && *partition != at) {
            continue;
        }
        const auto& owners = ring.owners[at];
        const bool owns = std::ranges::any_of(
            owners, [&](unsigned owner) { return ring.nodes[owner].id == node.id; });
        for (const unsigned owner : owners) {
            const NodeInfo& other = ring.nodes[owner];
            if (owns && other.id != node.id && wanted(other)) {
                pairs.push_back({at, node, other});
            }
        }
    }
    return pairs;
}

}  // namespace

Result<NodeInfo> member_named(const RingView& ring, const std::string& name) {
    const auto at = std::ranges::find_if(ring.nodes, [&](const NodeInfo& node) {
        return node.name == name || node.client_address == name;
    });
    if (at == ring.nodes.end()) {
        return std::unexpected(
            Error{Code::bad_request, fmt::format("no node of the ring is called '{}'; "
                                                 "dyn-ring members lists them",
                                                 name)});
    }
    return *at;
}

Result<std::vector<Pair>> pairs_of(const RingView& ring, const NodeInfo& first,
                                   const NodeInfo& second, std::optional<unsigned> partition) {
    if (const auto checked = check_partition(ring, partition); !checked) {
        return std::unexpected(checked.error());
    }
    if (first.id == second.id) {
        return std::unexpected(
            Error{Code::bad_request, fmt::format("{} cannot differ from itself", first.name)});
    }
    auto pairs = pairs_with(ring, first, partition,
                            [&](const NodeInfo& other) { return other.id == second.id; });
    if (pairs.empty()) {
        const std::string what = partition ? fmt::format("do not both own partition {}", *partition)
                                           : std::string("own no partition in common");
        return std::unexpected(
            Error{Code::bad_request, fmt::format("{} and {} {}", first.name, second.name, what)});
    }
    return pairs;
}

Result<std::vector<Pair>> pairs_of(const RingView& ring, const NodeInfo& node,
                                   std::optional<unsigned> partition) {
    if (const auto checked = check_partition(ring, partition); !checked) {
        return std::unexpected(checked.error());
    }
    auto pairs = pairs_with(ring, node, partition, [](const NodeInfo&) { return true; });
    if (pairs.empty()) {
        return std::unexpected(Error{
            Code::bad_request, fmt::format("{} shares no such partition with anybody", node.name)});
    }
    return pairs;
}

std::vector<Pair> pairs_of(const RingView& ring, unsigned partition) {
    const auto& owners = ring.owners.at(partition);
    if (owners.empty()) {
        return {};
    }
    return pairs_with(ring, ring.nodes[owners.front()], partition,
                      [](const NodeInfo&) { return true; });
}

}  // namespace dynamo::cli
