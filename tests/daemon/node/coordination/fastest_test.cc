// The node that answered a read first coordinates the write that follows it (paper section 5).
#include <gtest/gtest.h>

#include <algorithm>

#include "daemon/node/coordination/coordinator.h"
#include "libdynamo/wire/state_codec.h"
#include "tests/daemon/node/rig.h"

namespace dynamo {
namespace {

using test::Rig;
using wire::PeerMessage;

Bytes context_of(Rig& rig, std::size_t node, const Bytes& key, std::uint32_t r = 0) {
    return std::get<wire::GetReply>(rig.call(node, wire::GetRequest{key, r})).context;
}

NodeId fastest_in(Rig& rig, const Bytes& token, const Bytes& key) {
    const auto context = wire::decode_context(token, rig.node(0).ring()->cluster, position_of(key));
    EXPECT_TRUE(context.has_value());
    return context ? context->fastest : NodeId{};
}

/// Which node minted the only version of the key.
std::size_t coordinator_of(Rig& rig, const Bytes& key) {
    const auto reply = rig.call(0, wire::GetRequest{key});
    const auto& versions = std::get<wire::GetReply>(reply).versions;
    EXPECT_EQ(versions.size(), 1u);
    return versions.size() == 1 ? rig.index_of(NodeId::from(versions[0].node)) : 99;
}

TEST(fastest, is_the_first_owner_that_answered_a_get) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    EXPECT_EQ(fastest_in(rig, context_of(rig, 0, "k"), "k"), rig.id(0)) << "itself, at once";

    // Through a node that is no owner it is whoever answers first; the others' answers are lost.
    Rig wide({.nodes = 5});
    (void)wide.put(0, "k", "v");
    const auto owners = wide.owners("k");
    wide.filter = [&](std::size_t from, std::size_t, const PeerMessage& message) {
        return !std::holds_alternative<wire::ReadReply>(message) || from == owners[2];
    };
    EXPECT_EQ(fastest_in(wide, context_of(wide, wide.stranger("k"), "k", 1), "k"),
              wide.id(owners[2]));
}

TEST(fastest, of_a_put_is_the_owner_that_coordinated_it) {
    Rig rig({.nodes = 5});
    const auto owners = rig.owners("k");
    EXPECT_EQ(fastest_in(rig, rig.put(owners[1], "k", "v"), "k"), rig.id(owners[1]));
}

TEST(fastest, coordinates_a_put_that_comes_to_a_node_that_is_no_owner) {
    Rig rig({.nodes = 5});
    const auto owners = rig.owners("k");
    (void)rig.put(owners[0], "k", "old");
    const Bytes token = context_of(rig, owners[2], "k", 1);
    ASSERT_EQ(fastest_in(rig, token, "k"), rig.id(owners[2]));
    (void)rig.put(rig.stranger("k"), "k", "new", PutMode::context, token);
    EXPECT_EQ(coordinator_of(rig, "k"), owners[2]);
}

TEST(fastest, gives_way_to_another_owner_while_it_is_not_healthy) {
    Rig rig({.nodes = 5});
    const auto owners = rig.owners("k");
    const std::size_t stranger = rig.stranger("k");
    (void)rig.put(owners[0], "k", "old");
    const Bytes token = context_of(rig, owners[2], "k", 1);
    rig.isolate(owners[2]);
    // A write that it does not answer makes the stranger suspect it.
    (void)rig.call(stranger,
                   wire::PutRequest{
                       .key = "k", .value = "unheard", .mode = PutMode::context, .context = token});
    (void)rig.put(stranger, "k", "new", PutMode::context, token);
    EXPECT_EQ(rig.get(owners[0], "k"), "new");
    EXPECT_EQ(coordinator_of(rig, "k"), owners[0]);
}

TEST(fastest, is_not_believed_when_it_is_no_owner) {
    Rig rig({.nodes = 5});
    const auto owners = rig.owners("k");
    const Context made_up{
        rig.node(0).ring()->cluster, position_of("k"), {}, rig.id(rig.stranger("k"))};
    std::size_t other = rig.stranger("k") + 1;
    while (std::ranges::find(owners, other) != owners.end()) ++other;
    ASSERT_LT(other, 5u);
    (void)rig.put(other, "k", "v", PutMode::context, wire::encode(made_up));
    EXPECT_EQ(coordinator_of(rig, "k"), owners[0]);
}

}  // namespace
}  // namespace dynamo
