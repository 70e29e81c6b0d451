// How fast a node does its background work: admission control (paper section 6.5).
//
//     latencies of requests ──► p99 of the last seconds ──► rate ──► when each kind may go on
//                                                            ▲
//                                    octets that were read or moved in the background
//
// Every kind of work pays for what it did before it may do more, each an equal share of the rate,
// so that none waits for another to end. The rate is a feedback controller's: while the p99 of the
// requests led here is above its target it halves every second, while well below and the work could
// use more it grows by a quarter. It never falls below a floor: background work always comes to an
// end. With hardly any requests there is nobody to disturb, and the rate is as good as none.
//
// The target is what an operator set, or else one and a half times what p99 is while next to
// nothing is done in the background; that is learnt anew whenever it is so.
//
// Shape:   rates in octets a second; a record counts for its octets and 1024 more
// Threads: one; the node's
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "dynamo/histogram.h"
#include "libdynamo/base/time.h"
#include "libdynamo/wire/upkeep_messages.h"

namespace dynamo {

class Budget {
  public:
    /// The kinds of background work.
    enum class Kind : std::uint8_t { handback, exchange, trees, scrub };

    static constexpr std::uint64_t least_rate = 1u << 20;
    static constexpr std::uint64_t most_rate = 1u << 30;

    /// `target`: p99 to stay below; 0: to be learnt.
    Budget(Duration target, Instant start) : fixed_target_(target), slice_ends_(start + slice) {}

    /// A request that is led here was answered.
    void answered(Instant now, Duration took);
    /// Background work of this kind has read or moved so much.
    void spend(Kind kind, std::size_t records, std::size_t octets, Instant now);
    /// How long it takes until what the kind has spent is paid for, at the present pace.
    [[nodiscard]] Duration owed(Kind kind, Instant now);
    /// When the kind may go on, or is to ask again, for the pace may be another by then; not after
    /// `now` if it may go on now.
    [[nodiscard]] Instant ready(Kind kind, Instant now);
    [[nodiscard]] bool may_go_on(Kind kind, Instant now) { return ready(kind, now) <= now; }

    /// Sets the rate by hand; 0: lets latency decide again.
    void fix(std::uint64_t rate, Instant now);
    /// Octets a second, of all kinds together.
    [[nodiscard]] std::uint64_t rate() const;
    /// All of it, for `repair` and `stats`.
    [[nodiscard]] wire::Pace pace(Instant now);

  private:
    static constexpr Duration slice = std::chrono::seconds(1);
    static constexpr std::size_t slices = 5;
    static constexpr std::size_t kinds = 4;

    /// What happened within one second.
    struct Slice {
        Histogram latencies;
        double spent = 0;
    };
    struct Account {
        double debt = 0;  ///< octets to be paid before the kind goes on
        Instant as_of;
        Instant last_spent;
        bool used = false;
    };
    void advance(Instant now);
    /// A second is over: decides on the rate.
    void decide();
    void settle(Account& account, Instant now) const;
    /// Octets a second for one kind: an equal part for each that has worked lately.
    [[nodiscard]] double share(Instant now) const;
    [[nodiscard]] Duration target() const;

    Duration fixed_target_;
    Instant slice_ends_;
    std::array<Slice, slices> window_;
    std::size_t present_ = 0;
    std::array<Account, kinds> accounts_;
    std::uint64_t by_hand_ = 0;
    std::uint64_t controlled_ = least_rate;
    bool idle_ = true;
    Duration p99_{0};
    Duration undisturbed_{0};  ///< p99 while next to nothing is done; 0: not known
};

}  // namespace dynamo
