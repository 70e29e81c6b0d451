// Counting answers towards R or W (paper section 4.5).
//
// Knows nothing of messages, keys or time: it is told who answered and says whether that is enough.
//
// Shape:   nodes are distinct, whatever they answer and however often
// Threads: a plain value
#pragma once

#include <algorithm>
#include <vector>

#include "libdynamo/base/id.h"

namespace dynamo {

class Quorum {
  public:
    Quorum() = default;
    explicit Quorum(std::size_t needed) : needed_(needed) {}

    /// True when this answer counts: its node has not been counted before.
    bool count(const NodeId& node) {
        if (has(node)) return false;
        answered_.push_back(node);
        return true;
    }
    /// A planted bug of the simulator: the same node once more.
    void count_again(const NodeId& node) { answered_.push_back(node); }

    [[nodiscard]] bool has(const NodeId& node) const {
        return std::ranges::find(answered_, node) != answered_.end();
    }
    [[nodiscard]] bool met() const { return answered_.size() >= needed_; }
    [[nodiscard]] std::size_t answered() const { return answered_.size(); }
    [[nodiscard]] std::size_t needed() const { return needed_; }

  private:
    std::size_t needed_ = 0;
    std::vector<NodeId> answered_;
};

}  // namespace dynamo
