#include "daemon/node/local/planted.h"

#ifdef DYNAMO_PLANTED_BUGS

namespace dynamo {
namespace {

/// What the paper's vector clocks make of a set of dots: an interval from 1 for each actor.
Clock flattened(const Clock& clock) {
    Clock flat;
    for (const Clock::Entry& entry : clock.entries())
        flat.add(entry.actor, {1, entry.interval.last});
    return flat;
}

/// The entries that its siblings need, and of the others the last `kept`.
Clock truncated(const Object& object, std::size_t kept) {
    Clock cut;
    for (const Sibling& sibling : object.siblings) cut.add(sibling.dot);
    const auto& entries = object.clock.entries();
    for (std::size_t i = entries.size() - std::min(kept, entries.size()); i < entries.size(); ++i)
        cut.add(entries[i].actor, entries[i].interval);
    return cut;
}

}  // namespace

bool merge_or_break(const Desk& desk, Object& into, const Object& from) {
    const Clock before = into.clock;
    const bool changed = merge(into, from);
    if (desk.breaks(Mutant::clocks_not_joined)) {
        into.clock = before;
        for (const Sibling& sibling : into.siblings) into.clock.add(sibling.dot);
    }
    if (desk.breaks(Mutant::clock_truncated)) into.clock = truncated(into, 3);
    if (desk.breaks(Mutant::wall_clock_decides) && into.siblings.size() > 1) {
        const Sibling last = *newest(into);
        into.siblings = {last};
    }
    return changed;
}

const Clock& context_or_broken(const Desk& desk, const Clock& given, const Object& held,
                               const Sibling& sibling) {
    static thread_local Clock broken;
    broken = given;
    if (desk.breaks(Mutant::foreign_dot_flattened)) broken = flattened(given);
    if (desk.breaks(Mutant::delete_drops_all) && sibling.tombstone) broken.join(held.clock);
    return broken;
}

}  // namespace dynamo

#endif
