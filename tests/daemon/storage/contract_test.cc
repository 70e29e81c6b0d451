// What every storage engine promises, one suite over all of them.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/storage/open.h"
#include "libdynamo/base/random.h"
#include "tests/daemon/storage/scratch.h"

namespace dynamo {
namespace {

using Rows = std::vector<std::pair<Bytes, Bytes>>;

class storage_contract : public testing::TestWithParam<std::string> {
  protected:
    void SetUp() override {
        StorageOptions options;
        options.engine = GetParam();
        options.directory = scratch_.path() / "engine";
        options.cache_bytes = 4u << 20;
        options.partitions = 8;
        options.ballast_bytes = 1u << 20;
        auto opened = open_storage(options);
        ASSERT_TRUE(opened) << opened.error().message;
        storage_ = std::move(*opened);
    }

    void put(Table table, BytesView key, BytesView value) {
        const auto stored = storage_->put(table, key, value);
        ASSERT_TRUE(stored) << stored.error().message;
    }
    void erase(Table table, BytesView key) {
        const auto erased = storage_->erase(table, key);
        ASSERT_TRUE(erased) << erased.error().message;
    }
    void drop(Table table) {
        const auto dropped = storage_->drop(table);
        ASSERT_TRUE(dropped) << dropped.error().message;
    }
    void commit() {
        const auto committed = storage_->commit(Durability::os);
        ASSERT_TRUE(committed) << committed.error().message;
    }
    std::optional<Bytes> get(Table table, BytesView key) {
        auto found = storage_->get(table, key);
        EXPECT_TRUE(found) << found.error().message;
        return found ? *found : std::nullopt;
    }
    Rows rows(Table table, BytesView first = {}, std::size_t most = SIZE_MAX) {
        Rows rows;
        const auto scanned = storage_->scan(table, first, [&](BytesView key, BytesView value) {
            rows.emplace_back(key, value);
            return rows.size() < most;
        });
        EXPECT_TRUE(scanned) << scanned.error().message;
        return rows;
    }

    Scratch scratch_;
    std::unique_ptr<Storage> storage_;
    const Table objects_ = Table::objects(7);
    const Table hints_ = Table::hints();
};

TEST_P(storage_contract, gives_back_what_was_put) {
    put(objects_, "key", "value");
    EXPECT_EQ(get(objects_, "key"), "value");
    commit();
    EXPECT_EQ(get(objects_, "key"), "value");
}

TEST_P(storage_contract, an_absent_key_is_an_answer_and_no_error) {
    EXPECT_EQ(get(objects_, "key"), std::nullopt);
    put(objects_, "key", "value");
    EXPECT_EQ(get(objects_, "kex"), std::nullopt);
    EXPECT_EQ(get(objects_, "key2"), std::nullopt);
    EXPECT_EQ(get(objects_, ""), std::nullopt);
}

TEST_P(storage_contract, a_second_put_replaces_the_first) {
    put(objects_, "key", "a first value that is longer");
    put(objects_, "key", "second");
    EXPECT_EQ(get(objects_, "key"), "second");
    commit();
    put(objects_, "key", "a third value, longer again than the second");
    commit();
    EXPECT_EQ(rows(objects_), (Rows{{"key", "a third value, longer again than the second"}}));
}

TEST_P(storage_contract, an_erased_row_is_gone) {
    put(objects_, "a", "1");
    put(objects_, "b", "2");
    commit();
    erase(objects_, "a");
    EXPECT_EQ(get(objects_, "a"), std::nullopt);
    commit();
    EXPECT_EQ(rows(objects_), (Rows{{"b", "2"}}));
}

TEST_P(storage_contract, erasing_what_is_not_there_is_fine) {
    erase(objects_, "never");
    commit();
    put(objects_, "a", "1");
    erase(objects_, "never");
    commit();
    EXPECT_EQ(rows(objects_), (Rows{{"a", "1"}}));
}

TEST_P(storage_contract, keeps_every_kind_of_table_apart) {
    const std::array tables{Table::objects(0), Table::objects(1), Table::hints(), Table::notes()};
    for (std::size_t i = 0; i < tables.size(); ++i) put(tables[i], "key", std::to_string(i));
    commit();
    for (std::size_t i = 0; i < tables.size(); ++i)
        EXPECT_EQ(rows(tables[i]), (Rows{{"key", std::to_string(i)}}));
}

TEST_P(storage_contract, scans_in_the_order_of_unsigned_octets) {
    const std::vector<Bytes> sorted = {
        Bytes(), Bytes("\0", 1), Bytes("\0\0", 2), Bytes("\0\xff", 2), "A",
        "a",     "aa",           Bytes("a\0b", 3), Bytes("b\x01", 2),  "\x7f",
        "\x80",  "\xff",         "\xff\xff"};
    std::vector<Bytes> expected = sorted;
    std::sort(expected.begin(), expected.end());  // std::string compares unsigned octets
    for (auto key = sorted.rbegin(); key != sorted.rend(); ++key) put(objects_, *key, "v" + *key);
    for (const bool committed : {false, true}) {
        std::vector<Bytes> seen;
        for (const auto& [key, value] : rows(objects_)) {
            EXPECT_EQ(value, "v" + key);
            seen.push_back(key);
        }
        EXPECT_EQ(seen, expected) << "committed: " << committed;
        commit();
    }
}

TEST_P(storage_contract, scans_from_the_middle) {
    for (const BytesView key : {"a", "c", "e"}) put(objects_, key, key);
    EXPECT_EQ(rows(objects_, "c"), (Rows{{"c", "c"}, {"e", "e"}}));
    EXPECT_EQ(rows(objects_, "b"), (Rows{{"c", "c"}, {"e", "e"}}));
    EXPECT_EQ(rows(objects_, "f"), Rows{});
    EXPECT_EQ(rows(objects_, Bytes("c\0", 2)), (Rows{{"e", "e"}}));
}

TEST_P(storage_contract, a_scan_stops_when_the_visitor_has_enough) {
    for (const BytesView key : {"a", "b", "c"}) put(objects_, key, key);
    EXPECT_EQ(rows(objects_, "", 1), (Rows{{"a", "a"}}));
    EXPECT_EQ(rows(objects_, "b", 1), (Rows{{"b", "b"}}));
    commit();
    EXPECT_EQ(rows(objects_, "", 2), (Rows{{"a", "a"}, {"b", "b"}}));
}

TEST_P(storage_contract, a_visitor_may_read) {
    for (const BytesView key : {"a", "b", "c"}) put(objects_, key, key);
    put(hints_, "h", "hint");
    std::vector<std::optional<Bytes>> seen;
    const auto scanned = storage_->scan(objects_, "", [&](BytesView key, BytesView value) {
        seen.push_back(get(objects_, key));
        EXPECT_EQ(seen.back(), value);
        seen.push_back(get(hints_, "h"));
        return true;
    });
    ASSERT_TRUE(scanned);
    EXPECT_EQ(seen, (std::vector<std::optional<Bytes>>{"a", "hint", "b", "hint", "c", "hint"}));
}

TEST_P(storage_contract, a_table_never_written_is_empty) {
    EXPECT_EQ(rows(Table::objects(999)), Rows{});
    EXPECT_EQ(rows(hints_), Rows{});
    drop(hints_);
    commit();
    EXPECT_EQ(rows(hints_), Rows{});
}

TEST_P(storage_contract, own_writes_are_seen_before_the_commit) {
    put(objects_, "a", "old");
    commit();
    put(objects_, "a", "new");
    put(objects_, "b", "added");
    EXPECT_EQ(get(objects_, "a"), "new");
    EXPECT_EQ(rows(objects_), (Rows{{"a", "new"}, {"b", "added"}}));
    erase(objects_, "a");
    EXPECT_EQ(get(objects_, "a"), std::nullopt);
    EXPECT_EQ(rows(objects_), (Rows{{"b", "added"}}));
}

TEST_P(storage_contract, a_rollback_undoes_everything_since_the_commit) {
    put(objects_, "kept", "1");
    put(objects_, "erased", "2");
    commit();
    put(objects_, "kept", "changed");
    put(objects_, "kept", "changed twice");
    erase(objects_, "erased");
    put(objects_, "added", "3");
    erase(objects_, "added");
    put(objects_, "added", "4");
    put(hints_, "hint", "5");
    storage_->rollback();
    EXPECT_EQ(rows(objects_), (Rows{{"erased", "2"}, {"kept", "1"}}));
    EXPECT_EQ(rows(hints_), Rows{});
    commit();
    EXPECT_EQ(rows(objects_), (Rows{{"erased", "2"}, {"kept", "1"}}));
}

TEST_P(storage_contract, a_rollback_with_nothing_to_undo_is_fine) {
    storage_->rollback();
    put(objects_, "a", "1");
    commit();
    storage_->rollback();
    storage_->rollback();
    EXPECT_EQ(get(objects_, "a"), "1");
}

TEST_P(storage_contract, a_table_first_written_in_a_rolled_back_transaction_works_afterwards) {
    put(objects_, "a", "undone");
    storage_->rollback();
    EXPECT_EQ(rows(objects_), Rows{});
    put(objects_, "b", "kept");
    commit();
    EXPECT_EQ(rows(objects_), (Rows{{"b", "kept"}}));
}

TEST_P(storage_contract, a_commit_of_nothing_is_fine) {
    for (const auto durability : {Durability::os, Durability::sync})
        EXPECT_TRUE(storage_->commit(durability));
}

TEST_P(storage_contract, a_dropped_table_is_empty_and_others_are_not) {
    put(objects_, "a", "1");
    put(Table::objects(8), "a", "2");
    put(hints_, "a", "3");
    commit();
    drop(objects_);
    EXPECT_EQ(rows(objects_), Rows{});
    EXPECT_EQ(get(objects_, "a"), std::nullopt);
    commit();
    EXPECT_EQ(rows(objects_), Rows{});
    EXPECT_EQ(rows(Table::objects(8)), (Rows{{"a", "2"}}));
    EXPECT_EQ(rows(hints_), (Rows{{"a", "3"}}));
}

TEST_P(storage_contract, a_drop_is_undone_by_a_rollback) {
    put(objects_, "a", "1");
    commit();
    put(objects_, "b", "2");
    drop(objects_);
    put(objects_, "c", "3");
    drop(objects_);
    put(objects_, "d", "4");
    EXPECT_EQ(rows(objects_), (Rows{{"d", "4"}}));
    storage_->rollback();
    EXPECT_EQ(rows(objects_), (Rows{{"a", "1"}}));
    put(objects_, "e", "5");
    commit();
    EXPECT_EQ(rows(objects_), (Rows{{"a", "1"}, {"e", "5"}}));
}

TEST_P(storage_contract, a_dropped_table_takes_new_rows_in_the_same_transaction) {
    put(objects_, "a", "1");
    commit();
    drop(objects_);
    put(objects_, "b", "2");
    EXPECT_EQ(rows(objects_), (Rows{{"b", "2"}}));
    commit();
    EXPECT_EQ(rows(objects_), (Rows{{"b", "2"}}));
    drop(objects_);
    commit();
    put(objects_, "c", "3");
    commit();
    EXPECT_EQ(rows(objects_), (Rows{{"c", "3"}}));
}

TEST_P(storage_contract, a_table_written_and_dropped_in_one_transaction_leaves_nothing) {
    put(objects_, "a", "1");
    drop(objects_);
    commit();
    EXPECT_EQ(rows(objects_), Rows{});
    put(objects_, "a", "2");
    drop(objects_);
    storage_->rollback();
    EXPECT_EQ(rows(objects_), Rows{});
}

TEST_P(storage_contract, holds_values_of_eight_mebibytes) {
    Bytes large(8u << 20, '\0');
    Random random(1);
    for (char& octet : large) octet = static_cast<char>(random.bits());
    put(objects_, "large", large);
    put(objects_, "small", "s");
    EXPECT_EQ(get(objects_, "large"), large);
    commit();
    EXPECT_EQ(get(objects_, "large"), large);
    EXPECT_EQ(rows(objects_), (Rows{{"large", large}, {"small", "s"}}));
    put(objects_, "large", "no more");
    storage_->rollback();
    EXPECT_EQ(get(objects_, "large"), large);
}

TEST_P(storage_contract, keys_and_values_are_any_octets) {
    const Bytes key("\0\xff\n\0", 4);
    const Bytes value("\0\0\x80\xff", 4);
    put(objects_, key, value);
    commit();
    EXPECT_EQ(get(objects_, key), value);
    EXPECT_EQ(get(objects_, key.substr(0, 3)), std::nullopt);
}

TEST_P(storage_contract, an_empty_value_is_not_an_absent_row) {
    put(objects_, "empty", "");
    EXPECT_EQ(get(objects_, "empty"), "");
    commit();
    EXPECT_EQ(get(objects_, "empty"), "");
    EXPECT_EQ(rows(objects_), (Rows{{"empty", ""}}));
}

TEST_P(storage_contract, takes_the_longest_key_and_refuses_a_longer_one) {
    const Bytes longest(max_row_key_bytes, 'k');
    put(objects_, longest, "value");
    const auto refused = storage_->put(objects_, longest + "k", "value");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::too_large);
    // A refused row leaves the transaction as it was.
    commit();
    EXPECT_EQ(rows(objects_), (Rows{{longest, "value"}}));
}

TEST_P(storage_contract, keeps_many_tables_apart) {
    constexpr std::uint16_t tables = 40;  // some made ahead, some not
    for (std::uint16_t partition = 0; partition < tables; ++partition)
        put(Table::objects(partition), "key", std::to_string(partition));
    put(hints_, "key", "hint");
    commit();
    for (std::uint16_t partition = 0; partition < tables; ++partition)
        EXPECT_EQ(rows(Table::objects(partition)), (Rows{{"key", std::to_string(partition)}}));
    EXPECT_EQ(rows(hints_), (Rows{{"key", "hint"}}));
}

TEST_P(storage_contract, says_how_much_it_stores) {
    put(objects_, "key", Bytes(3u << 20, 'v'));
    commit();
    const auto usage = storage_->usage();
    ASSERT_TRUE(usage) << usage.error().message;
    EXPECT_GE(usage->stored_bytes, 3u << 20);
    EXPECT_GT(usage->free_bytes, 0u);
}

// The engine against a model that is obviously right: a map, and a copy of it for rollback.
TEST_P(storage_contract, agrees_with_a_model_over_random_histories) {
    constexpr int seeds = 4;
    constexpr int steps = 2000;
    using Model = std::map<Table, std::map<Bytes, Bytes>>;
    for (int seed = 0; seed < seeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(static_cast<std::uint64_t>(seed));
        Model model;
        for (std::uint16_t partition = 0; partition < 3; ++partition)
            drop(Table::objects(partition));
        commit();
        Model committed;
        for (int step = 0; step < steps && !HasFailure(); ++step) {
            const Table table = Table::objects(static_cast<std::uint16_t>(random.below(3)));
            const Bytes key = "k" + std::to_string(random.below(40));
            const auto dice = random.below(100);
            if (dice < 45) {
                const Bytes value(random.below(random.chance(0.05) ? 20000 : 200), 'v');
                put(table, key, value);
                model[table][key] = value;
            } else if (dice < 60) {
                erase(table, key);
                model[table].erase(key);
            } else if (dice < 80) {
                const auto row = model[table].find(key);
                EXPECT_EQ(get(table, key),
                          row == model[table].end() ? std::nullopt : std::optional(row->second));
            } else if (dice < 86) {
                const auto first = model[table].lower_bound(key);
                EXPECT_EQ(rows(table, key), Rows(first, model[table].end()));
            } else if (dice < 87) {
                drop(table);
                model[table].clear();
            } else if (dice < 95) {
                commit();
                committed = model;
            } else {
                storage_->rollback();
                model = committed;
            }
        }
        for (std::uint16_t partition = 0; partition < 3; ++partition) {
            const auto& expected = model[Table::objects(partition)];
            EXPECT_EQ(rows(Table::objects(partition)), Rows(expected.begin(), expected.end()));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(engines, storage_contract, testing::Values("memory", "bdb"),
                         [](const auto& engine) { return engine.param; });

TEST(open_storage, names_the_engines_that_there_are_when_asked_for_another) {
    StorageOptions options;
    options.engine = "cloud";
    const auto opened = open_storage(options);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Code::bad_request);
    EXPECT_EQ(opened.error().message,
              "no storage engine is called 'cloud'; there are: bdb, memory");
}

}  // namespace
}  // namespace dynamo
