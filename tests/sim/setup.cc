#include "tests/sim/setup.h"

#include <algorithm>

namespace dynamo::sim {
namespace {

constexpr std::array<std::string_view, fault_count> fault_names = {
    "kill",      "power",      "boundary",  "pause",       "clock",       "partition",
    "one-way",   "bridge",     "flap",      "isolate",     "clog",        "bad-reads",
    "disk-full", "lose-shard", "roll-back", "restart-all", "owners-down", "dead-for-good",
    "stranger",  "ring",       "damage",    "bad-page",    "short-log",   "failed-sync",
    "slow-disk", "corner",     "ambush"};

struct Quorums {
    unsigned r;
    unsigned w;
};
/// Mostly such that reads meet writes; the others must still lose nothing.
constexpr Quorums quorums[] = {{2, 2}, {2, 2}, {2, 2}, {2, 2}, {2, 2}, {1, 3},
                               {3, 1}, {2, 3}, {3, 2}, {1, 1}, {1, 2}};

void draw_network(Setup& setup, Random& random) {
    NetworkOptions& network = setup.network;
    if (random.chance(0.4))
        network.drop = 0.002 + 0.06 * static_cast<double>(random.below(100)) / 100;
    if (random.chance(0.4)) network.duplicate = 0.05;
    if (random.chance(0.3)) network.slow = 0.03;
    if (random.chance(0.3)) network.late = 0.02;
    network.reorder = random.chance(0.7);
    network.held_when_cut = random.chance(0.5) ? 0.9 : 0.1;
    if (random.chance(0.2)) network.most = Duration(60000);
    network.latest = setup.chaos;
}

void draw_five_copies(Setup& setup, Random& random) {
    constexpr Quorums of_five[] = {{3, 3}, {3, 3}, {2, 4}, {4, 2}, {3, 4}};
    const Quorums& drawn = of_five[random.below(std::size(of_five))];
    setup.copies = 5;
    setup.nodes = 5 + static_cast<unsigned>(random.below(2));
    setup.r = drawn.r;
    setup.w = drawn.w;
}

/// Copies are lost, nodes are away, and nothing else goes wrong; every write is on W nodes for a
/// while and on no more: whoever counts as whole too early is caught.
void narrow_down(Setup& setup, Random& random) {
    setup.copies = random.chance(0.4) ? 5 : 3;
    setup.network = {};
    setup.faults = {};
    const bool alone = random.chance(0.6);
    for (const Fault fault : {Fault::damage, Fault::lose_shard, Fault::bad_page, Fault::kill})
        setup.faults[static_cast<std::size_t>(fault)] = !alone;
    setup.faults[static_cast<std::size_t>(Fault::corner)] = true;
    setup.r = setup.w = setup.copies / 2 + 1;
    setup.vary_quorums = setup.hurried = setup.one_compares = false;
    setup.sends_exactly_w = true;
    setup.durability = Durability::sync;
    setup.scrub_every = 2;
    setup.exchange_every = std::chrono::seconds(15);
    setup.keys = 1;
    setup.strikes = alone ? 4 : 12;
    setup.nodes = setup.copies;
    setup.mix = {60, 5, 30, 5, 5, 100};
}

/// Rings change, nothing else goes wrong, and who is counted as whole too early is caught.
void narrow_down_ring(Setup& setup, Random& random) {
    setup.network = {};
    setup.faults = {};
    setup.faults[static_cast<std::size_t>(Fault::ambush)] = true;
    setup.strikes = 2 + static_cast<unsigned>(random.below(4));
    setup.copies = 3;
    setup.nodes = 5 + static_cast<unsigned>(random.below(3));
    setup.first_members = 3;
    setup.ring_changes = 1 + static_cast<unsigned>(random.below(2));
    setup.r = random.chance(0.4) ? 3 : 2;
    setup.w = 4 - setup.r;
    setup.vary_quorums = setup.hurried = setup.slow_rings = setup.zones = false;
    setup.sends_exactly_w = random.chance(0.7);
    setup.exchange_every = std::chrono::seconds(15);
    setup.keys = 1;
    setup.operations = 150 + static_cast<unsigned>(random.below(100));
    setup.mix = {50, 5, 5, 45, 5, 50};
}

/// Operators at odds with each other, and members that hear late, are cut off or start anew: what
/// a vote has to be right about.
void narrow_down_votes(Setup& setup, Random& random) {
    setup.network = {};
    setup.faults = {};
    for (const Fault fault : {Fault::partition, Fault::one_way, Fault::kill, Fault::power})
        setup.faults[static_cast<std::size_t>(fault)] = true;
    setup.strikes = 10 + static_cast<unsigned>(random.below(20));
    setup.nodes = 3 + static_cast<unsigned>(random.below(3));
    setup.first_members = setup.nodes;
    setup.ring_changes = 12 + static_cast<unsigned>(random.below(12));
    setup.slow_rings = random.chance(0.6);
    if (random.chance(0.5)) setup.durability = Durability::os;
    setup.operations = 30;
}

}  // namespace

std::string_view name_of(Fault fault) { return fault_names[static_cast<std::size_t>(fault)]; }

namespace {

Setup draw_without_purge(std::uint64_t seed) {
    Random random = Chance(seed).at(Stream::setup);
    Setup setup;
    setup.seed = seed;
    setup.nodes = 3 + static_cast<unsigned>(random.below(4));
    setup.partitions = random.chance(0.5) ? 8 : 4;
    const Quorums& drawn = quorums[random.below(std::size(quorums))];
    setup.r = drawn.r;
    setup.w = drawn.w;
    if (random.chance(0.1)) draw_five_copies(setup, random);
    setup.vary_quorums = random.chance(0.25);
    setup.zones = random.chance(0.25);
    setup.durability = random.chance(0.35) ? Durability::os : Durability::sync;
    setup.sessions = 2 + static_cast<unsigned>(random.below(4));
    setup.keys = 1 + static_cast<unsigned>(random.below(3));
    setup.operations = 30 + static_cast<unsigned>(random.below(60));
    setup.large_percent = random.chance(0.1) ? 20 : 0;
    setup.chaos = std::chrono::seconds(6 + static_cast<int>(random.below(12)));
    setup.commit_most = random.chance(0.2) ? Duration(60000) : Duration(3000);
    if (random.chance(0.3)) setup.mix = {20, 10, 40, 5, 20, 20};
    if (random.chance(0.2)) setup.mix = {15, 20, 5, 40, 15, 30};
    const bool calm = random.chance(0.08);
    if (calm) {
        setup.network.duplicate = random.chance(0.3) ? 0.05 : 0;
        return setup;
    }
    draw_network(setup, random);
    for (std::size_t i = 0; i < static_cast<std::size_t>(Fault::ambush); ++i)
        setup.faults[i] = random.chance(0.33);
    if (setup.nodes == setup.copies && random.chance(0.3)) {
        setup.one_compares = true;
        for (const Fault fault :
             {Fault::bad_reads, Fault::disk_full, Fault::lose_shard, Fault::corner,
              Fault::dead_for_good, Fault::stranger, Fault::bad_page, Fault::short_log,
              Fault::power, Fault::roll_back})
            setup.faults[static_cast<std::size_t>(fault)] = false;
    }
    setup.strikes = 3 + static_cast<unsigned>(random.below(18));
    setup.last_write_wins = random.chance(0.08);
    setup.sends_exactly_w = random.chance(0.15);
    setup.hurried = random.chance(0.15);
    // Where records are damaged somebody has to read them all now and then.
    if (!setup.has(Fault::damage) && !setup.has(Fault::corner) && random.chance(0.5))
        setup.scrub_every = 1'000'000;
    if (random.chance(0.25)) setup.exchange_every = std::chrono::seconds(5);
    if (random.chance(0.15)) narrow_down(setup, random);
    // A few runs are long, so that what is replayed is minutes old.
    if (random.chance(0.05)) {
        setup.chaos = std::chrono::seconds(120 + static_cast<int>(random.below(120)));
        setup.network.late = 0.02;
        setup.network.latest = setup.chaos;
        setup.operations += 30;
        setup.strikes += 10;
    }
    return setup;
}

}  // namespace

Setup draw_setup(std::uint64_t seed) {
    Setup setup = draw_without_purge(seed);
    // Drawn by itself, so that a seed stays what it was before there was a purge.
    Random random = Chance(seed).at(Stream::setup, 1);
    if (random.chance(0.6))
        setup.purge_every = std::chrono::milliseconds(
            random.chance(0.7) ? 40 + static_cast<int>(random.below(80))
                               : 200 + static_cast<int>(random.below(1500)));
    Random later = Chance(seed).at(Stream::setup, 2);
    if (later.chance(0.6))
        setup.keep_trees_every =
            std::chrono::milliseconds(100 + static_cast<int>(later.below(2000)));
    Random ring = Chance(seed).at(Stream::setup, 5);
    if (ring.chance(0.55)) {
        setup.ring_changes = 1 + static_cast<unsigned>(ring.below(5));
        setup.first_members = 1 + static_cast<unsigned>(ring.below(setup.nodes));
        setup.slow_rings = ring.chance(0.4);
        // Which copies may be lost while they move is not known here.
        for (const Fault fault :
             {Fault::lose_shard, Fault::roll_back, Fault::dead_for_good, Fault::stranger,
              Fault::damage, Fault::bad_page, Fault::short_log, Fault::corner})
            setup.faults[static_cast<std::size_t>(fault)] = false;
        setup.sends_exactly_w = setup.one_compares = false;
        // A copy that should not have counted is soon made whole by whatever else compares.
        if (ring.chance(0.4)) setup.exchange_every = std::chrono::seconds(15);
        if (ring.chance(0.3)) setup.network.drop = std::max(setup.network.drop, 0.15);
        if (ring.chance(0.5)) {
            setup.faults[static_cast<std::size_t>(Fault::power)] = true;
            setup.strikes += 6;
        }
        if (ring.chance(0.35)) narrow_down_ring(setup, ring);
        if (ring.chance(0.6)) setup.kept_rings = 1 + ring.below(2);
        if (Random votes = Chance(seed).at(Stream::setup, 6); votes.chance(0.1))
            narrow_down_votes(setup, votes);
        return setup;
    }
    // What a job promises is not promised of what is purged or damaged (tests/sim/job_watch.h).
    const bool damages = setup.has(Fault::damage) || setup.has(Fault::corner);
    Random jobs = Chance(seed).at(Stream::setup, 3);
    if (setup.purge_every > std::chrono::minutes(1) && !damages && jobs.chance(0.6))
        setup.jobs = 1 + static_cast<unsigned>(jobs.below(4));
    return setup;
}

std::string describe(const Setup& setup) {
    std::string out =
        "nodes=" + std::to_string(setup.nodes) + " N=" + std::to_string(setup.copies) +
        " R=" + std::to_string(setup.r) + " W=" + std::to_string(setup.w) +
        (setup.vary_quorums ? "(varied)" : "") + " Q=" + std::to_string(setup.partitions) +
        (setup.durability == Durability::os ? " os" : " sync") + (setup.zones ? " zones" : "") +
        (setup.last_write_wins ? " last-write-wins" : "") +
        (setup.one_compares ? " one-compares" : "") +
        (setup.sends_exactly_w ? " sends-exactly-w" : "") + (setup.hurried ? " hurried" : "") +
        (setup.exchange_every > std::chrono::seconds(1) ? " seldom-exchanges" : "") +
        (setup.purge_every < std::chrono::minutes(1) ? " purges" : "") +
        (setup.keep_trees_every < std::chrono::minutes(1) ? " keeps-trees" : "") +
        (setup.ring_changes > 0
             ? " ring-changes=" + std::to_string(setup.ring_changes) + "/" +
                   std::to_string(setup.founders()) + (setup.slow_rings ? " slow-rings" : "") +
                   (setup.kept_rings < 8 ? " kept=" + std::to_string(setup.kept_rings) : "")
             : "") +
        (setup.jobs > 0 ? " jobs=" + std::to_string(setup.jobs) : "") +
        (setup.scrub_every > 2 ? " no-scrub" : "") + " sessions=" + std::to_string(setup.sessions) +
        " keys=" + std::to_string(setup.keys) + " operations=" + std::to_string(setup.operations) +
        " seconds=" +
        std::to_string(std::chrono::duration_cast<std::chrono::seconds>(setup.chaos).count());
    const NetworkOptions& network = setup.network;
    const auto percent = [&](const char* name, double probability) {
        if (probability > 0)
            out += std::string(" ") + name + "=" +
                   std::to_string(static_cast<int>(probability * 1000)) + "/1000";
    };
    percent("drop", network.drop);
    percent("duplicate", network.duplicate);
    percent("slow", network.slow);
    percent("late", network.late);
    out += network.reorder ? " reorder" : "";
    out += " strikes=" + std::to_string(setup.strikes) + " faults=";
    std::string faults;
    for (std::size_t i = 0; i < fault_count; ++i)
        if (setup.faults[i]) faults += (faults.empty() ? "" : ",") + std::string(fault_names[i]);
    return out + (faults.empty() ? "none" : faults);
}

}  // namespace dynamo::sim
