// The index of what the purge looks at, and the number that nodes keep of it.
#include "daemon/node/local/reducible.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "daemon/node/fence.h"
#include "daemon/storage/memory.h"

namespace dynamo {
namespace {

std::vector<std::string> rows_of(const Reducible& reducible, std::uint16_t partition,
                                 BytesView first = {}) {
    std::vector<std::string> rows;
    const auto scanned = reducible.scan(partition, first, [&](BytesView row, std::uint64_t since) {
        rows.push_back(Bytes(row) + "@" + std::to_string(since));
        return true;
    });
    EXPECT_TRUE(scanned.has_value());
    return rows;
}

TEST(reducible, tells_partitions_apart_though_rows_are_neighbours) {
    MemoryStorage storage;
    Reducible reducible(storage);
    EXPECT_EQ(*reducible.next(0), std::nullopt);
    for (const unsigned number : {255U, 256U, 511U}) {
        const auto partition = static_cast<std::uint16_t>(number);
        ASSERT_TRUE(reducible.note(partition, "row", partition).has_value());
    }
    ASSERT_TRUE(reducible.note(256, "row-2", 7).has_value());
    EXPECT_EQ(rows_of(reducible, 255), std::vector<std::string>{"row@255"});
    EXPECT_EQ(rows_of(reducible, 256), (std::vector<std::string>{"row@256", "row-2@7"}));
    EXPECT_EQ(rows_of(reducible, 256, "row-"), std::vector<std::string>{"row-2@7"});
    EXPECT_TRUE(rows_of(reducible, 257).empty());
    EXPECT_EQ(*reducible.next(0), 255);
    EXPECT_EQ(*reducible.next(257), 511);
    EXPECT_EQ(*reducible.next(512), std::nullopt);
}

TEST(reducible, keeps_the_last_number_and_forgets) {
    MemoryStorage storage;
    Reducible reducible(storage);
    ASSERT_TRUE(reducible.note(3, "row", 4).has_value());
    ASSERT_TRUE(reducible.note(3, "row", 5).has_value());
    EXPECT_EQ(*reducible.since(3, "row"), 5u);
    ASSERT_TRUE(reducible.forget(3, "row").has_value());
    EXPECT_EQ(*reducible.since(3, "row"), std::nullopt);
    EXPECT_TRUE(reducible.forget(3, "row").has_value()) << "there is nothing, and that is fine";
}

TEST(fence, takes_what_was_read_at_the_number_before_and_not_older) {
    MemoryStorage storage;
    Fence fence;
    EXPECT_FALSE(fence.takes(0)) << "not read yet";
    ASSERT_TRUE(fence.read(storage).has_value());
    EXPECT_FALSE(fence.takes(0)) << "nobody has told it the number yet";
    fence.sure();
    ASSERT_TRUE(fence.set(storage, 9).has_value());
    EXPECT_TRUE(fence.takes(8));
    EXPECT_TRUE(fence.takes(10)) << "others may be further";
    EXPECT_FALSE(fence.takes(7));
    fence.out_of_date(true);
    EXPECT_FALSE(fence.takes(9));
}

TEST(fence, survives_in_storage_and_refuses_a_damaged_note) {
    MemoryStorage storage;
    Fence before;
    ASSERT_TRUE(before.read(storage).has_value());
    EXPECT_FALSE(before.is_noted());
    ASSERT_TRUE(before.set(storage, 300).has_value());
    Fence after;
    ASSERT_TRUE(after.read(storage).has_value());
    EXPECT_EQ(after.number(), 300u);
    EXPECT_TRUE(after.unsure()) << "it may have been put back";
    ASSERT_TRUE(storage.put(Table::notes(), "fence", "12").has_value());
    Fence damaged;
    EXPECT_FALSE(damaged.read(storage).has_value());
    EXPECT_TRUE(damaged.out_of_date());
}

}  // namespace
}  // namespace dynamo
