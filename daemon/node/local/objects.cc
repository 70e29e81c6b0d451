#include "daemon/node/local/objects.h"

#include <algorithm>
#include <utility>

#include "daemon/node/local/planted.h"
#include "libdynamo/base/check.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

constexpr std::size_t position_octets = 8;
constexpr std::size_t owner_octets = 16;
constexpr std::size_t max_damage_noted = 1024;

bool all_tombstones(const Object& object) {
    return std::ranges::all_of(object.siblings, &Sibling::tombstone);
}

/// An engine that is broken says `corrupt` of everything; here that word is about one record.
std::unexpected<Error> engine_failed(Error error) {
    if (error.code == Code::corrupt) error.code = Code::storage;
    return std::unexpected(std::move(error));
}

/// Whether storing `after` over `before` passes a limit that it does not move back towards.
bool grows_past_limits(const Object& before, const Object& after, const NodeOptions& options) {
    const bool more = after.siblings.size() > options.max_siblings &&
                      after.siblings.size() > before.siblings.size();
    const bool larger = after.value_bytes() > options.max_object_bytes &&
                        after.value_bytes() > before.value_bytes();
    return more || larger;
}

/// Whether one dot names a version here and a different one there. Merged, such two would never
/// become one.
bool names_another(const Object& here, const Object& there) {
    return std::ranges::any_of(there.siblings, [&](const Sibling& given) {
        const auto held = std::ranges::lower_bound(here.siblings, given.dot, {}, &Sibling::dot);
        return held != here.siblings.end() && held->dot == given.dot && *held != given;
    });
}

}  // namespace

Slot Slot::of(const Routes& routes, BytesView key, const NodeId& hint_for) {
    return of(routes, position_of(key), key, hint_for);
}

Slot Slot::of(const Routes& routes, const Position& position, BytesView key,
              const NodeId& hint_for) {
    Slot slot{routes.partition_of(position), hint_for, position.prefix()};
    slot.row.append(key);
    return slot;
}

Table Slot::table() const {
    return hint_for.is_none() ? Table::objects(partition) : Table::hints();
}

Bytes Slot::storage_key() const {
    if (hint_for.is_none()) return row;
    return Bytes(hint_for.bytes()) + row;
}

Objects::Objects(Desk& desk) : desk_(desk), trees_(desk), reducible_(desk.storage) {}

Result<Record> Objects::read(const Slot& slot) {
    Bytes unused;
    return read(slot, unused);
}

Result<Record> Objects::read(const Slot& slot, Bytes& bytes) {
    auto stored = desk_.storage.get(slot.table(), slot.storage_key());
    if (!stored) {
        desk_.counters.add("storage.read_errors");
        if (desk_.breaks(Mutant::error_is_not_found)) return Record{};
        return engine_failed(stored.error());
    }
    if (!stored->has_value()) return Record{};
    bytes = std::move(**stored);
    auto record = decode_record(slot.row, bytes);
    if (!record) {
        desk_.counters.add("storage.damaged_records");
        if (desk_.breaks(Mutant::damaged_is_absent)) return Record{};
        note_damage(slot);
    } else if (record->partial) {
        note_damage(slot);
    }
    return record;
}

Result<Objects::Changing> Objects::read_to_change(const Slot& slot) {
    Changing changing;
    auto stored = read(slot, changing.before);
    if (stored) {
        changing.record = std::move(*stored);
        changing.is_new = changing.before.empty();
        changing.reducible = dynamo::reducible(changing.record.object);
        return changing;
    }
    if (stored.error().code != Code::corrupt) return std::unexpected(stored.error());
    // There is nobody to fetch a hint from: it begins anew.
    changing.record.partial = slot.hint_for.is_none() && !desk_.breaks(Mutant::damaged_is_replaced);
    changing.reducible = true;
    return changing;
}

void Objects::note_damage(const Slot& slot) {
    if (!slot.hint_for.is_none()) return;
    trees_.damaged(slot.partition, slot.row);
    if (damaged_.size() < max_damage_noted) damaged_.emplace(slot.row, slot);
}

std::vector<Slot> Objects::take_damaged() {
    std::vector<Slot> slots;
    for (auto& [row, slot] : damaged_) slots.push_back(std::move(slot));
    damaged_.clear();
    return slots;
}

Result<Bytes> Objects::read_bytes(const Slot& slot) {
    const auto stored = desk_.storage.get(slot.table(), slot.storage_key());
    if (!stored) {
        desk_.counters.add("storage.read_errors");
        if (desk_.breaks(Mutant::error_is_not_found)) return Bytes{};
        return engine_failed(stored.error());
    }
    if (!stored->has_value()) return Bytes{};
    const auto object = object_bytes(slot.row, **stored);
    if (object && !is_partial(**stored)) return Bytes(*object);
    if (!object) desk_.counters.add("storage.damaged_records");
    if (desk_.breaks(Mutant::damaged_is_absent)) return Bytes{};
    note_damage(slot);
    return object ? fail(Code::corrupt, "the record was damaged, and is being mended")
                  : std::unexpected(object.error());
}

Result<void> Objects::store(const Slot& slot, const Changing& changing, BytesView encoded) {
    if (desk_.breaks(Mutant::delete_erases) && slot.hint_for.is_none() &&
        all_tombstones(changing.record.object))
        return erase(slot, changing);
    const Bytes after = encode_record(slot.row, changing.record, encoded);
    const bool in_tree = slot.hint_for.is_none();
    if (in_tree)
        if (auto told = trees_.changes(slot.partition, slot.row); !told) return told;
    auto put = desk_.storage.put(slot.table(), slot.storage_key(), after);
    if (!put) return put;
    if (changing.is_new && !slot.hint_for.is_none()) ++hints_[slot.hint_for];
    if (in_tree) trees_.changed(slot.partition, slot.row, changing.before, after);
    return note_reducible(slot, changing);
}

/// Since when the record is as it is now, for those of which something can be taken away.
Result<void> Objects::note_reducible(const Slot& slot, const Changing& changing) {
    if (!slot.hint_for.is_none()) return {};
    if (dynamo::reducible(changing.record.object))
        return reducible_.note(slot.partition, slot.row, desk_.fence.number());
    return changing.reducible ? reducible_.forget(slot.partition, slot.row) : Result<void>{};
}

Result<void> Objects::erase(const Slot& slot, const Changing& changing) {
    const bool in_tree = slot.hint_for.is_none();
    if (in_tree)
        if (auto told = trees_.changes(slot.partition, slot.row); !told) return told;
    auto erased = desk_.storage.erase(slot.table(), slot.storage_key());
    if (!erased) return erased;
    if (in_tree) trees_.changed(slot.partition, slot.row, changing.before, {});
    return reducible_.forget(slot.partition, slot.row);
}

Result<bool> Objects::merge_in(const Slot& slot, const Object& object, BytesView encoded,
                               std::uint64_t stamp) {
    if (!desk_.takes(stamp)) {
        desk_.counters.add("purge.refused");
        return fail(Code::busy, "the state is older than what may have been purged since");
    }
    auto changing = read_to_change(slot);
    if (!changing) return std::unexpected(changing.error());
    Record& record = changing->record;

    // Somebody has seen more of our own writes than we hold: our data is older than it should be,
    // so nothing of this run may count on (section 4.4; the run rule is what makes that harmless).
    const Actor own{desk_.self(), record.own_birth};
    if (record.own_birth != 0 && record.own_run == desk_.run &&
        object.clock.top(own) > record.object.clock.top(own))
        desk_.run = desk_.random.bits();

    bool changed = true;
    if (desk_.breaks(Mutant::replica_overwrites))
        record.object = object;
    else
        changed = merge_or_break(desk_, record.object, object);
    if (!changed) return false;
    // Mostly what comes is newer than all that is here, and need not be encoded once more.
    const bool is_newer = record.object == object;
    const auto put =
        store(slot, *changing, is_newer ? Bytes(encoded) : wire::encode(record.object));
    if (!put) return std::unexpected(put.error());
    return true;
}

Result<bool> Objects::merge_given(const Slot& slot, const Object& object, BytesView encoded,
                                  std::uint64_t stamp) {
    const auto held = read(slot);
    if (!held && held.error().code != Code::corrupt) return std::unexpected(held.error());
    if (held) {
        if (names_another(held->object, object))
            return fail(Code::refused,
                        "a version of the state has the dot of another value that is stored here; "
                        "the state is not what this or another cluster has given out");
        Object after = held->object;
        merge(after, object);
        if (grows_past_limits(held->object, after, desk_.options))
            return fail(Code::object_full, "merging would make the object too large (" +
                                               std::to_string(after.siblings.size()) +
                                               " siblings); read it, merge, and put with the "
                                               "context");
    }
    if (desk_.breaks(Mutant::merge_mints)) {
        const auto written = write(slot, {}, object.siblings.front());
        return written ? Result<bool>(true) : std::unexpected(written.error());
    }
    if (desk_.breaks(Mutant::merge_replaces)) {
        const Changing changing{{object}, !held || held->object.empty(), {}};
        const auto stored = store(slot, changing, encoded);
        return stored ? Result<bool>(true) : std::unexpected(stored.error());
    }
    return merge_in(slot, object, encoded, stamp);
}

Result<Objects::Written> Objects::write(const Slot& slot, const Clock& given, Sibling sibling) {
    auto changing = read_to_change(slot);
    if (!changing) return std::unexpected(changing.error());
    Record& record = changing->record;
    const Clock& context = context_or_broken(desk_, given, record.object, sibling);
    const std::size_t entries_before = record.object.clock.size();

    const Actor own{desk_.self(), record.own_birth};
    if (record.own_birth != 0 && record.own_run == desk_.run &&
        context.top(own) > record.object.clock.top(own))
        desk_.run = desk_.random.bits();
    // An actor never outlives its process run: what the record shows of it may be an old image.
    const bool goes_on = record.own_birth != 0 &&
                         (record.own_run == desk_.run || desk_.breaks(Mutant::actor_outlives_run));
    if (!goes_on) {
        record.own_birth = desk_.random.bits();
        desk_.counters.add("versions.new_actors");
    }
    record.own_run = desk_.run;
    const Actor actor{desk_.self(), record.own_birth};
    const Dot dot{actor, record.object.clock.top(actor) + 1};
    sibling.dot = dot;

    Object after = record.object;
    if (desk_.settings.last_write_wins) {
        Clock all = context;
        all.join(after.clock);
        if (const Sibling* held = newest(after))
            sibling.wall_ms = std::max(sibling.wall_ms, held->wall_ms + 1);
        add_version(after, all, std::move(sibling));
    } else {
        add_version(after, context, std::move(sibling));
    }
    if (desk_.breaks(Mutant::context_drops_all))
        std::erase_if(after.siblings, [&](const Sibling& other) { return other.dot != dot; });
    if (grows_past_limits(record.object, after, desk_.options))
        return fail(Code::object_full, "one more sibling would make the object too large (" +
                                           std::to_string(record.object.siblings.size()) +
                                           " siblings); read it, merge, and put with the context");
    record.object = std::move(after);
    // The paper cuts clocks at ten entries; here they are only worth a word (section 4.4).
    if (record.object.clock.size() > 10 && entries_before <= 10)
        desk_.counters.add("versions.large_clocks");
    Bytes encoded = wire::encode(record.object);
    if (const auto put = store(slot, *changing, encoded); !put) return std::unexpected(put.error());
    return Written{std::move(record.object), std::move(encoded), dot};
}

Result<bool> Objects::reduce(const Slot& slot, const Digest& expected) {
    auto changing = read_to_change(slot);
    if (!changing) return std::unexpected(changing.error());
    Record& record = changing->record;
    if (changing->is_new || record.partial) return false;
    const auto held = object_bytes(slot.row, changing->before);
    if (!held || digest(*held) != expected) return false;
    record.object = reduced(record.object, desk_.settings.last_write_wins);
    desk_.counters.add("purge.reduced");
    if (record.object.empty()) {
        if (auto erased = erase(slot, *changing); !erased) return std::unexpected(erased.error());
        return true;
    }
    // An actor that the clock knows no more would count from 1 again.
    const Actor own{desk_.self(), record.own_birth};
    if (record.object.clock.top(own) == 0 && !desk_.breaks(Mutant::reduced_actor_goes_on))
        record.own_birth = record.own_run = 0;
    if (auto put = store(slot, *changing, wire::encode(record.object)); !put)
        return std::unexpected(put.error());
    return true;
}

Result<void> Objects::drop_all() {
    if (auto dropped = trees_.drop_all(); !dropped) return dropped;
    damaged_.clear();
    hints_.clear();
    for (std::uint32_t partition = 0; partition < desk_.routes.partitions(); ++partition)
        if (auto dropped =
                desk_.storage.drop(Table::objects(static_cast<std::uint16_t>(partition)));
            !dropped)
            return dropped;
    if (auto dropped = desk_.storage.drop(Table::hints()); !dropped) return dropped;
    return desk_.storage.drop(Table::reducible());
}

Result<void> Objects::drop_partition(std::uint16_t partition) {
    std::erase_if(damaged_, [&](const auto& entry) { return entry.second.partition == partition; });
    if (auto dropped = trees_.drop(partition); !dropped) return dropped;
    if (auto dropped = reducible_.drop(partition); !dropped) return dropped;
    return desk_.storage.drop(Table::objects(partition));
}

Result<void> Objects::mend(const Slot& slot, const Object& object) {
    auto changing = read_to_change(slot);
    if (!changing) return std::unexpected(changing.error());
    Record& record = changing->record;
    merge(record.object, object);
    record.partial = false;
    damaged_.erase(slot.row);
    if (record.object.empty()) return erase(slot, *changing);
    return store(slot, *changing, wire::encode(record.object));
}

Result<bool> Objects::erase_hint(const Slot& slot, const Digest& expected) {
    DYN_CHECK(!slot.hint_for.is_none());
    const auto stored = desk_.storage.get(slot.table(), slot.storage_key());
    if (!stored) return std::unexpected(stored.error());
    if (!stored->has_value()) return false;
    if (digest(**stored) != expected && !desk_.breaks(Mutant::hint_erased_though_changed))
        return false;
    if (const auto erased = desk_.storage.erase(slot.table(), slot.storage_key()); !erased)
        return std::unexpected(erased.error());
    const auto held = hints_.find(slot.hint_for);
    if (held != hints_.end() && --held->second == 0) hints_.erase(held);
    return true;
}

std::uint64_t Objects::hints_held() const {
    std::uint64_t held = 0;
    for (const auto& [owner, count] : hints_) held += count;
    return held;
}

std::uint64_t Objects::hints_held_for(const NodeId& owner) const {
    const auto at = hints_.find(owner);
    return at == hints_.end() ? 0 : at->second;
}

std::vector<NodeId> Objects::hint_owners() const {
    std::vector<NodeId> owners;
    for (const auto& [owner, count] : hints_) owners.push_back(owner);
    return owners;
}

Result<void> Objects::scan_hints(const NodeId& owner, BytesView first_row, const VisitRow& visit) {
    const Bytes prefix(owner.bytes());
    return desk_.storage.scan(
        Table::hints(), prefix + Bytes(first_row), [&](BytesView key, BytesView value) {
            return key.starts_with(prefix) && visit(key.substr(owner_octets), value);
        });
}

Result<void> Objects::scan_objects(std::uint16_t partition, BytesView first_row,
                                   const VisitRow& visit) {
    return desk_.storage.scan(Table::objects(partition), first_row, visit);
}

Result<Bytes> Objects::state_of(const Slot& own) {
    if (desk_.routes.serves(desk_.self(), own.partition)) return read_bytes(own);
    Object kept;
    for (const NodeId& owner : desk_.routes.serving(own.partition)) {
        if (hints_counted_ && hints_held_for(owner) == 0) continue;
        const auto record = read({own.partition, owner, own.row});
        if (!record) return std::unexpected(record.error());
        merge(kept, record->object);
    }
    return kept.empty() ? Bytes{} : wire::encode(kept);
}

Result<bool> Objects::holds_data() {
    if (!hints_counted_)
        if (auto counted = count_hints(); !counted) return std::unexpected(counted.error());
    bool found = hints_held() > 0;
    for (std::uint32_t partition = 0; partition < desk_.routes.partitions() && !found;
         ++partition) {
        const auto scanned = scan_objects(static_cast<std::uint16_t>(partition), {},
                                          [&](BytesView, BytesView) { return !(found = true); });
        if (!scanned) return std::unexpected(scanned.error());
    }
    return found;
}

Result<void> Objects::count_hints() {
    hints_.clear();
    auto counted = desk_.storage.scan(Table::hints(), {}, [&](BytesView key, BytesView) {
        if (key.size() > owner_octets + position_octets)
            ++hints_[NodeId::from(key.substr(0, owner_octets))];
        return true;
    });
    hints_counted_ = counted.has_value();
    return counted;
}

}  // namespace dynamo
