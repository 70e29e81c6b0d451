// Whose turn it is: updates of one key by several programs, one after the other.
//
// A store without locks has none to give, so the updates queue in the key itself. A ticket is a
// delete without a context: it supersedes nothing, readers never see it, and every read shows it to
// who asks for the versions. The first ticket has its turn; the put that ends a turn covers all
// tickets that it has seen, and whoever finds its ticket gone takes another.
//
//     versions   value, ticket 3, ticket 4      3 is next
//     versions   value', ticket 5               3 is done, 4 takes a new one
//
// Order: a ticket that was there before mine is before it; of two that did not see each other the
// one with the smaller dot. With one coordinator that is the order of their coming. A ticket that
// stands for longer than `patience` was left behind by a program that has ended.
//
// Shape:   tickets are named by birth and counter, which are unique for ever
// Threads: one owner
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dynamo/admin.h"

namespace dynamo::cli {

class UpdateQueue {
  public:
    using Clock = std::chrono::steady_clock;
    using Ticket = std::pair<std::uint64_t, std::uint64_t>;  ///< birth, counter

    UpdateQueue(const RingView& ring, std::string key, std::chrono::milliseconds patience)
        : ring_(ring), key_(std::move(key)), patience_(patience) {}

    /// What a read has shown. Call it for each, in order.
    void saw(const Got& got, Clock::time_point now);
    /// True when a ticket is needed: there was none, or it is gone. Those that were seen last come
    /// before the one that is taken now.
    [[nodiscard]] bool needs_ticket() const { return !mine_; }
    void took(const ContextToken& ticket);
    /// Of what was seen last: no ticket stands before mine.
    [[nodiscard]] bool is_my_turn() const;

  private:
    [[nodiscard]] bool is_before_mine(const Ticket& ticket, const Version& version) const;

    const RingView& ring_;
    std::string key_;
    std::chrono::milliseconds patience_;
    ContextToken token_;
    const Version* mine_ = nullptr;  ///< among `versions_`
    std::vector<Version> versions_;  ///< the tickets of the last read
    std::map<Ticket, Clock::time_point> first_seen_;
    std::set<Ticket> ahead_;
    Clock::time_point now_;
};

}  // namespace dynamo::cli
