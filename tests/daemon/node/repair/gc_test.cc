// What a node tells of the deletes that it keeps, and why.
#include "daemon/node/repair/gc.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "libdynamo/base/numbers.h"
#include "tests/daemon/node/rig.h"

namespace dynamo::test {
namespace {

using namespace std::chrono_literals;
using wire::GcReply;
using wire::GcRequest;
using wire::GcWait;

GcReply told(Rig& rig, std::size_t node, const GcRequest& request = {}) {
    return std::get<GcReply>(rig.call(node, request));
}

/// The number of the reason about that node, if it is told; `about` none: the node itself.
std::optional<std::uint64_t> reason(const GcReply& reply, std::string_view name,
                                    const NodeId& about = {}) {
    const Bytes octets = about.is_none() ? Bytes() : Bytes(about.bytes());
    const auto at = std::ranges::find_if(reply.waits, [&](const GcWait& wait) {
        return wait.reason == name && wait.node_id == octets;
    });
    return at == reply.waits.end() ? std::nullopt : std::optional(at->number);
}

Bytes number_octets(std::uint64_t number) {
    Bytes octets;
    append_number(octets, number);
    return octets;
}

void remove(Rig& rig, const Bytes& key) {
    (void)rig.put(0, key, "v");
    ASSERT_TRUE(std::holds_alternative<wire::DelReply>(rig.call(1, wire::DelRequest{.key = key})));
    rig.pass(5s);
}

/// Where Reducible keeps the note of a key.
Bytes note_of(const Rig& rig, const Bytes& key) {
    const Slot slot = Slot::of(rig.routes(), key);
    return Bytes{static_cast<char>(slot.partition >> 8), static_cast<char>(slot.partition & 255)} +
           slot.row;
}

TEST(gc, tells_of_nothing_where_nothing_was_deleted) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    rig.pass(5s);
    const auto reply = told(rig, 0);
    EXPECT_EQ(reply.records, 0u);
    EXPECT_EQ(reply.needed, 0u);
    EXPECT_TRUE(reply.waits.empty());
    EXPECT_TRUE(reply.next.empty());
}

TEST(gc, tells_how_far_the_fence_has_to_go) {
    Rig rig;
    remove(rig, "k");
    for (std::size_t node = 0; node < 3; ++node) {
        const auto reply = told(rig, node);
        EXPECT_EQ(reply.records, 1u);
        EXPECT_EQ(reply.due, 0u);
        EXPECT_EQ(reply.needed, reply.fence + 4);
        EXPECT_LE(reply.next_ms, 60'000u);
        EXPECT_TRUE(reply.waits.empty()) << reply.waits.front().reason;
        EXPECT_EQ(told(rig, node, {false, reply.needed - 1, {}}).due, 0u);
        EXPECT_EQ(told(rig, node, {false, reply.needed, {}}).due, 1u);
    }
    rig.pass(1s);
    EXPECT_EQ(told(rig, 0).fence, 0u) << "asking changes nothing";
}

TEST(gc, takes_the_next_step_at_once_when_it_is_asked_to) {
    Rig rig;
    remove(rig, "k");
    int steps = 0;
    for (; told(rig, 0).records > 0 && steps < 20; ++steps) {
        for (std::size_t node = 0; node < 3; ++node) (void)told(rig, node, {true, 0, {}});
        rig.pass(100ms);
        EXPECT_LE(told(rig, 0).fence, static_cast<std::uint64_t>(steps) + 1)
            << "not more than one step each time";
    }
    EXPECT_GE(steps, 5);
    EXPECT_LT(steps, 20);
    for (std::size_t node = 0; node < 3; ++node) {
        EXPECT_EQ(told(rig, node).records, 0u);
        EXPECT_EQ(told(rig, node).reduced, 1u);
        EXPECT_TRUE(rig.stored(node, "k").empty());
    }
}

TEST(gc, names_a_member_that_does_not_answer) {
    Rig rig;
    remove(rig, "k");
    rig.isolate(2);
    rig.pass(3min);
    const auto silence = reason(told(rig, 0), "silent", rig.id(2));
    ASSERT_TRUE(silence.has_value());
    EXPECT_GE(*silence, 170'000u);
    EXPECT_FALSE(reason(told(rig, 0), "silent", rig.id(1)));
    rig.heal();
    rig.pass(2min);
    EXPECT_TRUE(told(rig, 0).waits.empty());
}

TEST(gc, names_whom_hints_are_held_for_and_who_stays_behind_for_them) {
    Rig rig;
    remove(rig, "k");
    // One that cannot be read stays where it is.
    rig.stop(2);
    const Bytes row = Bytes(rig.id(1).bytes()) + Bytes(8, '\x01') + "k";
    ASSERT_TRUE(rig.storage(2).put(Table::hints(), row, "damaged"));
    ASSERT_TRUE(rig.storage(2).commit(Durability::sync));
    rig.restart(2);
    rig.pass(4min);
    EXPECT_EQ(reason(told(rig, 2), "hints", rig.id(1)), 1u);
    const auto reply = told(rig, 0);
    EXPECT_EQ(reply.fence, 1u) << "it went as far as it can go alone";
    EXPECT_EQ(reason(reply, "behind", rig.id(2)), 0u);
    EXPECT_FALSE(reason(reply, "behind", rig.id(1)));
    EXPECT_EQ(reply.records, 1u);
}

TEST(gc, names_an_owner_that_holds_a_record_otherwise) {
    Rig rig;
    remove(rig, "k");
    const auto owners = rig.owners("k");
    ASSERT_TRUE(rig.storage(owners[2]).erase(Table::reducible(), note_of(rig, "k")));
    rig.pass(10min);
    const auto reply = told(rig, owners[0]);
    EXPECT_EQ(reply.records, 1u);
    EXPECT_EQ(reply.due, 1u) << "it is old enough";
    EXPECT_EQ(reason(reply, "differs", rig.id(owners[2])), 1u);
    EXPECT_FALSE(reason(reply, "differs", rig.id(owners[1])));
}

TEST(gc, tells_that_the_node_itself_holds_all_up) {
    Rig rig;
    remove(rig, "k");
    rig.isolate(2);
    rig.restart(2);
    EXPECT_TRUE(reason(told(rig, 2), "starting"));
    rig.wipe(2);
    rig.pass(1s);
    EXPECT_EQ(reason(told(rig, 2), "rebuilding"), 8u);
    rig.heal();
    rig.pass(2min);
    EXPECT_FALSE(reason(told(rig, 2), "starting"));
    EXPECT_FALSE(reason(told(rig, 2), "rebuilding"));
}

TEST(gc, pages_through_many_records) {
    Rig rig;
    for (std::uint16_t number = 0; number < 5000; ++number) {
        const auto partition = static_cast<std::uint16_t>(number % 8);
        const Bytes row = Bytes{'\0', static_cast<char>(partition)} + number_octets(number) + "key";
        ASSERT_TRUE(rig.storage(0).put(Table::reducible(), row, number_octets(number)));
    }
    GcRequest request{false, 1003, {}};
    std::uint64_t records = 0;
    std::uint64_t due = 0;
    std::uint64_t needed = 0;
    unsigned pages = 0;
    do {
        const auto page = told(rig, 0, request);
        records += page.records;
        due += page.due;
        needed = std::max(needed, page.needed);
        request.first = page.next;
        ++pages;
    } while (!request.first.empty() && pages < 10);
    EXPECT_EQ(records, 5000u);
    EXPECT_EQ(due, 1000u);
    EXPECT_EQ(needed, 5003u);
    EXPECT_EQ(pages, 2u);
    const auto refused = rig.call(0, GcRequest{false, 0, "x"});
    ASSERT_TRUE(std::holds_alternative<wire::ErrorReply>(refused));
    EXPECT_EQ(std::get<wire::ErrorReply>(refused).name, "bad_request");
    EXPECT_EQ(told(rig, 0, {false, 0, "\xff\xff"}).records, 0u) << "behind the last";
}

}  // namespace
}  // namespace dynamo::test
