#include "dynamo/dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dynamo/state.h"
#include "libdynamo/wire/state_codec.h"
#include "tests/libdynamo/wire/samples.h"

namespace dynamo {
namespace {

using testing::HasSubstr;

KeyState state_of(const std::string& value, std::uint64_t counter = 1) {
    const Actor actor{NodeId::from(Bytes(16, '\x77')), 7};
    Object object;
    object.clock.add(actor, {1, counter});
    object.siblings.push_back({{actor, counter}, false, 1, value});
    return {wire::encode(object)};
}

struct Parts {
    std::string head;
    std::vector<std::string> records;
    std::string tail;
    std::string root;
    [[nodiscard]] std::string all() const {
        std::string out = head;
        for (const auto& record : records) out += record;
        return out + tail;
    }
};

Parts three_records() {
    DumpWriter writer;
    Parts parts;
    parts.head = writer.head({"shop", std::string(32, 'a'), 1'700'000'000'000, 256, 17, "cart:"});
    for (const std::string key : {"cart:1", "cart:2", "cart:3"})
        parts.records.push_back(writer.record(key, state_of("of " + key)));
    parts.tail = writer.tail(2, 1);
    parts.root = writer.root();
    return parts;
}

/// What comes of a dump that arrives `at_once` octets at a time: the keys, then "end" or the error.
struct Told {
    std::vector<std::string> keys;
    std::string end;
    std::optional<DumpHead> head;
    std::optional<DumpTail> tail;
};

Told read(const std::string& dump, std::size_t at_once = SIZE_MAX) {
    Told told;
    DumpReader reader;
    std::string here;
    std::size_t sent = 0;
    for (;;) {
        std::size_t taken = 0;
        auto part = reader.next(here, sent == dump.size(), taken);
        if (!part) {
            EXPECT_EQ(part.error().code, Code::corrupt);
            told.end = part.error().message;
            return told;
        }
        here.erase(0, taken);
        if (auto* head = std::get_if<DumpHead>(&*part)) told.head = *head;
        if (auto* tail = std::get_if<DumpTail>(&*part)) told.tail = *tail;
        if (auto* record = std::get_if<DumpRecord>(&*part)) {
            told.keys.push_back(record->key);
            EXPECT_EQ(record->number, told.keys.size());
            EXPECT_EQ(record->state, state_of("of " + record->key));
        }
        if (!std::holds_alternative<std::monostate>(*part)) continue;
        if (sent == dump.size()) {
            EXPECT_TRUE(reader.complete());
            told.end = "end";
            return told;
        }
        const std::string more = dump.substr(sent, at_once);
        sent += more.size();
        here += more;
    }
}

TEST(dump, is_read_as_it_was_written_however_it_arrives) {
    const Parts parts = three_records();
    for (const std::size_t at_once : {std::size_t{1}, std::size_t{7}, SIZE_MAX}) {
        const Told told = read(parts.all(), at_once);
        EXPECT_EQ(told.end, "end");
        EXPECT_EQ(told.keys, (std::vector<std::string>{"cart:1", "cart:2", "cart:3"}));
        ASSERT_TRUE(told.head && told.tail);
        EXPECT_EQ(told.head->cluster, "shop");
        EXPECT_EQ(told.head->cluster_id, std::string(32, 'a'));
        EXPECT_EQ(told.head->wall_ms, 1'700'000'000'000);
        EXPECT_EQ(told.head->partitions, 256U);
        EXPECT_EQ(told.head->partition, 17U);
        EXPECT_EQ(told.head->prefix, "cart:");
        EXPECT_EQ(told.tail->records, 3U);
        EXPECT_EQ(told.tail->root, parts.root);
        EXPECT_EQ(told.tail->unread_keys, 2U);
        EXPECT_EQ(told.tail->unread_partitions, 1U);
        EXPECT_FALSE(told.tail->complete());
    }
}

TEST(dump, that_is_cut_off_anywhere_is_refused) {
    const std::string whole = three_records().all();
    for (std::size_t octets = 0; octets < whole.size(); ++octets)
        EXPECT_NE(read(whole.substr(0, octets)).end, "end") << octets;
    const Parts parts = three_records();
    EXPECT_THAT(read(parts.head + parts.records[0]).end, HasSubstr("after record 1"));
    EXPECT_THAT(read(parts.head + parts.records[0] + parts.records[1].substr(0, 30)).end,
                HasSubstr("within record 2"));
    EXPECT_THAT(read("").end, HasSubstr("empty"));
    EXPECT_THAT(read(parts.head.substr(0, 20)).end, HasSubstr("within its head"));
}

TEST(dump, with_any_bit_flipped_is_refused_by_the_number_of_the_record) {
    const Parts parts = three_records();
    const std::string whole = parts.all();
    const std::size_t second = parts.head.size() + parts.records[0].size();
    const std::size_t third = second + parts.records[1].size();
    for (std::size_t at = 0; at < whole.size() * 8; ++at) {
        std::string flipped = whole;
        flipped[at / 8] = static_cast<char>(flipped[at / 8] ^ 1 << at % 8);
        const Told told = read(flipped);
        EXPECT_NE(told.end, "end") << at;
        if (at / 8 >= second && at / 8 < third) {
            EXPECT_THAT(told.end, HasSubstr("record 2")) << at;
            EXPECT_EQ(told.keys.size(), 1U);
        }
    }
}

TEST(dump, whose_parts_are_lost_repeated_or_swapped_is_refused) {
    const Parts parts = three_records();
    const auto& r = parts.records;
    EXPECT_THAT(read(parts.head + r[0] + r[2] + parts.tail).end, HasSubstr("record 2"));
    EXPECT_THAT(read(parts.head + r[0] + r[0] + r[1]).end, HasSubstr("record 2"));
    EXPECT_THAT(read(parts.head + r[1] + r[0] + r[2] + parts.tail).end, HasSubstr("record 1"));
    EXPECT_THAT(read(parts.head + parts.tail).end, HasSubstr("record 1"));
    EXPECT_THAT(read(parts.all() + "x").end, HasSubstr("follow"));
    EXPECT_THAT(read(parts.all() + parts.all()).end, HasSubstr("follow"));
    // The tail of another dump with as many records.
    DumpWriter other;
    (void)other.head({});
    for (int i = 0; i < 3; ++i) (void)other.record("k", state_of("v"));
    EXPECT_THAT(read(parts.head + r[0] + r[1] + r[2] + other.tail(0, 0)).end,
                HasSubstr("other records"));
}

TEST(dump, that_is_none_is_told_so) {
    EXPECT_THAT(read("{\"key\": 1}\n").end, HasSubstr("no dump"));
    EXPECT_THAT(read("DYN").end, HasSubstr("no dump"));
    EXPECT_THAT(read("DYNDUMP2" + std::string(100, 'x')).end, HasSubstr("no dump"));
}

TEST(dump, of_equal_records_has_an_equal_root) {
    DumpWriter one;
    DumpWriter other;
    (void)one.head({"a", {}, 1, 8, {}, {}});
    (void)other.head({"b", {}, 2, 16, {}, {}});
    EXPECT_EQ(one.root(), std::string(64, '0'));
    for (DumpWriter* writer : {&one, &other}) (void)writer->record("k", state_of("v"));
    EXPECT_EQ(one.root(), other.root());
    (void)one.record("l", state_of("v"));
    (void)other.record("l", state_of("w"));
    EXPECT_NE(one.root(), other.root());
}

TEST(states, say_whether_one_would_change_another) {
    const KeyState old = state_of("old", 1);
    const KeyState newer = state_of("new", 2);
    EXPECT_TRUE(*would_change(old, newer));
    EXPECT_FALSE(*would_change(newer, old));
    EXPECT_FALSE(*would_change(newer, newer));
    EXPECT_TRUE(*would_change({}, old));
    EXPECT_FALSE(*would_change({}, {}));
    EXPECT_EQ(would_change(old, {"no state"}).error().code, Code::bad_request);
}

TEST(states, are_shown_as_copies_with_the_names_that_the_ring_has) {
    RingView ring;
    ring.cluster_id = std::string(32, '9');
    ring.nodes.push_back({to_hex(Bytes(16, '\x77')), "n7", {}, 100, {}, {}});
    const auto copy = copy_of(ring, "k", state_of("v", 3));
    ASSERT_TRUE(copy);
    ASSERT_EQ(copy->versions.size(), 1U);
    EXPECT_EQ(copy->versions[0].node, "n7");
    EXPECT_EQ(copy->versions[0].counter, 3U);
    EXPECT_EQ(copy->digest.size(), 32U);
    const auto older = copy_of(ring, "k", state_of("v", 2));
    EXPECT_EQ(kind_of(ring, "k", *copy, *older), KeyDifference::Kind::first_newer);
    EXPECT_EQ(kind_of(ring, "k", {}, *older), KeyDifference::Kind::only_second);
    EXPECT_TRUE(copy_of(ring, "k", {})->versions.empty());
    ring.nodes.clear();
    EXPECT_EQ(copy_of(ring, "k", state_of("v"))->versions[0].node, "77777777");
}

}  // namespace
}  // namespace dynamo
