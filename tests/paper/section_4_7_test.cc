#include <gtest/gtest.h>

#include "tests/daemon/node/rig.h"

namespace dynamo {
namespace {

using test::Rig;

// "There are scenarios under which hinted replicas become unavailable before they can be returned
// to the original replica node. To handle this and other threats to durability, Dynamo implements
// an anti-entropy (replica synchronization) protocol to keep the replicas synchronized."
TEST(section_4_7, synchronizes_replicas_though_no_hint_ever_arrives) {
    Rig rig({.nodes = 3, .cluster = {.partitions = 2}});
    // Writes of any kind never reach node 3; what anti-entropy sends does.
    rig.filter = [](std::size_t, std::size_t to, const wire::PeerMessage& message) {
        return to != 2 || !std::holds_alternative<wire::WriteRequest>(message);
    };
    for (int i = 0; i < 5; ++i) (void)rig.put(0, "key " + std::to_string(i), "v");
    EXPECT_TRUE(rig.stored(2, "key 0").siblings.empty());
    rig.pass(std::chrono::seconds(60));
    for (int i = 0; i < 5; ++i) {
        const Bytes key = "key " + std::to_string(i);
        EXPECT_EQ(rig.stored(2, key), rig.stored(0, key)) << key;
        EXPECT_EQ(rig.stored(2, key), rig.stored(1, key)) << key;
    }
}

}  // namespace
}  // namespace dynamo
