#include "tests/sim/ledger.h"

#include <gtest/gtest.h>

namespace dynamo::sim {
namespace {

const Bytes key = "k";

/// Two nodes that store what a test tells them to, and the ledger that watches.
struct Watched {
    Watched() {
        for (std::size_t i = 0; i < ids.size(); ++i)
            ids[i].octets[0] = static_cast<std::uint8_t>(i + 1);
    }
    Dot dot(unsigned node, std::uint64_t counter) { return {{ids[node], 7}, counter}; }
    /// A coordinator stores a put; what it supersedes is `context`.
    void put(unsigned node, std::uint64_t counter, const Bytes& value, const Clock& context) {
        Object after = records[node];
        add_version(after, context, {dot(node, counter), false, 0, value});
        store(node, after);
    }
    void store(unsigned node, const Object& after) {
        ledger.committed(node, ids[node], key, records[node], after, false);
        records[node] = after;
    }
    std::string rule() { return verdict.failed() ? verdict.first()->rule : ""; }

    Verdict verdict;
    Ledger ledger{verdict};
    std::array<NodeId, 3> ids;
    std::array<Object, 3> records;
};

WriteSet set_of(std::initializer_list<std::size_t> numbers) {
    WriteSet set;
    for (const std::size_t number : numbers) set.add(number);
    return set;
}

TEST(ledger, accepts_writes_that_supersede_what_their_clients_saw) {
    Watched w;
    w.ledger.expect({key, "a", false, false, {}});
    w.put(0, 1, "a", {});
    w.ledger.expect({key, "b", false, false, set_of({0})});
    w.put(0, 2, "b", w.records[0].clock);
    w.ledger.expect({key, "c", false, false, {}});
    w.put(1, 1, "c", {});
    Object merged = w.records[0];
    merge(merged, w.records[1]);
    w.store(0, merged);
    EXPECT_EQ(w.rule(), "");
    EXPECT_EQ(w.ledger.maximal(key, set_of({0, 1, 2})), set_of({1, 2}));
    EXPECT_EQ(w.ledger.writes(key)[2].held, 3u) << "both nodes hold c";
}

TEST(ledger, sees_a_sibling_that_was_dropped_though_nobody_superseded_it) {
    Watched w;
    w.ledger.expect({key, "a", false, false, {}});
    w.put(0, 1, "a", {});
    w.ledger.expect({key, "b", false, false, {}});
    w.put(0, 2, "b", w.records[0].clock);
    EXPECT_EQ(w.rule(), rule::exact);
}

TEST(ledger, sees_a_superseded_sibling_that_is_shown_again) {
    Watched w;
    w.ledger.expect({key, "a", false, false, {}});
    w.put(0, 1, "a", {});
    const Object old = w.records[0];
    w.ledger.expect({key, "b", false, false, set_of({0})});
    w.put(0, 2, "b", old.clock);
    Object both = w.records[0];
    both.siblings.insert(both.siblings.begin(), old.siblings.front());
    w.store(0, both);
    EXPECT_EQ(w.rule(), rule::returned);
}

TEST(ledger, sees_a_record_that_forgets) {
    Watched w;
    w.ledger.expect({key, "a", false, false, {}});
    w.put(0, 1, "a", {});
    w.ledger.expect({key, "b", false, false, {}});
    w.put(1, 1, "b", {});
    w.store(0, w.records[1]);
    EXPECT_EQ(w.rule(), rule::lost);
}

TEST(ledger, sees_one_dot_that_names_two_values) {
    Watched w;
    w.ledger.expect({key, "a", false, false, {}});
    w.put(0, 1, "a", {});
    w.ledger.expect({key, "b", false, false, {}});
    w.records[0] = {};
    w.put(0, 1, "b", {});
    EXPECT_EQ(w.rule(), rule::invented);
}

TEST(ledger, sees_values_that_nobody_wrote_and_copies_before_the_original) {
    Watched nobody;
    nobody.put(0, 1, "a", {});
    EXPECT_EQ(nobody.rule(), rule::invented);

    Watched early;
    early.ledger.expect({key, "a", false, false, {}});
    Object object;
    add_version(object, {}, {early.dot(0, 1), false, 0, "a"});
    early.store(1, object);
    EXPECT_EQ(early.rule(), rule::invented);
}

TEST(ledger, sees_what_was_reported_as_not_applied) {
    Watched before;
    before.ledger.expect({key, "a", false, false, {}});
    before.ledger.rule_out("a");
    before.put(0, 1, "a", {});
    EXPECT_EQ(before.rule(), rule::applied);

    Watched after;
    after.ledger.expect({key, "a", false, false, {}});
    after.put(0, 1, "a", {});
    after.ledger.rule_out("a");
    EXPECT_EQ(after.rule(), rule::applied);
}

TEST(ledger, takes_the_effect_of_a_delete_for_what_it_superseded) {
    Watched w;
    w.ledger.expect({key, "a", false, false, {}});
    w.put(0, 1, "a", {});
    Object after = w.records[0];
    add_version(after, w.records[0].clock, {w.dot(0, 2), true, 0, ""});
    w.store(0, after);
    EXPECT_EQ(w.rule(), "");
    EXPECT_EQ(w.ledger.writes(key)[1].past, set_of({0}));
}

}  // namespace
}  // namespace dynamo::sim
