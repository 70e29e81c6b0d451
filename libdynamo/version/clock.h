// Clocks: which writes a state has seen (paper section 4.4; dotted version vectors).
//
// A dot (actor, counter) names one write for ever. A clock is a set of dots, held per actor as
// closed intervals of counters:
//
//     actor a:  [1..4] [7..7]        the interval from 1 is the version vector's entry,
//     actor b:  [1..2]               the others are the cloud; intervals that touch join
//
// Departs from section 4.4: the paper's clock has no cloud and is cut at ten entries. Without the
// cloud a context would claim writes that its holder never saw; a cut loses or revives writes.
//
// Shape:   one entry an interval, sorted by actor, then by counter; those of one actor are disjoint
//          and do not touch; none is empty. One block of memory whatever it holds: clocks are
//          copied and read all the time, and few actors have more than one interval.
// Threads: a plain value
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "libdynamo/base/id.h"

namespace dynamo {

/// One node's right to count, bound to one run of its process. A birth is 64 random bits and never
/// comes back, so neither a lost tail of the log nor a restored directory can repeat a dot.
struct Actor {
    NodeId node;
    std::uint64_t birth = 0;
    auto operator<=>(const Actor&) const = default;
};

/// One write event. Counters start at 1.
struct Dot {
    Actor actor;
    std::uint64_t counter = 0;
    auto operator<=>(const Dot&) const = default;
};

struct Interval {
    std::uint64_t first = 1;
    std::uint64_t last = 1;
    auto operator<=>(const Interval&) const = default;
};

class Clock {
  public:
    struct Entry {
        Actor actor;
        Interval interval;
        bool operator==(const Entry&) const = default;
    };

    /// Whether the dot is in the set.
    [[nodiscard]] bool covers(const Dot& dot) const;
    /// Whether every dot of `other` is in this set.
    [[nodiscard]] bool covers(const Clock& other) const;

    void add(const Dot& dot);
    /// Adds all counters of the interval; first is at least 1 and at most last.
    void add(const Actor& actor, Interval interval);
    /// Set union.
    void join(const Clock& other);

    /// The highest counter seen of the actor, 0 for none.
    [[nodiscard]] std::uint64_t top(const Actor& actor) const;

    /// How many intervals it holds: its size as people are shown it.
    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] bool empty() const { return entries_.empty(); }
    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
    /// How many different actors it has.
    [[nodiscard]] std::size_t actors() const;
    /// Makes room for so many entries.
    void reserve(std::size_t entries) { entries_.reserve(entries); }

    bool operator==(const Clock&) const = default;

  private:
    [[nodiscard]] bool holds(const Entry& wanted) const;

    std::vector<Entry> entries_;
};

}  // namespace dynamo
