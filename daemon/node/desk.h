// The desk: what every part of a node works with during a step.
//
// Threads: one; the node's
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "daemon/node/budget.h"
#include "daemon/node/counters.h"
#include "daemon/node/fence.h"
#include "daemon/node/options.h"
#include "daemon/node/outbox.h"
#include "daemon/storage/storage.h"
#include "libdynamo/base/random.h"
#include "libdynamo/ring/route.h"

namespace dynamo {

struct Desk {
    Desk(NodeOptions its_options, Storage& its_storage, Random its_random, Now start)
        : options(std::move(its_options)),
          storage(its_storage),
          random(its_random),
          now(start),
          budget(options.background_p99, start.instant) {}

    NodeOptions options;
    Storage& storage;
    Random random;
    Now now;
    Outbox outbox;
    Counters counters;
    Budget budget;  ///< of the work that no request waits for
    LoadSample load;
    ClusterId cluster;          ///< none while waiting
    ClusterSettings settings;   ///< the cluster's; of no meaning while waiting
    Routes routes;              ///< of the head epoch; Members replaces it
    Fence fence;                ///< how old a state may be; Purge moves it
    std::uint64_t run = 0;      ///< 64 random bits of this process run; made anew on any doubt
    std::uint64_t last_id = 0;  ///< of requests to peers; starts at a random number

    [[nodiscard]] const NodeId& self() const { return options.self.id; }
    /// Whether a rule is to be broken: never, but in the simulator's build.
    [[nodiscard]] bool breaks([[maybe_unused]] Mutant mutant) const {
#ifdef DYNAMO_PLANTED_BUGS
        return options.mutant == mutant;
#else
        return false;
#endif
    }

    /// Whether a state that was read at `stamp` may be stored here.
    [[nodiscard]] bool takes(std::uint64_t stamp) const {
        return breaks(Mutant::old_states_taken) || fence.takes(stamp);
    }

    /// A number for a request to a peer: no other of this run has it, nor, in all likelihood, one
    /// of another run, so a late answer finds nobody.
    std::uint64_t next_id() { return ++last_id; }

    /// A request of ours, begun then, is answered.
    void answered(Histogram& latencies, Instant begun);
    /// Sends to a member; to one who is none any more, nothing.
    void send(const NodeId& node, wire::PeerMessage message);
    void send_to_address(const std::string& address, wire::PeerMessage message);
    void log(Severity severity, std::string text);
    /// The member's name, or the first digits of its id.
    [[nodiscard]] std::string name_of(const NodeId& node) const;
};

}  // namespace dynamo
