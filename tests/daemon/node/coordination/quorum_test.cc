#include "daemon/node/coordination/quorum.h"

#include <gtest/gtest.h>

namespace dynamo {
namespace {

NodeId node(std::uint8_t number) {
    NodeId id;
    id.octets[0] = number;
    return id;
}

TEST(quorum, is_met_by_as_many_nodes_as_were_asked_for) {
    Quorum quorum(2);
    EXPECT_FALSE(quorum.met());
    EXPECT_TRUE(quorum.count(node(1)));
    EXPECT_FALSE(quorum.met());
    EXPECT_TRUE(quorum.count(node(2)));
    EXPECT_TRUE(quorum.met());
}

TEST(quorum, counts_a_replica_once_however_often_it_answers) {
    Quorum quorum(2);
    EXPECT_TRUE(quorum.count(node(1)));
    EXPECT_FALSE(quorum.count(node(1)));
    EXPECT_FALSE(quorum.count(node(1)));
    EXPECT_EQ(quorum.answered(), 1U);
    EXPECT_FALSE(quorum.met());
}

TEST(quorum, asks_each_list_of_a_partition_that_moves) {
    Quorum quorum(2, {{1, {node(1), node(2), node(3)}}, {2, {node(1), node(4), node(5)}}}, {});
    quorum.count(node(1));
    quorum.count(node(2));
    EXPECT_FALSE(quorum.met());
    quorum.count(node(4));
    EXPECT_TRUE(quorum.met());
}

TEST(quorum, asks_a_longer_list_for_more_when_it_comes) {
    const std::vector<NodeId> owners = {node(1), node(2)};
    Quorum quorum(3, {}, owners);
    quorum.count(node(1));
    quorum.count(node(2));
    EXPECT_TRUE(quorum.met()) << "all there are";
    quorum.follow({{1, owners}, {2, {node(1), node(2), node(3)}}}, owners);
    EXPECT_FALSE(quorum.met());
    quorum.count(node(3));
    EXPECT_TRUE(quorum.met());
}

TEST(quorum, counts_nobody_of_a_list_that_has_ended) {
    const std::vector<NodeId> owners = {node(1), node(2)};
    Quorum quorum(2, {{1, {node(1), node(2), node(3)}}, {2, owners}}, owners);
    quorum.count(node(2));
    quorum.count(node(3));
    EXPECT_FALSE(quorum.met());
    quorum.follow({}, owners);
    EXPECT_FALSE(quorum.met());
    quorum.count(node(1));
    EXPECT_TRUE(quorum.met());
}

TEST(quorum, forgets_what_a_new_owner_gave_in_anothers_name) {
    Quorum quorum(2);
    quorum.count(node(1), node(4));
    quorum.count(node(2));
    EXPECT_TRUE(quorum.met());
    quorum.forget_as_stand_in(node(4));
    EXPECT_FALSE(quorum.met());
}

TEST(quorum, of_nobody_is_met_at_once) { EXPECT_TRUE(Quorum(0).met()); }

}  // namespace
}  // namespace dynamo
