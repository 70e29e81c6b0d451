#include "libdynamo/version/clock.h"

#include <algorithm>
#include <iterator>

#include "libdynamo/base/check.h"

namespace dynamo {
namespace {

/// So many are added one by one faster than two lists are merged.
constexpr std::size_t few_entries = 8;

/// Where the first entry is that ends at `dot` or beyond it.
auto reaching(auto& entries, const Dot& dot) {
    return std::ranges::lower_bound(entries, dot, {}, [](const Clock::Entry& entry) {
        return Dot{entry.actor, entry.interval.last};
    });
}

}  // namespace

bool Clock::holds(const Entry& wanted) const {
    const auto at = reaching(entries_, {wanted.actor, wanted.interval.last});
    return at != entries_.end() && at->actor == wanted.actor &&
           at->interval.first <= wanted.interval.first;
}

bool Clock::covers(const Dot& dot) const {
    return holds(Entry{dot.actor, {dot.counter, dot.counter}});
}

bool Clock::covers(const Clock& other) const {
    return std::ranges::all_of(other.entries_, [this](const Entry& entry) { return holds(entry); });
}

void Clock::add(const Dot& dot) { add(dot.actor, {dot.counter, dot.counter}); }

void Clock::add(const Actor& actor, Interval interval) {
    DYN_CHECK(interval.first >= 1 && interval.first <= interval.last);
    // What is read comes in order.
    if (entries_.empty() || entries_.back().actor < actor) {
        entries_.push_back({actor, interval});
        return;
    }
    // The first one that overlaps or touches; all that do are swallowed by the new interval.
    const auto begin = reaching(entries_, {actor, interval.first - 1});
    auto end = begin;
    while (end != entries_.end() && end->actor == actor &&
           end->interval.first - 1 <= interval.last) {
        interval.first = std::min(interval.first, end->interval.first);
        interval.last = std::max(interval.last, end->interval.last);
        ++end;
    }
    if (begin == end) {
        entries_.insert(begin, {actor, interval});
        return;
    }
    begin->interval = interval;
    entries_.erase(begin + 1, end);
}

void Clock::join(const Clock& other) {
    if (other.entries_.size() <= few_entries) {
        for (const Entry& entry : other.entries_) add(entry.actor, entry.interval);
        return;
    }
    // In order, so that nothing is inserted in the middle: a hostile clock may have a million.
    const auto begins = [](const Entry& entry) { return Dot{entry.actor, entry.interval.first}; };
    std::vector<Entry> sorted;
    sorted.reserve(entries_.size() + other.entries_.size());
    std::ranges::merge(entries_, other.entries_, std::back_inserter(sorted), {}, begins, begins);
    entries_.clear();
    entries_.reserve(sorted.size());
    for (const Entry& entry : sorted) add(entry.actor, entry.interval);
}

std::uint64_t Clock::top(const Actor& actor) const {
    const auto after = std::ranges::upper_bound(entries_, actor, {}, &Entry::actor);
    if (after == entries_.begin()) return 0;
    const Entry& last = *(after - 1);
    return last.actor == actor ? last.interval.last : 0;
}

std::size_t Clock::size() const { return entries_.size(); }

std::size_t Clock::actors() const {
    std::size_t count = 0;
    const Actor* previous = nullptr;
    for (const Entry& entry : entries_) {
        if (!previous || *previous != entry.actor) ++count;
        previous = &entry.actor;
    }
    return count;
}

}  // namespace dynamo
