// What operators see and steer of a node's background work (dyn-repair(1)).
//
// Shape:   a page of pairs, and a slice of a scrub, are bounded
// Threads: one; the node's
// Errors:  bad_request for a partition that is not owned here; storage
#pragma once

#include "daemon/node/desk.h"
#include "daemon/node/local/objects.h"
#include "daemon/node/repair/exchange.h"
#include "daemon/node/repair/mend.h"

namespace dynamo {

[[nodiscard]] wire::RepairReply repair_status(Desk& desk, const Objects& objects,
                                              const Exchange& exchange, const Mend& mend,
                                              const wire::RepairRequest& request);
[[nodiscard]] Result<wire::ThrottleReply> set_throttle(Desk& desk,
                                                       const wire::ThrottleRequest& request);
[[nodiscard]] Result<wire::ScrubReply> scrub(Desk& desk, Objects& objects,
                                             const wire::ScrubRequest& request);
[[nodiscard]] Result<wire::CheckReply> check_tree(Desk& desk, Objects& objects,
                                                  const wire::CheckRequest& request);

}  // namespace dynamo
