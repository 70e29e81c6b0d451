// A desk with what lies around it: one node's parts without the node, for tests of one part alone.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "daemon/node/local/objects.h"
#include "daemon/node/membership/liveness.h"
#include "daemon/storage/memory.h"
#include "libdynamo/base/check.h"
#include "libdynamo/wire/state_codec.h"
#include "tests/libdynamo/ring/settled.h"

namespace dynamo::test {

using namespace std::chrono_literals;

inline Member member(unsigned index) {
    Member member;
    member.id.octets[0] = static_cast<std::uint8_t>(index + 1);
    member.name = "n" + std::to_string(index + 1);
    member.client_address = "10.0.0." + std::to_string(index + 1) + ":7100";
    member.peer_address = "10.0.0." + std::to_string(index + 1) + ":7101";
    return member;
}

inline NodeId node_id(unsigned index) { return member(index).id; }

/// The ring that the first node forms with the others.
inline RingState ring_of(unsigned members, const ClusterSettings& settings = {.partitions = 8}) {
    RingState ring = found(ClusterId::from("0123456789abcdef"), settings, member(0), 1000);
    if (members == 1) return ring;
    for (unsigned i = 1; i < members; ++i)
        stage(ring, node_id(0), MemberOp::Kind::add, member(i), "", 2000);
    auto next = plan(ring, wire::digest_of(ring.head()));
    DYN_CHECK(next.has_value());
    next->proposer = node_id(0);
    next->issued = {3000, 0};
    ring.epochs.push_back(std::move(*next));
    test::settle(ring);
    return ring;
}

inline NodeOptions options_of(unsigned index, Mutant mutant = Mutant::none) {
    NodeOptions options;
    options.self = member(index);
    options.founding.partitions = 8;
    options.mutant = mutant;
    return options;
}

/// An object with one value, written by a node that is none of the ring's.
inline Object object(const std::string& value, std::uint64_t counter = 1) {
    Object object;
    const Dot dot{{node_id(99), 7}, counter};
    add_version(object, {}, {dot, false, 0, value});
    return object;
}

class Workplace {
  public:
    explicit Workplace(NodeOptions options)
        : desk(std::move(options), storage, Random(11), {Instant(1000s), 1'700'000'000'000}),
          objects(desk),
          liveness(desk) {
        desk.run = 1;
        DYN_CHECK(desk.fence.read(storage).has_value());
        desk.fence.sure();
    }
    Workplace(unsigned index, const RingState& ring, Mutant mutant = Mutant::none)
        : Workplace(options_of(index, mutant)) {
        follow(ring);
    }

    void follow(const RingState& ring) {
        desk.cluster = ring.cluster;
        desk.settings = ring.settings;
        desk.routes = Routes(ring, wire::digest_of(ring.head()));
    }

    void pass(Duration time) {
        desk.now.instant += time;
        desk.now.wall_ms += std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    }

    /// What was said since it was last asked.
    std::vector<Outbox::ToPeer> said() { return std::exchange(desk.outbox.peers, {}); }
    template <typename Message>
    std::vector<Message> said_of() {
        std::vector<Message> messages;
        for (auto& to : said())
            if (auto* message = std::get_if<Message>(&to.message)) messages.push_back(*message);
        return messages;
    }
    [[nodiscard]] std::size_t logged(std::string_view part) const {
        return static_cast<std::size_t>(std::ranges::count_if(
            desk.outbox.log,
            [&](const Outbox::LogLine& line) { return line.text.contains(part); }));
    }

    [[nodiscard]] Slot slot(BytesView key, const NodeId& hint_for = {}) const {
        return Slot::of(desk.routes, key, hint_for);
    }
    void keep(BytesView key, const Object& state, const NodeId& hint_for = {}) {
        DYN_CHECK(
            objects.merge_in(slot(key, hint_for), state, wire::encode(state), desk.fence.number())
                .has_value());
    }
    [[nodiscard]] Object kept(BytesView key, const NodeId& hint_for = {}) {
        const auto record = objects.read(slot(key, hint_for));
        DYN_CHECK(record.has_value());
        return record->object;
    }

    MemoryStorage storage;
    Desk desk;
    Objects objects;
    Liveness liveness;
};

}  // namespace dynamo::test
