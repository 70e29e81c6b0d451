#include "libdynamo/version/siblings.h"

#include <algorithm>
#include <iterator>

#include "libdynamo/base/check.h"

namespace dynamo {

std::size_t Object::value_bytes() const {
    std::size_t bytes = 0;
    for (const Sibling& sibling : siblings) bytes += sibling.value.size();
    return bytes;
}

bool merge(Object& into, const Object& from) {
    std::vector<Sibling> merged;
    merged.reserve(into.siblings.size() + from.siblings.size());
    bool changed = !into.clock.covers(from.clock);

    auto ours = into.siblings.begin();
    auto theirs = from.siblings.begin();
    while (ours != into.siblings.end() || theirs != from.siblings.end()) {
        const bool only_ours = theirs == from.siblings.end() ||
                               (ours != into.siblings.end() && ours->dot < theirs->dot);
        const bool only_theirs =
            !only_ours && (ours == into.siblings.end() || theirs->dot < ours->dot);
        if (only_ours) {
            if (from.clock.covers(ours->dot))
                changed = true;
            else
                merged.push_back(std::move(*ours));
            ++ours;
        } else if (only_theirs) {
            if (!into.clock.covers(theirs->dot)) merged.push_back(*theirs);
            ++theirs;
        } else {
            merged.push_back(std::move(*ours));
            ++ours;
            ++theirs;
        }
    }
    into.siblings = std::move(merged);
    into.clock.join(from.clock);
    return changed;
}

std::vector<const Sibling*> live_values(const Object& object) {
    std::vector<const Sibling*> values;
    for (const Sibling& sibling : object.siblings) {
        const bool seen = std::ranges::any_of(
            values, [&](const Sibling* other) { return other->value == sibling.value; });
        if (!sibling.tombstone && !seen) values.push_back(&sibling);
    }
    return values;
}

const Sibling* newest(const Object& object) {
    const auto at = std::ranges::max_element(object.siblings, {}, [](const Sibling& sibling) {
        return std::pair(sibling.wall_ms, sibling.dot);
    });
    return at == object.siblings.end() ? nullptr : &*at;
}

void add_version(Object& object, const Clock& context, Sibling sibling) {
    DYN_CHECK(!object.clock.covers(sibling.dot) && !context.covers(sibling.dot));
    std::erase_if(object.siblings, [&](const Sibling& old) { return context.covers(old.dot); });
    object.clock.join(context);
    object.clock.add(sibling.dot);
    const auto at = std::ranges::lower_bound(object.siblings, sibling.dot, {}, &Sibling::dot);
    object.siblings.insert(at, std::move(sibling));
}

Object reduced(const Object& object, bool last_write_wins) {
    Object left;
    const Sibling* last = newest(object);
    if (last_write_wins && last && last->tombstone) return left;
    std::ranges::copy_if(object.siblings, std::back_inserter(left.siblings),
                         [](const Sibling& sibling) { return !sibling.tombstone; });
    for (const Clock::Entry& entry : object.clock.entries())
        if (std::ranges::any_of(left.siblings, [&](const Sibling& sibling) {
                return sibling.dot.actor == entry.actor;
            }))
            left.clock.add(entry.actor, entry.interval);
    return left;
}

bool reducible(const Object& object) {
    // Each restart of a coordinator leaves an actor behind; a few of them cost less than asking.
    constexpr std::size_t few_actors = 4;
    return std::ranges::any_of(object.siblings, &Sibling::tombstone) ||
           object.clock.actors() >= few_actors + object.siblings.size();
}

}  // namespace dynamo
