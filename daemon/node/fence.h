// The fence: how long ago a state may have been read from a record to be stored here (past paper
// section 4.4: what was deleted must not come back when its tombstone is gone).
//
// Every member has a number. It goes from e to e+1 when every member has been at e, and never while
// the node keeps hints, or records that it does not own. Whoever sends a state says at which number
// it was read; whoever is more than one ahead of that refuses it. So a state that no owner has
// changed for some numbers is in no message, hint or old copy in another form, and what it has
// superseded cannot come back when the tombstone goes (daemon/node/repair/purge.h).
//
//     notes "fence"   u64 number
//
// A node that finds itself two behind was put back as it was some time ago. It is *out of date*: it
// stores and tells nothing until it knows from the others, and then gives up what it holds. What it
// acknowledged by then would be lost. So a node that starts is *unsure*, and stores nothing, until
// one other member has told its number.
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

    /// Whether a state that was read at `stamp` may be stored: at the number before this one it
    /// may, for a member that keeps hints for one that is away stays there.
    [[nodiscard]] bool takes(std::uint64_t stamp) const {
        return !out_of_date() && !unsure_ && stamp + 1 >= number_;
    }

    /// Until that succeeds the node is out of date, as far as it knows.
    [[nodiscard]] Result<void> read(Storage& storage);
    [[nodiscard]] bool is_known() const { return is_known_; }
    /// Whether there was a note at all.
    [[nodiscard]] bool is_noted() const { return is_noted_; }

    [[nodiscard]] bool unsure() const { return unsure_; }
    void sure() { unsure_ = false; }
    /// Written in the present transaction.
    [[nodiscard]] Result<void> set(Storage& storage, std::uint64_t number);

    [[nodiscard]] bool out_of_date() const { return out_of_date_ || !is_known_; }
    void out_of_date(bool is) { out_of_date_ = is; }

  private:
    std::uint64_t number_ = 0;
    bool out_of_date_ = false;
    bool is_known_ = false;
    bool is_noted_ = false;
    bool unsure_ = true;
};

}  // namespace dynamo
