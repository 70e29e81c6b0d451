// What a traced request tells of itself.
#include "daemon/node/coordination/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/daemon/node/rig.h"

namespace dynamo {
namespace {

using test::Rig;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

/// "n1 coordinates", in order; nodes by the rig's index from 1.
std::vector<std::string> lines(const Rig& rig, const std::vector<wire::TraceStep>& steps) {
    std::vector<std::string> told;
    std::uint64_t before = 0;
    for (const auto& step : steps) {
        EXPECT_GE(step.at_us, before);
        before = step.at_us;
        told.push_back("n" + std::to_string(rig.index_of(NodeId::from(step.node)) + 1) + " " +
                       step.what);
    }
    return told;
}

template <typename Reply>
std::vector<std::string> traced(Rig& rig, std::size_t node, wire::ClientRequest request) {
    const auto reply = rig.call(node, std::move(request));
    const auto* good = std::get_if<Reply>(&reply);
    EXPECT_NE(good, nullptr);
    return good ? lines(rig, good->trace) : std::vector<std::string>{};
}

TEST(trace, of_a_get_names_whom_it_asked_and_who_answered_before_it_was_answered) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    const auto told = traced<wire::GetReply>(rig, 0, wire::GetRequest{"k", 3, true});
    ASSERT_EQ(told.size(), 7u);
    EXPECT_EQ(told[0], "n1 coordinates");
    EXPECT_THAT(std::vector(told.begin() + 1, told.end()),
                UnorderedElementsAre("n1 read asked", "n1 read answered", "n2 read asked",
                                     "n2 read answered", "n3 read asked", "n3 read answered"));
}

TEST(trace, tells_an_answer_that_held_nothing) {
    Rig rig;
    EXPECT_THAT(traced<wire::GetReply>(rig, 0, wire::GetRequest{"k", 1, true}),
                Contains("n1 read answered: nothing"));
}

TEST(trace, of_a_put_and_a_delete_names_who_stored) {
    Rig rig;
    EXPECT_THAT(traced<wire::PutReply>(
                    rig, 0,
                    wire::PutRequest{
                        .key = "k", .value = "v", .mode = PutMode::blind, .w = 3, .trace = true}),
                UnorderedElementsAre("n1 coordinates", "n1 stored", "n2 write asked", "n2 stored",
                                     "n3 write asked", "n3 stored"));
    EXPECT_THAT(traced<wire::DelReply>(rig, 1, wire::DelRequest{.key = "k", .w = 3, .trace = true}),
                testing::IsSupersetOf({"n2 coordinates", "n2 read asked", "n2 read answered",
                                       "n2 stored", "n1 stored", "n3 stored"}));
}

TEST(trace, of_a_delete_that_had_nothing_to_delete_is_given_too) {
    Rig rig;
    EXPECT_THAT(traced<wire::DelReply>(rig, 0, wire::DelRequest{.key = "k", .trace = true}),
                Contains("n1 coordinates"));
}

TEST(trace, tells_who_was_silent_and_who_stood_in) {
    Rig rig({.nodes = 4});
    const auto owners = rig.owners("k");
    const std::size_t stranger = rig.stranger("k");
    rig.isolate(owners[2]);
    const auto told = traced<wire::PutReply>(
        rig, owners[0],
        wire::PutRequest{.key = "k", .value = "v", .mode = PutMode::blind, .w = 3, .trace = true});
    const auto name = [](std::size_t index) { return "n" + std::to_string(index + 1); };
    EXPECT_THAT(told, testing::IsSupersetOf({name(owners[2]) + " silent",
                                             name(stranger) + " write asked as stand-in",
                                             name(stranger) + " stored"}));
    EXPECT_THAT(told, Not(Contains(name(owners[2]) + " stored")));
}

TEST(trace, of_a_forwarded_write_is_its_coordinators) {
    Rig rig({.nodes = 5});
    const std::size_t owner = rig.owners("k")[0];
    const auto told = traced<wire::PutReply>(
        rig, rig.stranger("k"), wire::PutRequest{.key = "k", .value = "v", .trace = true});
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told[0], "n" + std::to_string(owner + 1) + " coordinates");
    EXPECT_THAT(told, Contains("n" + std::to_string(owner + 1) + " stored"));
}

TEST(trace, is_empty_unless_it_was_asked_for) {
    Rig rig;
    EXPECT_THAT(
        traced<wire::PutReply>(rig, 0, wire::PutRequest{.key = "k", .value = "v", .context = {}}),
        IsEmpty());
    EXPECT_THAT(traced<wire::GetReply>(rig, 0, wire::GetRequest{"k"}), IsEmpty());
    EXPECT_THAT(traced<wire::DelReply>(rig, 0, wire::DelRequest{.key = "k"}), IsEmpty());
}

}  // namespace
}  // namespace dynamo
