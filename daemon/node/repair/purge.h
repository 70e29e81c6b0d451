// The purge: when a tombstone may go, and the entries of a clock that no sibling needs any more
// (past paper section 4.4; never by a clock on the wall).
//
//     every member answers  ──►  all have been at e  ──►  owners compare  ──►  reduce  ──►  e+1
//       (FenceAsk, FenceReply)                              (PurgeOffer, PurgeReply, PurgeOrder)
//
// *Raise.* A node that has something to reduce asks every member for its number. When all have
// reached its own, e, it goes to e+1, and so does whoever hears of e+1. It keeps no hints then, and
// no records but its own, and the ring is the one of all who answered. A member that is away stops
// this, and nothing else.
//
// *Reduce.* The first owner offers the others its records that nobody needs and that have not
// changed since e-4. What all hold alike, likewise unchanged, each of them reduces, if it is still
// so when it is told. Nothing of an older form exists then: it would bear a number that everybody
// refuses (daemon/node/fence.h).
//
// *Start.* What a node said in an earlier run may not hold any more: it could have been put back as
// it was before. So its answers count only when every member has heard of its new run, and hearing
// of a new run voids what the old one said.
//
// *Out of date.* A node that hears of a number two above its own was put back. It stores and tells
// nothing until at least half of the others have said so too; then it gives up what it holds and is
// rebuilt from them. If all say otherwise it goes on.
//
// Threads: one; the node's
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "daemon/node/desk.h"
#include "daemon/node/local/objects.h"

namespace dynamo {

class Purge {
  public:
    Purge(Desk& desk, Objects& objects);

    /// Reads the fence. A member that is alone has nobody to ask about it.
    [[nodiscard]] Result<void> start();
    /// Another ring: what members said under the old one is void.
    void on_ring();
    /// Of the same ring somebody who had left is done: what it said counts for nothing now.
    void on_peers();
    /// A member at `fence` has brought the ring that this node waited for.
    void on_joined(std::uint64_t fence) { be_sure(fence); }
    void rolled_back();
    /// A member speaks: the number of its fence, and whether its run is another than was known.
    void on_member(const NodeId& from, std::uint64_t fence, bool new_run);
    void on(const NodeId& from, const wire::FenceAsk& ask);
    /// `same_ring`: the sender's ring is ours.
    void on(const NodeId& from, const wire::FenceReply& reply, bool same_ring);
    void on(const NodeId& from, const wire::PurgeOffer& offer);
    void on(const NodeId& from, const wire::PurgeReply& reply);
    void on(const NodeId& from, const wire::PurgeOrder& order);
    void tick();
    [[nodiscard]] Instant wake_at() const;
    /// Makes the next step due now.
    void hurry();

    // What an operator may want to know (repair/gc.h); nothing here decides by it.
    /// What a member said last, and to what.
    struct Said {
        std::optional<Instant> unanswered;  ///< since when it owes an answer
        bool answered = false;              ///< since its run began, as far as is known
        bool same_ring = false;
        bool settled = false;
        Instant when;             ///< it answered
        std::uint64_t own = 0;    ///< this node's number at that time
        std::uint64_t fence = 0;  ///< its number, which every message tells
    };
    /// What became of what was offered in the last round.
    struct Objection {
        bool refused = false;       ///< it would not look at a batch
        std::uint64_t records = 0;  ///< that it holds otherwise, or has changed lately
    };
    [[nodiscard]] const std::map<NodeId, Said>& said() const { return said_; }
    [[nodiscard]] const std::map<NodeId, Objection>& objections() const { return objections_; }
    /// Of this node's own records, those that the last round could not read.
    [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }
    /// Partitions that this node does not own and holds records of.
    [[nodiscard]] Result<std::uint64_t> strays() const;
    /// The number at which a record may be reduced that was changed at `since`.
    [[nodiscard]] static std::uint64_t needed(std::uint64_t since);
    [[nodiscard]] Instant next_step() const { return std::max(next_step_, next_round_); }

    /// Whether all that this node holds was given up since the last call: the other parts must
    /// forget what they know of it.
    [[nodiscard]] bool take_given_up() { return std::exchange(given_up_, false); }
    /// Whether all members have heard of this run.
    [[nodiscard]] bool settled() const {
        return settled_ && !desk_.fence.out_of_date() && !desk_.fence.unsure();
    }

  private:
    struct Batch {
        std::uint64_t id = 0;
        std::uint16_t partition = 0;
        std::vector<wire::ExchangeItem> items;
        std::vector<std::size_t> agreed;  ///< owners that agreed, by item
        std::set<NodeId> waiting;
        Instant sent;
    };

    [[nodiscard]] bool is_alone() const;
    void be_sure(std::uint64_t told);
    [[nodiscard]] Duration interval() const;
    [[nodiscard]] bool all_answered() const;
    [[nodiscard]] Result<bool> has_work() const;
    void ask_members();
    void decide_if_out_of_date();
    void advance();
    /// The next records that may be reduced; none when there are none left.
    [[nodiscard]] std::optional<Batch> next_batch();
    void go_on();
    [[nodiscard]] Result<void> collect(Batch& batch);
    [[nodiscard]] bool may_go(std::uint64_t since, std::uint64_t fence) const;
    void offer(Batch batch);
    void note(const NodeId& from, const wire::PurgeReply& reply);
    void finish_batch();
    void reduce(std::uint16_t partition, const std::vector<wire::ExchangeItem>& items);
    void raise(std::uint64_t number);
    [[nodiscard]] Result<bool> may_raise();
    void give_up_all(std::uint64_t number);

    Desk& desk_;
    Objects& objects_;
    std::map<NodeId, std::uint64_t> asked_;    ///< members that owe an answer, with its number
    std::set<NodeId> heard_;                   ///< members that answered since this run began
    std::map<NodeId, std::uint64_t> reached_;  ///< what those said that count, in their present run
    std::map<NodeId, std::uint64_t> numbers_;  ///< what all said
    std::map<NodeId, Said> said_;              ///< by the other members
    std::map<NodeId, Objection> objections_;   ///< of the last round
    std::uint64_t unreadable_ = 0;             ///< in the last round
    bool settled_ = false;
    bool given_up_ = false;
    std::optional<std::uint64_t>
        raisable_ring_;  ///< the ring under which only own records are held
    std::optional<Batch> batch_;
    std::uint32_t next_partition_ = 0;  ///< of the pass over what may be reduced
    Bytes next_row_;
    std::size_t looked_ = 0;  ///< rows of it that were looked at in this step
    Instant next_step_;
    Instant next_round_;  ///< not before it are records looked at and the number raised
};

}  // namespace dynamo
