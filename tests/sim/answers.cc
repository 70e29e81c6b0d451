#include "tests/sim/answers.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <set>

#include "libdynamo/wire/state_codec.h"

namespace dynamo::sim {
namespace {

std::string about(const LogEntry& entry) {
    return "operation " + std::to_string(entry.operation.number) + " (session " +
           std::to_string(entry.operation.session) + ", answered by n" +
           std::to_string(entry.asked + 1) + "): ";
}

std::uint64_t number_of(const std::string& text) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

/// An observing put without `overwrite` answers `conflict` rather than supersede several values.
void check_observed(World& world, const LogEntry& entry, std::size_t own, WriteSet token) {
    if (world.setup.last_write_wins || entry.operation.mode != PutMode::observe ||
        entry.operation.overwrite || entry.operation.kind != Operation::Kind::put)
        return;
    const Bytes& key = entry.operation.key;
    token.remove(own);
    token.remove(world.ledger.purged(key));
    std::set<Bytes> values;
    for (const std::size_t number : world.ledger.maximal(key, token).members()) {
        const Write& write = world.ledger.writes(key)[number];
        if (!write.tombstone) values.insert(write.value);
    }
    if (values.size() > 1)
        world.verdict.fail(rule::exact, key,
                           about(entry) + "an observing put superseded a conflict: " +
                               world.ledger.show(key, world.ledger.maximal(key, token)));
}

/// What the answer's context may cover besides the write itself.
void check_context(World& world, const LogEntry& entry, std::size_t own, const WriteSet& token) {
    const Bytes& key = entry.operation.key;
    const Write& write = world.ledger.writes(key)[own];
    WriteSet untold = write.past;
    untold.remove(token);
    untold.remove(world.ledger.purged(key));
    if (!untold.empty())
        world.verdict.fail(rule::exact, key,
                           about(entry) + "it superseded " + world.ledger.show(key, untold) +
                               ", which the context in its answer does not cover");
    WriteSet allowed;
    if (entry.operation.mode == PutMode::observe || world.setup.last_write_wins) {
        // Whatever stood beside it when it was minted was not superseded, so is not covered.
        allowed = token;
        allowed.remove(write.beside);
    } else {
        allowed = world.ledger.closure(key, entry.seen);
        allowed.add(own);
    }
    WriteSet more = token;
    more.remove(allowed);
    if (!more.empty())
        world.verdict.fail(rule::exact, key,
                           about(entry) + "the context in its answer covers " +
                               world.ledger.show(key, more) +
                               ", which its own context did not cover");
    WriteSet beyond = write.past;
    beyond.remove(allowed);
    beyond.remove(world.ledger.purged(key));
    if (!beyond.empty())
        world.verdict.fail(rule::exact, key,
                           about(entry) + "it superseded " + world.ledger.show(key, beyond) +
                               ", which its context did not cover");
}

/// The same for each live list, as the coordinator knew them: an owner's copy is its own, or a hint
/// that somebody keeps for it.
void check_each_list(World& world, Cluster& cluster, const LogEntry& entry, std::size_t own) {
    const Bytes& key = entry.operation.key;
    const Write& write = world.ledger.writes(key)[own];
    const std::size_t wanted = entry.operation.w == 0 ? world.setup.w : entry.operation.w;
    // Which ring another node coordinated it by is not known here.
    if (write.minted_by != entry.asked) return;
    for (const OwnerList& list : cluster.lists_at(entry.asked, key)) {
        // A ring that came after the answer asks for other owners.
        if (list.version > entry.answered_in) return;
        const auto has_copy = [&](const NodeId& owner) {
            if ((write.held >> cluster.index_of(owner) & 1) != 0) return true;
            for (unsigned node = 0; node < cluster.size(); ++node)
                if (const auto hint = cluster.stored(node, key, owner);
                    hint && hint->clock.covers(write.dot))
                    return true;
            return false;
        };
        const auto copies = static_cast<std::size_t>(std::ranges::count_if(list.owners, has_copy));
        if (copies >= std::min(wanted, list.owners.size())) continue;
        return world.verdict.fail(rule::durable, key,
                                  about(entry) + world.ledger.show(key, own) +
                                      " is acknowledged with W=" + std::to_string(wanted) +
                                      ", and of the list of ring " + std::to_string(list.version) +
                                      " only " + std::to_string(copies) + " have it");
    }
}

void check_copies(World& world, Cluster& cluster, const LogEntry& entry, std::size_t own) {
    const Bytes& key = entry.operation.key;
    const Write& write = world.ledger.writes(key)[own];
    const unsigned wanted = entry.operation.w == 0 ? world.setup.w : entry.operation.w;
    const auto copies = static_cast<unsigned>(std::popcount(write.held));
    if (world.setup.ring_changes > 0) return check_each_list(world, cluster, entry, own);
    if (copies >= wanted) return;
    std::string holders;
    for (unsigned i = 0; i < 64; ++i)
        if ((write.held >> i & 1) != 0) holders += " n" + std::to_string(i + 1);
    world.verdict.fail(rule::durable, key,
                       about(entry) + world.ledger.show(key, own) + " is acknowledged with W=" +
                           std::to_string(wanted) + ", and only these have stored it:" + holders);
}

/// Whether, as its coordinator knows the ring, W owners of each live list hold it for certain.
bool is_on_every_list(World& world, Cluster& cluster, unsigned coordinator, const Bytes& key,
                      const Write& write) {
    if (world.setup.ring_changes == 0) return false;
    const auto lists = cluster.lists_at(coordinator, key);
    return !lists.empty() && std::ranges::all_of(lists, [&](const OwnerList& list) {
        std::size_t holders = 0;
        for (const NodeId& owner : list.owners) {
            const auto held = cluster.stored_whole(cluster.index_of(owner), key);
            holders += held && held->clock.covers(write.dot) ? 1 : 0;
        }
        return holders >= std::min<std::size_t>(world.setup.w, list.owners.size());
    });
}

}  // namespace

WriteSet on_every_list(World& world, Cluster& cluster, const Bytes& key) {
    const std::size_t count = world.ledger.writes(key).size();
    WriteSet all;
    for (std::size_t i = 0; i < count; ++i) all.add(i);
    const RingState& ring = cluster.known_ring();
    for (const OwnerList& list :
         live_lists(ring, partition_of(position_of(key), ring.settings.partitions))) {
        std::vector<std::size_t> holders(count);
        for (const NodeId& owner : list.owners)
            if (const auto held = cluster.stored_whole(cluster.index_of(owner), key))
                for (std::size_t i = 0; i < count; ++i)
                    holders[i] += held->clock.covers(world.ledger.writes(key)[i].dot);
        for (std::size_t i = 0; i < count; ++i)
            if (holders[i] < std::min<std::size_t>(world.setup.w, list.owners.size()))
                all.remove(i);
    }
    return all;
}

WriteSet token_set(World& world, const Cluster& cluster, const Bytes& key, const Bytes& token) {
    const auto context = wire::decode_context(token, cluster.id(), position_of(key));
    if (!context) {
        world.verdict.fail(rule::exact, key,
                           "a node made a context that is none: " + context.error().message);
        return {};
    }
    return world.ledger.covered(key, context->seen);
}

void check_got(World& world, const Cluster& cluster, LogEntry& entry, const wire::GetReply& reply) {
    const Bytes& key = entry.operation.key;
    WriteSet shown;
    for (const wire::VersionReply& version : reply.versions) {
        const Dot dot{{NodeId::from(version.node), number_of(version.birth)}, version.counter};
        const auto number = world.ledger.find(key, dot);
        if (!number)
            return world.verdict.fail(rule::invented, key,
                                      about(entry) + "it shows \"" + version.value.substr(0, 24) +
                                          "\", which nobody has stored");
        const Write& write = world.ledger.writes(key)[*number];
        if (write.value != version.value || write.tombstone != version.tombstone)
            return world.verdict.fail(rule::invented, key,
                                      about(entry) + "it shows \"" + version.value.substr(0, 24) +
                                          "\" as " + world.ledger.show(key, *number));
        shown.add(*number);
    }
    entry.shown = shown;
    const WriteSet token = token_set(world, cluster, key, reply.context);
    entry.told_of = token;
    if (world.setup.last_write_wins) {
        const auto last_of = [&](const WriteSet& set) {
            return world.ledger.youngest(key, world.ledger.maximal(key, set));
        };
        // A tombstone that some have purged is shown by those who still hold it.
        WriteSet winner = last_of(token);
        if (shown.members() != winner.members()) {
            WriteSet kept = token;
            kept.remove(world.ledger.purged(key));
            winner = last_of(kept);
        }
        if (shown.members() != winner.members())
            world.verdict.fail(rule::exact, key,
                               about(entry) + "it shows " + world.ledger.show(key, shown) +
                                   ", and the last write is " + world.ledger.show(key, winner));
        return;
    }
    const WriteSet right = world.ledger.closure(key, shown);
    WriteSet hidden = token;
    hidden.remove(right);
    WriteSet missing = right;
    missing.remove(token);
    hidden.remove(world.ledger.purged(key));
    missing.remove(world.ledger.purged(key));
    if (!hidden.empty())
        world.verdict.fail(rule::exact, key,
                           about(entry) + "its context covers " + world.ledger.show(key, hidden) +
                               ", which it does not show and nothing shown supersedes; shown: " +
                               world.ledger.show(key, shown));
    if (!missing.empty())
        world.verdict.fail(rule::exact, key,
                           about(entry) + "its context does not cover " +
                               world.ledger.show(key, missing) + ", which it shows");
}

void check_stored(World& world, Cluster& cluster, LogEntry& entry, const Bytes& token,
                  bool existed) {
    const Bytes& key = entry.operation.key;
    const WriteSet covered = token_set(world, cluster, key, token);
    const bool removes = entry.operation.kind == Operation::Kind::remove;
    if (removes && !existed && entry.operation.mode == PutMode::observe) return;
    // Whatever its context covers was minted before it.
    const std::vector<std::size_t> members = covered.members();
    const auto is_own = [&](const Write& write) {
        return removes ? write.tombstone : !write.tombstone && write.value == entry.value;
    };
    if (members.empty() || !is_own(world.ledger.writes(key)[members.back()]))
        return world.verdict.fail(rule::exact, key,
                                  about(entry) + "the context in its answer does not cover it: " +
                                      world.ledger.show(key, covered));
    const std::size_t own = members.back();
    Write& write = world.ledger.writes(key)[own];
    write.acknowledged = true;
    for (const unsigned owner : cluster.owners(key)) {
        const auto held = cluster.stored_whole(owner, key);
        write.owners += held && held->clock.covers(write.dot);
    }
    write.strict = is_on_every_list(world, cluster, entry.asked, key, write);
    entry.shown = {};
    entry.shown.add(own);
    entry.told_of = covered;
    check_context(world, entry, own, covered);
    check_observed(world, entry, own, covered);
    check_copies(world, cluster, entry, own);
}

void check_state_read(World& world, LogEntry& entry, const Bytes& state) {
    if (state.empty()) return;
    const Bytes& key = entry.operation.key;
    const auto object = wire::decode_object(state);
    if (!object)
        return world.verdict.fail(rule::exact, key,
                                  about(entry) + "it is no state: " + object.error().message);
    const Seen seen = world.ledger.read(key, *object);
    entry.shown = seen.siblings;
    entry.told_of = seen.covered;
    WriteSet shown = seen.siblings;
    WriteSet right = world.ledger.maximal(key, seen.covered);
    shown.remove(world.ledger.purged(key));
    right.remove(world.ledger.purged(key));
    if (!(shown == right))
        world.verdict.fail(rule::exact, key,
                           about(entry) + "the state shows " + world.ledger.show(key, shown) +
                               ", and should show " + world.ledger.show(key, right));
}

void check_merged(World& world, Cluster& cluster, LogEntry& entry) {
    const Bytes& key = entry.operation.key;
    const auto object = wire::decode_object(entry.state);
    if (!object) return;
    const Seen seen = world.ledger.read(key, *object);
    entry.shown = seen.siblings;
    for (const std::size_t number : seen.covered.members()) {
        Write& write = world.ledger.writes(key)[number];
        write.acknowledged = true;
        unsigned owners = 0;
        for (const unsigned owner : cluster.owners(key)) {
            const auto held = cluster.stored_whole(owner, key);
            owners += held && held->clock.covers(write.dot);
        }
        write.owners = std::max(write.owners, owners);
        check_copies(world, cluster, entry, number);
    }
    for (const Write& write : world.ledger.writes(key))
        for (const std::size_t number : seen.siblings.members())
            if (write.acknowledged && write.past.has(number))
                return world.marks.hit(Mark::old_state_merged);
}

void check_failed(World& world, LogEntry& entry, const wire::ErrorReply& reply) {
    entry.told = reply.name + ": " + reply.message;
    if (entry.operation.kind == Operation::Kind::put && reply.applied == "no" &&
        !entry.operation.resend)
        world.ledger.rule_out(entry.value);
}

}  // namespace dynamo::sim
