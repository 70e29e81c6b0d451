#include "cli/ring/survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/ring/difference.h"
#include "cli/ring/estimate.h"
#include "cli/ring/print.h"
#include "cli/ring/transfers.h"

namespace dynamo::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

NodeInfo node(const std::string& name) {
    return {std::string(31, '0') + name.back(), name, "z1", 100, "127.0.0.1:710" + name.substr(1),
            "127.0.0.1:720" + name.substr(1)};
}

RingView three_nodes() {
    RingView ring;
    ring.cluster = "dynamo";
    ring.digest = "0123456789abcdef";
    ring.number = 2;
    ring.copies = 3;
    ring.partitions = 4;
    ring.read_quorum = 2;
    ring.write_quorum = 2;
    ring.nodes = {node("n1"), node("n2"), node("n3")};
    ring.owners = {{0, 1, 2}, {1, 2, 0}, {2, 0, 1}, {0, 2, 1}};
    return ring;
}

NodeStatus status_of(const std::string& name) {
    NodeStatus status;
    status.node = node(name);
    status.ring = 2;
    status.stored_bytes = 2048;
    for (const char* other : {"n1", "n2", "n3"}) {
        if (name != other) status.peers.push_back({node(other).id, false, 100, 0});
    }
    return status;
}

std::vector<Result<NodeStatus>> all_well() {
    return {status_of("n1"), status_of("n2"), status_of("n3")};
}

TEST(survey, finds_nothing_wrong_with_a_healthy_ring) {
    const Survey survey = judged(three_nodes(), all_well());
    EXPECT_TRUE(survey.healthy());
    EXPECT_EQ(survey.verdict(), "healthy: 3 of 3 nodes up");
    EXPECT_DOUBLE_EQ(survey.members[0].share, 1.0 / 3);
    EXPECT_EQ(survey.members[0].partitions, 4u);
}

TEST(survey, names_a_node_that_does_not_answer_and_when_it_was_last_heard) {
    auto reports = all_well();
    reports[2] = fail(Code::unreachable, "refused");
    reports[0]->peers[1] = {node("n3").id, true, 9000, 5};
    reports[0]->hints_held = 5;
    reports[1]->peers[1] = {node("n3").id, true, 4000, 0};
    const Survey survey = judged(three_nodes(), reports);
    EXPECT_THAT(survey.reasons,
                ElementsAre("n1 holds 5 hints for n3", "n3 at 127.0.0.1:7103 does not answer"));
    EXPECT_EQ(survey.members[2].silent_ms, 4000);
    EXPECT_EQ(survey.members[2].state(2), "down");
    EXPECT_THAT(status_text(survey), HasSubstr("4s ago"));
}

TEST(survey, names_nodes_that_do_not_hear_each_other) {
    auto reports = all_well();
    reports[0]->peers[0].suspected = true;
    EXPECT_THAT(judged(three_nodes(), reports).reasons, ElementsAre("n1 does not hear n2"));
}

TEST(survey, names_a_node_with_an_older_ring_or_a_full_disk) {
    auto reports = all_well();
    reports[1]->ring = 1;
    reports[2]->writes_refused = true;
    const Survey survey = judged(three_nodes(), reports);
    EXPECT_THAT(survey.reasons,
                ElementsAre("n2 knows ring 1, not 2", "n3 refuses writes: its disk is full"));
    EXPECT_EQ(survey.members[1].state(2), "behind");
    EXPECT_EQ(survey.members[2].state(2), "full");
}

TEST(survey, knows_a_stranger_at_the_address_of_a_member) {
    auto reports = all_well();
    reports[1]->node.id = std::string(32, 'f');
    reports[1]->ring = 0;
    reports[0]->peers[0].suspected = true;
    const Survey survey = judged(three_nodes(), reports);
    EXPECT_THAT(survey.reasons, ElementsAre("another daemon answers at 127.0.0.1:7102, the "
                                            "address of n2"));
    EXPECT_EQ(survey.members[1].state(2), "stranger");
}

TEST(survey, names_a_node_that_rebuilds_what_it_lost) {
    EXPECT_THAT(judged(three_nodes(), all_well(), {0, 7, 0}).reasons,
                ElementsAre("n2 rebuilds 7 partitions"));
}

TEST(survey, counts_hints_for_nodes_that_the_ring_has_lost) {
    auto reports = all_well();
    reports[0]->hints_held = 7;
    EXPECT_THAT(judged(three_nodes(), reports).reasons, ElementsAre("n1 holds 7 hints for others"));
}

TEST(survey, finds_two_nodes_too_few_for_three_copies_but_not_one) {
    RingView ring = three_nodes();
    ring.nodes.resize(2);
    ring.owners = {{0, 1}};
    EXPECT_THAT(judged(ring, {status_of("n1"), status_of("n2")}).reasons,
                ElementsAre("2 nodes cannot hold 3 copies of a key"));
    ring.nodes.resize(1);
    ring.owners = {{0}};
    EXPECT_THAT(judged(ring, {status_of("n1")}).reasons, IsEmpty());
}

TEST(survey, does_not_take_staged_changes_for_a_fault) {
    RingView ring = three_nodes();
    ring.staged.push_back({"add", node("n4"), 0, "more room"});
    const Survey survey = judged(ring, all_well());
    EXPECT_TRUE(survey.healthy());
    EXPECT_THAT(status_text(survey),
                HasSubstr("STAGED add n4 127.0.0.1:7104 zone z1 weight 100  # more room\n"));
}

TEST(status, is_one_screen) {
    EXPECT_EQ(status_text(judged(three_nodes(), all_well())),
              "RING v2  dynamo  01234567  Q=4 N=3 R=2 W=2\n"
              "NODE  ZONE  WEIGHT  STATE  SHARE    BYTES  HINTS  SEEN  ADDRESS\n"
              "n1    z1       100  up     33.3%  2.0 KiB      0  now   127.0.0.1:7101\n"
              "n2    z1       100  up     33.3%  2.0 KiB      0  now   127.0.0.1:7102\n"
              "n3    z1       100  up     33.3%  2.0 KiB      0  now   127.0.0.1:7103\n"
              "healthy: 3 of 3 nodes up\n");
}

TEST(status, says_when_the_last_write_wins) {
    RingView ring = three_nodes();
    ring.last_write_wins = true;
    const Survey survey = judged(ring, all_well());
    EXPECT_THAT(status_text(survey), HasSubstr("N=3 R=2 W=2  last write wins\n"));
    EXPECT_EQ(status_json(survey)["last_write_wins"], true);
}

Plan two_more() {
    Plan plan;
    plan.id = "p-91c2d07a";
    plan.from = 1;
    plan.to = 2;
    plan.after = three_nodes();
    plan.rows = {{node("n1"), 4, 4, 0, 8}, {node("n2"), 0, 4, 4, 0}, {node("n3"), 0, 4, 4, 0}};
    plan.moves = 8;
    plan.moves_minimum = 8;
    plan.replicas = 12;
    plan.zones_distinct = true;
    return plan;
}

NodeStatus with_disk(const std::string& name, std::uint64_t stored, std::uint64_t free) {
    NodeStatus status = status_of(name);
    status.stored_bytes = stored;
    status.free_bytes = free;
    return status;
}

TEST(plan, has_the_fields_that_scripts_lean_on) {
    const Plan plan = two_more();
    const Estimate costs = estimate(
        plan, {with_disk("n1", 4096, 4096), with_disk("n2", 0, 4096), with_disk("n3", 0, 8192)},
        1024);
    const auto json = plan_json(plan, costs);
    EXPECT_EQ(json["schema"], "dyn.ring/1");
    EXPECT_EQ(json["plan"], "p-91c2d07a");
    EXPECT_EQ(json["moves"], 8);
    EXPECT_EQ(json["moves_minimum"], 8);
    EXPECT_EQ(json["bytes"], 8192);
    EXPECT_EQ(json["eta_s"], 4);
    EXPECT_EQ(json["nodes"][1]["owns_after"], 4);
    EXPECT_EQ(json["nodes"][0]["sends"], 8192);
    EXPECT_EQ(json["nodes"][1]["receives"], 4096);
    EXPECT_EQ(json["nodes"][1]["peak_disk"], 1.0);
    EXPECT_EQ(json["nodes"][2]["peak_disk"], 0.5);
    EXPECT_EQ(json["next"], "dyn-ring commit --plan p-91c2d07a --wait");
    EXPECT_THAT(plan_text(plan, costs),
                HasSubstr("PLAN p-91c2d07a  ring v1->v2  Q=4 N=3\n"
                          "moves 8/12 replicas (minimum 8)  8.0 KiB  ETA "));
    EXPECT_THAT(plan_text(plan, costs), HasSubstr("copies ok  disk n2 too full\n"));
}

TEST(plan, is_estimated_by_those_who_answer) {
    const Plan plan = two_more();
    const Result<NodeStatus> silent = fail(Code::unreachable, "nobody there");
    const Estimate costs = estimate(plan, {with_disk("n1", 4096, 4096), silent, silent}, 0);
    EXPECT_EQ(costs.bytes, 8192);
    EXPECT_FALSE(costs.nodes[1].peak);
    EXPECT_FALSE(costs.seconds);
    const Estimate unknown = estimate(plan, {silent, silent, silent}, 1024);
    EXPECT_FALSE(unknown.known);
    EXPECT_TRUE(plan_json(plan, unknown)["bytes"].is_null());
    EXPECT_THAT(plan_text(plan, unknown), HasSubstr("(minimum 8)\n"));
}

TEST(plan, names_the_partitions_that_it_leaves_too_few_copies) {
    Plan plan = two_more();
    plan.short_partitions = 3;
    const Estimate costs = estimate(plan, all_well(), 0);
    EXPECT_THAT(plan_text(plan, costs), HasSubstr("copies fewer than W=2 of 3 partitions"));
    EXPECT_EQ(next_command(plan), "dyn-ring commit --plan p-91c2d07a --wait --accept-loss=3");
}

/// n3 takes partitions 0 and 1 over from n1 and n2; n4 has left.
RingView moving_ring() {
    RingView ring = three_nodes();
    ring.moving = {{0, {"n1", "n2"}, {"n3"}, {"n1"}, 2}, {1, {"n1", "n2"}, {}, {"n1", "n3"}, 2}};
    ring.leaving = {node("n4")};
    return ring;
}

TEST(transfers, have_a_row_for_each_node_that_has_something_left) {
    auto reports = all_well();
    reports.push_back(status_of("n4"));
    const Survey survey = judged(moving_ring(), reports);
    const auto rows = transfers_of(survey);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].node, "n3");
    EXPECT_TRUE(rows[0].gains);
    EXPECT_EQ(rows[0].left, 1u);
    EXPECT_EQ(rows[0].done, 1u);
    EXPECT_THAT(rows[0].partners, ElementsAre("n1", "n2"));
    EXPECT_EQ(rows[1].node, "n4");
    EXPECT_FALSE(rows[1].gains);
    EXPECT_THAT(blockers_of(rows), IsEmpty());
    EXPECT_THAT(survey.reasons,
                ElementsAre("2 partitions are moving", "n4 has left and hands over what it holds"));
    EXPECT_THAT(status_text(survey), HasSubstr("n4    z1       100  leaving   0.0%"));
}

TEST(transfers, name_what_stands_in_their_way) {
    const Result<NodeStatus> silent = fail(Code::unreachable, "nobody there");
    const auto blocker = [](std::vector<Result<NodeStatus>> reports, std::size_t row) {
        return transfers_of(judged(moving_ring(), std::move(reports)))[row].blocker;
    };
    EXPECT_EQ(blocker({status_of("n1"), silent, status_of("n3"), status_of("n4")}, 0),
              "waits for n2");
    EXPECT_EQ(blocker({status_of("n1"), silent, status_of("n3"), status_of("n4")}, 1),
              "may wait: n2 does not answer");
    EXPECT_EQ(blocker({status_of("n1"), status_of("n2"), silent, status_of("n4")}, 0),
              "n3 does not answer");
    EXPECT_EQ(blocker({status_of("n1"), status_of("n2"), status_of("n3"), silent}, 1),
              "n4 does not answer");
    NodeStatus full = status_of("n3");
    full.writes_refused = true;
    EXPECT_EQ(blocker({status_of("n1"), status_of("n2"), full, status_of("n4")}, 0),
              "the disk of n3 is full");
}

TEST(difference, names_who_came_and_went_and_what_moved) {
    const RingView before = three_nodes();
    RingView after = three_nodes();
    after.nodes = {node("n1"), node("n2"), node("n4")};
    after.nodes[1].weight = 200;
    after.owners[3] = {0, 1, 2};
    EXPECT_TRUE(difference_of(before, before).none());
    const RingDifference difference = difference_of(before, after);
    EXPECT_EQ(difference_text(difference),
              "+ n4 127.0.0.1:7104 zone z1 weight 100\n"
              "- n3 127.0.0.1:7103 zone z1 weight 100\n"
              "! n2 127.0.0.1:7102 zone z1 weight 100 -> n2 127.0.0.1:7102 zone z1 weight 200\n"
              "0 n1,n2,n3 -> n1,n2,n4\n"
              "1 n2,n3,n1 -> n2,n4,n1\n"
              "2 n3,n1,n2 -> n4,n1,n2\n"
              "3 n1,n3,n2 -> n1,n2,n4\n");
    EXPECT_EQ(difference_json(difference)["partitions"][3]["before"][1], "n3");
}

}  // namespace
}  // namespace dynamo::cli
