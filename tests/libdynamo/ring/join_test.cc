// Joining two states of one cluster: a semilattice, except where it must refuse.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/libdynamo/ring/rings.h"
#include "tests/libdynamo/ring/settled.h"

namespace dynamo {
namespace {

using Kind = MemberOp::Kind;
using test::change_to;
using test::founded;
using test::member;
using test::members;
using test::ring_of;

constexpr unsigned views = 4;

/// Four members' views of one cluster: they stage changes, gossip in any order, and commit only on
/// top of the newest ring there is, as agreement among them would see to.
class Cluster {
  public:
    Cluster() {
        const RingState start = ring_of(members(views), {16, 3});
        for (RingState& view : views_) view = start;
    }

    void take(unsigned kind, unsigned a, unsigned b) {
        RingState& view = views_.at(a % views);
        const Member subject = member(5 + b % 6, 1 + b % 3);
        switch (kind) {
            case 0:
                stage(view, member(1 + a % views).id, Kind::add, subject, "", b);
                break;
            case 1:
                stage(view, member(1 + a % views).id, Kind::remove, subject, "", b);
                break;
            case 2:
                stage(view, member(1 + a % views).id, Kind::set, subject, "", b);
                break;
            case 3:
                commit(view);
                break;
            default:
                RC_ASSERT(join(view, views_.at(b % views)).has_value());
                break;
        }
        RC_ASSERT(validate(view).has_value());
    }

    [[nodiscard]] const RingState& view(unsigned number) const { return views_.at(number); }

  private:
    void commit(RingState& view) {
        for (const RingState& other : views_)
            if (other.epochs.size() > view.epochs.size()) return;
        auto planned = plan(view, {});
        if (!planned) return;
        view.epochs.push_back(*std::move(planned));
        test::settle(view);
    }

    std::array<RingState, views> views_;
};

Cluster any_cluster() {
    Cluster cluster;
    const auto steps =
        *rc::gen::container<std::vector<std::tuple<unsigned, unsigned, unsigned>>>(rc::gen::tuple(
            rc::gen::inRange(0U, 7U), rc::gen::inRange(0U, 12U), rc::gen::inRange(0U, 12U)));
    for (const auto& [kind, a, b] : steps) cluster.take(kind, a, b);
    return cluster;
}

RingState joined(RingState a, const RingState& b) {
    RC_ASSERT(join(a, b).has_value());
    return a;
}

RC_GTEST_PROP(join, is_commutative_associative_and_idempotent, ()) {
    const Cluster cluster = any_cluster();
    const RingState& a = cluster.view(0);
    const RingState& b = cluster.view(1);
    const RingState& c = cluster.view(2);
    RC_ASSERT(joined(a, b) == joined(b, a));
    RC_ASSERT(joined(joined(a, b), c) == joined(a, joined(b, c)));
    RC_ASSERT(joined(a, a) == a);
    RC_ASSERT(joined(joined(a, b), b) == joined(a, b));
}

RC_GTEST_PROP(join, keeps_its_promises_and_says_truly_whether_it_changed_anything, ()) {
    const Cluster cluster = any_cluster();
    RingState ours = cluster.view(0);
    const auto changed = join(ours, cluster.view(1));
    RC_ASSERT(changed.has_value());
    RC_ASSERT(*changed == (ours != cluster.view(0)));
    RC_ASSERT(validate(ours).has_value());
}

RC_GTEST_PROP(join, forgets_nothing, ()) {
    const Cluster cluster = any_cluster();
    const RingState all = joined(cluster.view(0), cluster.view(1));
    for (const unsigned number : {0U, 1U}) {
        const RingState& view = cluster.view(number);
        RC_ASSERT(all.epochs.size() >= view.epochs.size());
        for (const auto& [issuer, operations] : view.history)
            RC_ASSERT(all.history.at(issuer).size() >= operations.size());
    }
}

void expect_refused(const RingState& a, const RingState& b, Code code, const std::string& words) {
    for (const auto& [ours, theirs] : {std::pair{a, b}, std::pair{b, a}}) {
        RingState state = ours;
        const auto result = join(state, theirs);
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, code);
        EXPECT_NE(result.error().message.find(words), std::string::npos) << result.error().message;
        EXPECT_EQ(state, ours) << "a refused join changes nothing";
    }
}

TEST(join, refuses_another_cluster) {
    const RingState ours = ring_of(members(3));
    RingState theirs = ours;
    theirs.cluster = ClusterId::from("another  cluster");
    expect_refused(ours, theirs, Code::wrong_cluster, theirs.cluster.brief());
}

TEST(join, refuses_two_rings_with_one_number) {
    RingState ours = ring_of(members(3));
    RingState theirs = ours;
    stage(ours, member(1).id, Kind::add, member(4), "", 1);
    stage(theirs, member(2).id, Kind::add, member(5), "", 1);
    ours.epochs.push_back(*plan(ours, {}));
    theirs.epochs.push_back(*plan(theirs, {}));
    test::settle(theirs);
    expect_refused(ours, theirs, Code::refused, "SPLIT");

    // Also when one of them has gone on since.
    stage(theirs, member(2).id, Kind::add, member(6), "", 1);
    theirs.epochs.push_back(*plan(theirs, {}));
    expect_refused(ours, theirs, Code::refused, "SPLIT: two different rings bear the number 3");
}

TEST(join, refuses_two_changes_with_one_number) {
    RingState ours = ring_of(members(3));
    RingState theirs = ours;
    stage(ours, member(2).id, Kind::add, member(4), "", 1);
    stage(theirs, member(2).id, Kind::add, member(5), "", 1);
    expect_refused(ours, theirs, Code::refused, "SPLIT: node " + member(2).id.brief());
}

TEST(join, refuses_other_settings) {
    const RingState ours = ring_of(members(3));
    RingState theirs = ours;
    theirs.settings.write_quorum = 3;
    expect_refused(ours, theirs, Code::refused, "SPLIT");
}

TEST(join, takes_the_longer_line_and_keeps_its_own_staged_changes) {
    RingState ours = founded(member(1));
    RingState theirs = ours;
    change_to(theirs, members(3));
    stage(ours, member(9).id, Kind::add, member(8), "", 1);
    ASSERT_TRUE(*join(ours, theirs));
    EXPECT_EQ(ours.head(), theirs.head());
    ASSERT_EQ(staged(ours).size(), 1U);
    EXPECT_EQ(staged(ours).front().subject, member(8));
}

}  // namespace
}  // namespace dynamo
