#include "libdynamo/client/router.h"

#include <algorithm>

#include "libdynamo/base/address.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {

namespace {

bool holds(const std::vector<EndpointIndex>& list, EndpointIndex index) {
    return std::ranges::find(list, index) != list.end();
}

/// The key of a request that belongs to a partition; null for all others.
const Bytes* key_of(const wire::ClientRequest& request) {
    return std::visit(
        [](const auto& body) -> const Bytes* {
            if constexpr (requires { body.key; })
                return &body.key;
            else
                return nullptr;
        },
        request);
}

}  // namespace

Router::Router(Routing routing, const std::vector<std::string>& seeds) : routing_(routing) {
    for (const auto& seed : seeds) {
        const auto index = endpoints_.intern(seed);
        if (!holds(seeds_, index)) seeds_.push_back(index);
    }
}

void Router::adopt(const RingState& state) {
    if (state.head().number <= routes_.number()) return;
    routes_ = Routes(state, wire::digest_of(state.head()));
    cluster_ = state.cluster;
    members_.clear();
    for (const auto& member : routes_.members()) {
        // A member whose address cannot be used is reached through the others.
        const auto address = parse_address(member.client_address, default_client_port);
        if (address) members_[member.id] = endpoints_.intern(to_string(*address));
    }
    owners_.assign(routes_.partitions(), {});
    for (std::uint16_t partition = 0; partition < routes_.partitions(); ++partition)
        for (const auto& owner : routes_.owners(partition))
            if (const auto found = members_.find(owner); found != members_.end())
                owners_[partition].push_back(found->second);
}

std::optional<EndpointIndex> Router::choose(const wire::ClientRequest& request,
                                            const std::vector<EndpointIndex>& tried, Instant now) {
    const auto usable = [&](EndpointIndex index) {
        return endpoints_[index].is_healthy(now) && !holds(tried, index);
    };
    const Bytes* key = key_of(request);
    std::optional<std::uint16_t> partition;
    if (key && has_ring()) partition = routes_.partition_of(position_of(*key));

    if (const auto fastest = fastest_of(request); fastest && usable(*fastest)) return fastest;

    // The usual case: the first few in turn, without making a list.
    const bool in_turn = partition.has_value() || routing_ == Routing::any;
    const auto& first = partition ? owners_[*partition] : seeds_;
    if (!first.empty()) {
        const std::size_t start = in_turn ? turn_++ : 0;
        for (std::size_t i = 0; i < first.size(); ++i)
            if (const auto index = first[(start + i) % first.size()]; usable(index)) return index;
    }
    const auto rest = everyone(partition);
    if (const auto found = std::ranges::find_if(rest, usable); found != rest.end()) return *found;

    // Nobody is known to be well. The one whose avoidance ends first is the best guess.
    std::optional<EndpointIndex> best;
    for (const auto index : rest)
        if (!holds(tried, index) &&
            (!best || endpoints_[index].avoid_until < endpoints_[*best].avoid_until))
            best = index;
    return best;
}

std::optional<EndpointIndex> Router::fastest_of(const wire::ClientRequest& request) const {
    if (!has_ring() || routing_ != Routing::coordinator) return std::nullopt;
    return std::visit(
        [this](const auto& body) -> std::optional<EndpointIndex> {
            if constexpr (requires { body.context; }) {
                if (body.context.empty()) return std::nullopt;
                // A token that is none, or another key's, is the daemon's to refuse.
                const auto context =
                    wire::decode_context(body.context, cluster_, position_of(body.key));
                if (!context) return std::nullopt;
                const auto found = members_.find(context->fastest);
                if (found != members_.end()) return found->second;
            }
            return std::nullopt;
        },
        request);
}

std::vector<EndpointIndex> Router::everyone(std::optional<std::uint16_t> partition) const {
    std::vector<EndpointIndex> list;
    const auto add = [&list](EndpointIndex index) {
        if (!holds(list, index)) list.push_back(index);
    };
    if (partition) {
        std::ranges::for_each(owners_[*partition], add);
        for (const auto& node : routes_.fallbacks(*partition))
            if (const auto found = members_.find(node); found != members_.end()) add(found->second);
    }
    std::ranges::for_each(seeds_, add);
    for (const auto& member : members_) add(member.second);
    return list;
}

}  // namespace dynamo
