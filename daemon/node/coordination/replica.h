// The replica's side: answering another node's read, and storing what it sends (paper section 4.5).
//
// Everything that arrives is merged: replication, hints, handback, read repair and exchange are one
// message and one way to store.
//
// Threads: one; the node's
// Errors:  told as PeerStatusCode; a failed read is never an empty answer
#pragma once

#include "daemon/node/coordination/service.h"

namespace dynamo {

class Replica {
  public:
    explicit Replica(Service& service) : service_(service) {}

    /// `ring`: the number of the sender's. False when that is behind and has to be told ours: what
    /// it counts on may not hold any more.
    [[nodiscard]] bool on(const NodeId& from, std::uint64_t ring, const wire::ReadRequest& request);
    [[nodiscard]] bool on(const NodeId& from, std::uint64_t ring,
                          const wire::WriteRequest& request);

  private:
    /// Whether this node may answer for the partition, as an owner or as a stand-in for one.
    [[nodiscard]] wire::PeerStatusCode may_serve(std::uint64_t ring, std::uint16_t partition,
                                                 const NodeId& hint_for) const;
    [[nodiscard]] wire::PeerStatusCode read(const wire::ReadRequest& request, std::uint64_t ring,
                                            Bytes& state);
    [[nodiscard]] wire::PeerStatusCode store(const wire::WriteRequest& request, std::uint64_t ring);

    Service& service_;
};

}  // namespace dynamo
