#include "tests/sim/ledger.h"

#include <algorithm>
#include <utility>

namespace dynamo::sim {

void Ledger::expect(Intent intent) {
    const Bytes value = intent.value;
    intents_.emplace(value, std::move(intent));
}

void Ledger::rule_out(const Bytes& value) {
    ruled_out_[value] = true;
    const auto intent = intents_.find(value);
    if (intent == intents_.end()) return;
    for (const std::size_t number : find_value(intent->second.key, value))
        verdict_.fail(rule::applied, intent->second.key,
                      show(intent->second.key, number) + " was reported as not applied, and is");
}

const Ledger::Key* Ledger::find_key(const Bytes& key) const {
    const auto at = keys_.find(key);
    return at == keys_.end() ? nullptr : &at->second;
}

const std::vector<Write>& Ledger::writes(const Bytes& key) const {
    static const std::vector<Write> none;
    const Key* entry = find_key(key);
    return entry ? entry->writes : none;
}

std::optional<std::size_t> Ledger::find(const Bytes& key, const Dot& dot) const {
    const Key* entry = find_key(key);
    if (!entry) return std::nullopt;
    const auto at = entry->by_dot.find(dot);
    return at == entry->by_dot.end() ? std::nullopt : std::optional(at->second);
}

std::vector<std::size_t> Ledger::find_value(const Bytes& key, const Bytes& value) const {
    std::vector<std::size_t> found;
    const auto& all = writes(key);
    for (std::size_t i = 0; i < all.size(); ++i)
        if (!all[i].tombstone && all[i].value == value) found.push_back(i);
    return found;
}

std::vector<Bytes> Ledger::keys() const {
    std::vector<Bytes> out;
    for (const auto& [key, entry] : keys_) out.push_back(key);
    return out;
}

WriteSet Ledger::closure(const Bytes& key, WriteSet set) const {
    const auto& all = writes(key);
    for (const std::size_t number : set.members()) set.add(all[number].past);
    return set;
}

WriteSet Ledger::maximal(const Bytes& key, const WriteSet& set) const {
    const auto& all = writes(key);
    WriteSet top = set;
    for (const std::size_t number : set.members()) top.remove(all[number].past);
    return top;
}

WriteSet Ledger::covered(const Bytes& key, const Clock& clock) {
    WriteSet set;
    const auto& all = writes(key);
    for (std::size_t i = 0; i < all.size(); ++i)
        if (clock.covers(all[i].dot)) set.add(i);
    std::uint64_t dots = 0;
    for (const Clock::Entry& entry : clock.entries())
        dots += entry.interval.last - entry.interval.first + 1;
    if (dots != set.size())
        verdict_.fail(rule::invented, key,
                      "a clock covers " + std::to_string(dots) + " writes, of which " +
                          std::to_string(set.size()) + " were ever stored: " + show(key, set));
    return set;
}

WriteSet Ledger::youngest(const Bytes& key, const WriteSet& set) const {
    const auto& all = writes(key);
    const auto members = set.members();
    const auto at = std::ranges::max_element(members, {}, [&](std::size_t number) {
        return std::pair(all[number].wall_ms, all[number].dot);
    });
    WriteSet one;
    if (at != members.end()) one.add(*at);
    return one;
}

Seen Ledger::read(const Bytes& key, const Object& object) {
    Seen seen;
    for (const Sibling& sibling : object.siblings) {
        const auto number = find(key, sibling.dot);
        if (!number) {
            verdict_.fail(rule::invented, key,
                          "a sibling \"" + sibling.value + "\" with a dot that nobody minted");
            continue;
        }
        const Write& write = writes(key)[*number];
        if (write.value != sibling.value || write.tombstone != sibling.tombstone)
            verdict_.fail(rule::invented, key,
                          "one dot names two values: " + show(key, *number) + " and \"" +
                              sibling.value + "\"");
        seen.siblings.add(*number);
    }
    seen.covered = covered(key, object.clock);
    return seen;
}

void Ledger::mint(unsigned node, const Bytes& key, const Sibling& sibling, WriteSet effect,
                  WriteSet beside) {
    Key& entry = keys_[key];
    const std::size_t number = entry.writes.size();
    Write write;
    write.dot = sibling.dot;
    write.tombstone = sibling.tombstone;
    write.value = sibling.value;
    write.beside = std::move(beside);
    write.minted_by = node;
    write.wall_ms = sibling.wall_ms;
    write.minted_at = now_();
    const auto intent = intents_.find(sibling.value);
    const bool known = intent != intents_.end() && intent->second.key == key;
    if (!sibling.tombstone && !known)
        verdict_.fail(rule::invented, key, "nobody wrote \"" + sibling.value + "\"");
    if (!sibling.tombstone && known && intent->second.once &&
        !find_value(key, sibling.value).empty())
        verdict_.fail(rule::once, key,
                      "\"" + sibling.value.substr(0, 24) + "\" was sent once and written twice");
    if (!sibling.tombstone && known && !intent->second.observes) effect = intent->second.seen;
    write.past = closure(key, std::move(effect));

    ++counts_.minted;
    counts_.new_actor_after_restart += std::ranges::any_of(entry.writes, [&](const Write& other) {
        return other.dot.actor.node == sibling.dot.actor.node &&
               other.dot.actor.birth != sibling.dot.actor.birth;
    });
    entry.writes.push_back(std::move(write));
    entry.by_dot.emplace(sibling.dot, number);
    if (ruled_out_.contains(sibling.value))
        verdict_.fail(rule::applied, key,
                      show(key, number) + " was reported as not applied, and is stored now");
}

void Ledger::announced(const Where& where, const Bytes& key, const Object& before,
                       const Object& after) {
    const Sibling* fresh = nullptr;
    for (const Sibling& sibling : after.siblings) {
        if (find(key, sibling.dot)) continue;
        if (sibling.dot.actor.node != where.id || fresh)
            verdict_.fail(rule::invented, key,
                          "n" + std::to_string(where.node + 1) + " stores \"" + sibling.value +
                              "\", which its coordinator has not written");
        fresh = &sibling;
    }
    if (!fresh) return;
    Object known = after;
    std::erase_if(known.siblings,
                  [&](const Sibling& sibling) { return sibling.dot == fresh->dot; });
    // What this minting superseded here: covered and not shown any more, and not so before.
    const WriteSet gone_before = superseded(key, before);
    WriteSet effect = superseded(key, known);
    effect.remove(gone_before);
    mint(where.node, key, *fresh, std::move(effect), read_siblings(key, known));
    counts_.minted_by_stand_in += where.hint;
}

void Ledger::committed(unsigned node, const NodeId& id, const Bytes& key, const Object& before,
                       const Object& after, bool hint) {
    announced({node, id, hint}, key, before, after);
    const Seen seen = read(key, after);
    const Seen was = read(key, before);
    for (const std::size_t number : seen.covered.members())
        keys_[key].writes[number].held |= std::uint64_t{1} << node;
    Key& entry = keys_[key];
    if (entry.commits++ % 7 == 0 && entry.states.size() < 5) entry.states.push_back(after);
    counts_.three_siblings += seen.siblings.size() >= 3;
    if (is_reduction(before, after)) purge(key, was, seen, after.empty());
    check_state(node, key, was, seen);
}

bool Ledger::is_reduction(const Object& before, const Object& after) const {
    // Where the last write wins, and was a delete, nothing is left.
    const Sibling* last = newest(before);
    if (last_write_wins_ && last && last->tombstone) return after.empty();
    std::vector<Sibling> live = before.siblings;
    std::erase_if(live, [](const Sibling& sibling) { return sibling.tombstone; });
    return after.siblings == live && before.clock.covers(after.clock) && before != after;
}

void Ledger::purge(const Bytes& key, const Seen& was, const Seen& seen, bool erased) {
    WriteSet gone = was.covered;
    gone.remove(seen.covered);
    // A tombstone may go while its actor, of whom something lives, keeps its entry.
    WriteSet hidden = was.siblings;
    hidden.remove(seen.siblings);
    gone.add(hidden);
    keys_[key].purged.add(closure(key, gone));
    ++(erased ? counts_.tombstones_purged : counts_.clocks_compacted);
}

const WriteSet& Ledger::purged(const Bytes& key) const {
    static const WriteSet none;
    const Key* entry = find_key(key);
    return entry ? entry->purged : none;
}

WriteSet Ledger::read_siblings(const Bytes& key, const Object& object) const {
    WriteSet set;
    for (const Sibling& sibling : object.siblings)
        if (const auto number = find(key, sibling.dot)) set.add(*number);
    return set;
}

WriteSet Ledger::superseded(const Bytes& key, const Object& object) const {
    WriteSet set;
    const auto& all = writes(key);
    for (std::size_t i = 0; i < all.size(); ++i)
        if (object.clock.covers(all[i].dot)) set.add(i);
    for (const Sibling& sibling : object.siblings)
        if (const auto number = find(key, sibling.dot)) set.remove(*number);
    return set;
}

void Ledger::check_state(unsigned node, const Bytes& key, const Seen& was, const Seen& seen) {
    const std::string where = "n" + std::to_string(node + 1) + " ";
    WriteSet forgotten = was.covered;
    forgotten.remove(seen.covered);
    forgotten.remove(purged(key));
    if (!forgotten.empty())
        verdict_.fail(rule::lost, key, where + "has forgotten " + show(key, forgotten));
    const WriteSet right = maximal(key, seen.covered);
    WriteSet missing = right;
    missing.remove(seen.siblings);
    missing.remove(purged(key));
    WriteSet extra = seen.siblings;
    extra.remove(right);
    if (!missing.empty())
        verdict_.fail(rule::exact, key,
                      where + "claims to have seen " + show(key, missing) +
                          ", shows it not, and nothing that it has seen supersedes it; shown: " +
                          show(key, seen.siblings));
    if (!extra.empty())
        verdict_.fail(rule::returned, key,
                      where + "shows " + show(key, extra) + ", which something that it has seen " +
                          "supersedes; shown: " + show(key, seen.siblings));
}

std::string Ledger::show(const Bytes& key, std::size_t number) const {
    const Write& write = writes(key)[number];
    const std::string value = write.tombstone ? "delete" : write.value.substr(0, 24);
    return value + "@n" + std::to_string(write.minted_by + 1) + "/" +
           std::to_string(write.dot.actor.birth % 10000) + ":" + std::to_string(write.dot.counter);
}

std::string Ledger::show(const Bytes& key, const WriteSet& set) const {
    std::string out = "{";
    for (const std::size_t number : set.members())
        out += (out.size() > 1 ? " " : "") + show(key, number);
    return out + "}";
}

}  // namespace dynamo::sim
