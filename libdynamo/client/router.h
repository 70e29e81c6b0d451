// The router: in which order endpoints are asked for a request (paper section 6.4).
//
// With a cached ring and Routing::coordinator a write with a context goes first to the node that
// answered its read first (section 5). Otherwise the owners of the key come first, in turn, so that
// one hot key is not one hot node (section 4.5 lets any of the top N coordinate); then the nodes
// that stand in for them, then the seeds. Without, the seeds. Endpoints that failed lately come
// last but are not left out: when nothing else is there, they are asked all the same.
//
// Threads: one owner
#pragma once

#include <optional>

#include "dynamo/client.h"
#include "libdynamo/client/endpoints.h"
#include "libdynamo/ring/route.h"
#include "libdynamo/wire/client_messages.h"

namespace dynamo {

class Router {
  public:
    Router(Routing routing, const std::vector<std::string>& seeds);

    [[nodiscard]] Endpoints& endpoints() { return endpoints_; }
    [[nodiscard]] const Endpoints& endpoints() const { return endpoints_; }
    [[nodiscard]] const Routes& routes() const { return routes_; }
    [[nodiscard]] bool has_ring() const { return routes_.number() > 0; }

    /// Routes by this ring from now on, unless the cached one is as new.
    void adopt(const RingState& state);

    /// The next endpoint for a request, none of those tried; nothing when all were.
    [[nodiscard]] std::optional<EndpointIndex> choose(const wire::ClientRequest& request,
                                                      const std::vector<EndpointIndex>& tried,
                                                      Instant now);

  private:
    /// Of a write with a context: who answered the read first, when the context says it.
    [[nodiscard]] std::optional<EndpointIndex> fastest_of(const wire::ClientRequest& request) const;
    [[nodiscard]] std::vector<EndpointIndex> everyone(std::optional<std::uint16_t> partition) const;

    Routing routing_;
    Endpoints endpoints_;
    std::vector<EndpointIndex> seeds_;
    std::size_t turn_ = 0;  ///< of the rotation over owners, or seeds with Routing::any

    Routes routes_;
    ClusterId cluster_;
    std::map<NodeId, EndpointIndex> members_;
    std::vector<std::vector<EndpointIndex>> owners_;  ///< per partition
};

}  // namespace dynamo
