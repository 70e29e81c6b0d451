// Transfer: what a change of the ring moves (paper section 4.9), partition by partition.
//
//     gain    an owner of the newest list ◄── passes with a fence of owners of each older live list
//             all learnt ──► on the disk for certain ──► noted in the ring: complete here
//     leave   a node in no live list ──► passes with every owner of the newest list, each of which
//             confirms what it is given ──► dropped here
//
// This decides what is to be compared with whom; exchange.h compares. A pass begins under the ring
// of this node, and whoever does not know that ring, or stands in no live list of it, does not
// answer; so what is learnt in a pass is all that the other acknowledged under older rings. Another
// list of the partition, and counting begins again; what has come stays.
//
// Shape:   one partition and one partner at a time; what fails rests for a while
// Threads: one; the node's
// Errors:  storage, which is asked again later
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "daemon/node/desk.h"
#include "daemon/node/local/objects.h"
#include "daemon/node/membership/liveness.h"

namespace dynamo {

class Transfer {
  public:
    Transfer(Desk& desk, Objects& objects, Liveness& liveness)
        : desk_(desk), objects_(objects), liveness_(liveness) {}

    /// Lists of owners may be others. Called at start too.
    void on_ring();
    /// This node's own copy of a partition may count again, for it is rebuilt.
    void on_rebuilt() { follow_gains(); }
    /// The commit of the present step failed: what was learnt in it is gone.
    void rolled_back();

    enum class Kind : std::uint8_t { gain, leave };
    struct Turn {
        std::uint16_t partition = 0;
        NodeId partner;
        Kind kind = Kind::gain;
        std::uint64_t base = 0;     ///< of the oldest live list when the pass began; of a gain
        std::uint64_t version = 0;  ///< of the newest
    };
    /// What is to be compared next; none while there is nothing, or nobody answers.
    [[nodiscard]] std::optional<Turn> next();
    /// Before this there is no next().
    [[nodiscard]] Instant ready_at() const;
    /// A pass is complete. `whole`: the partner was not rebuilding its copy. Of a leave: all that
    /// it was given it has confirmed.
    void compared(const Turn& turn, bool whole);
    /// It did not come to its end.
    void failed(const Turn& turn);
    /// Whether the partition may be handed over to that node.
    [[nodiscard]] bool leaves(std::uint16_t partition) const { return leaves_.contains(partition); }

    void tick();
    [[nodiscard]] Instant wake_at() const;
    /// Partitions that are complete here and on the disk since the last call.
    [[nodiscard]] std::set<std::uint16_t> take_complete();
    /// Whether this node holds nothing any more of what it does not serve: what was dropped in the
    /// present step may come back when its commit fails.
    [[nodiscard]] bool has_left() const { return !looks_again_ && leaves_.empty() && !dropped_at_; }
    /// Told in each step whether this node has left and holds nothing, hints included. Puts that on
    /// the disk: with buffered writes what was delivered last could come back with a loss of power,
    /// and nobody would take it any more. True once it is there.
    [[nodiscard]] bool is_emptied(bool holds_nothing);

    [[nodiscard]] std::size_t gaining() const { return gains_.size(); }
    [[nodiscard]] std::size_t leaving() const { return leaves_.size(); }

  private:
    struct Gain {
        std::uint64_t base = 0;     ///< of the oldest live list when counting began
        std::uint64_t version = 0;  ///< of the newest
        std::set<NodeId> learnt;    ///< owners all of whose copies are merged here
        Instant rests_until;
    };
    struct Leave {
        std::uint64_t version = 0;   ///< of the list that it is handed over to
        std::set<NodeId> confirmed;  ///< its owners that have all of it
        Instant rests_until;
    };
    void follow_gains();
    void follow_leaves();
    [[nodiscard]] bool has_records(std::uint16_t partition);
    [[nodiscard]] bool is_enough(std::uint16_t partition, const Gain& gain) const;
    [[nodiscard]] std::vector<NodeId> sources(std::uint16_t partition, const Gain& gain) const;
    [[nodiscard]] std::vector<NodeId> takers(std::uint16_t partition, const Leave& leave) const;
    [[nodiscard]] std::optional<Turn> next_gain();
    [[nodiscard]] std::optional<Turn> next_leave();
    [[nodiscard]] bool has_gone() const;
    [[nodiscard]] bool is_confirmed(std::uint16_t partition, const Leave& leave) const;
    void drop_confirmed();
    void seal();
    [[nodiscard]] bool put_down();

    Desk& desk_;
    Objects& objects_;
    Liveness& liveness_;
    std::map<std::uint16_t, Gain> gains_;
    std::map<std::uint16_t, Leave> leaves_;
    std::set<std::uint16_t> served_;  ///< when on_ring() was last called
    bool looks_again_ = true;         ///< whether all partitions have to be looked through
    std::uint16_t gain_at_ = 0;       ///< the partition that is looked at first
    std::uint16_t leave_at_ = 0;
    std::set<std::uint16_t> learnt_;   ///< complete, and not on the disk for certain yet
    std::set<std::uint16_t> sealed_;   ///< on the disk once the present commit succeeds
    std::set<std::uint16_t> durable_;  ///< on the disk
    Instant seal_at_ = Instant::max();
    Instant sealed_at_;
    std::optional<Instant> dropped_at_;  ///< until the commit of that step is known to be good
    std::optional<Instant> emptied_at_;  ///< when it was put down that nothing is held
};

}  // namespace dynamo
