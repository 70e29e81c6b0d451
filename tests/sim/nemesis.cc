#include "tests/sim/nemesis.h"

#include <algorithm>
#include <array>
#include <span>

namespace dynamo::sim {
namespace {

using std::chrono::milliseconds;

bool is_network(Fault fault) {
    return fault == Fault::partition || fault == Fault::one_way || fault == Fault::bridge ||
           fault == Fault::flap || fault == Fault::isolate || fault == Fault::ring;
}

bool is_of_copies(Fault fault) {
    return fault == Fault::lose_shard || fault == Fault::roll_back || fault == Fault::damage ||
           fault == Fault::bad_page || fault == Fault::short_log || fault == Fault::corner ||
           fault == Fault::ambush;
}

bool is_of_disk(Fault fault) {
    return fault == Fault::bad_reads || fault == Fault::disk_full || fault == Fault::failed_sync ||
           fault == Fault::slow_disk;
}

}  // namespace

std::vector<Strike> plan_strikes(const Setup& setup) {
    std::vector<Fault> on;
    for (std::size_t i = 0; i < fault_count; ++i)
        if (setup.faults[i]) on.push_back(static_cast<Fault>(i));
    std::vector<Strike> plan;
    if (on.empty()) return plan;
    const Chance chance(setup.seed);
    const auto chaos = static_cast<std::uint64_t>(setup.chaos.count());
    for (unsigned number = 0; number < setup.strikes; ++number) {
        Random random = chance.at(Stream::nemesis, number);
        Strike strike;
        strike.number = number;
        strike.fault = on[random.below(on.size())];
        strike.at = Duration(static_cast<std::int64_t>(random.below(chaos)));
        strike.lasts =
            milliseconds(50 + static_cast<int>(random.below(random.chance(0.3) ? 8000 : 2500)));
        strike.node = static_cast<unsigned>(random.below(setup.nodes));
        strike.detail = random.bits();
        plan.push_back(strike);
    }
    return plan;
}

std::string describe(const Strike& strike) {
    return std::string(name_of(strike.fault)) + " n" + std::to_string(strike.node + 1) + " for " +
           std::to_string(strike.lasts.count() / 1000) + " ms";
}

Nemesis::Nemesis(World& world, Cluster& cluster, RingChanges& changes)
    : world_(world),
      cluster_(cluster),
      atlas_(world, cluster),
      ambush_(world, cluster, atlas_, changes) {}

void Nemesis::schedule(const Strike& planned) {
    if (planned.fault == Fault::roll_back) {
        // The image that is put back is some seconds old.
        const Duration age(static_cast<std::int64_t>(200'000 + planned.detail % 3'000'000));
        world_.timeline.after(planned.at - age, [this, planned] {
            images_[planned.number] = cluster_.process(planned.node).disk().committed_image();
        });
    }
    world_.timeline.after(planned.at, [this, planned] {
        if (!over_) strike(planned);
    });
}

Nemesis::Links Nemesis::links_of(const Strike& strike) const {
    const auto nodes = static_cast<unsigned>(cluster_.size());
    // Sides by the bits of the detail, with the struck node always on the first.
    const auto first = [&](unsigned node) {
        if (strike.fault == Fault::isolate) return node == strike.node;
        return node == strike.node || (strike.detail >> node & 1) != 0;
    };
    const unsigned bridge = static_cast<unsigned>(strike.detail >> 32) % nodes;
    Links links;
    for (unsigned a = 0; a < nodes; ++a) {
        for (unsigned b = 0; b < nodes; ++b) {
            if (strike.fault == Fault::ring) {
                const unsigned apart = (a + nodes - b) % nodes;
                if (apart > 1 && apart + 1 < nodes) links.emplace_back(a, b);
                continue;
            }
            if (a == b || first(a) == first(b)) continue;
            if (strike.fault == Fault::one_way && !first(a)) continue;
            if (strike.fault == Fault::bridge && (a == bridge || b == bridge)) continue;
            links.emplace_back(a, b);
        }
    }
    return links;
}

void Nemesis::cut(const Links& links, Duration lasts) {
    for (const auto& [from, to] : links) cluster_.network().cut(from, to);
    world_.timeline.after(lasts, [this, links] {
        if (over_) return;
        for (const auto& [from, to] : links) cluster_.network().mend(from, to);
    });
}

void Nemesis::down_for(unsigned node, Duration lasts) {
    world_.timeline.after(lasts, [this, node] { cluster_.process(node).start(); });
}

void Nemesis::lose_power(Process& process, std::uint64_t detail) {
    const std::size_t unsynced = process.disk().unsynced();
    const bool destroys = unsynced > 0 && atlas_.may_lose(process.index());
    process.lose_power(destroys ? detail % unsynced : unsynced);
}

void Nemesis::strike(const Strike& strike) {
    world_.trace.fold(folded::strike, strike.number, strike.node);
    if (world_.trace.wordy()) world_.say("strike: " + describe(strike));
    if (strike.fault == Fault::flap) {
        for (int i = 0; i < 4; ++i)
            world_.timeline.after(strike.lasts / 2 * i, [this, strike] {
                if (!over_) cut(links_of(strike), strike.lasts / 4);
            });
    } else if (is_network(strike.fault)) {
        cut(links_of(strike), strike.lasts);
    } else if (strike.fault == Fault::clog) {
        const auto other = static_cast<unsigned>(strike.detail % cluster_.size());
        cluster_.network().clog(strike.node, other, world_.timeline.now() + strike.lasts);
    } else if (is_of_disk(strike.fault)) {
        strike_disk(strike);
    } else if (is_of_copies(strike.fault)) {
        strike_copies(strike);
    } else {
        strike_process(strike);
    }
}

void Nemesis::strike_process(const Strike& strike) {
    Process& process = cluster_.process(strike.node);
    switch (strike.fault) {
        case Fault::kill:
            if (!process.up()) return;
            process.kill();
            return down_for(strike.node, strike.lasts);
        case Fault::power:
            if (!process.up()) return;
            lose_power(process, strike.detail);
            return down_for(strike.node, strike.lasts);
        case Fault::boundary:
            return process.arm(static_cast<Boundary>(1 + strike.detail % 5), strike.lasts);
        case Fault::pause:
            process.pause(true);
            world_.timeline.after(strike.lasts, [&process] { process.pause(false); });
            return;
        case Fault::clock:
            return process.jump_clock(static_cast<std::int64_t>(strike.detail % 7'200'000) -
                                      3'600'000);
        case Fault::restart_all:
            for (unsigned i = 0; i < cluster_.size(); ++i) {
                cluster_.process(i).kill();
                down_for(i, strike.lasts + milliseconds(i * 10));
            }
            return;
        case Fault::owners_down:
            world_.marks.hit(Mark::all_owners_down);
            for (const unsigned owner :
                 cluster_.owners("k" + std::to_string(strike.detail % world_.setup.keys))) {
                cluster_.process(owner).kill();
                down_for(owner, strike.lasts);
            }
            return;
        case Fault::stranger: {
            if (dead_ != UINT32_MAX || !atlas_.may_lose(strike.node)) return;
            dead_ = strike.node;
            atlas_.bury(dead_);
            Random random = world_.chance.at(Stream::identity, strike.number + 1000);
            const Process& other = cluster_.process((strike.node + 1) % world_.setup.nodes);
            return process.start_as_stranger(NodeId::random(random),
                                             other.options().self.peer_address);
        }
        case Fault::dead_for_good:
            if (dead_ != UINT32_MAX || !atlas_.may_lose(strike.node)) return;
            dead_ = strike.node;
            atlas_.bury(dead_);
            process.retire();
            if ((strike.detail & 1) != 0) return process.kill();
            return process.lose_power(process.disk().unsynced());
        default:
            return;
    }
}

void Nemesis::strike_disk(const Strike& strike) {
    Process& process = cluster_.process(strike.node);
    Disk& disk = process.disk();
    const auto later = [&](auto what) {
        world_.timeline.after(strike.lasts, [this, what] {
            if (!over_) what();
        });
    };
    switch (strike.fault) {
        case Fault::bad_reads:
            world_.marks.hit(Mark::read_error);
            disk.fail_reads(0.05 + 0.4 * static_cast<double>(strike.detail % 100) / 100,
                            world_.chance.at(Stream::disk, strike.number + 1000000));
            return later([&disk] { disk.fail_reads(0, Random(0)); });
        case Fault::disk_full: {
            const bool told = (strike.detail & 1) != 0;
            process.fill_disk((strike.detail & 2) != 0 ? Disk::Full::at_put : Disk::Full::at_commit,
                              told);
            return later([this, &process] {
                world_.marks.hit(Mark::disk_full_entered_and_left);
                process.fill_disk(Disk::Full::no, true);
            });
        }
        case Fault::failed_sync:
            if (world_.setup.durability == Durability::sync) disk.fail_sync();
            return;
        case Fault::slow_disk:
            return process.slow_until(world_.timeline.now() + strike.lasts);
        default:
            return;
    }
}

void Nemesis::damage_records(const Strike& strike) {
    Disk& disk = cluster_.process(strike.node).disk();
    for (std::uint64_t i = 0; i <= strike.detail % 3; ++i) {
        const Random chosen = world_.chance.at(Stream::disk, strike.number + 2'000'000, i);
        // Looked at first: which record it is decides whether it may be lost.
        const auto aimed = disk.record_at(chosen);
        if (!aimed || !atlas_.may_lose(strike.node, aimed->substr(8))) continue;
        disk.damage(chosen);
        world_.marks.hit(Mark::record_damaged);
    }
}

std::vector<unsigned> Nemesis::only_holders(const Bytes& key) {
    const auto& writes = world_.ledger.writes(key);
    std::vector<unsigned> holders;
    const std::vector<unsigned> owners = cluster_.owners(key);
    for (const unsigned owner : owners) {
        const auto object = cluster_.stored_whole(owner, key);
        const bool holds_all = object && std::ranges::all_of(writes, [&](const Write& write) {
                                   return !write.acknowledged || object->clock.covers(write.dot);
                               });
        if (holds_all) holders.push_back(owner);
    }
    return holders.size() == owners.size() ? std::vector<unsigned>{} : holders;
}

/// The worst moment for counting as whole too early: those who know are away.
void Nemesis::corner(const Strike& strike) {
    for (const Bytes& key : world_.ledger.keys()) {
        std::vector<unsigned> holders = only_holders(key);
        if (holders.size() < 2 || holders.size() != world_.setup.w) continue;
        std::rotate(holders.begin(),
                    holders.begin() + static_cast<std::ptrdiff_t>(strike.detail % holders.size()),
                    holders.end());
        std::size_t struck = 0;
        while (struck + 1 < holders.size() && take_copy(holders[struck], key, strike)) ++struck;
        if (struck == 0) continue;
        world_.marks.hit(Mark::cornered);
        for (const unsigned away : std::span(holders).subspan(struck)) {
            if (away == dead_) continue;
            cluster_.process(away).kill();
            down_for(away, strike.lasts + milliseconds(1500));
        }
        return;
    }
}

/// One record, or all that the node holds; false when it may not be lost.
bool Nemesis::take_copy(unsigned node, const Bytes& key, const Strike& strike) {
    Process& process = cluster_.process(node);
    const bool whole = (strike.detail >> 8 & 1) == 0;
    if (whole ? !atlas_.may_lose(node) : !atlas_.may_lose(node, key)) return false;
    if (whole) {
        process.kill();
        process.disk().wipe();
        wiped_.insert(node);
        down_for(node, milliseconds(50));
    } else {
        process.disk().damage(key, world_.chance.at(Stream::disk, strike.number + 3'000'000));
        world_.marks.hit(Mark::record_damaged);
    }
    return true;
}

void Nemesis::strike_copies(const Strike& strike) {
    Process& process = cluster_.process(strike.node);
    Disk& disk = process.disk();
    if (strike.fault == Fault::corner) return corner(strike);
    if (strike.fault == Fault::ambush)
        return ambush_.begin({strike.number, strike.detail, strike.lasts + std::chrono::seconds(2),
                              milliseconds(1500 + (strike.detail >> 32) % 2000)});
    if (strike.node == dead_) return;
    if (strike.fault == Fault::damage) return damage_records(strike);
    if (!atlas_.may_lose(strike.node)) return;
    if (strike.fault == Fault::roll_back && !atlas_.may_put_back(strike.node)) return;
    if (strike.fault == Fault::bad_page) {
        wiped_.insert(strike.node);
        return disk.break_engine();
    }
    process.kill();
    if (strike.fault == Fault::lose_shard) {
        disk.wipe();
        wiped_.insert(strike.node);
    } else if (strike.fault == Fault::short_log) {
        if (disk.log_size() == 0) return down_for(strike.node, strike.lasts);
        process.shorten_log(1 + strike.detail % disk.log_size());
        wiped_.insert(strike.node);
        world_.marks.hit(Mark::log_shortened);
    } else {
        disk.restore(images_[strike.number]);
        process.put_back();
        world_.marks.hit(Mark::rolled_back);
    }
    down_for(strike.node, strike.lasts);
}

void Nemesis::heal() {
    over_ = true;
    ambush_.end();
    cluster_.network().heal();
    for (unsigned i = 0; i < cluster_.size(); ++i) {
        Process& process = cluster_.process(i);
        process.disk().heal();
        process.slow_until({});
        process.fill_disk(Disk::Full::no, true);
        process.arm(Boundary::none, Duration(0));
        process.pause(false);
        process.start();
    }
}

}  // namespace dynamo::sim
