// Counting answers towards R or W (paper section 4.5).
//
// Knows nothing of messages, keys or time: it is told who answered and says whether that is enough.
// While a partition moves (libdynamo/ring/transition.h) it has several lists of owners, and enough
// is as many in each of them.
//
// Shape:   owners are distinct, whatever they answer and however often
// Threads: a plain value
#pragma once

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "libdynamo/base/id.h"
#include "libdynamo/ring/transition.h"

namespace dynamo {

class Quorum {
  public:
    Quorum() = default;
    explicit Quorum(std::size_t needed) : wanted_(needed), needed_(needed) {}
    /// `wanted` of each list, or all of one that is shorter; without lists, of these owners.
    Quorum(std::size_t wanted, std::vector<OwnerList> lists, std::span<const NodeId> owners)
        : wanted_(wanted) {
        follow(std::move(lists), owners);
    }
    /// The same of these from now on: a list that comes may be longer than the one before, and who
    /// was an owner in one that has ended counts no more.
    void follow(std::vector<OwnerList> lists, std::span<const NodeId> owners) {
        lists_ = std::move(lists);
        needed_ = lists_.empty() ? std::min(wanted_, owners.size()) : wanted_;
        if (!lists_.empty()) return;
        std::erase_if(answered_, [&](const Answer& answer) {
            return std::ranges::find(owners, answer.owner) == owners.end();
        });
    }

    /// True when this answer counts: its owner has not been counted before. `by`: who gave it, the
    /// owner or its stand-in.
    bool count(const NodeId& owner, const NodeId& by) {
        if (has(owner)) return false;
        answered_.push_back({owner, by});
        return true;
    }
    bool count(const NodeId& owner) { return count(owner, owner); }
    /// A planted bug of the simulator: the same owner once more.
    void count_again(const NodeId& owner) { answered_.push_back({owner, owner}); }
    /// What it gave in another's name counts no more: it has become an owner itself.
    void forget_as_stand_in(const NodeId& node) {
        std::erase_if(answered_, [&](const Answer& answer) {
            return answer.by == node && answer.owner != node;
        });
    }

    [[nodiscard]] bool has(const NodeId& owner) const {
        return std::ranges::find(answered_, owner, &Answer::owner) != answered_.end();
    }
    [[nodiscard]] bool met() const {
        if (lists_.empty()) return answered_.size() >= needed_;
        return in_each_list([this](const NodeId& owner) { return has(owner); });
    }
    /// Whether answers of these owners would do.
    [[nodiscard]] bool could_be_met_by(const std::vector<NodeId>& owners) const {
        if (lists_.empty()) return owners.size() >= needed_;
        return in_each_list(
            [&](const NodeId& owner) { return std::ranges::find(owners, owner) != owners.end(); });
    }
    [[nodiscard]] std::size_t answered() const { return answered_.size(); }
    [[nodiscard]] std::size_t needed() const { return needed_; }

  private:
    struct Answer {
        NodeId owner;
        NodeId by;
    };
    template <typename Counts>
    [[nodiscard]] bool in_each_list(const Counts& counts) const {
        return std::ranges::all_of(lists_, [&](const OwnerList& list) {
            const auto there = std::ranges::count_if(list.owners, counts);
            return static_cast<std::size_t>(there) >= std::min(needed_, list.owners.size());
        });
    }

    std::size_t wanted_ = 0;  ///< by the request
    std::size_t needed_ = 0;  ///< of the owners there are
    std::vector<OwnerList> lists_;
    std::vector<Answer> answered_;
};

}  // namespace dynamo
