// The fence: how long ago a state may have been read from a record to be stored here (correctness
// past paper section 4.4: a delete must not come back when its tombstone is gone).
//
// Every member has a number. It goes from e to e+1 when every member has been at e, and never while
// the node keeps hints, or records that it does not own. Whoever sends a state says at which number
// it was read; whoever is more than one ahead of that refuses it. So a state that no owner has
// changed for three numbers is in no message, hint or old copy in another form, and what it has
// superseded cannot come back when the tombstone goes (daemon/node/repair/purge.h).
//
//     notes "fence"   u64 number
//
// A node that finds itself two behind was put back as it was some time ago. It is *out of date*:
// it stores and tells nothing until it knows from the others, and then gives up what it holds.
//
// Threads: one; the node's
// Errors:  those of storage; after a failed commit read() again
#pragma once

#include <cstdint>

#include "daemon/storage/storage.h"

namespace dynamo {

class Fence {
  public:
    [[nodiscard]] std::uint64_t number() const { return number_; }

    /// Whether a state that was read at `stamp` may be stored. An owner takes those of the number
    /// before its own, for others may not have heard of its own yet.
    [[nodiscard]] bool takes(std::uint64_t stamp, bool as_owner) const {
        return !out_of_date() && stamp + (as_owner ? 1 : 0) >= number_;
    }

    /// Until that succeeds the node is out of date, as far as it knows.
    [[nodiscard]] Result<void> read(Storage& storage);
    [[nodiscard]] bool is_known() const { return is_known_; }
    /// Written in the present transaction.
    [[nodiscard]] Result<void> set(Storage& storage, std::uint64_t number);

    [[nodiscard]] bool out_of_date() const { return out_of_date_ || !is_known_; }
    void out_of_date(bool is) { out_of_date_ = is; }

  private:
    std::uint64_t number_ = 0;
    bool out_of_date_ = false;
    bool is_known_ = false;
};

}  // namespace dynamo
