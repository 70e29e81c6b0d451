#include "tests/sim/network.h"

#include <gtest/gtest.h>

#include <map>

namespace dynamo::sim {
namespace {

struct Net {
    explicit Net(NetworkOptions options, std::uint64_t seed = 1)
        : network(timeline, Chance(seed), options,
                  [this](const Packet& packet) { arrived.push_back(packet.frames.body); }) {
        network.disturb(true);
    }
    void send(unsigned from, unsigned to, int number) {
        network.send({from, to, {"", std::to_string(number)}}, true);
    }
    void run(Duration wait) {
        timeline.run(timeline.now() + wait, [] { return false; });
    }
    Timeline timeline;
    std::vector<Bytes> arrived;
    Network network;
};

TEST(simulated_network, keeps_the_order_of_a_link_unless_told_otherwise) {
    NetworkOptions options;
    options.reorder = false;
    Net ordered(options);
    for (int i = 0; i < 50; ++i) ordered.send(0, 1, i);
    ordered.run(std::chrono::seconds(1));
    ASSERT_EQ(ordered.arrived.size(), 50u);
    for (int i = 0; i < 50; ++i)
        EXPECT_EQ(ordered.arrived[static_cast<std::size_t>(i)], std::to_string(i));

    options.reorder = true;
    Net any(options);
    for (int i = 0; i < 50; ++i) any.send(0, 1, i);
    any.run(std::chrono::seconds(1));
    EXPECT_EQ(any.arrived.size(), 50u);
    EXPECT_NE(any.arrived, ordered.arrived);
}

TEST(simulated_network, drops_duplicates_and_replays_until_it_is_healed) {
    NetworkOptions options;
    options.drop = 0.2;
    options.duplicate = 0.2;
    options.late = 0.2;
    Net net(options);
    for (int i = 0; i < 500; ++i) net.send(0, 1, i);
    net.run(std::chrono::seconds(1));
    EXPECT_GT(net.network.counts().dropped, 50u);
    EXPECT_GT(net.network.counts().duplicated, 50u);
    net.network.heal();
    net.run(std::chrono::seconds(2));
    EXPECT_GT(net.network.counts().replayed, 50u) << "healing brings what was still to come";
    net.arrived.clear();
    for (int i = 0; i < 500; ++i) net.send(0, 1, i);
    net.run(std::chrono::minutes(5));
    EXPECT_EQ(net.arrived.size(), 500u);
}

TEST(simulated_network, a_cut_direction_is_silent_and_the_other_is_not) {
    NetworkOptions options;
    options.held_when_cut = 0;
    Net net(options);
    net.network.cut(0, 1);
    net.network.cut(0, 1);
    net.send(0, 1, 1);
    net.send(1, 0, 2);
    net.run(std::chrono::seconds(1));
    EXPECT_EQ(net.arrived, std::vector<Bytes>{"2"});
    net.network.mend(0, 1);
    EXPECT_TRUE(net.network.is_cut(0, 1)) << "two cuts need two mendings";
    net.network.mend(0, 1);
    net.send(0, 1, 3);
    net.run(std::chrono::seconds(1));
    EXPECT_EQ(net.arrived, (std::vector<Bytes>{"2", "3"}));
}

TEST(simulated_network, what_is_held_at_a_cut_arrives_after_it) {
    NetworkOptions options;
    options.held_when_cut = 1;
    Net net(options);
    net.network.cut(0, 1);
    net.send(0, 1, 1);
    net.run(std::chrono::seconds(5));
    EXPECT_TRUE(net.arrived.empty());
    net.network.mend(0, 1);
    net.run(std::chrono::seconds(1));
    EXPECT_EQ(net.arrived, std::vector<Bytes>{"1"});
}

TEST(simulated_network, a_clogged_link_delivers_everything_late) {
    Net net(NetworkOptions{});
    net.network.clog(0, 1, net.timeline.now() + std::chrono::seconds(3));
    net.send(0, 1, 1);
    net.run(std::chrono::seconds(2));
    EXPECT_TRUE(net.arrived.empty());
    net.run(std::chrono::seconds(2));
    EXPECT_EQ(net.arrived.size(), 1u);
}

TEST(simulated_network, one_link_does_not_change_the_luck_of_another) {
    NetworkOptions options;
    options.drop = 0.3;
    const auto fate = [&](bool others) {
        Net net(options);
        for (int i = 0; i < 100; ++i) {
            if (others) net.send(2, 3, 1000 + i);
            net.send(0, 1, i);
        }
        net.run(std::chrono::seconds(1));
        std::map<Bytes, bool> arrived;
        for (const Bytes& body : net.arrived)
            if (body.size() < 4) arrived[body] = true;
        return arrived;
    };
    EXPECT_EQ(fate(false), fate(true));
}

}  // namespace
}  // namespace dynamo::sim
