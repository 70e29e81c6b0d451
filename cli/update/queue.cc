#include "cli/update/queue.h"

#include <algorithm>

namespace dynamo::cli {
namespace {

UpdateQueue::Ticket name_of(const Version& version) { return {version.birth, version.counter}; }

}  // namespace

void UpdateQueue::saw(const Got& got, Clock::time_point now) {
    now_ = now;
    versions_.clear();
    std::ranges::copy_if(got.versions, std::back_inserter(versions_), &Version::tombstone);
    const auto found = std::ranges::find_if(versions_, [this](const Version& version) {
        return !token_.empty() && ring_.covers(key_, token_, version);
    });
    mine_ = found == versions_.end() ? nullptr : &*found;
    std::map<Ticket, Clock::time_point> still;
    for (const Version& version : versions_) {
        const auto known = first_seen_.find(name_of(version));
        still[name_of(version)] = known == first_seen_.end() ? now : known->second;
    }
    first_seen_ = std::move(still);
}

void UpdateQueue::took(const ContextToken& ticket) {
    token_ = ticket;
    ahead_.clear();
    for (const Version& version : versions_) {
        ahead_.insert(name_of(version));
    }
}

bool UpdateQueue::is_before_mine(const Ticket& ticket, const Version& version) const {
    if (!ahead_.contains(ticket) && ticket > name_of(*mine_)) {
        return false;
    }
    const bool stood_long = now_ - first_seen_.at(ticket) > patience_;
    const bool is_old = mine_->wall_ms - version.wall_ms > patience_.count();
    return !stood_long && !is_old;
}

bool UpdateQueue::is_my_turn() const {
    return mine_ && std::ranges::none_of(versions_, [this](const Version& version) {
               return &version != mine_ && is_before_mine(name_of(version), version);
           });
}

}  // namespace dynamo::cli
