// Which rings a state forgets: none that something needs, and whoever knows the same forgets the
// same.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <ranges>

#include "libdynamo/ring/transition.h"
#include "libdynamo/wire/state_codec.h"
#include "tests/libdynamo/ring/rings.h"
#include "tests/libdynamo/ring/settled.h"

namespace dynamo {
namespace {

using test::member;
using test::members;

std::uint64_t oldest(const RingState& state) { return state.epochs.front().number; }

/// Six members, at rest after as many changes as said.
RingState changed(unsigned times) {
    RingState state = test::ring_of(members(6), {8, 3});
    for (unsigned i = 0; i < times; ++i) {
        test::settle(state);
        test::change_to(state, members(i % 2 == 0 ? 5 : 6));
    }
    return state;
}

TEST(forget, keeps_as_many_rings_as_it_is_told_to) {
    RingState state = changed(0);
    for (unsigned i = 0; i < 6; ++i) {
        test::settle(state);
        std::vector<Member> heavier = state.head().members;
        heavier[i].weight += 1;
        test::change_to(state, heavier);
    }
    test::settle(state);
    const std::uint64_t last = state.head().number;
    forget_rings(state, 3);
    EXPECT_EQ(oldest(state), last - 2);
    EXPECT_EQ(state.epochs.size(), 3U);
    EXPECT_TRUE(validate(state)) << "a line that does not begin with the founding";
    for (const auto& [version, nodes] : state.synced) EXPECT_GT(version, oldest(state));
    forget_rings(state, 100);
    EXPECT_EQ(state.epochs.size(), 3U) << "what is forgotten stays forgotten";
}

TEST(forget, keeps_the_rings_of_lists_that_are_live) {
    RingState state = changed(0);
    test::settle(state);
    const std::uint64_t before = state.head().number;
    test::change_to(state, members(5));
    state.synced.erase(state.head().number);
    state.released[member(6).id] = state.head().number;
    const auto lists = live_lists(state, 0);
    forget_rings(state, 1);
    EXPECT_EQ(oldest(state), before) << "nobody has learnt anything of the new lists yet";
    EXPECT_EQ(live_lists(state, 0), lists);
    test::settle(state);
    forget_rings(state, 1);
    EXPECT_EQ(state.epochs.size(), 1U);
    EXPECT_TRUE(state.synced.empty());
    EXPECT_FALSE(is_moving(state));
}

TEST(forget, keeps_the_ring_that_names_who_has_not_handed_over_all) {
    RingState state = changed(0);
    test::settle(state);
    const std::uint64_t with_six = state.head().number;
    test::change_to(state, members(5));
    test::settle(state);
    std::vector<Member> heavier = state.head().members;
    heavier[0].weight = 7;
    test::change_to(state, heavier);
    test::settle(state);
    forget_rings(state, 1);
    EXPECT_EQ(oldest(state), with_six) << "node 6 still holds something";
    state.released[member(6).id] = state.head().number;
    forget_rings(state, 1);
    EXPECT_EQ(state.epochs.size(), 1U);
    EXPECT_TRUE(is_released(state, member(6).id));
}

TEST(forget, does_not_let_a_node_return_whose_rings_are_forgotten) {
    RingState state = changed(0);
    test::settle(state);
    test::change_to(state, members(5));
    test::settle(state);
    state.released[member(6).id] = state.head().number;
    forget_rings(state, 1);
    stage(state, member(1).id, MemberOp::Kind::add, member(6), "", 1);
    const auto planned = plan(state, wire::digest_of(state.head()));
    ASSERT_FALSE(planned);
    EXPECT_NE(planned.error().message.find("cannot return"), std::string::npos);
}

TEST(forget, survives_being_written_and_read) {
    RingState state = changed(0);
    test::settle(state);
    std::vector<Member> heavier = state.head().members;
    heavier[0].weight = 7;
    test::change_to(state, heavier);
    test::settle(state);
    forget_rings(state, 1);
    ASSERT_EQ(state.epochs.size(), 1U);
    const auto read = wire::decode_ring(wire::encode(state));
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, state);
}

TEST(forget, is_made_good_by_no_join) {
    RingState old = changed(0);
    test::settle(old);
    RingState state = old;
    std::vector<Member> heavier = state.head().members;
    heavier[0].weight = 7;
    test::change_to(state, heavier);
    test::settle(state);
    RingState full = state;
    forget_rings(state, 1);
    EXPECT_FALSE(join(state, full).value()) << "it knows all that, and needs none of it";
    EXPECT_FALSE(join(state, old).value());
    EXPECT_EQ(state.epochs.size(), 1U);
    // Who has been away for longer than others remember takes theirs as it is.
    EXPECT_TRUE(join(old, state).value());
    EXPECT_EQ(old.head(), state.head());
    EXPECT_TRUE(validate(old));
}

// ------------------------------------------------------------------------ any history, any gossip

/// What one node knows, and what it would know if it forgot nothing.
struct View {
    RingState state;
    RingState all;
};

class Story {
  public:
    Story(unsigned seed, std::size_t kept) : random_(seed), kept_(kept) {
        full_ = test::ring_of(members(6), {4, 3});
        test::settle(full_);
        for (View& view : views_) {
            view = {full_, full_};
            forget_rings(view.state, kept_);
        }
    }

    void step() {
        switch (below(4)) {
            case 0:
                change();
                break;
            case 1:
            case 2:
                note();
                break;
            default:
                release();
        }
        for (View& view : views_) {
            if (below(3) == 0) tell(view, {full_, full_});
            if (below(3) == 0) tell(view, views_[below(views_.size())]);
        }
    }

    void check() {
        for (View& view : views_) {
            for (std::uint16_t p = 0; p < 4; ++p)
                ASSERT_EQ(live_lists(view.state, p), live_lists(view.all, p));
            ASSERT_EQ(is_moving(view.state), is_moving(view.all));
            for (unsigned node = 1; node <= 6; ++node) {
                const NodeId id = member(node).id;
                if (names(view.all.head(), id)) continue;
                ASSERT_EQ(is_released(view.state, id), is_released(view.all, id));
            }
            RingState same = view.all;
            forget_rings(same, kept_);
            ASSERT_EQ(view.state, same) << "who knows the same forgets the same";
            ASSERT_TRUE(validate(view.state));
        }
    }

  private:
    std::size_t below(std::size_t end) { return random_() % end; }
    static bool names(const Epoch& epoch, const NodeId& node) {
        return std::ranges::binary_search(epoch.members, node, {}, &Member::id);
    }

    /// Any four or more of the six, with any lists.
    void change() {
        if (full_.epochs.size() > 12) return;
        Epoch next = full_.head();
        ++next.number;
        next.parent = wire::digest_of(full_.head());
        std::vector<Member> chosen = members(6);
        std::ranges::shuffle(chosen, random_);
        chosen.resize(4 + below(3));
        next.members = test::sorted(chosen);
        const std::size_t moves = 1 + below(4);
        for (std::uint16_t p = 0; p < 4; ++p) {
            std::vector<std::uint16_t> places(next.members.size());
            for (std::uint16_t i = 0; i < places.size(); ++i) places[i] = i;
            std::ranges::shuffle(places, random_);
            std::ranges::copy(kept_row(next, p).value_or(places) | std::views::take(3),
                              next.table.begin() + p * 3);
            if (p < moves) std::ranges::copy_n(places.begin(), 3, next.table.begin() + p * 3);
            auto now = owners_in(next, p);
            auto was = owners_in(full_.head(), p);
            std::ranges::sort(now);
            std::ranges::sort(was);
            if (now != was) next.version[p] = next.number;
        }
        full_.epochs.push_back(std::move(next));
        ASSERT_TRUE(validate(full_)) << validate(full_).error().message;
    }

    /// The head's row in the places that its owners have in `next`, if they all have one.
    [[nodiscard]] std::optional<std::vector<std::uint16_t>> kept_row(const Epoch& next,
                                                                     std::uint16_t p) const {
        std::vector<std::uint16_t> row;
        for (const NodeId& owner : owners_in(full_.head(), p)) {
            const auto at = std::ranges::find(next.members, owner, &Member::id);
            if (at == next.members.end()) return std::nullopt;
            row.push_back(static_cast<std::uint16_t>(at - next.members.begin()));
        }
        return row;
    }

    void note() {
        const auto p = static_cast<std::uint16_t>(below(4));
        const auto owners = owners_in(full_.head(), p);
        note_synced(full_, owners[below(owners.size())], p);
    }

    void release() {
        const NodeId node = member(1 + static_cast<unsigned>(below(6))).id;
        if (!names(full_.head(), node)) full_.released[node] = full_.head().number;
    }

    void tell(View& view, const View& other) {
        ASSERT_TRUE(join(view.all, other.all));
        const auto told = join(view.state, other.state);
        ASSERT_TRUE(told) << told.error().message;
        forget_rings(view.state, kept_);
    }

    std::mt19937 random_;
    std::size_t kept_;
    RingState full_;
    std::array<View, 3> views_;
};

TEST(forget, changes_nothing_that_anybody_asks_whatever_is_heard_in_which_order) {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        Story story(seed, 1 + seed % 3);
        for (int i = 0; i < 60; ++i) {
            story.step();
            story.check();
            if (::testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << " step " << i;
        }
    }
}

}  // namespace
}  // namespace dynamo
