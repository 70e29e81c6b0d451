// The network: packets of real encoded bytes between numbered ends, and everything that can become
// of them on the way.
//
//     send ──► dropped
//          ├─► delayed ──► delivered            (reordered when links do not keep order)
//          ├─► delayed twice ──► delivered twice
//          ├─► kept back, and delivered once more long after
//          └─► cut: lost, or held until the cut is mended, as a reconnecting transport would
//
// Shape:   ends are nodes and clients, numbered by the cluster; links are directed
// Threads: one
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "libdynamo/wire/peer_frames.h"
#include "tests/sim/chance.h"
#include "tests/sim/timeline.h"

namespace dynamo::sim {

struct NetworkOptions {
    Duration least{100};                        ///< delay of a packet
    Duration most{2000};                        ///< usually
    double drop = 0;                            ///< probability
    double duplicate = 0;                       ///< probability
    double slow = 0;                            ///< probability of a delay up to `slowest`
    Duration slowest{1500000};                  ///< longer than any time-out between peers
    double late = 0;                            ///< probability of a replay, long after
    Duration latest{std::chrono::seconds(90)};  ///< of those
    bool reorder = true;                        ///< packets of one link may overtake each other
    double held_when_cut = 0.5;  ///< probability that a packet waits for the cut's end
};

/// Ends below this number are nodes, the others clients.
inline constexpr unsigned first_client = 100;

struct Packet {
    unsigned from = 0;
    unsigned to = 0;
    wire::Frames frames;
};

class Network {
  public:
    using Deliver = std::function<void(const Packet&)>;

    /// Told what becomes of a packet that does not simply arrive: "lost", "lost in a cut", ...
    using Tell = std::function<void(const Packet&, const char* what)>;

    Network(Timeline& timeline, Chance chance, NetworkOptions options, Deliver deliver);
    void tell_of_losses(Tell tell) { tell_ = std::move(tell); }

    /// `repeatable`: a transport that reconnects may deliver it more than once.
    void send(Packet packet, bool repeatable);

    /// Cuts one direction. Cuts add up: each is mended once.
    void cut(unsigned from, unsigned to);
    void mend(unsigned from, unsigned to);
    [[nodiscard]] bool is_cut(unsigned from, unsigned to) const;
    /// Nothing of this direction arrives before `until`; nothing is lost.
    void clog(unsigned from, unsigned to, Instant until);

    /// From now on nothing is lost, repeated or slow; cuts and clogs are over, and what was to be
    /// replayed later arrives within a second.
    void heal();
    /// Whether faults are on: before this, and until heal(), the network is well.
    void disturb(bool on) { disturbed_ = on; }

    struct Counts {
        std::uint64_t sent = 0;
        std::uint64_t dropped = 0;
        std::uint64_t duplicated = 0;
        std::uint64_t replayed = 0;
        std::uint64_t held = 0;
    };
    [[nodiscard]] const Counts& counts() const { return counts_; }

  private:
    struct Link {
        std::uint64_t packets = 0;
        unsigned cuts = 0;
        Instant last_arrival;
        Instant clogged_until;
        std::vector<Packet> held;
    };
    void arrange(Link& link, Packet packet, Random& random);
    [[nodiscard]] Duration delay(Random& random) const;
    void replay(std::uint64_t number);
    void tell(const Packet& packet, const char* what) const {
        if (tell_) tell_(packet, what);
    }

    Timeline& timeline_;
    Chance chance_;
    NetworkOptions options_;
    Deliver deliver_;
    Tell tell_;
    bool disturbed_ = false;
    std::map<std::pair<unsigned, unsigned>, Link> links_;
    std::map<std::uint64_t, Packet> late_;  ///< to be replayed, by a number of their own
    std::uint64_t late_count_ = 0;
    Counts counts_;
};

}  // namespace dynamo::sim
