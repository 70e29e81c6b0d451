#include "daemon/node/local/tree.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "daemon/node/repair/compare.h"
#include "daemon/node/repair/exchange.h"
#include "libdynamo/base/hash.h"
#include "tests/daemon/node/membership/workplace.h"

namespace dynamo::test {
namespace {

using namespace std::chrono_literals;

const ClusterId cluster = ClusterId::from("0123456789abcdef");

Bytes row_of(unsigned number) {
    const Bytes key = "key:" + std::to_string(number);
    return position_of(key).prefix() + key;
}

TEST(tree, is_the_same_in_whatever_order_records_come_and_go) {
    Tree forth(0, 8);
    Tree back(0, 8);
    for (unsigned i = 0; i < 500; ++i) forth.add(row_of(i), tree_sum(cluster, row_of(i), "value"));
    for (unsigned i = 700; i-- > 0;) back.add(row_of(i), tree_sum(cluster, row_of(i), "value"));
    EXPECT_FALSE(forth == back);
    for (unsigned i = 500; i < 700; ++i)
        back.take(row_of(i), tree_sum(cluster, row_of(i), "value"));
    EXPECT_TRUE(forth == back);
}

TEST(tree, differs_from_the_root_down_to_the_one_leaf_that_does) {
    Tree one(0, 12);
    Tree other(0, 12);
    for (unsigned i = 0; i < 2000; ++i) {
        one.add(row_of(i), tree_sum(cluster, row_of(i), "value"));
        other.add(row_of(i), tree_sum(cluster, row_of(i), i == 777 ? "another" : "value"));
    }
    for (unsigned level = 0; level <= 12; ++level) {
        unsigned different = 0;
        for (std::uint32_t node = 0; node < 1u << level; ++node) {
            if (one.node(level, node) == other.node(level, node)) continue;
            ++different;
            const RowRange rows = rows_under(0, 0, level, node);
            EXPECT_LE(rows.first, row_of(777));
            EXPECT_TRUE(rows.last.empty() || row_of(777) < rows.last);
        }
        EXPECT_EQ(different, 1u) << level;
    }
}

TEST(tree, of_another_depth_has_the_same_nodes_where_both_have_some) {
    Tree shallow(3, 4);
    Tree deep(3, 10);
    for (unsigned i = 0; i < 300; ++i) {
        shallow.add(row_of(i), tree_sum(cluster, row_of(i), "value"));
        deep.add(row_of(i), tree_sum(cluster, row_of(i), "value"));
    }
    for (std::uint32_t node = 0; node < 16; ++node)
        EXPECT_EQ(shallow.node(4, node), deep.node(4, node));
}

TEST(tree, tells_a_value_from_another_keys_and_another_clusters) {
    const TreeSum sum = tree_sum(cluster, row_of(1), "value");
    EXPECT_FALSE(sum == tree_sum(cluster, row_of(2), "value"));
    EXPECT_FALSE(sum == tree_sum(cluster, row_of(1), "value2"));
    EXPECT_FALSE(sum == tree_sum(ClusterId::from("fedcba9876543210"), row_of(1), "value"));
}

TEST(tree, ranges_cut_a_partition_without_gaps) {
    for (const unsigned bits : {0u, 3u, 14u}) {
        Bytes reached = rows_under(bits, 0, 0, 0).first;
        for (std::uint32_t node = 0; node < 32; ++node) {
            const RowRange rows = rows_under(bits, 0, 5, node);
            EXPECT_EQ(rows.first, reached);
            reached = rows.last;
        }
        EXPECT_EQ(reached, Bytes{}) << "the last one ends with the partition";
    }
}

TEST(tree, offers_that_make_no_sense_are_refused) {
    wire::TreeOffer offer{1, 0, 4, 4, {0, 3}, Bytes(32, 's')};
    EXPECT_TRUE(is_sound(offer));
    offer.nodes = {3, 0};
    EXPECT_FALSE(is_sound(offer)) << "not ascending";
    offer.nodes = {0, 16};
    EXPECT_FALSE(is_sound(offer)) << "no such node in the level";
    offer.nodes = {0};
    EXPECT_FALSE(is_sound(offer)) << "a sum too many";
    offer = {1, 0, 4, 200, {}, {}};
    EXPECT_FALSE(is_sound(offer)) << "deeper than any tree";
}

// ------------------------------------------------------------------------------------------ trees

/// One node that owns the only partition.
struct Owner : Workplace {
    Owner() : Workplace(0, ring_of(2, {.partitions = 1})) {}
    void build() {
        for (int i = 0; i < 1000 && objects.trees().want(0) == nullptr; ++i) {
            pass(10ms);
            objects.trees().tick();
        }
        ASSERT_NE(objects.trees().want(0), nullptr);
    }
    [[nodiscard]] bool is_right() { return objects.trees().is_right(0).value(); }
};

TEST(trees, follow_every_way_in_which_a_record_changes) {
    Owner owner;
    for (unsigned i = 0; i < 100; ++i) owner.keep("key:" + std::to_string(i), object("milk"));
    owner.build();
    EXPECT_TRUE(owner.is_right());
    owner.keep("key:1", object("bread", 2));
    owner.keep("new", object("butter"));
    ASSERT_TRUE(owner.objects.write(owner.slot("key:2"), {}, {{}, false, 0, "cheese"}));
    ASSERT_TRUE(owner.objects.write(owner.slot("newer"), {}, {{}, true, 0, ""}));
    owner.keep("key:3", object("eggs", 3), node_id(1));  // a hint is in no tree
    EXPECT_TRUE(owner.is_right());
    EXPECT_EQ(owner.objects.trees().complete(), 1u) << "and it is still the first one";
}

TEST(trees, take_what_changes_while_they_are_built) {
    Owner owner;
    for (unsigned i = 0; i < 5000; ++i) owner.keep("key:" + std::to_string(i), object("milk"));
    unsigned slices = 0;
    for (unsigned i = 0; owner.objects.trees().want(0) == nullptr; ++i) {
        owner.pass(10ms);
        owner.objects.trees().tick();
        owner.keep("key:" + std::to_string(i * 37 % 6000), object("bread", i + 2));
        ++slices;
    }
    EXPECT_GT(slices, 5u) << "a slice at a time";
    EXPECT_TRUE(owner.is_right());
}

TEST(trees, are_deep_enough_for_what_they_hold) {
    Owner owner;
    unsigned kept = 0;
    for (const unsigned count : {20u, 200u, 1000u, 5000u}) {
        for (; kept < count; ++kept) owner.keep("key:" + std::to_string(kept), object("milk"));
        owner.objects.trees().distrust(0);
        owner.build();
        const unsigned depth = owner.objects.trees().want(0)->depth();
        EXPECT_LE(count, 8u << depth) << depth;
        EXPECT_TRUE(depth == 4 || count > 2u << depth) << count << " under " << depth;
    }
}

TEST(trees, are_built_deeper_when_they_have_grown) {
    Owner owner;
    owner.build();
    for (unsigned i = 0; i < 3000; ++i) {
        owner.keep("key:" + std::to_string(i), object("milk"));
        owner.build();
        ASSERT_LE(i + 1, 16u << owner.objects.trees().want(0)->depth());
    }
    EXPECT_TRUE(owner.is_right());
}

TEST(trees, are_built_again_after_damage) {
    Owner owner;
    owner.keep("key:1", object("milk"));
    owner.build();
    const Slot slot = owner.slot("key:1");
    ASSERT_TRUE(owner.storage.put(slot.table(), slot.storage_key(), "damaged"));
    EXPECT_FALSE(owner.objects.read_bytes(slot));
    EXPECT_EQ(owner.objects.trees().complete(), 0u);
}

// ------------------------------------------------------------------------------------- an exchange

/// Two owners with the same records but for some, and perfect post between them.
struct Pair {
    Pair() : ring(ring_of(2, {.partitions = 1})) {
        for (unsigned i = 0; i < 2; ++i) {
            nodes[i] = std::make_unique<Workplace>(i, ring);
            jobs[i] = std::make_unique<Jobs>(nodes[i]->desk, nodes[i]->liveness);
            transfers[i] =
                std::make_unique<Transfer>(nodes[i]->desk, nodes[i]->objects, nodes[i]->liveness);
            exchanges[i] = std::make_unique<Exchange>(nodes[i]->desk, nodes[i]->objects,
                                                      nodes[i]->liveness, *jobs[i], *transfers[i]);
            EXPECT_TRUE(exchanges[i]->on_ring(RingCame::just_now));
            nodes[i]->desk.options.scrub_every = 1'000'000;
        }
    }
    void settle() {
        for (bool moved = true; moved;) {
            moved = false;
            for (unsigned from = 0; from < 2; ++from)
                for (auto& to : nodes[from]->said()) {
                    moved = true;
                    deliver(from, to.message);
                }
        }
    }
    void deliver(unsigned from, const wire::PeerMessage& message) {
        const NodeId sender = node_id(from);
        Workplace& to = *nodes[1 - from];
        Exchange& exchange = *exchanges[1 - from];
        to.liveness.heard(sender);
        if (const auto* offer = std::get_if<wire::ExchangeOffer>(&message)) {
            items += offer->items.size();
            exchange.on(sender, to.desk.routes.number(), *offer);
        }
        if (const auto* reply = std::get_if<wire::ExchangeReply>(&message))
            exchange.on(sender, *reply);
        if (const auto* offer = std::get_if<wire::TreeOffer>(&message)) {
            sums += offer->nodes.size();
            exchange.on(sender, to.desk.routes.number(), *offer);
        }
        if (const auto* reply = std::get_if<wire::TreeReply>(&message)) exchange.on(sender, *reply);
        if (const auto* write = std::get_if<wire::WriteRequest>(&message))
            to.keep(write->key, *wire::decode_object(write->object));
    }
    /// The first node's next turn, after both have had time for their trees.
    void turn() {
        for (int i = 0; i < 300; ++i)
            for (auto& node : nodes) {
                node->pass(10ms);
                (void)node->objects.trees().want(0);
                node->objects.trees().tick();
            }
        items = sums = 0;
        exchanges[0]->tick();
        settle();
    }

    RingState ring;
    std::array<std::unique_ptr<Workplace>, 2> nodes;
    std::array<std::unique_ptr<Jobs>, 2> jobs;
    std::array<std::unique_ptr<Transfer>, 2> transfers;
    std::array<std::unique_ptr<Exchange>, 2> exchanges;
    std::size_t items = 0;  ///< rows that were offered
    std::size_t sums = 0;   ///< nodes of trees that were
};

TEST(exchange_by_trees, costs_as_much_as_there_are_differences) {
    Pair pair;
    constexpr unsigned records = 20'000;
    for (unsigned i = 0; i < records; ++i)
        for (auto& node : pair.nodes) node->keep("key:" + std::to_string(i), object("milk"));
    pair.turn();
    EXPECT_EQ(pair.items, 0u) << "equal roots say all";
    EXPECT_LE(pair.sums, 16u);

    pair.nodes[0]->keep("only first", object("bread"));
    pair.nodes[1]->keep("only second", object("butter"));
    pair.nodes[1]->keep("key:77", object("cheese", 2));
    pair.turn();
    EXPECT_LE(pair.items, 3 * 64u);
    EXPECT_LE(pair.sums, 16u + 3 * 3 * 16u);
    for (auto& node : pair.nodes) {
        EXPECT_EQ(node->kept("only first"), object("bread"));
        EXPECT_EQ(node->kept("only second"), object("butter"));
        EXPECT_EQ(node->kept("key:77").siblings.size(), 2u);
    }
    pair.turn();
    EXPECT_EQ(pair.items, 0u);
}

TEST(exchange_by_trees, reads_all_records_when_the_other_has_no_tree) {
    Pair pair;
    for (unsigned i = 0; i < 50; ++i) pair.nodes[0]->keep(std::to_string(i), object("milk"));
    pair.turn();
    pair.nodes[1]->objects.trees().rolled_back();
    pair.nodes[0]->keep("new", object("bread"));
    for (auto& node : pair.nodes) node->pass(2s);
    pair.exchanges[0]->tick();
    pair.settle();
    EXPECT_EQ(pair.nodes[1]->kept("new"), object("bread"));
}

TEST(exchange_by_trees, reads_all_records_once_in_so_many_turns) {
    Pair pair;
    for (auto& node : pair.nodes) node->desk.options.scrub_every = 3;
    for (unsigned i = 0; i < 50; ++i)
        for (auto& node : pair.nodes) node->keep(std::to_string(i), object("milk"));
    unsigned scrubs = 0;
    for (int i = 0; i < 9; ++i) {
        pair.turn();
        scrubs += pair.items == 50;
    }
    EXPECT_EQ(scrubs, 3u);
}

}  // namespace
}  // namespace dynamo::test
