// Endpoints: the addresses that a client knows, and how each has behaved.
//
//     idle --connect--> connecting --connected--> connected
//      ^                    | refused                 | closed
//      +--------------------+-------------------------+       avoided for a while, then tried again
//
// An endpoint that accepts and then says nothing (a stopped process, a lost network) is `silent`:
// it gets no more requests until it has answered a probe, since a write sent to it ends unknown.
//
// Shape:   an endpoint is an index that stays valid; addresses are unique, "host:port"
// Threads: one owner
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libdynamo/base/time.h"

namespace dynamo {

using EndpointIndex = std::uint32_t;

struct Endpoint {
    enum class State : std::uint8_t { idle, connecting, connected };

    std::string address;
    State state = State::idle;
    Instant connecting_since;
    Instant heard;                       ///< when it last answered anything
    Instant avoid_until;                 ///< it failed; others first until then
    unsigned failures = 0;               ///< in a row
    bool silent = false;                 ///< it took a request and has answered nothing since
    bool probing = false;                ///< a probe is on its way
    std::vector<std::uint64_t> waiting;  ///< requests held until it is connected

    [[nodiscard]] bool is_healthy(Instant now) const { return !silent && avoid_until <= now; }
};

class Endpoints {
  public:
    /// The endpoint of this address, made when it is new.
    EndpointIndex intern(const std::string& address);
    [[nodiscard]] Endpoint& operator[](EndpointIndex index) { return all_[index]; }
    [[nodiscard]] const Endpoint& operator[](EndpointIndex index) const { return all_[index]; }
    [[nodiscard]] EndpointIndex count() const { return static_cast<EndpointIndex>(all_.size()); }

    /// It failed: others first, for a time that doubles with each failure in a row.
    void avoid(EndpointIndex index, Instant now);
    /// It took something and stayed silent.
    void suspect(EndpointIndex index, Instant now);
    /// It answered.
    void hear(EndpointIndex index, Instant now);
    /// The next silent one whose time to be probed has come; count() when there is none.
    [[nodiscard]] EndpointIndex to_probe(Instant now) const;

  private:
    std::vector<Endpoint> all_;
    std::map<std::string, EndpointIndex> by_address_;
    unsigned silent_ = 0;  ///< how many are
};

}  // namespace dynamo
