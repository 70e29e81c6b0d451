// A round of reads: ask the first N healthy nodes for a key's state until R have answered
// (paper section 4.5). A get is one such round; an observing put begins with one.
//
// An answer counts for the place that its node fills, so an owner and its stand-in count once
// between them. Stand-ins that hold nothing do not make an answer by themselves: at least one
// owner, or somebody who has the key, must have spoken.
//
// Shape:   at most N answers
// Threads: one; the node's
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "daemon/node/coordination/quorum.h"
#include "daemon/node/coordination/service.h"
#include "daemon/node/coordination/team.h"
#include "daemon/node/coordination/trace.h"
#include "libdynamo/version/siblings.h"

namespace dynamo {

class ReadRound {
  public:
    struct Question {
        std::uint64_t id = 0;  ///< the operation's
        Bytes key;
        Position position;  ///< of the key
        Quorum quorum;      ///< R of each live list, at the beginning
        /// Whether this node's own answer will do when it can give one (R of 1, and nobody to
        /// mend): the others are asked only when it cannot.
        bool sparing = false;
    };
    ReadRound(Service& service, Trace& trace, Question question);

    /// Asks; the node's own state is read at once. too_few_nodes when R cannot be had.
    [[nodiscard]] Result<void> start();
    void on(const NodeId& from, const wire::ReadReply& reply);
    void on_unreachable(const NodeId& node);
    /// Asks silent places again or puts others into them. With `give_up`, lets them be.
    void on_silence(bool give_up);

    [[nodiscard]] bool met() const;
    /// R cannot be reached any more, not even by late answers.
    [[nodiscard]] bool hopeless() const;
    [[nodiscard]] bool all_settled() const { return team_.all_settled(); }
    [[nodiscard]] std::optional<Instant> next_silence() const;
    [[nodiscard]] std::size_t answered() const { return quorum_.answered(); }

    /// The lowest number of the fence at which any part of `merged` was read.
    [[nodiscard]] std::uint64_t stamp() const { return stamp_; }
    /// The join of all answers so far.
    [[nodiscard]] const Object& merged() const { return merged_; }
    /// Whether there are newer lists of owners than those that were asked: what has been answered
    /// says nothing then, for one of them may have taken over in the meantime. When lists have only
    /// ended, answers of those that are left will do, as long as they give them.
    [[nodiscard]] bool is_outdated() const;

    /// The owner whose answer came first; none while only stand-ins have answered.
    [[nodiscard]] NodeId first_owner() const {
        return answers_.empty() ? NodeId{} : answers_.front().first;
    }
    /// Whether what this node answered itself is still what it holds: a commit that failed may have
    /// undone it.
    [[nodiscard]] bool own_answer_stands() const;
    /// Gives every owner that answered with less the join of all (read repair).
    void repair();

  private:
    void ask(Team::Place& place);
    /// Asks those who were spared so far.
    void ask_the_others();
    void take(const NodeId& from, Bytes state, std::uint64_t stamp);
    void leave_vacant(Team::Place& place);
    void replace(Team::Place& place, Team::Because because);

    Service& service_;
    Trace& trace_;
    std::uint64_t id_;
    Bytes key_;
    Slot slot_;              ///< the key's own
    std::uint64_t version_;  ///< of the partition's list when it was begun
    std::uint64_t base_;     ///< of the oldest live one then
    bool refused_ = false;   ///< by one that stands in no live list, as it knows them
    bool sparing_;
    Quorum quorum_;
    Team team_;
    Object merged_;
    std::uint64_t stamp_;  ///< of merged_: the lowest number at which any part of it was read
    bool owner_answered_ = false;
    std::optional<Bytes> own_;                       ///< what this node answered itself
    std::vector<std::pair<NodeId, Bytes>> answers_;  ///< of owners, for repair
};

}  // namespace dynamo
