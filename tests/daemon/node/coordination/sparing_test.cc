// An observation with R of 1 asks nobody but its coordinator, as long as that one can answer.
#include <gtest/gtest.h>

#include "daemon/node/coordination/read_round.h"
#include "tests/daemon/node/rig.h"

namespace dynamo {
namespace {

using test::Rig;
using wire::PeerMessage;

wire::PutRequest observing(const Bytes& key, std::uint32_t r) {
    return {.key = key, .value = "new", .observe_r = r};
}

/// Counts the questions that travel while a request is answered.
std::size_t questions(Rig& rig, std::size_t node, wire::ClientRequest request,
                      wire::ClientReply* answer = nullptr) {
    std::size_t asked = 0;
    rig.filter = [&](std::size_t, std::size_t, const PeerMessage& message) {
        asked += std::holds_alternative<wire::ReadRequest>(message) ? 1 : 0;
        return true;
    };
    const auto reply = rig.call(node, std::move(request));
    rig.filter = nullptr;
    if (answer) *answer = reply;
    EXPECT_FALSE(std::holds_alternative<wire::ErrorReply>(reply));
    return asked;
}

TEST(sparing, asks_nobody_else_with_r_of_1) {
    Rig rig;
    (void)rig.put(1, "k", "old");
    EXPECT_EQ(questions(rig, 0, observing("k", 1)), 0u);
    EXPECT_EQ(rig.get(2, "k"), "new") << "it superseded what it saw";
    EXPECT_EQ(questions(rig, 0, wire::DelRequest{.key = "k", .observe_r = 1}), 0u);
    EXPECT_EQ(rig.get(2, "k"), "(gone)");
}

TEST(sparing, asks_the_others_with_a_larger_r_and_for_every_get) {
    Rig rig;
    (void)rig.put(1, "k", "old");
    EXPECT_EQ(questions(rig, 0, observing("k", 2)), 2u);
    EXPECT_EQ(questions(rig, 0, wire::GetRequest{"k", 1}), 2u) << "a get mends as well";
}

TEST(sparing, asks_the_others_when_its_own_record_is_damaged) {
    Rig rig;
    (void)rig.put(1, "k", "old");
    const Slot slot = Slot::of(rig.routes(), "k");
    ASSERT_TRUE(rig.storage(0).put(slot.table(), slot.row, "no record at all, only octets"));
    std::size_t asked = 0;
    rig.filter = [&](std::size_t, std::size_t, const PeerMessage& message) {
        asked += std::holds_alternative<wire::ReadRequest>(message) ? 1 : 0;
        return true;
    };
    // It may not store over what it cannot read; that it looked elsewhere is what matters here.
    (void)rig.call(0, observing("k", 1));
    EXPECT_EQ(asked, 2u);
}

TEST(sparing, asks_the_others_while_its_own_copy_is_being_rebuilt) {
    Rig rig;
    (void)rig.put(1, "k", "old");
    rig.cut(1, 2);
    rig.cut(0, 2);
    rig.wipe(2);
    rig.heal();
    rig.filter = [](std::size_t, std::size_t, const PeerMessage& message) {
        return !std::holds_alternative<wire::ExchangeOffer>(message);
    };
    rig.pass(std::chrono::milliseconds(300));  // until it has heard from another member
    wire::ClientReply answer;
    EXPECT_EQ(questions(rig, 2, observing("k", 1), &answer), 2u);
    EXPECT_TRUE(std::get<wire::PutReply>(answer).existed) << "the empty copy was not believed";
    rig.pass(std::chrono::minutes(5));
    EXPECT_EQ(rig.get(0, "k"), "new");
    EXPECT_EQ(questions(rig, 2, observing("k", 1)), 0u);
}

}  // namespace
}  // namespace dynamo
