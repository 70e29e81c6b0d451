#include "tests/sim/checkers.h"

#include <algorithm>
#include <set>

#include "libdynamo/wire/state_codec.h"
#include "tests/sim/ring_changes.h"

namespace dynamo::sim {
namespace {

std::string name(unsigned node) { return "n" + std::to_string(node + 1); }

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration request_timeout{2'000'000};

/// Birth and counter of each version, as answers name them.
using VersionNames = std::set<std::pair<Bytes, std::uint64_t>>;

VersionNames names_of(const Object& object, bool last_write_wins) {
    VersionNames names;
    const Sibling* last = last_write_wins ? newest(object) : nullptr;
    for (const Sibling& sibling : object.siblings)
        if (!last || &sibling == last)
            names.emplace(std::to_string(sibling.dot.actor.birth), sibling.dot.counter);
    return names;
}

/// Two full rounds of anti-entropy: a node turns to one partition and one other owner of it per
/// interval, so a round takes (partitions owned) × (other owners) intervals; doubled, and some
/// seconds for silent peers to be probed and hints to be handed back.
Duration convergence_bound(const Setup& setup) {
    const unsigned turns = setup.partitions * (setup.copies - 1);
    return 2 * turns * setup.exchange_every + seconds(setup.ring_changes > 0 ? 150 : 30);
}

}  // namespace

std::vector<unsigned> Scene::owners(const Bytes& key) const {
    std::vector<unsigned> out;
    for (const unsigned owner : cluster.owners(key))
        if (std::ranges::find(alive, owner) != alive.end()) out.push_back(owner);
    return out;
}

std::string not_converged(Scene& scene) {
    // With a node that never comes back some rebuilding waits for it for ever.
    if (scene.alive.size() == scene.cluster.size())
        for (const unsigned node : scene.alive)
            if (scene.cluster.routes().is_member(scene.cluster.process(node).id()) &&
                !scene.cluster.is_whole(node))
                return name(node) + ": is still being rebuilt";
    for (const Bytes& key : scene.keys) {
        const std::vector<unsigned> owners = scene.owners(key);
        for (const unsigned owner : owners) {
            if (owners.size() == scene.world.setup.copies && scene.cluster.is_unsound(owner, key))
                return key + ": " + name(owner) + " still has a damaged or partial record";
            if (scene.cluster.stored_bytes(owner, key) ==
                scene.cluster.stored_bytes(owners.front(), key))
                continue;
            const auto shown = [&](unsigned node) {
                const auto object = scene.cluster.stored(node, key);
                if (!object) return name(node) + " nothing";
                const Seen seen = scene.world.ledger.read(key, *object);
                return name(node) + " shows " + scene.world.ledger.show(key, seen.siblings) +
                       " and has seen " + std::to_string(seen.covered.size()) + " writes";
            };
            return key + ": " + shown(owners.front()) + ", " + shown(owner);
        }
    }
    return {};
}

std::string undelivered_hints(Scene& scene) {
    for (const unsigned holder : scene.alive)
        for (const unsigned owner : scene.alive)
            if (const std::size_t held = scene.cluster.hints(holder, owner); held > 0)
                return name(holder) + " holds " + std::to_string(held) + " for " + name(owner);
    return {};
}

Object undeliverable(Scene& scene, const Bytes& key) {
    Object kept;
    for (const unsigned owner : scene.cluster.owners(key)) {
        if (std::ranges::find(scene.alive, owner) != scene.alive.end()) continue;
        for (const unsigned holder : scene.alive)
            if (const auto hint =
                    scene.cluster.stored(holder, key, scene.cluster.process(owner).id()))
                merge(kept, *hint);
    }
    return kept;
}

void check_nothing_lost(Scene& scene, const Bytes& key, const Object& final) {
    const auto& writes = scene.world.ledger.writes(key);
    WriteSet missing;
    for (std::size_t i = 0; i < writes.size(); ++i)
        if (writes[i].acknowledged && !final.clock.covers(writes[i].dot)) missing.add(i);
    missing.remove(scene.world.ledger.purged(key));
    if (!missing.empty())
        scene.world.verdict.fail(rule::lost, key,
                                 "acknowledged and gone: " + scene.world.ledger.show(key, missing));
}

void check_nothing_returned(Scene& scene, const Bytes& key, const Object& final) {
    const auto& writes = scene.world.ledger.writes(key);
    WriteSet superseded;
    for (const Write& write : writes)
        if (write.acknowledged) superseded.add(write.past);
    WriteSet back;
    for (const std::size_t number : scene.world.ledger.read(key, final).siblings.members())
        if (superseded.has(number)) back.add(number);
    if (!back.empty())
        scene.world.verdict.fail(rule::returned, key,
                                 "superseded by an acknowledged write, and shown at the end: " +
                                     scene.world.ledger.show(key, back));
}

void check_no_explosion(Scene& scene, const Bytes& key, const Object& final) {
    const auto& writes = scene.world.ledger.writes(key);
    WriteSet applied;
    for (std::size_t i = 0; i < writes.size(); ++i)
        if (final.clock.covers(writes[i].dot)) applied.add(i);
    const WriteSet concurrent = scene.world.ledger.maximal(key, applied);
    if (final.siblings.size() > concurrent.size())
        scene.world.verdict.fail(rule::explosion, key,
                                 std::to_string(final.siblings.size()) + " siblings, though only " +
                                     scene.world.ledger.show(key, concurrent) + " are concurrent");
}

void check_merge_laws(Verdict& verdict, const Bytes& key, const std::vector<Object>& states) {
    const auto merged = [](Object a, const Object& b) {
        merge(a, b);
        return a;
    };
    for (const Object& a : states) {
        if (merged(a, a) != a) verdict.fail(rule::merge, key, "a state merged with itself changes");
        for (const Object& b : states) {
            const Object ab = merged(a, b);
            if (ab != merged(b, a)) verdict.fail(rule::merge, key, "the order of two matters");
            for (const Object& c : states)
                if (merged(ab, c) != merged(a, merged(b, c)))
                    verdict.fail(rule::merge, key, "the grouping of three matters");
        }
    }
}

void check_one_ring(Scene& scene) {
    std::map<std::uint64_t, Sha256> digests;
    for (const unsigned node : scene.alive) {
        const RingState* ring = scene.cluster.process(node).node()->ring();
        if (!ring) continue;
        for (const Epoch& epoch : ring->epochs) {
            const Sha256 digest = wire::digest_of(epoch);
            if (digests.emplace(epoch.number, digest).first->second != digest)
                scene.world.verdict.fail(rule::ring, {},
                                         name(node) + " has another epoch " +
                                             std::to_string(epoch.number) + " than the others");
        }
    }
}

void check_trees(Scene& scene) {
    for (const unsigned node : scene.alive) {
        const Node* core = scene.cluster.process(node).node();
        for (unsigned partition = 0; core && partition < scene.world.setup.partitions;
             ++partition) {
            const auto right = core->tree_is_right(static_cast<std::uint16_t>(partition));
            if (right && !*right)
                scene.world.verdict.fail(rule::tree, {},
                                         name(node) + "'s tree of partition " +
                                             std::to_string(partition) +
                                             " is not what its records make");
        }
    }
}

namespace {

VersionNames purged_tombstones(const Scene& scene, const Bytes& key) {
    VersionNames names;
    const auto& writes = scene.world.ledger.writes(key);
    for (const std::size_t number : scene.world.ledger.purged(key).members())
        if (writes[number].tombstone)
            names.emplace(std::to_string(writes[number].dot.actor.birth),
                          writes[number].dot.counter);
    return names;
}

}  // namespace

void check_final_gets(Scene& scene, const Bytes& key, const Object& final) {
    // What is kept for a node that never comes back, its stand-ins show as well, or instead.
    const bool is_one_state =
        scene.alive.size() == scene.cluster.size() || undeliverable(scene, key).empty();
    // With a node gone for good there may be too few for R; one that lives must still answer.
    const std::uint32_t r = scene.alive.size() < scene.cluster.size() ? 1 : 0;
    for (const unsigned node : scene.alive) {
        if (!scene.cluster.routes().is_member(scene.cluster.process(node).id())) continue;
        const auto answer =
            scene.cluster.ask_and_wait(node, wire::GetRequest{key, r}, 2 * request_timeout);
        if (scene.world.verdict.failed()) return;
        const auto* got = answer ? std::get_if<wire::GetReply>(&*answer) : nullptr;
        if (!got) {
            const auto* error = answer ? std::get_if<wire::ErrorReply>(&*answer) : nullptr;
            return scene.world.verdict.fail(
                rule::available, key,
                "a get through " + name(node) + " fails after the healing: " +
                    (error ? error->name + ": " + error->message : "no answer"));
        }
        // Tombstones may have been purged since.
        const VersionNames purged = purged_tombstones(scene, key);
        VersionNames right = names_of(final, scene.world.setup.last_write_wins);
        VersionNames shown;
        for (const auto& version : got->versions) shown.emplace(version.birth, version.counter);
        for (const auto& name : purged) right.erase(name), shown.erase(name);
        if (shown != right && is_one_state)
            return scene.world.verdict.fail(
                rule::returned, key,
                "a get through " + name(node) + " shows " + std::to_string(shown.size()) +
                    " versions, not the " + std::to_string(right.size()) + " of the final state");
    }
}

void check_gets_without_an_owner(Scene& scene, const Bytes& key) {
    if (scene.alive.size() < scene.cluster.size() ||
        scene.cluster.size() == scene.world.setup.copies || scene.world.setup.ring_changes > 0)
        return;
    const std::vector<unsigned> owners = scene.owners(key);
    const Object final = scene.cluster.stored(owners.front(), key).value_or(Object{});
    Random random = scene.world.chance.at(Stream::heal, 1);
    const unsigned lost = owners[random.below(owners.size())];
    scene.cluster.process(lost).retire();
    scene.cluster.process(lost).kill();
    std::erase(scene.alive, lost);
    scene.world.run_for(std::chrono::seconds(3));
    if (!scene.world.verdict.failed()) check_final_gets(scene, key, final);
}

void check_available(Scene& scene, Workload& workload, const Bytes& key) {
    if (scene.alive.size() < scene.world.setup.w) return;
    const std::vector<unsigned> owners = scene.cluster.owners(key);
    for (unsigned place = 0; place < owners.size(); ++place) {
        if (std::ranges::find(scene.alive, owners[place]) == scene.alive.end()) continue;
        // As a client does: once more when the first time-out passes without success.
        std::string told;
        for (int attempt = 0; attempt < 2; ++attempt) {
            Operation operation;
            operation.number = workload.next_plain_number();
            operation.session = 0;
            operation.key = key;
            operation.kind = Operation::Kind::put;
            operation.mode = PutMode::context;
            operation.via = place;
            operation.timeout = request_timeout;
            workload.begin(operation);
            scene.world.run_for(2 * request_timeout, [&] {
                return workload.entry(operation.number).status != Status::sent;
            });
            const LogEntry& entry = workload.entry(operation.number);
            if (scene.world.verdict.failed() || entry.status == Status::ok) break;
            told = std::string(name_of(entry.status)) + " " + entry.told;
            if (attempt == 1)
                scene.world.verdict.fail(rule::available, key,
                                         "a put through " + name(owners[place]) +
                                             " fails twice after the healing: " + told);
        }
    }
}

void settle(Scene& scene, const Workload& workload) {
    World& world = scene.world;
    const Instant until = world.timeline.now() + convergence_bound(world.setup);
    std::string apart;
    std::string held;
    std::string moving;
    while (!world.verdict.failed() && world.timeline.now() < until) {
        world.run_for(milliseconds(500));
        apart = not_converged(scene);
        held = undelivered_hints(scene);
        if (world.setup.ring_changes > 0) moving = ring_not_at_rest(scene);
        if (apart.empty() && held.empty() && moving.empty() && workload.idle()) return;
    }
    if (!apart.empty()) world.verdict.fail(rule::converge, apart.substr(0, apart.find(':')), apart);
    if (!held.empty()) world.verdict.fail(rule::hints, {}, held);
    if (!moving.empty()) world.verdict.fail(rule::moves, {}, moving);
}

void judge(Scene& scene) {
    check_one_ring(scene);
    check_trees(scene);
    for (const Bytes& key : scene.keys) {
        const std::vector<unsigned> owners = scene.owners(key);
        if (owners.empty()) continue;
        const Object final = scene.cluster.stored(owners.front(), key).value_or(Object{});
        Object everything = undeliverable(scene, key);
        merge(everything, final);
        check_nothing_lost(scene, key, everything);
        check_nothing_returned(scene, key, final);
        check_no_explosion(scene, key, final);
        check_merge_laws(scene.world.verdict, key, scene.world.ledger.states(key));
        if (!scene.world.verdict.failed()) check_final_gets(scene, key, final);
    }
}

}  // namespace dynamo::sim
