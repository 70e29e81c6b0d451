#include "daemon/node/repair/jobs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/daemon/node/rig.h"

namespace dynamo::test {
namespace {

using namespace std::chrono_literals;
using wire::JobAction;
using wire::JobReply;
using wire::JobRequest;
using wire::JobShare;
using wire::JobsReply;
using wire::JobsRequest;
using wire::JobState;
using wire::JobWaits;

JobRequest begin(const std::string& id, const Bytes& partitions = "\xff") {
    JobRequest request;
    request.id = id;
    request.partitions = partitions;
    request.scope = "all";
    request.began_ms = 1;
    return request;
}

JobRequest step(const std::string& id, JobAction action) {
    JobRequest request;
    request.id = id;
    request.action = action;
    return request;
}

/// What the node answers: its share, or the name of the error.
std::string told(Rig& rig, std::size_t node, const JobRequest& request) {
    const auto reply = rig.call(node, request);
    const auto* error = std::get_if<wire::ErrorReply>(&reply);
    return error ? error->name : std::get<JobReply>(reply).share.id;
}

JobShare share(Rig& rig, std::size_t node, const std::string& id) {
    const auto reply = std::get<JobsReply>(rig.call(node, JobsRequest{}));
    const auto at = std::ranges::find(reply.shares, id, &JobShare::id);
    if (at == reply.shares.end()) {
        ADD_FAILURE() << "no share of " << id;
        return {};
    }
    return *at;
}

/// Keys that node 2 lacks.
void write_past_the_third(Rig& rig, int count) {
    rig.isolate(2);
    for (int i = 0; i < count; ++i) (void)rig.put(0, "key:" + std::to_string(i), "v");
    rig.heal();
}

TEST(jobs, are_done_when_every_partition_was_compared_with_every_other_owner) {
    Rig rig;
    write_past_the_third(rig, 20);
    const double before = rig.stat(2, "exchange.passes");
    EXPECT_EQ(told(rig, 2, begin("one")), "one");
    rig.pass(200ms);
    const JobShare done = share(rig, 2, "one");
    EXPECT_EQ(done.state, JobState::done);
    EXPECT_EQ(done.pairs, 16u) << "8 partitions, two other owners each";
    EXPECT_EQ(done.compared, 16u);
    EXPECT_EQ(done.different, 20u);
    EXPECT_GT(done.octets, 0u);
    for (int i = 0; i < 20; ++i)
        EXPECT_EQ(rig.stored(2, "key:" + std::to_string(i)).siblings.size(), 1u);
    EXPECT_LT(rig.stat(2, "exchange.passes") - before, 20) << "the job's, and hardly any others";
}

TEST(jobs, are_about_the_partitions_that_were_named) {
    Rig rig;
    EXPECT_EQ(told(rig, 0, begin("one", "\x80")), "one");
    EXPECT_EQ(told(rig, 0, begin("none", Bytes(1, '\0'))), "none");
    EXPECT_EQ(share(rig, 0, "none").state, JobState::done) << "nothing is asked for";
    rig.pass(100ms);
    EXPECT_EQ(share(rig, 0, "one").pairs, 2u);
    EXPECT_EQ(share(rig, 0, "one").state, JobState::done);
}

TEST(jobs, wait_for_owners_that_are_away_and_go_on_after_a_restart) {
    Rig rig;
    rig.isolate(2);
    (void)rig.call(0, begin("one"));
    rig.pass(20s);
    const JobShare waits = share(rig, 0, "one");
    EXPECT_EQ(waits.state, JobState::running);
    EXPECT_EQ(waits.compared, 8u) << "with the one that is there";
    EXPECT_EQ(waits.waits, JobWaits::for_owners);
    EXPECT_EQ(waits.away, std::vector{Bytes(rig.id(2).bytes())});

    rig.restart(0);
    rig.pass(3s);
    EXPECT_EQ(share(rig, 0, "one").compared, 8u) << "once more";
    rig.heal();
    rig.pass(5s);
    EXPECT_EQ(share(rig, 0, "one").state, JobState::done);
    rig.restart(0);
    EXPECT_EQ(share(rig, 0, "one").state, JobState::done);
    EXPECT_EQ(share(rig, 0, "one").compared, 16u);
}

TEST(jobs, do_not_count_what_was_under_way_when_they_began) {
    Rig rig;
    std::vector<std::pair<std::size_t, wire::PeerMessage>> held;
    rig.filter = [&](std::size_t from, std::size_t to, const wire::PeerMessage& message) {
        const bool holds = to == 0 && (std::holds_alternative<wire::TreeReply>(message) ||
                                       std::holds_alternative<wire::ExchangeReply>(message));
        if (holds) held.emplace_back(from, message);
        return !holds;
    };
    for (int tries = 0; tries < 200 && held.empty(); ++tries) rig.pass(50ms);
    ASSERT_FALSE(held.empty());
    (void)rig.call(0, begin("one"));
    const auto reply = held.front();
    rig.deliver(reply.first, 0, reply.second);
    EXPECT_GE(rig.stat(0, "exchange.passes"), 1);
    EXPECT_EQ(share(rig, 0, "one").compared, 0u);
}

TEST(jobs, rest_while_they_are_paused_and_end_when_they_are_cancelled) {
    Rig rig;
    rig.isolate(0);
    (void)rig.call(0, begin("one"));
    (void)rig.call(0, begin("two"));
    EXPECT_EQ(told(rig, 0, step("one", JobAction::pause)), "one");
    EXPECT_EQ(told(rig, 0, step("two", JobAction::cancel)), "two");
    rig.restart(0);
    rig.heal();
    rig.pass(400ms);
    EXPECT_EQ(share(rig, 0, "one").state, JobState::paused);
    EXPECT_LT(share(rig, 0, "one").compared, 4u) << "what has its turn anyway";
    EXPECT_EQ(share(rig, 0, "two").state, JobState::cancelled);
    EXPECT_EQ(told(rig, 0, step("two", JobAction::resume)), "two");
    EXPECT_EQ(share(rig, 0, "two").state, JobState::cancelled) << "it has ended";
    EXPECT_EQ(told(rig, 0, step("one", JobAction::resume)), "one");
    rig.pass(400ms);
    EXPECT_EQ(share(rig, 0, "one").state, JobState::done);
}

TEST(jobs, work_in_their_hours_only) {
    Rig rig;  // it is 22:13:20
    JobRequest request = begin("one");
    request.from_minute = 22 * 60 + 14;
    request.to_minute = 6 * 60;
    (void)rig.call(0, request);
    rig.pass(5s);
    EXPECT_EQ(share(rig, 0, "one").waits, JobWaits::for_hours);
    EXPECT_LE(share(rig, 0, "one").compared, 6u) << "what had its turn anyway";
    rig.pass(38s);
    EXPECT_EQ(share(rig, 0, "one").state, JobState::done);
}

TEST(jobs, mend_no_faster_than_their_rate_and_hold_nothing_else_up) {
    Rig rig({.nodes = 3, .cluster = {.partitions = 1}});
    write_past_the_third(rig, 600);
    JobRequest request = begin("one", "\x80");
    request.rate = 25;
    (void)rig.call(2, request);
    rig.pass(300ms);
    EXPECT_EQ(share(rig, 2, "one").different, 32u) << "what one offer spans";
    EXPECT_EQ(share(rig, 2, "one").state, JobState::running);
    rig.pass(2s);
    EXPECT_GE(rig.stat(2, "exchange.passes"), 1) << "it rests, others do not";
    EXPECT_EQ(share(rig, 2, "one").state, JobState::running);
    rig.pass(20s);
    EXPECT_EQ(share(rig, 2, "one").state, JobState::done);
}

TEST(jobs, are_begun_once) {
    Rig rig;
    (void)rig.call(0, begin("one", "\x80"));
    rig.pass(100ms);
    (void)rig.call(0, begin("one"));
    EXPECT_EQ(share(rig, 0, "one").pairs, 2u) << "the one that is known stays as it is";
}

TEST(jobs, that_make_no_sense_are_refused) {
    Rig rig;
    EXPECT_EQ(told(rig, 0, begin("")), "bad_request");
    EXPECT_EQ(told(rig, 0, begin("One")), "bad_request");
    EXPECT_EQ(told(rig, 0, begin(std::string(33, 'a'))), "bad_request");
    EXPECT_EQ(told(rig, 0, begin("one", "\xff\xff")), "bad_request");
    EXPECT_EQ(told(rig, 0, begin("one", "")), "bad_request");
    EXPECT_EQ(told(rig, 0, step("one", JobAction::pause)), "bad_request");
    JobRequest request = begin("one");
    request.scope = "a\nb";
    EXPECT_EQ(told(rig, 0, request), "bad_request");
    request = begin("one");
    request.to_minute = 1440;
    EXPECT_EQ(told(rig, 0, request), "bad_request");
    EXPECT_TRUE(std::get<JobsReply>(rig.call(0, JobsRequest{})).shares.empty());
}

TEST(jobs, are_bounded_in_number_and_those_that_ended_are_kept_for_a_while) {
    Rig rig;
    for (int i = 0; i < 40; ++i) {
        JobRequest request = begin("ended" + std::to_string(i), Bytes(1, '\0'));
        request.began_ms = i;
        EXPECT_EQ(told(rig, 0, request), request.id);
    }
    const auto reply = std::get<JobsReply>(rig.call(0, JobsRequest{}));
    ASSERT_EQ(reply.shares.size(), 32u);
    EXPECT_EQ(reply.shares.front().id, "ended39");
    EXPECT_EQ(reply.shares.back().id, "ended8");
    rig.isolate(0);
    for (int i = 0; i < 16; ++i)
        EXPECT_EQ(told(rig, 0, begin("open" + std::to_string(i))), "open" + std::to_string(i));
    EXPECT_EQ(told(rig, 0, begin("more")), "busy");
    EXPECT_EQ(told(rig, 0, step("open0", JobAction::cancel)), "open0");
    EXPECT_EQ(told(rig, 0, begin("more")), "more");
}

TEST(jobs, whose_note_is_damaged_are_not_gone_on_with) {
    Rig rig;
    rig.isolate(0);
    (void)rig.call(0, begin("one"));
    (void)rig.call(0, begin("two"));
    EXPECT_TRUE(rig.storage(0).put(Table::notes(), "job/one", "damaged").has_value());
    EXPECT_TRUE(rig.storage(0).commit(Durability::sync).has_value());
    rig.restart(0);
    const auto reply = std::get<JobsReply>(rig.call(0, JobsRequest{}));
    ASSERT_EQ(reply.shares.size(), 1u);
    EXPECT_EQ(reply.shares.front().id, "two");
}

}  // namespace
}  // namespace dynamo::test
