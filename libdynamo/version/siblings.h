// Objects: the concurrent versions of one key, and how two states of it become one.
//
//     clock     {a:[1..3], b:[1..1]}            every write that this state has seen
//     siblings  a3 = "milk"   b1 = "bread"      those of them that nothing has superseded
//
// A write that the clock covers and that is no sibling was superseded, here or elsewhere, and stays
// so: that is what keeps deleted data from coming back.
//
// Shape:   siblings sorted by dot, unique, each covered by the clock
// Threads: a plain value
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "libdynamo/base/bytes.h"
#include "libdynamo/base/time.h"
#include "libdynamo/version/clock.h"

namespace dynamo {

/// One version of a value. A tombstone is a version like any other, with an empty value.
struct Sibling {
    Dot dot;
    bool tombstone = false;
    WallMs wall_ms = 0;  ///< when its coordinator took it; shown to people, and newest() goes by it
    Bytes value;
    bool operator==(const Sibling&) const = default;
};

struct Object {
    Clock clock;
    std::vector<Sibling> siblings;
    bool operator==(const Object&) const = default;

    /// Nothing was ever written.
    [[nodiscard]] bool empty() const { return clock.empty(); }
    /// Octets that its siblings' values hold.
    [[nodiscard]] std::size_t value_bytes() const;
};

/// Merges `from` into `into` (commutative, associative, idempotent): a sibling stays if both have
/// it, or if the side that lacks it has not seen its dot. True when `into` changed.
bool merge(Object& into, const Object& from);

/// The versions a reader is shown: live siblings whose values differ, in dot order. Siblings that
/// are the same octets read as one, so a write repeated after a time-out is no conflict.
[[nodiscard]] std::vector<const Sibling*> live_values(const Object& object);

/// The youngest version by wall clock, tombstones included, then by dot: the same on every node
/// that holds the same state. Null for an object that was never written.
[[nodiscard]] const Sibling* newest(const Object& object);

/// Adds a new version: joins `context` and the dot into the clock, drops exactly the siblings that
/// `context` covers, keeps all others. The dot is fresh: the clock does not cover it.
void add_version(Object& object, const Clock& context, Sibling sibling);

/// What is left of a state when nothing that it superseded can come back: its live siblings, and
/// of its clock the entries of their actors. Empty when it has none, or when the last write wins
/// and was a delete: older siblings must not show again. Only for states of which that is known
/// (daemon/node/repair/purge.h).
[[nodiscard]] Object reduced(const Object& object, bool last_write_wins);

/// Whether that is worth finding out: a tombstone is shown, or the clock has grown by actors that
/// no live sibling needs.
[[nodiscard]] bool reducible(const Object& object);

}  // namespace dynamo
