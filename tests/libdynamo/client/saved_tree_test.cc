#include "dynamo/saved_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace dynamo {
namespace {

using testing::HasSubstr;

TreeFileHead sample_head() {
    return {"shop", std::string(32, 'a'), 3, 16, "n1", std::string(32, 'b'), 1'700'000'000'000};
}

std::vector<PartitionTree> sample_trees() {
    return {{2, 2, {{0, {1, 2}}, {3, {~std::uint64_t{0}, 4}}}},
            {7, 0, {}},
            {15, PartitionTree::most_deep, {{5, {6, 7}}, {(1u << 20) - 1, {8, 9}}}}};
}

std::string file_of(const std::vector<PartitionTree>& trees) {
    TreeFileWriter writer;
    std::string octets = writer.head(sample_head());
    for (const PartitionTree& tree : trees) octets += writer.partition(tree);
    return octets + writer.tail();
}

/// What comes of a file that arrives `at_once` octets at a time: the trees, then "end" or the
/// error.
struct Told {
    std::optional<TreeFileHead> head;
    std::vector<PartitionTree> trees;
    std::optional<TreeFileTail> tail;
    std::string end;
};

Told read(const std::string& file, std::size_t at_once = SIZE_MAX) {
    Told told;
    TreeFileReader reader;
    std::string here;
    std::size_t sent = 0;
    for (;;) {
        std::size_t taken = 0;
        auto part = reader.next(here, sent == file.size(), taken);
        if (!part) {
            EXPECT_EQ(part.error().code, Code::corrupt);
            told.end = part.error().message;
            return told;
        }
        here.erase(0, taken);
        if (auto* head = std::get_if<TreeFileHead>(&*part)) told.head = *head;
        if (auto* tree = std::get_if<PartitionTree>(&*part)) told.trees.push_back(*tree);
        if (auto* tail = std::get_if<TreeFileTail>(&*part)) told.tail = *tail;
        if (!std::holds_alternative<std::monostate>(*part)) continue;
        if (sent == file.size()) {
            EXPECT_TRUE(reader.complete());
            told.end = "end";
            return told;
        }
        const std::string some = file.substr(sent, at_once);
        here += some;
        sent += some.size();
    }
}

void expect_same(const std::vector<PartitionTree>& read,
                 const std::vector<PartitionTree>& written) {
    ASSERT_EQ(read.size(), written.size());
    for (std::size_t i = 0; i < read.size(); ++i) {
        EXPECT_EQ(read[i].partition, written[i].partition);
        EXPECT_EQ(read[i].depth, written[i].depth);
        ASSERT_EQ(read[i].leaves.size(), written[i].leaves.size());
        for (std::size_t leaf = 0; leaf < read[i].leaves.size(); ++leaf) {
            EXPECT_EQ(read[i].leaves[leaf].place, written[i].leaves[leaf].place);
            EXPECT_EQ(read[i].leaves[leaf].worth, written[i].leaves[leaf].worth);
        }
    }
}

TEST(saved_tree, comes_back_as_it_was_written_however_it_arrives) {
    const std::string file = file_of(sample_trees());
    EXPECT_TRUE(file.starts_with(TreeFileReader::magic));
    for (const std::size_t at_once : {std::size_t{1}, std::size_t{7}, file.size()}) {
        const Told told = read(file, at_once);
        EXPECT_EQ(told.end, "end");
        ASSERT_TRUE(told.head.has_value());
        EXPECT_EQ(told.head->cluster, "shop");
        EXPECT_EQ(told.head->cluster_id, std::string(32, 'a'));
        EXPECT_EQ(told.head->ring, 3u);
        EXPECT_EQ(told.head->partitions, 16u);
        EXPECT_EQ(told.head->node, "n1");
        EXPECT_EQ(told.head->node_id, std::string(32, 'b'));
        EXPECT_EQ(told.head->wall_ms, 1'700'000'000'000);
        expect_same(told.trees, sample_trees());
        ASSERT_TRUE(told.tail.has_value());
        EXPECT_EQ(told.tail->partitions, 3u);
    }
}

TEST(saved_tree, is_refused_with_any_octet_damaged) {
    const std::string file = file_of(sample_trees());
    for (std::size_t at = 0; at < file.size(); ++at) {
        for (const char flip : {'\x01', '\x80'}) {
            std::string damaged = file;
            damaged[at] = static_cast<char>(damaged[at] ^ flip);
            const Told told = read(damaged);
            EXPECT_NE(told.end, "end") << at;
            EXPECT_FALSE(told.tail.has_value()) << at;
        }
    }
}

TEST(saved_tree, is_refused_wherever_it_is_cut_off_and_with_octets_after_it) {
    const std::string file = file_of(sample_trees());
    for (std::size_t length = 0; length < file.size(); ++length)
        EXPECT_NE(read(file.substr(0, length)).end, "end") << length;
    EXPECT_THAT(read(file.substr(0, file.size() - 1)).end, HasSubstr("cut off"));
    EXPECT_THAT(read("DYNDUMP1").end, HasSubstr("no tree"));
    EXPECT_THAT(read(file + "x").end, HasSubstr("octets follow"));
}

TEST(saved_tree, is_refused_with_a_part_left_out_repeated_or_in_another_place) {
    const auto trees = sample_trees();
    EXPECT_NE(read(file_of({trees[1], trees[0]})).end, "end");
    EXPECT_NE(read(file_of({trees[0], trees[0]})).end, "end");
    const std::string all = file_of(trees);
    TreeFileWriter writer;
    const std::string head = writer.head(sample_head());
    const std::string first = writer.partition(trees[0]);
    EXPECT_NE(read(head + all.substr(head.size() + first.size())).end, "end");
    EXPECT_NE(read(head + first + first + all.substr(head.size() + first.size())).end, "end");
    // Of another file, though whole in itself.
    TreeFileWriter other;
    const std::string its_head = other.head(sample_head());
    const std::string its_first = other.partition({2, 2, {{1, {1, 2}}}});
    EXPECT_NE(read(its_head + its_first + all.substr(head.size() + first.size())).end, "end");
}

TEST(saved_tree, is_refused_when_no_tree_is_like_it) {
    for (const PartitionTree& tree :
         std::vector<PartitionTree>{{16, 1, {}},
                                    {0, PartitionTree::most_deep + 1, {}},
                                    {0, 1, {{2, {}}}},
                                    {0, 2, {{1, {}}, {1, {}}}},
                                    {0, 2, {{2, {}}, {1, {}}}}})
        EXPECT_THAT(read(file_of({tree})).end, HasSubstr("is damaged"));
}

TEST(saved_tree, sums_what_lies_under_a_node) {
    const PartitionTree tree{0, 3, {{0, {1, 10}}, {3, {2, 20}}, {7, {~std::uint64_t{0}, 30}}}};
    EXPECT_EQ(tree.worth(0, 0), (TreeWorth{2, 60}));
    EXPECT_EQ(tree.worth(1, 0), (TreeWorth{3, 30}));
    EXPECT_EQ(tree.worth(2, 1), (TreeWorth{2, 20}));
    EXPECT_EQ(tree.worth(2, 2), TreeWorth{});
    EXPECT_EQ(tree.worth(3, 7), (TreeWorth{~std::uint64_t{0}, 30}));
}

}  // namespace
}  // namespace dynamo
