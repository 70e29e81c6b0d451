#include "dynamo/admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_daemon.h"
#include "libdynamo/client/ring_view.h"
#include "libdynamo/ring/route.h"
#include "libdynamo/wire/state_codec.h"
#include "session_fixture.h"
#include "tests/libdynamo/ring/settled.h"

namespace dynamo {
namespace {

using testing::HasSubstr;

Member member_of(std::uint8_t i, const std::string& name) {
    Member member;
    member.id.octets.fill(i);
    member.name = name;
    member.zone = "z9";
    member.client_address = "10.0.0.99:7100";
    member.peer_address = "10.0.0.99:7101";
    return member;
}

/// A member that keeps a ring and does as operators ask.
class FakeMember {
  public:
    explicit FakeMember(RingState ring) : ring_(std::move(ring)) {}

    wire::ClientReply operator()(const wire::Request& request) {
        return std::visit([this](const auto& body) { return on(body); }, request.body);
    }
    const RingState& ring() const { return ring_; }

  private:
    template <typename Other>
    wire::ClientReply on(const Other&) {
        return wire::to_reply({Code::unknown_op, "not here", "n1"});
    }
    wire::ClientReply on(const wire::HelloRequest&) {
        wire::HelloReply hello;
        hello.server = "dynamod 0.1.0";
        hello.cluster = ring_.settings.name;
        hello.cluster_id = Bytes(ring_.cluster.bytes());
        hello.node = "n1";
        hello.node_id = Bytes(16, 1);
        hello.state = "member";
        hello.ring = ring_.head().number;
        hello.max_key = 1024;
        return hello;
    }
    wire::ClientReply on(const wire::RingRequest&) { return wire::RingReply{wire::encode(ring_)}; }
    wire::ClientReply on(const wire::StageRequest& request) {
        Member subject;
        subject.id = NodeId::from(request.node_id);
        subject.name = request.name;
        subject.zone = request.zone;
        subject.weight = request.weight;
        subject.client_address = request.client_address;
        subject.peer_address = request.peer_address;
        stage(ring_, ring_.head().members[0].id, MemberOp::Kind{request.kind}, subject,
              request.note, 5000);
        return wire::StageReply{staged(ring_).size()};
    }
    wire::ClientReply on(const wire::PlanRequest&) {
        const auto next = plan(ring_, wire::digest_of(ring_.head()));
        if (!next) return wire::to_reply(next.error());
        return wire::PlanReply{wire::plan_id(*next), wire::encode(*next)};
    }
    wire::ClientReply on(const wire::CommitRequest& request) {
        auto next = plan(ring_, wire::digest_of(ring_.head()));
        if (!next || wire::plan_id(*next) != request.plan)
            return wire::to_reply({Code::stale_plan, "plan again", "n1"});
        ring_.epochs.push_back(*next);
        test::settle(ring_);
        return wire::CommitReply{ring_.head().number};
    }
    wire::ClientReply on(const wire::StatusRequest&) {
        wire::StatusReply status;
        status.node_id = Bytes(16, 1);
        status.ring = ring_.head().number;
        status.stored_bytes = 42;
        status.durability = "sync";
        status.peers.push_back({Bytes(16, 2), true, 1500, 7});
        return status;
    }
    wire::ClientReply on(const wire::StatsRequest&) {
        return wire::StatsReply{{{"hints.held", 3.0}, {"put.count", 12.0}}};
    }

    static wire::ClientReply on(const wire::PeekRequest& request) {
        wire::PeekReply reply;
        reply.owner = true;
        reply.rebuilding = request.key == "rebuilding";
        reply.copies.push_back(
            {{}, false, {{"v", false, 1234, Bytes(16, 3), "42", 7}}, 5, Bytes(16, '\xab')});
        reply.copies.push_back({Bytes(16, 2), true, {}, 0, {}});
        reply.copies.push_back({Bytes(16, 9), false, {{"", true, 1, Bytes(16, 9), "1", 1}}, 1, {}});
        return reply;
    }

    RingState ring_;
};

wire::ClientReply hello_of(const Member& member, const std::string& cluster,
                           const std::string& state) {
    wire::HelloReply hello;
    hello.node = member.name;
    hello.node_id = Bytes(member.id.bytes());
    hello.zone = member.zone;
    hello.weight = member.weight;
    hello.client_address = member.client_address;
    hello.peer_address = member.peer_address;
    hello.cluster = cluster;
    hello.state = state;
    return hello;
}

class admin : public testing::Test {
  protected:
    admin() : member_(ring_of(3)), daemon_(one_by_one(std::ref(member_))) {}

    Admin open() {
        ClientOptions options;
        options.seeds = {daemon_.address()};
        options.timeout = std::chrono::milliseconds(20000);
        return std::move(Admin::open(options).value());
    }
    static FakeDaemon waiting(const Member& member, const std::string& cluster = "",
                              const std::string& state = "waiting") {
        return FakeDaemon(
            one_by_one([=](const wire::Request&) { return hello_of(member, cluster, state); }));
    }

    FakeMember member_;
    FakeDaemon daemon_;
};

TEST_F(admin, says_who_a_daemon_is) {
    const auto hello = open().hello();
    ASSERT_TRUE(hello) << hello.error().message;
    EXPECT_EQ(hello->cluster, "shop");
    EXPECT_EQ(hello->cluster_id, std::string("07070707070707070707070707070707"));
    EXPECT_EQ(hello->node.id, std::string("01010101010101010101010101010101"));
    EXPECT_EQ(hello->state, "member");
    EXPECT_EQ(hello->max_key, 1024u);
}

TEST_F(admin, shows_the_ring_by_name) {
    const auto ring = open().ring();
    ASSERT_TRUE(ring) << ring.error().message;
    EXPECT_EQ(ring->cluster, "shop");
    EXPECT_EQ(ring->copies, 3u);
    EXPECT_EQ(ring->partitions, 16u);
    EXPECT_EQ(ring->digest.size(), 64u);
    ASSERT_EQ(ring->nodes.size(), 3u);
    EXPECT_EQ(ring->nodes[0].name, "n1");
    EXPECT_EQ(ring->nodes[2].client_address, "10.0.0.3:7100");
    ASSERT_EQ(ring->owners.size(), 16u);
    for (const auto& row : ring->owners) EXPECT_EQ(row.size(), 3u);
}

TEST_F(admin, shows_status_and_stats_of_one_node) {
    auto opened = open();
    const auto status = opened.status_at(daemon_.address());
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_EQ(status->node.name, "n1");
    EXPECT_EQ(status->stored_bytes, 42u);
    ASSERT_EQ(status->peers.size(), 1u);
    EXPECT_EQ(status->peers[0].hints, 7u);
    const auto stats = opened.stats_at(daemon_.address());
    ASSERT_TRUE(stats);
    EXPECT_EQ(stats->at("hints.held"), 3.0);
}

TEST_F(admin, shows_what_one_node_holds_of_a_key) {
    auto opened = open();
    const auto held = opened.peek_at(daemon_.address(), "k");
    ASSERT_TRUE(held) << held.error().message;
    EXPECT_TRUE(held->owner);
    EXPECT_FALSE(held->rebuilding);
    ASSERT_EQ(held->copies.size(), 3u);
    const auto& own = held->copies[0];
    EXPECT_EQ(own.hint_for, "");
    EXPECT_FALSE(own.damaged);
    EXPECT_EQ(own.clock_entries, 5u);
    EXPECT_EQ(own.digest, "abababababababababababababababab");
    ASSERT_EQ(own.versions.size(), 1u);
    EXPECT_EQ(own.versions[0].value, "v");
    EXPECT_FALSE(own.versions[0].tombstone);
    EXPECT_EQ(held->copies[1].hint_for, "n2") << "by its name";
    EXPECT_TRUE(held->copies[1].damaged);
    EXPECT_NE(held->copies[2].hint_for, "") << "one that is no member goes by its id";
    EXPECT_TRUE(held->copies[2].versions.at(0).tombstone);
    EXPECT_TRUE(opened.peek_at(daemon_.address(), "rebuilding")->rebuilding);
    EXPECT_EQ(opened.peek_at("no such:address:", "k").error().code, Code::bad_request);
}

TEST_F(admin, stages_plans_and_commits_a_joining) {
    auto opened = open();
    auto joining = waiting(member_of(9, "n9"));
    const auto staged = opened.stage_join(
        joining.address(), {.name = {}, .zone = "rack4", .weight = 100, .note = "grow"});
    ASSERT_TRUE(staged) << staged.error().message;
    EXPECT_EQ(*staged, 1u);
    const auto ring = opened.ring();
    ASSERT_EQ(ring->staged.size(), 1u);
    EXPECT_EQ(ring->staged[0].kind, "add");
    EXPECT_EQ(ring->staged[0].node.name, "n9");
    EXPECT_EQ(ring->staged[0].node.zone, "rack4");
    EXPECT_EQ(ring->staged[0].note, "grow");

    const auto plan = opened.plan();
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_EQ(plan->to, plan->from + 1);
    EXPECT_EQ(plan->replicas, 48u);
    EXPECT_EQ(plan->moves, 12u);
    EXPECT_EQ(plan->moves_minimum, 12u);
    EXPECT_TRUE(plan->zones_distinct);
    ASSERT_EQ(plan->rows.size(), 4u);
    EXPECT_EQ(plan->rows[0].owns_before, 16u);
    EXPECT_EQ(plan->rows[3].node.name, "n9");
    EXPECT_EQ(plan->rows[3].owns_before, 0u);
    EXPECT_EQ(plan->rows[3].owns_after, 12u);
    EXPECT_EQ(plan->after.nodes.size(), 4u);

    EXPECT_EQ(opened.commit("p-00000000").error().code, Code::stale_plan);
    const auto committed = opened.commit(plan->id);
    ASSERT_TRUE(committed) << committed.error().message;
    EXPECT_EQ(*committed, plan->to);
    EXPECT_EQ(opened.ring()->digest, plan->after.digest);
}

TEST_F(admin, refuses_to_join_a_daemon_of_a_cluster) {
    auto other = waiting(member_of(9, "n9"), "books", "member");
    const auto staged = open().stage_join(other.address(), {});
    ASSERT_FALSE(staged);
    EXPECT_EQ(staged.error().code, Code::refused);
    EXPECT_THAT(staged.error().message,
                HasSubstr("n9 at " + other.address() + " belongs to cluster 'books' already"));
}

TEST_F(admin, refuses_to_join_a_member) {
    const auto staged = open().stage_join(daemon_.address(), {});
    ASSERT_FALSE(staged);
    EXPECT_EQ(staged.error().code, Code::refused);
    EXPECT_THAT(staged.error().message, HasSubstr("is a member of 'shop' already"));
}

TEST_F(admin, refuses_to_join_a_removed_node) {
    auto gone = waiting(member_of(9, "n9"), "shop", "removed");
    EXPECT_THAT(open().stage_join(gone.address(), {}).error().message, HasSubstr("was removed"));
}

TEST_F(admin, refuses_a_name_that_is_taken) {
    auto opened = open();
    auto twin = waiting(member_of(9, "n2"));
    const auto staged = opened.stage_join(twin.address(), {});
    ASSERT_FALSE(staged);
    EXPECT_EQ(staged.error().code, Code::refused);
    EXPECT_THAT(staged.error().message, HasSubstr("'n2' is taken"));
    EXPECT_TRUE(
        opened.stage_join(twin.address(), {.name = "n4", .zone = {}, .weight = {}, .note = {}}));
    auto third = waiting(member_of(10, "n4"));
    EXPECT_EQ(opened.stage_join(third.address(), {}).error().code, Code::refused)
        << "by a staged one as well";
}

TEST_F(admin, says_which_address_does_not_answer) {
    const auto address = nobody();
    const auto hello = open().hello_at(address);
    ASSERT_FALSE(hello);
    EXPECT_EQ(hello.error().code, Code::unreachable);
    EXPECT_THAT(hello.error().message, HasSubstr(address));
    EXPECT_EQ(open().hello_at("bad:port").error().code, Code::bad_request);
}

// ------------------------------------------------------------------------------- views and plans

TEST(ring_view, finds_owners_and_stand_ins_as_nodes_do) {
    for (const std::uint16_t members : std::vector<std::uint16_t>{1, 2, 3, 5, 9}) {
        const auto state = ring_of(members);
        const auto view = view_of(state);
        const Routes routes(state, wire::digest_of(state.head()));
        for (std::uint16_t partition = 0; partition < routes.partitions(); ++partition) {
            std::vector<std::string> expected;
            for (const auto& node : routes.fallbacks(partition))
                expected.push_back(routes.find(node)->name);
            std::vector<std::string> shown;
            for (const auto index : view.fallbacks(partition))
                shown.push_back(view.nodes[index].name);
            EXPECT_EQ(shown, expected);
            std::vector<std::string> owners;
            for (const auto& node : routes.owners(partition))
                owners.push_back(routes.find(node)->name);
            std::vector<std::string> shown_owners;
            for (const auto index : view.owners[partition])
                shown_owners.push_back(view.nodes[index].name);
            EXPECT_EQ(shown_owners, owners);
        }
        EXPECT_EQ(view.partition_of("cart"), routes.partition_of(position_of("cart")));
    }
}

TEST(ring_view, gives_positions_as_md5) {
    EXPECT_EQ(RingView::position_of("abc"), "900150983cd24fb0d6963f7d28e17f72");
}

TEST(ring_view, tells_what_every_ring_of_the_past_changed) {
    auto state = found(ClusterId{}, {}, member_of(1, "n1"), 1000);
    for (const std::uint8_t number : {std::uint8_t{2}, std::uint8_t{3}}) {
        const auto name = "n" + std::to_string(number);
        stage(state, state.head().members[0].id, MemberOp::Kind::add, member_of(number, name),
              "note of " + name, 2000 * number);
        auto next = plan(state, wire::digest_of(state.head()));
        ASSERT_TRUE(next);
        next->proposer = state.head().members[0].id;
        next->issued = {2000 * number + 1, 0};
        state.epochs.push_back(*next);
        test::settle(state);
    }
    stage(state, state.head().members[0].id, MemberOp::Kind::add, member_of(4, "n4"), "", 9000);
    const auto view = view_of(state);
    ASSERT_EQ(view.history.size(), 3u);
    EXPECT_EQ(view.history[0].number, 1u);
    ASSERT_EQ(view.history[0].changes.size(), 1u) << "the founder's own joining";
    EXPECT_EQ(view.history[0].changes[0].node.name, "n1");
    ASSERT_EQ(view.history[2].changes.size(), 1u) << "what is staged is no past";
    EXPECT_EQ(view.history[2].changes[0].kind, "add");
    EXPECT_EQ(view.history[2].changes[0].node.name, "n3");
    EXPECT_EQ(view.history[2].changes[0].note, "note of n3");
    EXPECT_EQ(view.history[2].members, 3u);
    EXPECT_EQ(view.history[2].wall_ms, 6001);
    EXPECT_EQ(view.history[2].proposer, "n1");
    EXPECT_EQ(view.history[2].digest, view.digest);
    EXPECT_EQ(view.history[1].moves, copies_moved(state.epochs[0], state.epochs[1]));
}

TEST(ring_view, knows_which_versions_a_context_covers) {
    const auto state = ring_of(3);
    const auto view = view_of(state);
    const Actor actor{state.head().members[0].id, 77};
    Context context{state.cluster, position_of("k"), {}, {}};
    context.seen.add(actor, {1, 3});
    const ContextToken token{wire::encode(context)};
    Version version;
    version.birth = 77;
    version.counter = 3;
    EXPECT_TRUE(view.covers("k", token, version));
    EXPECT_FALSE(view.covers("other", token, version)) << "it is another key's";
    EXPECT_FALSE(view.covers("k", {}, version));
    version.counter = 4;
    EXPECT_FALSE(view.covers("k", token, version));
    version = {};
    version.birth = 78;
    version.counter = 1;
    EXPECT_FALSE(view.covers("k", token, version));
}

TEST(plan_view, never_claims_fewer_moves_than_it_makes) {
    for (const std::uint16_t members : std::vector<std::uint16_t>{1, 2, 3, 4, 7}) {
        auto state = ring_of(members);
        const auto issuer = state.head().members[0].id;
        stage(state, issuer, MemberOp::Kind::add, member_of(99, "new"), "", 9000);
        if (members > 2) {
            Member gone;
            gone.id = state.head().members[1].id;
            stage(state, issuer, MemberOp::Kind::remove, gone, "", 9001);
        }
        const auto next = plan(state, wire::digest_of(state.head()));
        ASSERT_TRUE(next);
        const auto shown = plan_of(state, *next, "p-1");
        EXPECT_LE(shown.moves_minimum, shown.moves);
        EXPECT_EQ(shown.rows.size(), members + 1u);
        unsigned before = 0;
        unsigned after = 0;
        for (const auto& row : shown.rows) {
            before += row.owns_before;
            after += row.owns_after;
        }
        EXPECT_EQ(after, shown.replicas);
        EXPECT_EQ(before, 16u * std::min<unsigned>(members, 3));
        EXPECT_EQ(shown.moves_minimum > 0, shown.moves > 0);
    }
}

}  // namespace
}  // namespace dynamo
