// The setup of one run, drawn from its seed: the cluster, the clients, and which classes of fault
// are on. Each seed switches whole classes on and off, since a fault that is always there hides
// what happens without it.
//
// Threads: plain values
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/node/options.h"
#include "daemon/storage/storage.h"
#include "tests/sim/network.h"

namespace dynamo::sim {

enum class Fault : std::uint8_t {
    kill,           ///< kill -9: what was committed stays
    power,          ///< power loss: of unsynced commits a prefix stays
    boundary,       ///< a crash at one of the loop's boundaries
    pause,          ///< SIGSTOP
    clock,          ///< the wall clock jumps
    partition,      ///< two sides, no word between them
    one_way,        ///< one side is not heard by the other
    bridge,         ///< two sides that only one node of both sees
    flap,           ///< a partition that comes and goes
    isolate,        ///< one node alone
    clog,           ///< a link stands still, then delivers everything
    bad_reads,      ///< reads fail now and then
    disk_full,      ///< no room for some seconds
    lose_shard,     ///< the shard directory is lost; identity and ring are kept
    roll_back,      ///< an old image of the shard directory is put back
    restart_all,    ///< every node dies at once
    owners_down,    ///< all owners of a key die at once
    dead_for_good,  ///< one node never comes back
    stranger,       ///< the same, and a new daemon without its data waits at its address
    ring,           ///< each node hears its two neighbours only
    damage,         ///< a bit flips in some records
    bad_page,       ///< the engine meets a damaged page and gives up
    short_log,      ///< the log loses its end while the process is down
    failed_sync,    ///< an fsync fails
    slow_disk,      ///< commits take up to two seconds
    corner,         ///< of a write's only holders one loses it and the others are away
    ambush,         ///< while a ring changes, who missed it and who has just come are left alone
    count_,
};
inline constexpr std::size_t fault_count = static_cast<std::size_t>(Fault::count_);
[[nodiscard]] std::string_view name_of(Fault fault);

/// How the sessions divide their time.
struct Mix {
    unsigned get = 30;
    unsigned put_context = 25;
    unsigned put_observe = 15;
    unsigned put_blind = 10;
    unsigned remove = 12;
    unsigned overwrite_percent = 30;  ///< of observing puts
    unsigned backup = 3;
    unsigned restore = 6;
};

struct Setup {
    std::uint64_t seed = 0;
    Mutant mutant = Mutant::none;
    unsigned nodes = 3;
    unsigned copies = 3;  ///< N
    unsigned partitions = 8;
    unsigned r = 2;
    unsigned w = 2;
    unsigned ring_changes = 0;   ///< that an operator begins while clients work
    bool slow_rings = false;     ///< some nodes hear late of what comes of them
    std::size_t kept_rings = 8;  ///< that nodes remember beyond those that they need
    unsigned first_members = 0;  ///< that form the ring, the others wait; 0: all
    [[nodiscard]] unsigned founders() const { return first_members == 0 ? nodes : first_members; }
    bool vary_quorums = false;
    bool zones = false;
    bool last_write_wins = false;
    bool sends_exactly_w = false;  ///< of a put's first requests, those beyond W are lost
    bool hurried = false;          ///< short time-outs and tiny batches
    Duration exchange_every{std::chrono::seconds(1)};  ///< between anti-entropy turns
    std::size_t scrub_every = 2;  ///< turns with a partition, of which one reads all records
    Duration purge_every{std::chrono::hours(1)};  ///< between steps of the fence
    Duration keep_trees_every{std::chrono::hours(1)};
    unsigned jobs = 0;          ///< that an operator begins
    bool one_compares = false;  ///< only the first node begins exchanges: they must go both ways
    Durability durability = Durability::sync;
    unsigned sessions = 3;
    unsigned keys = 2;
    unsigned operations = 60;
    unsigned large_percent = 0;  ///< of values that are some thousand octets
    Duration chaos{std::chrono::seconds(15)};
    Duration commit_most{3000};  ///< how long a commit takes at most
    Mix mix;
    NetworkOptions network;
    std::array<bool, fault_count> faults{};
    unsigned strikes = 0;
    [[nodiscard]] bool has(Fault fault) const { return faults[static_cast<std::size_t>(fault)]; }
};

[[nodiscard]] Setup draw_setup(std::uint64_t seed);
/// One line.
[[nodiscard]] std::string describe(const Setup& setup);

}  // namespace dynamo::sim
