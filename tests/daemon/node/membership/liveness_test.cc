#include "daemon/node/membership/liveness.h"

#include <gtest/gtest.h>

#include "tests/daemon/node/membership/workplace.h"

namespace dynamo::test {
namespace {

TEST(liveness, suspects_who_leaves_a_request_unanswered) {
    Workplace work(0, ring_of(3));
    const Instant asked = work.desk.now.instant;
    work.pass(400ms);
    EXPECT_TRUE(work.liveness.healthy(node_id(1)));
    EXPECT_TRUE(work.liveness.silent_since(node_id(1), asked));
    EXPECT_FALSE(work.liveness.healthy(node_id(1)));
    EXPECT_TRUE(work.liveness.healthy(node_id(2)));
    EXPECT_EQ(work.logged("n2 does not answer"), 1u);
}

TEST(liveness, does_not_suspect_who_was_heard_after_it_was_asked) {
    Workplace work(0, ring_of(3));
    const Instant asked = work.desk.now.instant;
    work.pass(100ms);
    EXPECT_FALSE(work.liveness.heard(node_id(1)));
    work.pass(300ms);
    EXPECT_FALSE(work.liveness.silent_since(node_id(1), asked));
    EXPECT_TRUE(work.liveness.healthy(node_id(1)));
}

TEST(liveness, does_not_count_what_was_heard_before_the_question) {
    Workplace work(0, ring_of(3));
    work.liveness.heard(node_id(1));
    const Instant asked = work.desk.now.instant;
    work.pass(400ms);
    EXPECT_TRUE(work.liveness.silent_since(node_id(1), asked));
}

TEST(liveness, trusts_again_whoever_is_heard) {
    Workplace work(0, ring_of(3));
    work.liveness.unreachable(node_id(1));
    EXPECT_FALSE(work.liveness.healthy(node_id(1)));
    EXPECT_TRUE(work.liveness.heard(node_id(1)));
    EXPECT_TRUE(work.liveness.healthy(node_id(1)));
    EXPECT_FALSE(work.liveness.heard(node_id(1)));
    EXPECT_EQ(work.liveness.wake_at(), Instant::max());
}

TEST(liveness, probes_the_suspected_and_nobody_else_each_interval) {
    Workplace work(0, ring_of(3));
    work.liveness.heard(node_id(2));
    work.liveness.tick();
    EXPECT_EQ(work.liveness.wake_at(), Instant::max());
    work.liveness.unreachable(node_id(1));
    const Duration interval = work.desk.options.probe_interval;
    EXPECT_EQ(work.liveness.wake_at(), work.desk.now.instant + interval);
    work.pass(interval - 1us);
    work.liveness.tick();
    EXPECT_TRUE(work.said().empty());
    for (int probe = 0; probe < 3; ++probe) {
        work.pass(probe == 0 ? Duration(1us) : interval);
        ASSERT_EQ(work.liveness.wake_at(), work.desk.now.instant);
        work.liveness.tick();
        const auto said = work.said();
        ASSERT_EQ(said.size(), 1u);
        EXPECT_EQ(said[0].node, node_id(1));
        EXPECT_TRUE(std::holds_alternative<wire::Ping>(said[0].message));
    }
}

TEST(liveness, suspects_neither_itself_nor_a_stranger) {
    Workplace work(0, ring_of(3));
    for (const NodeId& node : {node_id(0), node_id(50)}) {
        work.liveness.unreachable(node);
        EXPECT_FALSE(work.liveness.silent_since(node, work.desk.now.instant));
        EXPECT_TRUE(work.liveness.healthy(node));
    }
    EXPECT_EQ(work.liveness.wake_at(), Instant::max());
}

TEST(liveness, forgets_who_is_no_member_any_more) {
    Workplace work(0, ring_of(3));
    work.liveness.unreachable(node_id(2));
    work.liveness.set_run(node_id(2), 77);
    EXPECT_EQ(work.liveness.run_of(node_id(2)), 77u);
    work.follow(ring_of(2));
    work.pass(10s);
    work.liveness.tick();
    EXPECT_TRUE(work.said().empty());
    EXPECT_EQ(work.liveness.run_of(node_id(2)), 0u);
    EXPECT_EQ(work.liveness.wake_at(), Instant::max());
}

TEST(liveness, tells_how_long_a_peer_has_been_silent) {
    Workplace work(0, ring_of(2));
    EXPECT_EQ(work.liveness.silence_us(node_id(1)), -1);
    work.liveness.heard(node_id(1));
    work.pass(1500ms);
    EXPECT_EQ(work.liveness.silence_us(node_id(1)), 1'500'000);
}

}  // namespace
}  // namespace dynamo::test
