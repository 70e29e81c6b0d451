// Comparing what this node holds of a stretch with what another owner offers: the receiver's half
// of an exchange (paper section 4.7). It keeps nothing between two offers.
//
// Shape:   the answer is bounded in states and octets; `resume` says where the bound was reached
// Threads: one; the node's
// Errors:  storage: nothing of the answer is of use
#pragma once

#include <optional>

#include "daemon/node/desk.h"
#include "daemon/node/local/objects.h"

namespace dynamo {

/// What an offer says of a record: the digest of its object, or nothing when it is damaged. The
/// other end may then give its own state, and asks for none.
[[nodiscard]] Bytes exchange_digest(BytesView row, BytesView record);

/// Whether an offer is well formed: rows ascending and within the stretch, digests of their length.
[[nodiscard]] bool is_sound(const wire::ExchangeOffer& offer);

/// Whether an offer of tree nodes is well formed.
[[nodiscard]] bool is_sound(const wire::TreeOffer& offer);
/// Those of a sound offer, no deeper than `tree`, that are different in it.
[[nodiscard]] std::vector<std::uint32_t> different_nodes(const Tree& tree,
                                                         const wire::TreeOffer& offer);

/// Fills in the answer to a sound offer of a partition that this node owns.
[[nodiscard]] Result<void> compare(Desk& desk, Objects& objects, const wire::ExchangeOffer& offer,
                                   wire::ExchangeReply& reply);

}  // namespace dynamo
