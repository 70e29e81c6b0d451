// Inspection: what this node alone holds, as clients see it; nobody else is asked.
//
//     peek    one key: the node's own copy and every hint that it keeps for an owner
//     keys    a page of the keys of a partition
//     tree    sums of its Merkle tree (paper section 4.7)
//     roots   the roots of several trees
//
// Shape:   a page examines at most `rows_examined` rows, so that one request never holds the loop
// Threads: one; the node's
// Errors:  storage; bad_request for a partition that is not owned here; a damaged record is
//          reported as such and never left out
#pragma once

#include "daemon/node/local/objects.h"

namespace dynamo {

inline constexpr std::size_t rows_examined = 4096;  ///< for one page of keys
inline constexpr std::size_t rows_returned = 1000;  ///< in one page of keys

/// How many differing live values readers of this cluster are shown.
[[nodiscard]] std::size_t values_shown(const Desk& desk, const Object& object);

/// Version by version, as they are stored.
[[nodiscard]] std::vector<wire::VersionReply> versions_of(const Object& object);

[[nodiscard]] Result<wire::PeekReply> peek(const Desk& desk, Objects& objects, BytesView key);
[[nodiscard]] Result<wire::KeysReply> list_keys(const Desk& desk, Objects& objects,
                                                const wire::KeysRequest& request);
[[nodiscard]] Result<wire::TreeNodesReply> list_nodes(const Desk& desk, Objects& objects,
                                                      const wire::TreeRequest& request);
[[nodiscard]] Result<wire::RootsReply> list_roots(const Desk& desk, Objects& objects,
                                                  const wire::RootsRequest& request);

}  // namespace dynamo
