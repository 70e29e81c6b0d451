// What a node keeps of deletes, and what it waits for before they may be forgotten (dyn-repair(1),
// gc): what the purge knows, told to operators.
//
// Shape:   a page of records is bounded, the reasons are a few for each member
// Threads: one; the node's
// Errors:  bad_request for a place that no page has told; storage
#pragma once

#include "daemon/node/desk.h"
#include "daemon/node/local/objects.h"
#include "daemon/node/membership/liveness.h"
#include "daemon/node/repair/purge.h"

namespace dynamo {

[[nodiscard]] Result<wire::GcReply> gc_status(Desk& desk, const Objects& objects,
                                              const Liveness& liveness, Purge& purge,
                                              const wire::GcRequest& request);

}  // namespace dynamo
