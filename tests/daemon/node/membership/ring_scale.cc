// What it costs large rings to agree: octets of gossip at rest, and how long a change takes.
//
//     ring_scale [NODES [PARTITIONS]]
//
// Whole nodes over the memory engine, hundreds in one process; messages take no time and the clock
// goes in steps of 10 ms, so what is measured is the protocol: its rounds, its messages, its
// octets.
//
// Threads: one
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>

#include "libdynamo/ring/transition.h"
#include "libdynamo/wire/peer_frames.h"
#include "libdynamo/wire/state_codec.h"
#include "tests/daemon/node/rig.h"

namespace dynamo::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Octets on their way between nodes, by what they are for.
class Traffic {
  public:
    void add(const wire::PeerMessage& message) {
        const wire::Frames frames = wire::encode_peer({{}, {message}});
        octets_[kind_of(message)] += frames.header.size() + frames.body.size();
    }
    void print(const char* when, std::size_t nodes, double lasts) {
        std::printf("  %-24s", when);
        for (const char* kind : {"gossip", "votes", "fences", "pings", "copies"})
            std::printf("  %s %.0f", kind,
                        static_cast<double>(octets_[kind]) / static_cast<double>(nodes) / lasts);
        std::printf("  octets per node and second\n");
        octets_.clear();
    }
    void clear() { octets_.clear(); }

  private:
    static std::string kind_of(const wire::PeerMessage& message) {
        if (std::holds_alternative<wire::GossipDigest>(message) ||
            std::holds_alternative<wire::GossipState>(message))
            return "gossip";
        if (std::holds_alternative<wire::VoteAsk>(message) ||
            std::holds_alternative<wire::VoteReply>(message))
            return "votes";
        if (std::holds_alternative<wire::FenceAsk>(message) ||
            std::holds_alternative<wire::FenceReply>(message))
            return "fences";
        if (std::holds_alternative<wire::Ping>(message) ||
            std::holds_alternative<wire::Pong>(message))
            return "pings";
        return "copies";
    }
    std::map<std::string, std::uint64_t> octets_;
};

double as_seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

/// How long until it holds everywhere, by the rig's clock; a minute at most.
Duration until(Rig& rig, std::size_t nodes, const std::function<bool(const RingState&)>& holds) {
    Duration passed{0};
    for (std::size_t i = 0; i < nodes && passed < seconds(60);) {
        const RingState* ring = rig.node(i).ring();
        if (ring && holds(*ring)) {
            ++i;
            continue;
        }
        rig.pass(milliseconds(10));
        passed += milliseconds(10);
    }
    return passed;
}

int measure(std::size_t nodes, std::uint16_t partitions) {
    const auto began = std::chrono::steady_clock::now();
    Rig rig({.nodes = nodes, .cluster = {.partitions = partitions}});
    Traffic traffic;
    rig.filter = [&](std::size_t, std::size_t, const wire::PeerMessage& message) {
        traffic.add(message);
        return true;
    };
    std::printf("%zu nodes, Q=%u: the state of the ring is %zu octets\n", nodes, partitions,
                wire::encode(*rig.node(0).ring()).size());
    rig.pass(seconds(10));
    traffic.clear();
    rig.pass(seconds(30));
    traffic.print("at rest", nodes, 30);

    // The last one leaves.
    const Bytes leaver(rig.id(nodes - 1).bytes());
    (void)rig.call(0, wire::StageRequest{.kind = 2, .node_id = leaver});
    const auto planned = rig.call(0, wire::PlanRequest{});
    const auto* plan = std::get_if<wire::PlanReply>(&planned);
    if (!plan) return 1;
    traffic.clear();
    const std::size_t commit = rig.ask(0, wire::CommitRequest{plan->plan});
    Duration answered{0};
    for (; !rig.answer(commit); answered += milliseconds(10)) rig.pass(milliseconds(10));
    if (!std::holds_alternative<wire::CommitReply>(*rig.answer(commit))) return 1;
    std::printf("  %.2f s: the commit is answered\n", as_seconds(answered));
    const Duration agreed =
        answered + until(rig, nodes, [](const RingState& ring) { return ring.head().number == 3; });
    std::printf("  %.2f s: every node has the new ring\n", as_seconds(agreed));
    const Duration rested =
        agreed + until(rig, nodes, [](const RingState& ring) { return !is_moving(ring); });
    std::printf("  %.2f s: every node knows that all has moved\n", as_seconds(rested));
    traffic.print("while it changed", nodes, as_seconds(rested));
    rig.pass(seconds(30));
    traffic.print("the 30 s after it", nodes, 30);
    std::printf("  took %.0f s\n",
                std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    return 0;
}

}  // namespace
}  // namespace dynamo::test

int main(int argc, char** argv) {
    const std::size_t nodes = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100;
    const auto partitions =
        static_cast<std::uint16_t>(argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1024);
    return dynamo::test::measure(nodes, partitions);
}
