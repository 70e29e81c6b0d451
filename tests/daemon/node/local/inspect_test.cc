#include "daemon/node/local/inspect.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "libdynamo/wire/state_codec.h"
#include "tests/daemon/node/rig.h"

namespace dynamo {
namespace {

using test::Rig;
using wire::KeysReply;
using wire::KeysRequest;
using wire::PeekReply;
using wire::PeekRequest;

PeekReply peek_at(Rig& rig, std::size_t node, const Bytes& key) {
    return std::get<PeekReply>(rig.call(node, PeekRequest{key}));
}

KeysReply keys_at(Rig& rig, std::size_t node, const KeysRequest& request) {
    return std::get<KeysReply>(rig.call(node, request));
}

std::string refusal(Rig& rig, std::size_t node, const KeysRequest& request) {
    const auto reply = rig.call(node, request);
    const auto* error = std::get_if<wire::ErrorReply>(&reply);
    return error ? error->name : "listed";
}

/// One partition, so that every key is in it.
Rig::Settings one_partition(std::size_t nodes = 3) {
    return {.nodes = nodes, .cluster = {.partitions = 1}};
}

void damage(Rig& rig, std::size_t node, BytesView key) {
    const Slot slot = Slot::of(rig.routes(), key);
    ASSERT_TRUE(rig.storage(node).put(slot.table(), slot.row, "no record at all, only octets"));
}

/// Stores a record without asking anybody.
void store(Rig& rig, std::size_t node, BytesView key) {
    const Slot slot = Slot::of(rig.routes(), key);
    Record record;
    add_version(record.object, {}, {{{rig.id(node), 7}, 1}, false, 1, "v"});
    ASSERT_TRUE(
        rig.storage(node).put(slot.table(), slot.row, encode_record(slot.row, record)).has_value());
}

std::vector<Bytes> names_of(const KeysReply& page) {
    std::vector<Bytes> names;
    for (const auto& row : page.rows) names.push_back(row.row.substr(8));
    return names;
}

// ---------------------------------------------------------------------------------------- peek

TEST(peek, shows_the_nodes_own_copy_and_asks_nobody) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    rig.isolate(1);
    const PeekReply seen = peek_at(rig, 1, "k");
    EXPECT_TRUE(seen.owner);
    EXPECT_FALSE(seen.rebuilding);
    ASSERT_EQ(seen.copies.size(), 1u);
    EXPECT_TRUE(seen.copies[0].hint_for.empty());
    EXPECT_EQ(seen.copies[0].clock_entries, 1u);
    ASSERT_EQ(seen.copies[0].versions.size(), 1u);
    EXPECT_EQ(seen.copies[0].versions[0].value, "v");
    EXPECT_EQ(seen.copies[0].versions[0].node, rig.id(0).bytes());
    EXPECT_EQ(seen.copies[0].versions[0].counter, 1u);
}

TEST(peek, gives_equal_copies_equal_digests_and_others_other_ones) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    const Bytes before = peek_at(rig, 0, "k").copies.at(0).digest;
    EXPECT_EQ(before.size(), 16u);
    EXPECT_EQ(peek_at(rig, 2, "k").copies.at(0).digest, before);
    (void)rig.put(0, "k", "v");
    EXPECT_NE(peek_at(rig, 0, "k").copies.at(0).digest, before) << "the same value, another write";
}

TEST(peek, of_a_key_never_written_shows_no_copy) {
    Rig rig;
    EXPECT_TRUE(peek_at(rig, 0, "k").copies.empty());
    EXPECT_TRUE(peek_at(rig, 0, "k").owner);
}

TEST(peek, shows_a_tombstone) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    (void)rig.call(0, wire::DelRequest{.key = "k"});
    const auto copies = peek_at(rig, 0, "k").copies;
    ASSERT_EQ(copies.size(), 1u);
    ASSERT_EQ(copies[0].versions.size(), 1u);
    EXPECT_TRUE(copies[0].versions[0].tombstone);
}

TEST(peek, shows_the_hint_that_a_stand_in_keeps_and_for_whom) {
    Rig rig({.nodes = 4});
    const auto owners = rig.owners("k");
    const std::size_t stranger = rig.stranger("k");
    rig.isolate(owners[2]);
    (void)rig.put(owners[0], "k", "v");
    rig.pass(std::chrono::seconds(2));
    const PeekReply seen = peek_at(rig, stranger, "k");
    EXPECT_FALSE(seen.owner);
    ASSERT_EQ(seen.copies.size(), 1u);
    EXPECT_EQ(seen.copies[0].hint_for, rig.id(owners[2]).bytes());
    EXPECT_EQ(seen.copies[0].versions.at(0).value, "v");
    EXPECT_EQ(seen.copies[0].digest, peek_at(rig, owners[0], "k").copies.at(0).digest);
}

TEST(peek, shows_own_copy_and_hint_side_by_side) {
    Rig rig;
    rig.isolate(2);
    (void)rig.put(0, "k", "v");
    rig.pass(std::chrono::seconds(2));
    const auto copies = peek_at(rig, 0, "k").copies;
    ASSERT_EQ(copies.size(), 2u);
    EXPECT_TRUE(copies[0].hint_for.empty());
    EXPECT_EQ(copies[1].hint_for, rig.id(2).bytes());
}

TEST(peek, says_that_a_record_is_damaged_and_not_that_it_is_absent) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    damage(rig, 1, "k");
    const auto copies = peek_at(rig, 1, "k").copies;
    ASSERT_EQ(copies.size(), 1u);
    EXPECT_TRUE(copies[0].damaged);
    EXPECT_TRUE(copies[0].versions.empty());
    EXPECT_TRUE(copies[0].digest.empty());
}

TEST(peek, says_that_the_copy_is_being_rebuilt) {
    Rig rig;
    (void)rig.put(0, "k", "v");
    rig.isolate(2);
    rig.wipe(2);
    EXPECT_TRUE(peek_at(rig, 2, "k").rebuilding);
    EXPECT_TRUE(peek_at(rig, 2, "k").copies.empty());
    rig.heal();
    rig.pass(std::chrono::minutes(5));
    EXPECT_FALSE(peek_at(rig, 2, "k").rebuilding);
    EXPECT_EQ(peek_at(rig, 2, "k").copies.size(), 1u);
}

// ---------------------------------------------------------------------------------------- keys

TEST(keys, are_listed_in_order_of_position_with_what_readers_are_shown) {
    Rig rig(one_partition());
    std::vector<Bytes> names;
    for (int i = 0; i < 20; ++i) {
        names.push_back("k" + std::to_string(i));
        (void)rig.put(0, names.back(), "v");
    }
    std::ranges::sort(names, {}, [](const Bytes& name) { return position_of(name); });
    const KeysReply page = keys_at(rig, 1, {});
    EXPECT_EQ(names_of(page), names);
    EXPECT_TRUE(page.next.empty());
    for (const auto& row : page.rows) {
        EXPECT_EQ(row.row.substr(0, 8), position_of(row.row.substr(8)).prefix());
        EXPECT_EQ(row.values, 1u);
        EXPECT_FALSE(row.tombstone);
        EXPECT_EQ(row.digest, peek_at(rig, 0, row.row.substr(8)).copies.at(0).digest);
    }
}

TEST(keys, come_in_pages_that_go_on_where_the_last_one_ended) {
    Rig rig(one_partition());
    for (int i = 0; i < 10; ++i) (void)rig.put(0, "k" + std::to_string(i), "v");
    const auto whole = names_of(keys_at(rig, 0, {}));
    std::vector<Bytes> joined;
    KeysRequest request{.limit = 3};
    std::size_t pages = 0;
    do {
        const KeysReply page = keys_at(rig, 0, request);
        EXPECT_LE(page.rows.size(), 3u);
        for (const auto& name : names_of(page)) joined.push_back(name);
        request.first = page.next;
        ++pages;
    } while (!request.first.empty() && pages < 100);
    EXPECT_EQ(joined, whole);
    EXPECT_EQ(pages, 4u);
}

TEST(keys, of_a_prefix_are_those_that_begin_so) {
    Rig rig(one_partition());
    for (const char* key : {"cart:1", "cart:2", "carton", "user:1"}) (void)rig.put(0, key, "v");
    auto names = names_of(keys_at(rig, 0, {.prefix = "cart:"}));
    std::ranges::sort(names);
    EXPECT_EQ(names, (std::vector<Bytes>{"cart:1", "cart:2"}));
    EXPECT_TRUE(keys_at(rig, 0, {.prefix = "nothing"}).rows.empty());
}

TEST(keys, of_one_page_examine_a_bounded_number_of_rows) {
    Rig rig(one_partition());
    for (std::size_t i = 0; i <= rows_examined; ++i) store(rig, 0, "k" + std::to_string(i));
    // Nothing fits the prefix, so only the rows that were looked at can end the page.
    const KeysReply first = keys_at(rig, 0, {.prefix = "nothing"});
    EXPECT_TRUE(first.rows.empty());
    ASSERT_FALSE(first.next.empty());
    const KeysReply last = keys_at(rig, 0, {.first = first.next, .prefix = "k"});
    EXPECT_EQ(last.rows.size(), 1u);
    EXPECT_TRUE(last.next.empty());
    // However many are asked for.
    EXPECT_EQ(keys_at(rig, 0, {.limit = 1'000'000}).rows.size(), rows_returned);
    EXPECT_EQ(keys_at(rig, 0, {}).rows.size(), rows_returned);
}

TEST(keys, count_conflicts_and_tombstones) {
    Rig rig(one_partition());
    (void)rig.put(0, "conflict", "a", PutMode::blind);
    (void)rig.put(1, "conflict", "b", PutMode::blind);
    (void)rig.put(0, "twice", "same", PutMode::blind);
    (void)rig.put(1, "twice", "same", PutMode::blind);
    (void)rig.put(0, "gone", "v");
    (void)rig.call(0, wire::DelRequest{.key = "gone"});
    (void)rig.put(0, "both", "v");
    (void)rig.call(1, wire::DelRequest{.key = "both", .mode = PutMode::blind});
    std::map<Bytes, std::pair<std::uint32_t, bool>> listed;
    for (const auto& row : keys_at(rig, 2, {}).rows)
        listed[row.row.substr(8)] = {row.values, row.tombstone};
    EXPECT_EQ(listed.size(), 4u);
    EXPECT_EQ(listed["conflict"], std::pair(2u, false));
    EXPECT_EQ(listed["twice"], std::pair(1u, false)) << "equal octets read as one";
    EXPECT_EQ(listed["gone"], std::pair(0u, true));
    EXPECT_EQ(listed["both"], std::pair(1u, true));
}

TEST(keys, name_a_damaged_record_instead_of_leaving_it_out) {
    Rig rig(one_partition());
    (void)rig.put(0, "k", "v");
    damage(rig, 0, "k");
    const auto rows = keys_at(rig, 0, {}).rows;
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0].row.substr(8), "k");
    EXPECT_TRUE(rows[0].digest.empty());
}

TEST(keys, of_a_partition_that_is_none_or_is_not_owned_are_refused) {
    Rig rig({.nodes = 5});
    const Routes routes = rig.routes();
    EXPECT_EQ(refusal(rig, 0, {.partition = routes.partitions()}), "bad_request");
    EXPECT_EQ(refusal(rig, 0, {.partition = 65535}), "bad_request");
    std::size_t owned = 0;
    for (std::uint16_t p = 0; p < routes.partitions(); ++p) {
        const bool is_owner = routes.is_owner(rig.id(0), p);
        owned += is_owner ? 1 : 0;
        EXPECT_EQ(refusal(rig, 0, {.partition = p}), is_owner ? "listed" : "bad_request") << p;
    }
    EXPECT_GT(owned, 0u);
    EXPECT_LT(owned, routes.partitions());
}

TEST(keys, of_a_copy_that_is_being_rebuilt_are_not_listed) {
    Rig rig(one_partition());
    (void)rig.put(0, "k", "v");
    rig.isolate(2);
    rig.wipe(2);
    EXPECT_EQ(refusal(rig, 2, {}), "busy");
}

}  // namespace
}  // namespace dynamo
