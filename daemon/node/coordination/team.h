// A team: the first N healthy nodes that one request is sent to, and who steps in for whom
// (paper sections 4.5, 4.6: sloppy quorum).
//
//     owner healthy       ──► it is asked itself
//     owner suspected     ──► the next healthy fallback is asked in its name
//     silent for a while  ──► asked once more, then a fallback in its name
//     no fallback left    ──► nobody: the coordinator keeps what was meant for it
//
// While a partition moves its owners are those of all live lists (libdynamo/ring/transition.h).
//
// Shape:   one place per owner, in preference order; every node fills at most one place
// Threads: one; the node's
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/node/desk.h"
#include "daemon/node/membership/liveness.h"

namespace dynamo {

class Team {
  public:
    struct Place {
        NodeId owner;  ///< the preference list's node
        NodeId asked;  ///< who is asked now: the owner, a stand-in, or none
        Instant asked_at;
        int asks = 0;          ///< of the node in `asked`
        bool settled = false;  ///< nothing more is awaited from `asked`
        [[nodiscard]] bool by_stand_in() const { return asked != owner; }
        [[nodiscard]] bool by_nobody() const { return asked.is_none(); }
    };

    Team() = default;
    /// Fills the places. `self` counts as healthy. With `self_stands_for` set, self takes that
    /// owner's place first.
    Team(const Desk& desk, const Liveness& liveness, std::uint16_t partition,
         const NodeId& self_stands_for = {});

    [[nodiscard]] std::vector<Place>& places() { return places_; }
    [[nodiscard]] const std::vector<Place>& places() const { return places_; }
    /// The owners whose places somebody fills.
    [[nodiscard]] std::vector<NodeId> filled() const;
    /// The place that `node` owns, fills, or filled before it was silent; null when none.
    [[nodiscard]] Place* place_of(const NodeId& node);
    /// Why a place is given to somebody else.
    enum class Because : std::uint8_t {
        refused,  ///< it answered that it cannot, or nobody listens there
        silent,   ///< it may only be slow: its answer is still welcome
    };
    /// Puts the next healthy fallback into the place, or nobody.
    void replace(const Desk& desk, const Liveness& liveness, Place& place, Because because);
    /// Another ring: whose place is no owner's any more leaves, and so does a stand-in that has
    /// become an owner; who has become one is taken in, and not asked yet.
    void follow(const Desk& desk, const Liveness& liveness);
    [[nodiscard]] bool all_settled() const;
    /// Whether a place that nobody fills now may yet be answered by someone who was only silent.
    [[nodiscard]] bool may_be_answered_late() const;
    /// Nobody listens there: nothing late comes from it.
    void forget_late(const NodeId& node);
    /// When the first unsettled place has been silent for `patience`; none when all are settled.
    [[nodiscard]] std::optional<Instant> next_silence(Duration patience) const;

  private:
    [[nodiscard]] bool in_use(const NodeId& node) const;

    std::uint16_t partition_ = 0;
    std::vector<Place> places_;
    struct GaveUp {
        NodeId node;
        std::size_t place = 0;
        bool only_silent = false;
    };
    std::vector<GaveUp> gave_up_;  ///< who was asked before for a place
};

}  // namespace dynamo
