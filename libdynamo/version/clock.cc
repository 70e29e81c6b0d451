#include "libdynamo/version/clock.h"

#include <algorithm>

#include "libdynamo/base/check.h"

namespace dynamo {
namespace {

/// The interval of a sorted list that could hold `counter`, or the list's end.
auto interval_at(const std::vector<Interval>& intervals, std::uint64_t counter) {
    return std::ranges::lower_bound(intervals, counter, {}, &Interval::last);
}

bool contains(const std::vector<Interval>& intervals, const Interval& wanted) {
    const auto at = interval_at(intervals, wanted.first);
    return at != intervals.end() && at->first <= wanted.first && wanted.last <= at->last;
}

}  // namespace

const Clock::Entry* Clock::find(const Actor& actor) const {
    const auto at = std::ranges::lower_bound(entries_, actor, {}, &Entry::actor);
    return at != entries_.end() && at->actor == actor ? &*at : nullptr;
}

Clock::Entry& Clock::entry_of(const Actor& actor) {
    const auto at = std::ranges::lower_bound(entries_, actor, {}, &Entry::actor);
    if (at != entries_.end() && at->actor == actor) return *at;
    return *entries_.insert(at, Entry{actor, {}});
}

bool Clock::covers(const Dot& dot) const {
    const Entry* entry = find(dot.actor);
    return entry && contains(entry->intervals, {dot.counter, dot.counter});
}

bool Clock::covers(const Clock& other) const {
    return std::ranges::all_of(other.entries_, [this](const Entry& theirs) {
        const Entry* ours = find(theirs.actor);
        return ours && std::ranges::all_of(theirs.intervals, [&](const Interval& interval) {
                   return contains(ours->intervals, interval);
               });
    });
}

void Clock::add(const Dot& dot) { add(dot.actor, {dot.counter, dot.counter}); }

void Clock::add(const Actor& actor, Interval interval) {
    DYN_CHECK(interval.first >= 1 && interval.first <= interval.last);
    auto& intervals = entry_of(actor).intervals;
    // The first one that overlaps or touches; all that do are swallowed by the new interval.
    auto begin = std::ranges::lower_bound(intervals, interval.first - 1, {}, &Interval::last);
    auto end = begin;
    while (end != intervals.end() && end->first - 1 <= interval.last) {
        interval.first = std::min(interval.first, end->first);
        interval.last = std::max(interval.last, end->last);
        ++end;
    }
    intervals.insert(intervals.erase(begin, end), interval);
}

void Clock::join(const Clock& other) {
    for (const Entry& entry : other.entries_)
        for (const Interval& interval : entry.intervals) add(entry.actor, interval);
}

std::uint64_t Clock::top(const Actor& actor) const {
    const Entry* entry = find(actor);
    return entry ? entry->intervals.back().last : 0;
}

std::size_t Clock::size() const {
    std::size_t count = 0;
    for (const Entry& entry : entries_) count += entry.intervals.size();
    return count;
}

}  // namespace dynamo
