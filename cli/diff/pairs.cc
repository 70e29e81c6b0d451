#include "cli/diff/pairs.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

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

/// Gathers partitions by the two nodes that own them.
class Gathering {
  public:
    explicit Gathering(const RingView& ring) : ring_(ring) {}

    void add(unsigned partition, unsigned first, unsigned second) {
        partitions_[{first, second}].push_back(partition);
    }
    [[nodiscard]] std::vector<Pair> pairs() const {
        std::vector<Pair> pairs;
        for (const auto& [nodes, partitions] : partitions_) {
            pairs.push_back({ring_.nodes[nodes.first], ring_.nodes[nodes.second], partitions});
        }
        return pairs;
    }

  private:
    const RingView& ring_;
    std::map<std::pair<unsigned, unsigned>, std::vector<unsigned>> partitions_;
};

/// The pairs of `node` with those other owners that are wanted.
std::vector<Pair> pairs_with(const RingView& ring, const NodeInfo& node,
                             std::optional<unsigned> partition,
                             const std::function<bool(const NodeInfo&)>& wanted) {
    Gathering gathering(ring);
    for (unsigned at = 0; at < ring.partitions; ++at) {
        if (partition && *partition != at) {
            continue;
        }
        const auto& owners = ring.owners[at];
        const auto own = std::ranges::find_if(
            owners, [&](unsigned owner) { return ring.nodes[owner].id == node.id; });
        for (const unsigned owner : owners) {
            if (own != owners.end() && owner != *own && wanted(ring.nodes[owner])) {
                gathering.add(at, *own, owner);
            }
        }
    }
    return gathering.pairs();
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

std::vector<Pair> pairs_of(const RingView& ring, const std::vector<unsigned>& partitions) {
    Gathering gathering(ring);
    for (const unsigned partition : partitions) {
        const auto& owners = ring.owners.at(partition);
        for (std::size_t at = 1; at < owners.size(); ++at) {
            gathering.add(partition, owners.front(), owners[at]);
        }
    }
    return gathering.pairs();
}

}  // namespace dynamo::cli
