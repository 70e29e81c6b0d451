#include "libdynamo/client/endpoints.h"

#include <algorithm>

namespace dynamo {

namespace {

// A refused connection costs well under a millisecond, so trying again soon is cheap; the upper
// bound keeps a node that has come back from idling.
constexpr Duration first_avoidance = std::chrono::milliseconds(100);
constexpr Duration longest_avoidance = std::chrono::milliseconds(3200);

}  // namespace

EndpointIndex Endpoints::intern(const std::string& address) {
    const auto [place, is_new] = by_address_.try_emplace(address, count());
    if (is_new) {
        all_.emplace_back();
        all_.back().address = address;
    }
    return place->second;
}

void Endpoints::avoid(EndpointIndex index, Instant now) {
    Endpoint& endpoint = all_[index];
    const auto doublings = std::min(endpoint.failures, 5u);
    endpoint.avoid_until = now + std::min(first_avoidance * (1 << doublings), longest_avoidance);
    ++endpoint.failures;
}

void Endpoints::suspect(EndpointIndex index, Instant now) {
    if (!all_[index].silent) ++silent_;
    all_[index].silent = true;
    // Many requests find out together; that is one failure.
    if (all_[index].avoid_until <= now) avoid(index, now);
}

void Endpoints::hear(EndpointIndex index, Instant now) {
    Endpoint& endpoint = all_[index];
    if (endpoint.silent) --silent_;
    endpoint.silent = false;
    endpoint.failures = 0;
    endpoint.avoid_until = Instant{};
    endpoint.heard = now;
}

EndpointIndex Endpoints::to_probe(Instant now) const {
    if (silent_ == 0) return count();
    const auto found = std::ranges::find_if(all_, [now](const Endpoint& endpoint) {
        return endpoint.silent && !endpoint.probing && endpoint.avoid_until <= now;
    });
    return static_cast<EndpointIndex>(found - all_.begin());
}

}  // namespace dynamo
