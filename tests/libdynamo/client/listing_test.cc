// Client::keys against owners that are fakes: what it makes of their pages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "dynamo/client.h"
#include "fake_daemon.h"
#include "libdynamo/base/hash.h"
#include "libdynamo/ring/route.h"
#include "libdynamo/wire/state_codec.h"
#include "tests/libdynamo/ring/settled.h"

namespace dynamo {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

/// What one owner says of a key.
struct Said {
    Bytes digest = Bytes(16, 'd');
    std::uint32_t values = 1;
    bool tombstone = false;
};

Bytes row_of(BytesView key) { return position_of(key).prefix() + Bytes(key); }

/// Three owners of every partition, fakes that list what the test put into them.
class Owners {
  public:
    explicit Owners(std::uint16_t partitions = 1, std::uint16_t write_quorum = 2) {
        for (std::size_t i = 0; i < 3; ++i)
            daemons_.push_back(std::make_unique<FakeDaemon>(one_by_one(
                [this, i](const wire::Request& request) { return answer(i, request); })));
        ClusterId cluster;
        cluster.octets.fill(7);
        ring_ =
            found(cluster, {.name = "shop", .partitions = partitions, .write_quorum = write_quorum},
                  member(0), 1000);
        for (std::uint8_t i = 1; i < 3; ++i)
            stage(ring_, member(0).id, MemberOp::Kind::add, member(i), "", 1000 + i);
        auto next = plan(ring_, wire::digest_of(ring_.head()));
        EXPECT_TRUE(next.has_value());
        next->proposer = member(0).id;
        ring_.epochs.push_back(*next);
        test::settle(ring_);
        routes_ = Routes(ring_, wire::digest_of(ring_.head()));
    }
    ~Owners() {
        for (const auto& daemon : daemons_) daemon->stop();
    }
    Owners(const Owners&) = delete;
    Owners& operator=(const Owners&) = delete;

    /// Changes what they hold while none of them is at work.
    template <typename Change>
    void change(Change&& how) {
        const std::lock_guard guard(mutex_);
        how(held_);
    }
    void hold(std::size_t owner, const Bytes& key, const Said& said = {}) {
        change([&](auto& held) { held[owner][row_of(key)] = said; });
    }
    void hold_row(std::size_t owner, const Bytes& row) {
        change([&](auto& held) { held[owner][row] = {}; });
    }
    void hold_all(const Bytes& key) {
        for (std::size_t owner = 0; owner < 3; ++owner) hold(owner, key);
    }
    /// What a get of this key is answered with.
    void read_as(const Bytes& key, wire::GetReply reply) {
        const std::lock_guard guard(mutex_);
        reads_[key] = std::move(reply);
    }
    /// Rows of a page of this owner at most, whatever is asked for.
    void give_at_most(std::size_t owner, std::size_t rows) {
        const std::lock_guard guard(mutex_);
        most_[owner] = rows;
    }
    void refuse(std::size_t owner) {
        const std::lock_guard guard(mutex_);
        refusing_.insert(owner);
    }
    [[nodiscard]] std::vector<Bytes> gets() {
        const std::lock_guard guard(mutex_);
        return gets_;
    }

    [[nodiscard]] Client open() const {
        ClientOptions options;
        options.seeds = {daemons_[0]->address()};
        options.timeout = std::chrono::seconds(60);
        return std::move(Client::open(options).value());
    }
    [[nodiscard]] const Routes& routes() const { return routes_; }

  private:
    [[nodiscard]] Member member(std::size_t i) const {
        Member member;
        member.id.octets.fill(static_cast<std::uint8_t>(i + 1));
        member.name = "n" + std::to_string(i + 1);
        member.client_address = daemons_[i]->address();
        member.peer_address = "127.0.0.1:" + std::to_string(i + 1);
        return member;
    }

    wire::ClientReply answer(std::size_t owner, const wire::Request& request) {
        const std::lock_guard guard(mutex_);
        if (std::holds_alternative<wire::RingRequest>(request.body))
            return wire::RingReply{wire::encode(ring_)};
        if (const auto* get = std::get_if<wire::GetRequest>(&request.body)) {
            gets_.push_back(get->key);
            return reads_[get->key];
        }
        const auto* keys = std::get_if<wire::KeysRequest>(&request.body);
        if (!keys || refusing_.contains(owner))
            return wire::to_reply({Code::storage, "its disk is gone", "n"});
        return page(owner, *keys);
    }

    wire::KeysReply page(std::size_t owner, const wire::KeysRequest& request) {
        wire::KeysReply page;
        std::size_t most = std::min<std::size_t>(request.limit, 1000);
        if (most_.contains(owner)) most = std::min(most, most_[owner]);
        std::size_t examined = 0;
        for (const auto& [row, said] : held_[owner]) {
            if (routes_.partition_of(position_of(
                    row.substr(std::min<std::size_t>(8, row.size())))) != request.partition ||
                row < request.first)
                continue;
            if (examined++ == most) {
                page.next = row;
                break;
            }
            if (row.substr(std::min<std::size_t>(8, row.size())).starts_with(request.prefix))
                page.rows.push_back({row, said.digest, said.values, said.tombstone});
        }
        return page;
    }

    std::mutex mutex_;  // each fake answers in a thread of its own
    std::map<std::size_t, std::map<Bytes, Said>> held_;
    std::map<Bytes, wire::GetReply> reads_;
    std::map<std::size_t, std::size_t> most_;
    std::set<std::size_t> refusing_;
    std::vector<Bytes> gets_;
    RingState ring_;
    Routes routes_;
    std::vector<std::unique_ptr<FakeDaemon>> daemons_;
};

wire::GetReply one_value(const Bytes& value) {
    wire::GetReply reply;
    reply.versions = {{value, false, 1, Bytes(16, 1), "1", 1}};
    return reply;
}

std::vector<std::string> names_of(const KeyPage& page) {
    std::vector<std::string> names;
    for (const auto& info : page.keys) names.push_back(info.key);
    return names;
}

/// All pages, one after the other.
std::vector<std::string> list_all(Client& client, KeyQuery query, std::size_t* pages = nullptr) {
    std::vector<std::string> names;
    for (int i = 0; i < 10'000; ++i) {
        const auto page = client.keys(query);
        EXPECT_TRUE(page.has_value()) << page.error().message;
        if (!page) return names;
        if (pages) ++*pages;
        for (const auto& name : names_of(*page)) names.push_back(name);
        query.cursor = page->cursor;
        if (query.cursor.empty()) return names;
    }
    ADD_FAILURE() << "the listing does not end";
    return names;
}

TEST(listing, joins_what_the_owners_hold) {
    Owners owners;
    owners.hold_all("a");
    owners.hold(0, "b");
    owners.hold(2, "c");
    for (const char* key : {"b", "c"}) owners.read_as(key, one_value("v"));
    auto client = owners.open();
    const auto page = client.keys({});
    ASSERT_TRUE(page) << page.error().message;
    EXPECT_THAT(names_of(*page), UnorderedElementsAre("a", "b", "c"));
    EXPECT_TRUE(page->cursor.empty());
    EXPECT_TRUE(std::ranges::is_sorted(names_of(*page), {}, row_of));
    // Where all agree nothing more is asked; where one lacks it, R decides.
    EXPECT_THAT(owners.gets(), UnorderedElementsAre("b", "c"));
}

TEST(listing, leaves_out_a_row_that_is_too_short_to_have_a_key) {
    Owners owners;
    owners.hold_all("a");
    for (std::size_t owner = 0; owner < 3; ++owner) owners.hold_row(owner, "\xff\xff");
    auto client = owners.open();
    std::vector<std::string> names;
    KeyQuery query;
    do {
        const auto page = client.keys(query);
        ASSERT_TRUE(page) << page.error().message;
        for (const KeyInfo& info : page->keys) names.push_back(info.key);
        query.cursor = page->cursor;
    } while (!query.cursor.empty());
    EXPECT_EQ(names, std::vector<std::string>{"a"});
}

TEST(listing, reads_a_key_on_whose_state_they_differ) {
    Owners owners;
    owners.hold(0, "k", {Bytes(16, 'x'), 1, false});
    owners.hold(1, "k", {Bytes(16, 'y'), 0, true});
    owners.hold(2, "k", {Bytes(16, 'x'), 1, false});
    wire::GetReply both = one_value("a");
    both.versions.push_back({"b", false, 2, Bytes(16, 2), "1", 1});
    both.versions.push_back({"", true, 3, Bytes(16, 3), "1", 1});
    owners.read_as("k", both);
    auto client = owners.open();
    const auto page = client.keys({});
    ASSERT_TRUE(page) << page.error().message;
    ASSERT_EQ(page->keys.size(), 1u);
    EXPECT_EQ(page->keys[0].values, 2u);
    EXPECT_TRUE(page->keys[0].tombstone);
}

TEST(listing, reads_a_key_whose_record_is_damaged_everywhere) {
    Owners owners;
    for (std::size_t owner = 0; owner < 3; ++owner) owners.hold(owner, "k", {Bytes{}, 0, false});
    owners.read_as("k", one_value("v"));
    auto client = owners.open();
    const auto page = client.keys({});
    ASSERT_TRUE(page);
    ASSERT_EQ(page->keys.size(), 1u);
    EXPECT_EQ(page->keys[0].values, 1u);
}

TEST(listing, leaves_out_a_key_that_has_vanished_meanwhile) {
    Owners owners;
    owners.hold_all("stays");
    owners.hold(1, "vanished");
    owners.read_as("vanished", {});
    auto client = owners.open();
    EXPECT_THAT(list_all(client, {}), UnorderedElementsAre("stays"));
}

TEST(listing, ends_a_page_where_the_first_owner_ended_its_own) {
    Owners owners;
    for (int i = 0; i < 20; ++i) owners.hold_all("k" + std::to_string(i));
    owners.give_at_most(1, 3);
    auto client = owners.open();
    const auto page = client.keys({});
    ASSERT_TRUE(page);
    EXPECT_EQ(page->keys.size(), 3u);
    EXPECT_FALSE(page->cursor.empty());
    EXPECT_EQ(list_all(client, {}).size(), 20u);
    EXPECT_THAT(owners.gets(), testing::IsEmpty()) << "nobody lacks what it was not asked for";
}

TEST(listing, goes_on_from_a_cursor_in_another_client_too) {
    Owners owners(8);
    for (int i = 0; i < 40; ++i) owners.hold_all("k" + std::to_string(i));
    auto first = owners.open();
    const auto page = first.keys({.limit = 2});
    ASSERT_TRUE(page);
    ASSERT_FALSE(page->cursor.empty());
    auto second = owners.open();
    auto rest = list_all(second, {.cursor = page->cursor, .limit = 7});
    for (const auto& name : names_of(*page)) rest.push_back(name);
    EXPECT_EQ(rest.size(), 40u);
    EXPECT_EQ(std::set(rest.begin(), rest.end()).size(), 40u);
}

TEST(listing, refuses_a_cursor_that_is_none) {
    Owners owners(8);
    auto client = owners.open();
    for (const char* cursor : {"x", "1", "1:zz", "1:a", ":", "-1:", "99999999999999:", "1;00"}) {
        const auto page = client.keys({.cursor = cursor});
        ASSERT_FALSE(page) << cursor;
        EXPECT_EQ(page.error().code, Code::bad_request) << cursor;
        EXPECT_THAT(page.error().message, HasSubstr("is no cursor of this listing"));
    }
    EXPECT_EQ(client.keys({.cursor = "8:"}).error().code, Code::bad_request) << "past the last";
    EXPECT_EQ(client.keys({.partition = 2, .cursor = "1:"}).error().code, Code::bad_request)
        << "of another partition";
    EXPECT_TRUE(client.keys({.cursor = "7:"}).has_value());
}

TEST(listing, of_one_partition_ends_with_it) {
    Owners owners(8);
    std::map<unsigned, std::size_t> count;
    for (int i = 0; i < 60; ++i) {
        const std::string key = "k" + std::to_string(i);
        owners.hold_all(key);
        ++count[owners.routes().partition_of(position_of(key))];
    }
    auto client = owners.open();
    for (unsigned partition = 0; partition < 8; ++partition)
        EXPECT_EQ(list_all(client, {.partition = partition, .limit = 4}).size(), count[partition]);
    EXPECT_EQ(client.keys({.partition = 8}).error().code, Code::bad_request);
}

TEST(listing, of_a_prefix_goes_through_pages_that_are_empty) {
    Owners owners;
    for (int i = 0; i < 30; ++i) owners.hold_all("other" + std::to_string(i));
    owners.hold_all("cart:1");
    owners.hold_all("cart:2");
    for (std::size_t owner = 0; owner < 3; ++owner) owners.give_at_most(owner, 4);
    auto client = owners.open();
    std::size_t pages = 0;
    EXPECT_THAT(list_all(client, {.prefix = "cart:"}, &pages),
                UnorderedElementsAre("cart:1", "cart:2"));
    EXPECT_EQ(pages, 8u);
}

TEST(listing, needs_as_many_owners_as_see_every_acknowledged_write) {
    // N is 3 and W is 2: two owners see every write that two of three took, one does not.
    Owners owners;
    owners.hold_all("k");
    owners.refuse(2);
    auto client = owners.open();
    EXPECT_THAT(list_all(client, {}), UnorderedElementsAre("k"));
    owners.refuse(1);
    const auto page = client.keys({});
    ASSERT_FALSE(page);
    EXPECT_EQ(page.error().code, Code::quorum_not_met);
    EXPECT_EQ(page.error().applied, Applied::no);
    EXPECT_THAT(page.error().message, HasSubstr("1 of its 3 owners answered"));
}

TEST(listing, is_content_with_one_owner_where_w_is_n) {
    Owners owners(1, 3);
    owners.hold_all("k");
    owners.refuse(1);
    owners.refuse(2);
    auto client = owners.open();
    EXPECT_THAT(list_all(client, {}), UnorderedElementsAre("k"));
}

// The one promise, for any keys, any owners that hold them and any sizes of pages.
RC_GTEST_PROP(listing, lists_exactly_the_union_whatever_the_pages, ()) {
    static Owners owners(4);
    static auto client = owners.open();
    const auto holders =
        *rc::gen::container<std::map<int, int>>(rc::gen::inRange(0, 60), rc::gen::inRange(1, 8));
    std::set<std::string> expected;
    owners.change([](auto& held) { held.clear(); });
    for (const auto& [number, who] : holders) {
        const std::string key = "key " + std::to_string(number);
        expected.insert(key);
        owners.read_as(key, one_value("v"));
        for (std::size_t owner = 0; owner < 3; ++owner)
            if ((who >> owner & 1) != 0) owners.hold(owner, key);
    }
    for (std::size_t owner = 0; owner < 3; ++owner)
        owners.give_at_most(owner, *rc::gen::inRange<std::size_t>(1, 12));
    const auto limit = *rc::gen::inRange(1u, 12u);
    const auto names = list_all(client, {.limit = limit});
    RC_ASSERT(names.size() == expected.size());
    RC_ASSERT(std::set<std::string>(names.begin(), names.end()) == expected);
}

}  // namespace
}  // namespace dynamo
