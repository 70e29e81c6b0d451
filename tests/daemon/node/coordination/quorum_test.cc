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

TEST(quorum, of_nobody_is_met_at_once) { EXPECT_TRUE(Quorum(0).met()); }

}  // namespace
}  // namespace dynamo
