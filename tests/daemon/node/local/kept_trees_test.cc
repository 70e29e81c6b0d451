// Trees that a restart has without reading all records.
#include "daemon/node/local/kept_trees.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/daemon/node/membership/workplace.h"

namespace dynamo::test {
namespace {

Bytes row_of(unsigned number) {
    const Bytes key = "key:" + std::to_string(number);
    return position_of(key).prefix() + key;
}

std::vector<std::uint32_t> stored_in(KeptTrees& kept, std::uint16_t partition,
                                     std::uint32_t first = 0) {
    std::vector<std::uint32_t> numbers;
    const auto scanned =
        kept.scan(partition, first, [&](std::uint32_t number, const KeptTrees::Part&) {
            numbers.push_back(number);
            return true;
        });
    EXPECT_TRUE(scanned.has_value());
    return numbers;
}

TEST(kept_trees, give_back_the_parts_of_one_partition) {
    MemoryStorage storage;
    KeptTrees kept(storage);
    EXPECT_EQ(*kept.depth(3), std::nullopt);
    ASSERT_TRUE(kept.begin(3, 8).has_value());
    ASSERT_TRUE(kept.begin(4, 8).has_value());
    KeptTrees::Part part{17, {}};
    part.leaves[5] = {1, 2};
    ASSERT_TRUE(kept.store(3, 0, part).has_value());
    ASSERT_TRUE(kept.store(3, 15, part).has_value());
    ASSERT_TRUE(kept.store(4, 1, part).has_value());

    KeptTrees again(storage);
    EXPECT_EQ(*again.depth(3), 8u);
    EXPECT_EQ(stored_in(again, 3), (std::vector<std::uint32_t>{0, 15}));
    EXPECT_EQ(stored_in(again, 3, 1), (std::vector<std::uint32_t>{15}));
    EXPECT_TRUE(again.is_stored(3, 15));
    EXPECT_FALSE(again.is_stored(3, 1));
    ASSERT_TRUE(again.scan(4, 0, [&](std::uint32_t, const KeptTrees::Part& read) {
        EXPECT_EQ(read.records, 17u);
        EXPECT_EQ(read.leaves, part.leaves);
        return true;
    }));
}

TEST(kept_trees, lose_the_part_whose_record_changes_and_no_other) {
    MemoryStorage storage;
    KeptTrees kept(storage);
    ASSERT_TRUE(kept.begin(0, 6).has_value());
    for (std::uint32_t part = 0; part < 4; ++part) ASSERT_TRUE(kept.store(0, part, {}).has_value());
    const std::uint32_t changed = node_over(0, 2, row_of(1));
    for (KeptTrees& writer : std::vector<KeptTrees>{kept, KeptTrees(storage)}) {
        ASSERT_TRUE(kept.store(0, changed, {}).has_value());
        ASSERT_TRUE(writer.changes(0, 0, row_of(1)).has_value());
        EXPECT_EQ(stored_in(writer, 0).size(), 3u) << "whatever it knew of what is stored";
        EXPECT_FALSE(writer.is_stored(0, changed));
    }
}

TEST(kept_trees, take_what_is_damaged_or_foreign_for_missing) {
    MemoryStorage storage;
    KeptTrees kept(storage);
    ASSERT_TRUE(kept.begin(0, 6).has_value());
    for (std::uint32_t part = 0; part < 4; ++part)
        ASSERT_TRUE(kept.store(0, part, {part, {}}).has_value());
    const auto value = storage.get(Table::trees(), Bytes("\0\0\0\0\0\1", 6));
    ASSERT_TRUE(value && *value);
    Bytes flipped = **value;
    flipped[20] = static_cast<char>(flipped[20] ^ 1);
    ASSERT_TRUE(storage.put(Table::trees(), Bytes("\0\0\0\0\0\1", 6), flipped));
    ASSERT_TRUE(storage.put(Table::trees(), Bytes("\0\0\0\0\0\2", 6), **value)) << "misplaced";
    EXPECT_EQ(stored_in(kept, 0), (std::vector<std::uint32_t>{0, 3}));

    const auto header = storage.get(Table::trees(), Bytes("\0\0", 2));
    ASSERT_TRUE(header && *header);
    flipped = **header;
    flipped[0] = 9;
    ASSERT_TRUE(storage.put(Table::trees(), Bytes("\0\0", 2), flipped));
    EXPECT_EQ(*KeptTrees(storage).depth(0), std::nullopt) << "of a version to come";
}

TEST(kept_trees, doubt_a_part_until_its_record_changes) {
    MemoryStorage storage;
    KeptTrees kept(storage);
    ASSERT_TRUE(kept.begin(0, 4).has_value());
    ASSERT_TRUE(kept.store(0, 0, {}).has_value());
    kept.doubt(0, 0, row_of(1));
    EXPECT_TRUE(stored_in(kept, 0).empty());
    ASSERT_TRUE(kept.changes(0, 0, row_of(1)).has_value());
    ASSERT_TRUE(kept.store(0, 0, {}).has_value());
    EXPECT_EQ(stored_in(kept, 0).size(), 1u);
}

/// One node that owns the only partition, and the same after restarts.
struct Restarting : Workplace {
    Restarting() : Workplace(0, ring_of(2, {.partitions = 1})) {}

    void fill(unsigned records) {
        for (unsigned i = 0; i < records; ++i) keep("key:" + std::to_string(i), object("milk"));
    }
    /// Until the tree is complete; what was read of records and of parts for that.
    void build(Objects& of) {
        for (int i = 0; i < 1000 && of.trees().want(0) == nullptr; ++i) step(of);
        ASSERT_NE(of.trees().want(0), nullptr);
        EXPECT_TRUE(of.trees().is_right(0).value());
    }
    /// Until all that is quiet is stored.
    void rest(Objects& of) {
        for (int i = 0; i < 1000; ++i) step(of);
        pass(2 * desk.options.keep_trees_every);
        for (int i = 0; i < 1000; ++i) step(of);
    }
    void step(Objects& of) {
        pass(10ms);
        of.trees().tick();
    }
    [[nodiscard]] std::uint64_t taken() const { return desk.counters.of("trees.parts_kept"); }
};

TEST(kept_trees, spare_a_restart_the_reading_of_records) {
    Restarting node;
    node.fill(5000);
    node.build(node.objects);
    EXPECT_EQ(node.taken(), 0u);
    node.rest(node.objects);

    Objects again(node.desk);
    node.build(again);
    const std::size_t parts = again.trees().want(0)->leaves().size() / part_leaves;
    EXPECT_EQ(node.taken(), parts) << "all of it";
    EXPECT_EQ(again.trees().complete(), 1u);
}

TEST(kept_trees, leave_only_what_has_changed_to_be_read) {
    Restarting node;
    node.fill(5000);
    node.build(node.objects);
    node.rest(node.objects);
    // Some before the next start, and some while the tree is built, on either side of the cursor.
    for (unsigned i = 0; i < 3; ++i) node.keep("key:" + std::to_string(i * 7), object("bread", 2));
    node.keep("new", object("butter"));

    Objects again(node.desk);
    for (unsigned i = 0; again.trees().want(0) == nullptr; ++i) {
        ASSERT_LT(i, 1000u);
        node.step(again);
        const Bytes key = "key:" + std::to_string(i * 37);
        ASSERT_TRUE(again
                        .merge_in(node.slot(key), object("eggs", 3),
                                  wire::encode(object("eggs", 3)), node.desk.fence.number())
                        .has_value());
    }
    const std::size_t parts = again.trees().want(0)->leaves().size() / part_leaves;
    EXPECT_GT(node.taken(), 0u);
    EXPECT_LT(node.taken(), parts);
    EXPECT_TRUE(again.trees().is_right(0).value());
}

TEST(kept_trees, begin_anew_when_a_tree_grows_deeper) {
    Restarting node;
    node.fill(100);
    node.build(node.objects);
    node.rest(node.objects);
    const unsigned before = node.objects.trees().want(0)->depth();
    node.fill(9000);
    Objects again(node.desk);
    node.build(again);
    const unsigned after = again.trees().want(0)->depth();
    ASSERT_GT(after, before);
    node.rest(again);
    KeptTrees kept(node.storage);
    EXPECT_EQ(*kept.depth(0), after);
    EXPECT_EQ(stored_in(kept, 0).size(), std::size_t{1} << (after - part_levels));
}

TEST(kept_trees, are_not_believed_where_a_record_is_damaged) {
    Restarting node;
    node.fill(10);
    node.build(node.objects);
    node.rest(node.objects);
    const Slot slot = node.slot("key:1");
    ASSERT_TRUE(node.storage.put(slot.table(), slot.storage_key(), "damaged"));
    EXPECT_FALSE(node.objects.read_bytes(slot));
    for (int i = 0; i < 100; ++i) node.step(node.objects);
    EXPECT_EQ(node.objects.trees().want(0), nullptr) << "there is no tree without that record";
}

TEST(kept_trees, that_a_rollback_took_back_are_asked_for_again) {
    Restarting node;
    node.fill(10);
    ASSERT_TRUE(node.storage.commit(Durability::sync).has_value());
    node.build(node.objects);
    node.rest(node.objects);
    node.storage.rollback();
    node.objects.trees().rolled_back();
    node.build(node.objects);
    EXPECT_EQ(node.taken(), 0u) << "nothing of it was stored";
    node.keep("key:1", object("bread", 2));
    EXPECT_TRUE(node.objects.trees().is_right(0).value());
}

/// Cannot say what is stored of trees.
class Unreadable final : public Storage {
  public:
    explicit Unreadable(Storage& under) : under_(under) {}
    Result<std::optional<Bytes>> get(Table table, BytesView key) override {
        if (table == Table::trees()) return fail(Code::storage, "a bad sector");
        return under_.get(table, key);
    }
    Result<void> put(Table table, BytesView key, BytesView value) override {
        return under_.put(table, key, value);
    }
    Result<void> erase(Table table, BytesView key) override { return under_.erase(table, key); }
    Result<void> scan(Table table, BytesView first, const Visit& visit) override {
        return under_.scan(table, first, visit);
    }
    Result<void> drop(Table table) override { return under_.drop(table); }
    Result<void> commit(Durability durability) override { return under_.commit(durability); }
    bool has_changes() const override { return under_.has_changes(); }
    void rollback() override { under_.rollback(); }
    Result<Usage> usage() override { return under_.usage(); }

  private:
    Storage& under_;
};

// Found by the simulator: the record was written first, and the write reported as not applied.
TEST(kept_trees, that_cannot_be_looked_at_refuse_a_write_before_anything_of_it_is_stored) {
    Restarting node;
    Unreadable storage(node.storage);
    Desk desk(options_of(0), storage, Random(12), node.desk.now);
    desk.run = 2;
    desk.cluster = node.desk.cluster;
    desk.settings = node.desk.settings;
    desk.routes = node.desk.routes;
    Objects objects(desk);
    EXPECT_FALSE(objects.write(node.slot("key"), {}, {{}, false, 0, "milk"}).has_value());
    EXPECT_FALSE(node.storage.has_changes());
    EXPECT_TRUE(objects.write(node.slot("key", node_id(1)), {}, {{}, false, 0, "milk"}).has_value())
        << "a hint is in no tree";
}

}  // namespace
}  // namespace dynamo::test
