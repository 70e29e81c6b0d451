// Handback: hints return to their owners (paper section 4.6, hinted handoff).
//
//     hint stored ──► owner healthy ──► sent ──► owner has it durably ──► erased, if unchanged
//                          ▲              │ silence
//                          └──────────────┘
//
// A hint that counted towards W is data: it never expires, and is erased only when the owner has
// acknowledged exactly what is stored. Delivery goes on after every restart. A hint for a node that
// is no owner of its key any more goes to all present owners, each of which must confirm.
//
// Shape:   a bounded number of hints, and of their octets, in flight at a time (admission control,
//          paper section 6.5); each owner's hints are looked through piece by piece
// Threads: one; the node's
#pragma once

#include <map>
#include <set>
#include <vector>

#include "daemon/node/desk.h"
#include "daemon/node/local/objects.h"
#include "daemon/node/membership/liveness.h"

namespace dynamo {

class Handback {
  public:
    Handback(Desk& desk, Objects& objects, Liveness& liveness);

    /// An owner answered; true when `id` was one of ours.
    bool on(const NodeId& from, const wire::WriteReply& reply);
    /// Someone who was suspected is heard again: look at once.
    void on_heard(const NodeId& node);
    void tick();
    [[nodiscard]] Instant wake_at() const;
    /// Looks at all hints at once, those that were declined too.
    void flush();

  private:
    struct Delivery {
        Slot slot;
        Digest digest{};           ///< of the record's bytes when it was sent
        std::size_t bytes = 0;     ///< that it counts for in flight
        std::set<NodeId> waiting;  ///< owners that have not confirmed
        std::uint64_t ring = 0;    ///< the ring whose owners these are
        Instant sent;
    };
    /// How far the hints for one owner have been looked through, and when the next look is due.
    struct Look {
        Bytes next_row;
        Instant due;
        bool waits_for_room = false;  ///< stopped because too much was in flight
    };
    struct Found {
        Slot slot;
        Bytes record;
    };
    [[nodiscard]] std::vector<NodeId> targets(const Slot& slot) const;
    /// Whether a look at the hints for `owner` may find one to send.
    [[nodiscard]] bool worth_a_look(const NodeId& owner) const;
    [[nodiscard]] bool all_healthy(const std::vector<NodeId>& nodes) const;
    void count_again();
    void look(const NodeId& owner, Look& present);
    [[nodiscard]] Result<std::vector<Found>> find(const NodeId& owner, Look& present);
    void deliver(Found found);
    [[nodiscard]] bool take_over(const Slot& hint, BytesView object);
    void expire();
    void open_looks();
    void land(std::map<std::uint64_t, Delivery>::iterator at);
    void erase(const Delivery& delivery);
    void look_again(const NodeId& owner, Duration after);

    Desk& desk_;
    Objects& objects_;
    Liveness& liveness_;
    std::map<std::uint64_t, Delivery> deliveries_;
    std::set<Bytes> in_flight_;  ///< storage keys of the hints in `deliveries_`
    std::size_t bytes_in_flight_ = 0;
    std::map<NodeId, Look> looks_;
    NodeId last_served_;
    Instant paid_for_;    ///< no look before: the budget's
    Instant next_count_;  ///< when the hints could not be counted
    bool damage_told_ = false;
};

}  // namespace dynamo
