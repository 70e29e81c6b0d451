#include "tests/sim/network.h"

#include <algorithm>
#include <utility>

namespace dynamo::sim {

Network::Network(Timeline& timeline, Chance chance, NetworkOptions options, Deliver deliver)
    : timeline_(timeline), chance_(chance), options_(options), deliver_(std::move(deliver)) {}

Duration Network::delay(Random& random) const {
    const auto between = [&](Duration least, Duration most) {
        const auto span = static_cast<std::uint64_t>((most - least).count()) + 1;
        return least + Duration(static_cast<std::int64_t>(random.below(span)));
    };
    const bool slow = random.chance(options_.slow) && disturbed_;
    const Duration usual = between(options_.least, options_.most);
    return slow ? between(usual, options_.slowest) : usual;
}

void Network::send(Packet packet, bool repeatable) {
    ++counts_.sent;
    Link& link = links_[{packet.from, packet.to}];
    const std::uint64_t name = static_cast<std::uint64_t>(packet.from) << 32 | packet.to;
    Random random = chance_.at(Stream::link, name, link.packets++);
    const bool drop = random.chance(options_.drop);
    const bool duplicate = random.chance(options_.duplicate);
    const bool late = random.chance(options_.late);
    const bool held = random.chance(options_.held_when_cut);
    if (link.cuts > 0) {
        if (held) {
            ++counts_.held;
            tell(packet, "waits for the end of a cut");
            link.held.push_back(std::move(packet));
        } else {
            ++counts_.dropped;
            tell(packet, "is lost in a cut");
        }
        return;
    }
    if (disturbed_ && repeatable && late) {
        const std::uint64_t number = late_count_++;
        late_.emplace(number, packet);
        Random when = chance_.at(Stream::late, name, link.packets);
        const auto span = static_cast<std::uint64_t>(options_.latest.count());
        timeline_.after(Duration(static_cast<std::int64_t>(when.below(span))),
                        [this, number] { replay(number); });
    }
    if (disturbed_ && drop) {
        ++counts_.dropped;
        tell(packet, "is lost");
        return;
    }
    if (disturbed_ && repeatable && duplicate) {
        ++counts_.duplicated;
        tell(packet, "arrives twice");
        arrange(link, packet, random);
    }
    arrange(link, std::move(packet), random);
}

void Network::arrange(Link& link, Packet packet, Random& random) {
    Instant when = std::max(timeline_.now() + delay(random), link.clogged_until);
    if (!options_.reorder) when = std::max(when, link.last_arrival);
    link.last_arrival = std::max(link.last_arrival, when);
    timeline_.at(when, [this, packet = std::move(packet)] { deliver_(packet); });
}

void Network::replay(std::uint64_t number) {
    auto node = late_.extract(number);
    if (node.empty()) return;
    const Packet& packet = node.mapped();
    if (is_cut(packet.from, packet.to)) return;
    ++counts_.replayed;
    tell(packet, "arrives once more, late");
    deliver_(packet);
}

void Network::cut(unsigned from, unsigned to) { ++links_[{from, to}].cuts; }

void Network::mend(unsigned from, unsigned to) {
    Link& link = links_[{from, to}];
    if (link.cuts == 0 || --link.cuts > 0) return;
    const std::uint64_t name = static_cast<std::uint64_t>(from) << 32 | to;
    Random random = chance_.at(Stream::link, name, link.packets++);
    for (Packet& packet : std::exchange(link.held, {})) arrange(link, std::move(packet), random);
}

bool Network::is_cut(unsigned from, unsigned to) const {
    const auto link = links_.find({from, to});
    return link != links_.end() && link->second.cuts > 0;
}

void Network::clog(unsigned from, unsigned to, Instant until) {
    Link& link = links_[{from, to}];
    link.clogged_until = std::max(link.clogged_until, until);
}

void Network::heal() {
    disturbed_ = false;
    for (auto& [ends, link] : links_) {
        link.clogged_until = Instant{};
        while (link.cuts > 0) mend(ends.first, ends.second);
    }
    for (const auto& [number, packet] : late_)
        timeline_.after(Duration(static_cast<std::int64_t>(number * 997 % 1000000)),
                        [this, late = number] { replay(late); });
}

}  // namespace dynamo::sim
