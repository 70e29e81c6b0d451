// Each promise of a ring state, broken one at a time.
#include <gtest/gtest.h>

#include <functional>

#include "tests/libdynamo/ring/rings.h"

namespace dynamo {
namespace {

using test::change_to;
using test::member;
using test::members;
using test::ring_of;
using test::row;

/// Four members, after three; with a change that is still staged.
RingState whole() {
    RingState state = ring_of(members(3));
    change_to(state, members(4));
    stage(state, member(2).id, MemberOp::Kind::add, member(5), "", 1);
    return state;
}

TEST(validate, accepts_what_the_cluster_itself_makes) {
    EXPECT_TRUE(validate(whole()));
    EXPECT_TRUE(validate(ring_of(members(1), {1, 1})));
    EXPECT_TRUE(validate(ring_of(members(2), {max_partitions, max_copies})));
}

struct Break {
    std::string name;
    std::function<void(RingState&)> apply;
    std::string reason;  ///< part of the message
};

void PrintTo(const Break& broken, std::ostream* out) { *out << broken.name; }

Epoch& head(RingState& state) { return state.epochs.back(); }

std::vector<Break> breaks() {
    return {
        {"no_cluster", [](RingState& s) { s.cluster = {}; }, "names no cluster"},
        {"no_cluster_name", [](RingState& s) { s.settings.name.clear(); }, "has no name"},
        {"n_of_0", [](RingState& s) { s.settings.copies = 0; }, "N is 0"},
        {"n_of_17", [](RingState& s) { s.settings.copies = 17; }, "N is 17"},
        {"q_of_0", [](RingState& s) { s.settings.partitions = 0; }, "Q is 0"},
        {"q_no_power_of_two", [](RingState& s) { s.settings.partitions = 96; }, "Q is 96"},
        {"q_too_large", [](RingState& s) { s.settings.partitions = 32768; }, "Q is 32768"},
        {"r_of_0", [](RingState& s) { s.settings.read_quorum = 0; }, "R is 0"},
        {"r_beyond_n", [](RingState& s) { s.settings.read_quorum = 4; }, "R is 4"},
        {"w_beyond_n", [](RingState& s) { s.settings.write_quorum = 4; }, "W is 4"},
        {"no_epoch", [](RingState& s) { s.epochs.clear(); }, "no ring"},
        {"number_of_0", [](RingState& s) { s.epochs[0].number = 0; }, "gap"},
        {"gap", [](RingState& s) { s.epochs.erase(s.epochs.begin() + 1); }, "gap"},
        {"repeated", [](RingState& s) { s.epochs.push_back(s.epochs.back()); }, "gap"},
        {"other_n", [](RingState& s) { head(s).copies = 2; }, "not the cluster's"},
        {"other_q", [](RingState& s) { head(s).partitions = 32; }, "not the cluster's"},
        {"no_members", [](RingState& s) { head(s).members.clear(); }, "0 members"},
        {"unsorted", [](RingState& s) { std::swap(head(s).members[0], head(s).members[1]); },
         "not sorted"},
        {"member_twice", [](RingState& s) { head(s).members[1].id = head(s).members[0].id; },
         "repeated"},
        {"name_twice", [](RingState& s) { head(s).members[1].name = head(s).members[0].name; },
         "two members are named"},
        {"member_without_id", [](RingState& s) { head(s).members[0].id = {}; }, "no id"},
        {"member_without_name", [](RingState& s) { head(s).members[0].name.clear(); }, "no name"},
        {"member_without_client_address",
         [](RingState& s) { head(s).members[0].client_address.clear(); }, "no address"},
        {"member_without_peer_address",
         [](RingState& s) { head(s).members[0].peer_address.clear(); }, "no address"},
        {"weight_of_0", [](RingState& s) { head(s).members[0].weight = 0; }, "weight"},
        {"weight_too_large", [](RingState& s) { head(s).members[0].weight = max_weight + 1; },
         "weight"},
        {"table_too_short", [](RingState& s) { head(s).table.pop_back(); }, "not Q times N"},
        {"table_too_long", [](RingState& s) { head(s).table.push_back(0); }, "not Q times N"},
        {"owner_is_no_member", [](RingState& s) { head(s).table[5] = 4; }, "no member"},
        {"owner_twice", [](RingState& s) { head(s).table[4] = head(s).table[3]; }, "twice"},
        {"place_empty", [](RingState& s) { head(s).table[5] = Epoch::nobody; }, "more members"},
        {"hole", [](RingState& s) { head(s).table[4] = Epoch::nobody; }, "after an empty place"},
        {"versions_too_few", [](RingState& s) { head(s).version.pop_back(); }, "not Q"},
        {"version_of_the_future", [](RingState& s) { head(s).version[0] = 4; }, "version"},
        {"version_of_0", [](RingState& s) { head(s).version[0] = 0; }, "version"},
        {"changed_list_with_old_version",
         [](RingState& s) {
             for (std::size_t p = 0; p < 64; ++p)
                 if (test::row(s.epochs[1], p).size() == 3 && head(s).version[p] == 3)
                     head(s).version[p] = 2;
         },
         "version"},
        {"founding_with_version_2", [](RingState& s) { s.epochs[0].version[7] = 2; }, "version"},
        {"covers_too_much", [](RingState& s) { ++head(s).covers.begin()->second; },
         "not in the history"},
        {"covers_a_stranger", [](RingState& s) { head(s).covers[member(9).id] = 1; },
         "not in the history"},
        {"covers_nothing", [](RingState& s) { head(s).covers[member(2).id] = 0; },
         "not in the history"},
        {"forgets", [](RingState& s) { head(s).covers.clear(); }, "forgets"},
        {"covers_less", [](RingState& s) { head(s).covers.begin()->second = 1; }, "forgets"},
        {"history_empty", [](RingState& s) { s.history[member(9).id] = {}; }, "no change"},
        {"history_of_nobody",
         [](RingState& s) {
             auto operation = s.history.begin()->second.front();
             operation.issuer = {};
             s.history[{}] = {operation};
         },
         "no issuer"},
        {"history_of_another",
         [](RingState& s) { s.history[member(2).id][0].issuer = member(3).id; }, "wrong issuer"},
        {"history_gap", [](RingState& s) { s.history[member(1).id][1].seq = 3; }, "gap"},
        {"history_backwards", [](RingState& s) { s.history[member(1).id][1].issued = {}; },
         "not later"},
        {"unknown_kind",
         [](RingState& s) { s.history[member(2).id][0].kind = static_cast<MemberOp::Kind>(9); },
         "unknown kind"},
        {"staged_without_name", [](RingState& s) { s.history[member(2).id][0].subject.name = ""; },
         "no name"},
        {"removal_of_nobody",
         [](RingState& s) {
             s.history[member(2).id][0].kind = MemberOp::Kind::remove;
             s.history[member(2).id][0].subject = {};
         },
         "names no node"},
    };
}

class ValidateBreak : public testing::TestWithParam<Break> {};

TEST_P(ValidateBreak, is_refused_and_changes_nobody) {
    RingState state = whole();
    GetParam().apply(state);
    const auto valid = validate(state);
    ASSERT_FALSE(valid);
    EXPECT_EQ(valid.error().code, Code::bad_request);
    EXPECT_NE(valid.error().message.find(GetParam().reason), std::string::npos)
        << valid.error().message;

    RingState ours = ring_of(members(3));
    const RingState before = ours;
    EXPECT_FALSE(join(ours, state));
    EXPECT_EQ(ours, before);
}

INSTANTIATE_TEST_SUITE_P(every, ValidateBreak, testing::ValuesIn(breaks()),
                         [](const auto& broken) { return broken.param.name; });

}  // namespace
}  // namespace dynamo
