#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "daemon/node/local/inspect.h"
#include "libdynamo/version/siblings.h"
#include "tests/daemon/node/rig.h"

namespace dynamo {
namespace {

using test::Rig;
using wire::KeysReply;
using wire::KeysRequest;
using wire::RootsReply;
using wire::RootsRequest;
using wire::TreeNodesReply;
using wire::TreeRequest;

constexpr std::size_t sum_octets = 16;

/// Stores a record without asking anybody, the same on every node that is given it.
void store(Rig& rig, std::size_t node, BytesView key) {
    const Slot slot = Slot::of(rig.routes(), key);
    Record record;
    add_version(record.object, {}, {{{rig.id(0), 7}, 1}, false, 1, Bytes(key)});
    ASSERT_TRUE(
        rig.storage(node).put(slot.table(), slot.row, encode_record(slot.row, record)).has_value());
}

/// The answer once the tree is there.
TreeNodesReply tree_at(Rig& rig, std::size_t node, const TreeRequest& request) {
    for (int tries = 0; tries < 1000; ++tries) {
        auto reply = std::get<TreeNodesReply>(rig.call(node, request));
        if (reply.complete) return reply;
        rig.pass(std::chrono::milliseconds(5));
    }
    ADD_FAILURE() << "no tree";
    return {};
}

std::string refusal(Rig& rig, std::size_t node, const wire::ClientRequest& request) {
    const auto reply = rig.call(node, request);
    const auto* error = std::get_if<wire::ErrorReply>(&reply);
    return error ? error->name : "told";
}

/// Of one partition, isolated from each other, so that nobody mends what differs.
class tree : public testing::Test {
  protected:
    tree() : rig_({.nodes = 3, .cluster = {.partitions = 1}}) {
        for (const std::size_t node : {0, 1, 2}) rig_.isolate(node);
        for (int number = 0; number < 600; ++number)
            for (const std::size_t node : {0, 1})
                store(rig_, node, "key:" + std::to_string(number));
        for (const std::size_t node : {0, 1}) build_anew(node);
    }

    /// Records that were stored by hand are in no tree that is there already.
    void build_anew(std::size_t node) { (void)rig_.call(node, TreeRequest{0, 0, {0}, 0, true}); }

    /// The places of the children that differ between the first two nodes.
    std::vector<std::uint32_t> different(const TreeRequest& request) {
        const auto a = tree_at(rig_, 0, request);
        const auto b = tree_at(rig_, 1, request);
        EXPECT_EQ(a.level, b.level);
        EXPECT_EQ(a.sums.size(), b.sums.size());
        EXPECT_EQ(a.sums.size(), (request.nodes.size() << request.down) * sum_octets);
        std::vector<std::uint32_t> places;
        for (std::size_t at = 0; at < a.sums.size(); at += sum_octets)
            if (a.sums.substr(at, sum_octets) != b.sums.substr(at, sum_octets))
                places.push_back(static_cast<std::uint32_t>(at / sum_octets));
        return places;
    }

    Rig rig_;
};

TEST_F(tree, of_equal_records_has_equal_sums_at_every_level) {
    EXPECT_EQ(different({0, 0, {0}, 0}), std::vector<std::uint32_t>{});
    EXPECT_EQ(different({0, 0, {0}, 4}), std::vector<std::uint32_t>{});
    EXPECT_NE(tree_at(rig_, 0, {0, 0, {0}, 0}).sums, Bytes(sum_octets, '\0'));
}

TEST_F(tree, leads_from_the_root_to_the_one_key_that_differs) {
    store(rig_, 1, "one more");
    build_anew(1);
    ASSERT_EQ(different({0, 0, {0}, 0}), std::vector<std::uint32_t>{0});
    const unsigned depth = tree_at(rig_, 0, {0, 0, {0}, 0}).depth;
    ASSERT_GT(depth, 4u);
    std::uint32_t node = 0;
    for (unsigned level = 0; level < depth;) {
        const auto down = static_cast<std::uint8_t>(std::min(4u, depth - level));
        const auto places = different({0, static_cast<std::uint8_t>(level), {node}, down});
        ASSERT_EQ(places.size(), 1u) << level;
        node = node << down | places[0];
        level += down;
    }
    const KeysRequest under{0, {}, {}, 0, static_cast<std::uint8_t>(depth), node};
    const auto rows = std::get<KeysReply>(rig_.call(1, under)).rows;
    EXPECT_LT(rows.size(), 100u) << "the records of one leaf, not all";
    EXPECT_EQ(std::ranges::count(rows, "one more",
                                 [](const wire::KeyRow& row) { return row.row.substr(8); }),
              1);
    EXPECT_EQ(std::get<KeysReply>(rig_.call(0, under)).rows.size() + 1, rows.size());
}

TEST_F(tree, lists_every_key_under_exactly_one_node_of_a_level) {
    std::size_t listed = 0;
    for (std::uint32_t node = 0; node < 16; ++node) {
        KeysRequest request{0, {}, {}, 7, 4, node};
        do {
            auto page = std::get<KeysReply>(rig_.call(0, request));
            listed += page.rows.size();
            request.first = page.next;
        } while (!request.first.empty());
    }
    EXPECT_EQ(listed, 600u);
}

TEST_F(tree, built_anew_finds_what_was_changed_behind_its_back) {
    ASSERT_EQ(different({0, 0, {0}, 0}), std::vector<std::uint32_t>{});
    store(rig_, 1, "behind its back");
    ASSERT_EQ(different({0, 0, {0}, 0}), std::vector<std::uint32_t>{});
    build_anew(1);
    EXPECT_FALSE(std::get<TreeNodesReply>(rig_.call(1, TreeRequest{0, 0, {0}, 0})).complete);
    EXPECT_EQ(different({0, 0, {0}, 0}), std::vector<std::uint32_t>{0});
}

TEST_F(tree, ends_where_its_leaves_are) {
    const unsigned depth = tree_at(rig_, 0, {0, 0, {0}, 0}).depth;
    const auto leaves = tree_at(rig_, 0, {0, static_cast<std::uint8_t>(depth), {0, 1}, 4});
    EXPECT_EQ(leaves.level, depth);
    EXPECT_EQ(leaves.sums.size(), 2 * sum_octets);
    EXPECT_EQ(tree_at(rig_, 0, {0, static_cast<std::uint8_t>(depth + 1), {0}, 0}).sums, "");
}

TEST_F(tree, that_cannot_have_such_nodes_is_refused) {
    EXPECT_EQ(refusal(rig_, 0, TreeRequest{1, 0, {0}}), "bad_request");
    EXPECT_EQ(refusal(rig_, 0, TreeRequest{0, 0, {1}}), "bad_request");
    EXPECT_EQ(refusal(rig_, 0, TreeRequest{0, 255, {0}}), "bad_request");
    EXPECT_EQ(refusal(rig_, 0, TreeRequest{0, 4, {16}}), "bad_request");
    EXPECT_EQ(refusal(rig_, 0, TreeRequest{0, 0, {0}, 5}), "bad_request");
    EXPECT_EQ(refusal(rig_, 0, TreeRequest{0, 0, std::vector<std::uint32_t>(2049, 0)}),
              "bad_request");
    EXPECT_EQ(refusal(rig_, 0, KeysRequest{0, {}, {}, 0, 4, 16}), "bad_request");
    EXPECT_EQ(refusal(rig_, 0, KeysRequest{0, {}, {}, 0, 200, 0}), "bad_request");
    EXPECT_EQ(refusal(rig_, 0, RootsRequest{std::vector<std::uint16_t>(4097, 0)}), "bad_request");
}

TEST(roots, are_those_of_the_trees_and_unknown_where_nothing_is_owned) {
    Rig rig({.nodes = 5});
    const Routes routes = rig.routes();
    RootsRequest request;
    std::vector<std::uint16_t> foreign = {65535};
    for (std::uint16_t p = 0; p < routes.partitions(); ++p) {
        request.partitions.push_back(p);
        if (!routes.is_owner(rig.id(0), p)) foreign.push_back(p);
    }
    ASSERT_GT(foreign.size(), 1u);
    request.partitions.push_back(65535);
    std::ranges::sort(foreign);
    RootsReply reply;
    for (int tries = 0; tries < 1000; ++tries) {
        reply = std::get<RootsReply>(rig.call(0, request));
        if (reply.unknown.size() == foreign.size()) break;
        rig.pass(std::chrono::milliseconds(5));
    }
    EXPECT_EQ(reply.unknown, foreign);
    Bytes sums;
    for (std::uint16_t p = 0; p < routes.partitions(); ++p)
        if (routes.is_owner(rig.id(0), p)) sums += tree_at(rig, 0, {p, 0, {0}, 0}).sums;
    EXPECT_EQ(reply.sums, sums);
}

}  // namespace
}  // namespace dynamo
