// Anti-entropy (paper section 4.7): two owners of a partition compare their Merkle trees from the
// top down, then, under the leaves that differ, (row, digest) stretch by stretch, and give each
// other what the other lacks.
//
//     A  TreeOffer  sums of nodes ──────────────────────────────────────────────►  B
//     A  ◄───────────────────────────────── TreeReply: those that differ           B   deeper, or:
//     A  ExchangeOffer [first, last) rows+digests ──────────────────────────────►  B
//     A  ◄──── ExchangeReply: states that A lacks or B holds differently, rows that B wants   B
//     A  WriteRequest for each of those ────────────────────────────────────────►  B   next stretch
//
// Every state is merged, so both ends have the join; nothing is overwritten, nothing is deleted.
// The states are in the answer itself: at the end of a pass A has everything that B held, for
// certain; what B was given may be lost on the way, and is found again when it is compared next.
// One pass over one partition with one other owner runs at a time; silence abandons it. Trees know
// nothing of bits that rot: one turn in so many with a partner reads all records instead, and so
// does one for which either end has no tree.
//
// A partition whose stored copy was lost (a wiped shard under a living identity) is *rebuilding*:
// it takes writes, and answers no read, until passes with enough other owners are complete:
// min(N-1, N-W+1) of them that are not rebuilding themselves, or all of them, for then there is
// nobody left to learn from. That is noted in storage, so that a restart goes on.
//
// All of it is paid for (budget.h): a pass rests between two stretches as long as the budget of
// either end asks for. Turns are so close that every other owner of every partition is compared
// with twice within options.exchange_pass, so that one that was abandoned has another turn; and
// never further apart than options.exchange_interval, for equal trees cost one small message. What
// jobs want (jobs.h) is compared between those turns, as fast as the budgets allow, and before it
// what a change of the ring moves (transfer.h). A node that hands a partition over has each state
// that it gives confirmed; otherwise what is lost on the way is found again by the next comparison.
//
// Shape:   an offer is bounded in rows and octets, and so is what is sent for one
// Threads: one; the node's
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "daemon/node/desk.h"
#include "daemon/node/local/objects.h"
#include "daemon/node/membership/liveness.h"
#include "daemon/node/repair/jobs.h"
#include "daemon/node/repair/transfer.h"

namespace dynamo {

/// Whether a ring was there when the process started, or was adopted in the present step.
enum class RingCame : std::uint8_t { at_start, just_now };

class Exchange {
  public:
    Exchange(Desk& desk, Objects& objects, Liveness& liveness, Jobs& jobs, Transfer& transfer);

    /// Follows the ring of `desk.routes`. Called at start, and in the step in which a ring is
    /// adopted. At start it reads the notes; a member without any has lost its storage, for a ring
    /// adopted just now is noted at once. Does nothing while waiting.
    [[nodiscard]] Result<void> on_ring(RingCame came);
    /// The same ring, of which other lists are live.
    void on_lists();
    /// The commit of the present step failed: abandons the pass and goes back to what
    /// storage notes.
    void rolled_back();
    /// All that was stored here is gone, in the present step: it is rebuilt.
    [[nodiscard]] Result<void> given_up();
    /// `ring`: the number of the sender's.
    void on(const NodeId& from, std::uint64_t ring, const wire::ExchangeOffer& offer);
    void on(const NodeId& from, const wire::ExchangeReply& reply);
    void on(const NodeId& from, std::uint64_t ring, const wire::TreeOffer& offer);
    void on(const NodeId& from, const wire::TreeReply& reply);
    /// What was handed over is stored, or not.
    void on(const NodeId& from, const wire::WriteReply& reply);
    void tick();
    [[nodiscard]] Instant wake_at() const;
    /// Full passes completed, for `stats` and the simulator.
    [[nodiscard]] std::uint64_t passes() const { return passes_; }

    /// This node's comparisons of a partition with another owner of it.
    struct Together {
        Instant since;                  ///< the last one was complete, or it became due
        bool compared = false;          ///< since the process started
        std::uint64_t differences = 0;  ///< that the last one found
        std::optional<std::size_t> turns;
        Instant before;  ///< `since`, until the last one
        bool compared_before = false;
    };
    using Pairs = std::map<std::pair<std::uint16_t, NodeId>, Together>;
    /// All that there are.
    [[nodiscard]] const Pairs& pairs() const { return pairs_; }

  private:
    /// Notes that could not be read or written are tried again after that; meanwhile this node
    /// answers no reads.
    static constexpr Duration notes_again = std::chrono::seconds(1);
    /// What is compared with whom at present.
    struct Pass {
        std::uint16_t partition = 0;
        NodeId partner;
        std::string job;                         ///< that wanted it; empty: it was its turn
        std::optional<Transfer::Turn> transfer;  ///< that it is part of
        std::set<std::uint64_t> unconfirmed;     ///< of what is handed over, by request
        bool all_compared = false;               ///< only confirmations are awaited
        Instant began;
        bool complete = true;  ///< the partner is not rebuilding itself
        // Nodes of the tree that are compared; none when rows are.
        unsigned level = 0;
        std::vector<std::uint32_t> nodes;
        // Rows that are compared.
        Bytes first;                   ///< of this range, all before it is compared and merged here
        Bytes end;                     ///< of this range; empty: the partition's
        std::vector<RowRange> ranges;  ///< still to come, the next one last
        // The offer that waits for its answer.
        std::uint64_t id = 0;
        std::vector<Bytes> rows;  ///< sorted
        Bytes last;
        Instant sent;
        bool resent = false;
        bool resting = false;  ///< the next offer is not sent before `rests_until`
        Instant rests_until;
        std::uint64_t differences = 0;
    };
    struct Pair {
        std::uint16_t partition = 0;
        NodeId partner;
        std::string job;  ///< as of a Pass
        std::optional<Transfer::Turn> transfer{};
    };
    struct Rebuild {
        std::set<NodeId> passed;           ///< owners with whom a pass has ended
        std::set<NodeId> complete;         ///< those of them that were not rebuilding
        std::map<NodeId, Bytes> compared;  ///< how far an abandoned pass had come
        std::size_t attempts = 0;
    };

    [[nodiscard]] Result<void> read_notes();
    void wait_for_notes();
    void note_again();
    [[nodiscard]] Result<void> write_notes();
    /// Has Objects answer no read of what is being rebuilt.
    [[nodiscard]] bool end_rebuilds();
    void close_to_reads();
    [[nodiscard]] bool is_rebuilt(std::uint16_t partition, const Rebuild& rebuild) const;
    void rebuilt_from(const Pass& pass);

    /// Follows the ring with the pairs.
    void pair_up();
    [[nodiscard]] Duration between_turns() const;
    /// When the next pass may begin; never while there is nobody to compare with.
    [[nodiscard]] Instant next_start() const;
    [[nodiscard]] std::optional<Pair> next_to_rebuild();
    [[nodiscard]] std::optional<Pair> next_in_turn();
    [[nodiscard]] std::optional<Pair> next_of_jobs();
    [[nodiscard]] std::optional<Pair> next_of_transfers();
    [[nodiscard]] bool hands_over() const {
        return pass_->transfer && pass_->transfer->kind == Transfer::Kind::leave;
    }
    /// Whether an offer for the partition is answered; otherwise why not.
    [[nodiscard]] wire::PeerStatusCode takes_part(const NodeId& from, std::uint64_t ring,
                                                  std::uint16_t partition) const;
    void start(const Pair& pair);
    /// Goes on when the budgets of both ends allow it.
    void go_on(Duration partner_asks);
    /// Sends what is compared at present.
    void offer();
    /// Sets out from the upper levels.
    void begin_with(const Tree& tree);
    void offer_nodes(const Tree& tree);
    /// Goes on with the children of nodes that differ, or with the rows under them.
    void descend(const Tree& tree, const wire::TreeReply& reply);
    void compare_rows_under(const std::vector<std::uint32_t>& nodes);
    void compare_all_rows();
    void offer_stretch();
    [[nodiscard]] Result<wire::ExchangeOffer> make_offer();
    [[nodiscard]] bool belongs(const wire::ExchangeReply& reply) const;
    [[nodiscard]] Result<bool> merge(const std::vector<wire::ExchangeState>& states,
                                     std::uint64_t stamp);
    /// The octets of it.
    [[nodiscard]] Result<Bytes> to_be_given(const Slot& slot);
    [[nodiscard]] Result<std::size_t> give(const std::vector<Bytes>& rows);
    void finish_pass();
    void abandon_pass();
    /// The job that wanted the pass has to rest: it begins again where nothing differs any more.
    void put_off_pass();

    Desk& desk_;
    Objects& objects_;
    Liveness& liveness_;
    Jobs& jobs_;
    Transfer& transfer_;
    Instant transfers_rest_until_;
    std::map<std::uint16_t, Rebuild> rebuilds_;
    bool notes_unread_ = false;  ///< storage could not be read when the ring came
    Instant notes_at_;           ///< not written, nor read again, before
    bool notes_due_ = false;     ///< what is noted in storage is not what is held here
    std::optional<Pass> pass_;
    Instant next_turn_;
    std::size_t turn_ = 0;          ///< place in the round: of the partition among those owned,
    std::size_t turn_owner_ = 0;    ///< and of the owner in its list
    std::uint16_t rebuild_at_ = 0;  ///< the partition that is looked at first
    std::uint64_t passes_ = 0;
    Pairs pairs_;
};

}  // namespace dynamo
