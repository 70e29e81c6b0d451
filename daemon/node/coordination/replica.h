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

    void on(const NodeId& from, const wire::ReadRequest& request);
    void on(const NodeId& from, const wire::WriteRequest& request);

  private:
    [[nodiscard]] wire::PeerStatusCode store(const wire::WriteRequest& request);

    Service& service_;
};

}  // namespace dynamo
