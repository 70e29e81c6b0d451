#include "daemon/node/repair/mend.h"

#include <gtest/gtest.h>

#include "tests/daemon/node/membership/workplace.h"

namespace dynamo::test {
namespace {

using namespace std::chrono_literals;
using wire::PeerStatusCode;
using wire::ReadReply;
using wire::ReadRequest;

constexpr BytesView key = "cart";

/// One owner of three (N=3, W=2), whose record of the key is damaged.
struct Owner : Workplace {
    Owner() : Workplace(0, ring_of(3)), mend(desk, objects, liveness) {
        keep(key, object("milk"));
        damage();
    }
    void damage() {
        EXPECT_TRUE(storage.put(slot(key).table(), slot(key).storage_key(), "damaged").has_value());
    }
    /// Reads the key, which is how the damage is found, and lets the part work.
    std::vector<Outbox::ToPeer> find() {
        EXPECT_EQ(objects.read_bytes(slot(key)).error().code, Code::corrupt);
        EXPECT_LE(mend.wake_at(), desk.now.instant);
        mend.tick();
        return said();
    }
    bool answer(const Outbox::ToPeer& question, PeerStatusCode status, const Object& state) {
        const auto& asked = std::get<ReadRequest>(question.message);
        EXPECT_EQ(asked.key, key);
        return mend.on(question.node,
                       {asked.id, status, state.empty() ? Bytes{} : wire::encode(state)});
    }
    [[nodiscard]] bool answers_reads() { return objects.read_bytes(slot(key)).has_value(); }

    Mend mend;
};

TEST(mend, is_whole_again_when_all_others_have_told) {
    Owner owner;
    const auto asked = owner.find();
    ASSERT_EQ(asked.size(), 2u);
    EXPECT_TRUE(owner.answer(asked[0], PeerStatusCode::ok, object("milk")));
    EXPECT_FALSE(owner.answers_reads()) << "one peer may have missed what was stored here";
    EXPECT_TRUE(owner.answer(asked[1], PeerStatusCode::ok, object("bread", 2)));
    EXPECT_TRUE(owner.answers_reads());
    EXPECT_EQ(owner.kept(key).siblings.size(), 2u);
    EXPECT_EQ(owner.mend.in_progress(), 0u);
}

TEST(mend, takes_writes_meanwhile_and_keeps_them) {
    Owner owner;
    const auto asked = owner.find();
    owner.keep(key, object("bread", 2));
    EXPECT_FALSE(owner.answers_reads()) << "what came since is not all that was here";
    owner.answer(asked[0], PeerStatusCode::ok, object("milk"));
    owner.answer(asked[1], PeerStatusCode::ok, {});
    EXPECT_TRUE(owner.answers_reads());
    EXPECT_EQ(owner.kept(key).siblings.size(), 2u);
}

TEST(mend, goes_on_after_a_restart_though_writes_have_come_since) {
    Owner owner;
    owner.keep(key, object("bread", 2));
    Mend next(owner.desk, owner.objects, owner.liveness);
    EXPECT_FALSE(owner.answers_reads());
    next.tick();
    EXPECT_EQ(owner.said().size(), 2u);
}

TEST(mend, asks_silent_owners_again_and_those_that_have_told_no_more) {
    Owner owner;
    const auto asked = owner.find();
    owner.answer(asked[0], PeerStatusCode::ok, object("milk"));
    owner.pass(900ms);
    EXPECT_LE(owner.mend.wake_at(), owner.desk.now.instant);
    owner.mend.tick();
    const auto again = owner.said();
    ASSERT_EQ(again.size(), 1u);
    EXPECT_EQ(again[0].node, asked[1].node);
}

TEST(mend, is_done_when_the_others_have_lost_theirs_too) {
    Owner owner;
    const auto asked = owner.find();
    owner.answer(asked[0], PeerStatusCode::not_ready, {});
    owner.answer(asked[1], PeerStatusCode::ok, object("milk"));
    EXPECT_TRUE(owner.answers_reads()) << "there is nobody left to ask";
    EXPECT_EQ(owner.kept(key), object("milk"));
}

TEST(mend, counts_no_answer_twice_and_none_that_failed) {
    Owner owner;
    const auto asked = owner.find();
    owner.answer(asked[0], PeerStatusCode::ok, object("milk"));
    owner.answer(asked[0], PeerStatusCode::ok, object("milk"));
    owner.answer(asked[1], PeerStatusCode::storage, {});
    EXPECT_FALSE(owner.answers_reads());
    EXPECT_FALSE(owner.mend.on(asked[1].node, {4711, PeerStatusCode::ok, {}}))
        << "an answer to somebody else's question";
}

TEST(mend, leaves_nothing_where_nobody_holds_anything) {
    Owner owner;
    const auto asked = owner.find();
    owner.answer(asked[0], PeerStatusCode::ok, {});
    owner.answer(asked[1], PeerStatusCode::ok, {});
    EXPECT_EQ(owner.objects.read_bytes(owner.slot(key)), Bytes{});
}

TEST(mend, of_the_only_copy_there_is_waits_for_a_put) {
    Workplace only(0, ring_of(1));
    Mend mend(only.desk, only.objects, only.liveness);
    ASSERT_TRUE(only.storage.put(only.slot(key).table(), only.slot(key).storage_key(), "damaged"));
    EXPECT_EQ(only.objects.read_bytes(only.slot(key)).error().code, Code::corrupt);
    EXPECT_EQ(only.objects.read_bytes(only.slot(key)).error().code, Code::corrupt)
        << "never as absent, however often it is asked";
    mend.tick();
    EXPECT_EQ(only.objects.read_bytes(only.slot(key)).error().code, Code::corrupt);
    ASSERT_TRUE(only.objects.write(only.slot(key), {}, {{}, false, 0, "new"}));
    (void)only.objects.read_bytes(only.slot(key));
    mend.tick();
    EXPECT_TRUE(only.objects.read_bytes(only.slot(key)).has_value());
}

}  // namespace
}  // namespace dynamo::test
