#include "cli/ring/show.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "cli/ring/print.h"
#include "cli/ring/svg.h"

namespace dynamo::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

RingView ring_of(unsigned nodes, unsigned partitions, unsigned copies = 3) {
    RingView ring;
    ring.cluster = "dynamo";
    ring.digest = "0123456789abcdef";
    ring.number = 2;
    ring.copies = copies;
    ring.partitions = partitions;
    for (unsigned node = 0; node < nodes; ++node) {
        const std::string name = "n" + std::to_string(node + 1);
        ring.nodes.push_back({name, name, "z1", 100, "127.0.0.1:7100", "127.0.0.1:7101"});
    }
    for (unsigned partition = 0; partition < partitions; ++partition) {
        std::vector<unsigned> list;
        for (unsigned rank = 0; rank < std::min(copies, nodes); ++rank) {
            list.push_back((partition + rank) % nodes);
        }
        ring.owners.push_back(std::move(list));
    }
    return ring;
}

/// Of the map; the table below it is as wide as its names.
std::size_t widest(const std::string& text) {
    std::istringstream lines(text.substr(0, text.find("MAP")));
    std::size_t width = 0;
    for (std::string line; std::getline(lines, line);) {
        width = std::max(width, line.size());
    }
    return width;
}

TEST(ring_map, reads_down_as_a_preference_list) {
    const std::string text = map_text(ring_of(4, 16), 80, false);
    EXPECT_THAT(text, HasSubstr("    0  1 abcdabcd abcdabcd\n       2 bcdabcda bcdabcda\n"));
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(ring_map, keeps_to_the_width_that_there_is) {
    for (const std::size_t width : std::vector<std::size_t>{40, 80, 100, 160, 320}) {
        EXPECT_LE(widest(map_text(ring_of(4, 256), width, false)), width) << width;
    }
    EXPECT_EQ(widest(map_text(ring_of(4, 256), 80, false)), 80u) << "64 partitions a line";
}

TEST(ring_map, shows_what_is_missing_on_a_ring_with_fewer_nodes_than_copies) {
    const std::string text = map_text(ring_of(2, 8), 80, false);
    EXPECT_THAT(text, HasSubstr("    0  1 abababab\n       2 babababa\n"));
    EXPECT_THAT(text, HasSubstr("50.0%"));
}

TEST(ring_map, gives_every_node_of_a_large_ring_its_own_letter) {
    std::string marks;
    for (unsigned node = 0; node < 52; ++node) {
        EXPECT_EQ(marks.find(mark_of(node)), std::string::npos);
        marks += mark_of(node);
    }
    EXPECT_EQ(mark_of(52), '?');
}

TEST(ring_map, colours_letters_when_it_may) {
    EXPECT_THAT(map_text(ring_of(2, 8), 80, true), HasSubstr("\x1b[34ma\x1b[0m"));
}

TEST(ring_map, cuts_the_positions_into_equal_spans) {
    EXPECT_EQ(span_of(0, 1).first, std::string(32, '0'));
    EXPECT_EQ(span_of(0, 1).last, std::string(32, 'f'));
    EXPECT_EQ(span_of(5, 64).first, "14" + std::string(30, '0'));
    EXPECT_EQ(span_of(5, 64).last, "17" + std::string(30, 'f'));
    EXPECT_EQ(span_of(16383, 16384).first, "fffc" + std::string(28, '0'));
    EXPECT_EQ(span_of(16383, 16384).last, std::string(32, 'f'));
}

TEST(ring_map, joins_neighbours_into_ranges) {
    EXPECT_EQ(ranges_text({0, 1, 2, 5, 7, 8}), "0-2,5,7-8");
    EXPECT_EQ(ranges_text({}), "");
}

TEST(ring_map, names_a_node_that_is_not_there) {
    EXPECT_EQ(*node_by_name(ring_of(3, 8), "n2"), 1u);
    EXPECT_EQ(node_by_name(ring_of(3, 8), "n9").error().code, Code::bad_request);
}

TEST(ring_picture, escapes_what_names_hold) {
    EXPECT_EQ(xml_escaped("a<b>&\"c\x01\xff"), "a&lt;b&gt;&amp;&quot;c \xEF\xBF\xBD");
    RingView ring = ring_of(1, 1);
    ring.nodes[0].name = "<script>";
    EXPECT_THAT(ring_svg(ring), Not(HasSubstr("<script>")));
}

TEST(ring_picture, draws_an_arc_for_every_copy_and_joins_those_nobody_could_tell_apart) {
    const auto arcs = [](const std::string& svg) {
        std::size_t count = 0;
        for (auto at = svg.find("<path"); at != std::string::npos; at = svg.find("<path", at + 1)) {
            ++count;
        }
        return count;
    };
    EXPECT_EQ(arcs(ring_svg(ring_of(5, 64))), 3u * 64);
    EXPECT_EQ(arcs(ring_svg(ring_of(1, 4096))), 1u);
    EXPECT_EQ(ring_svg(ring_of(5, 64)).find("nan"), std::string::npos);
}

TEST(ring_history, dates_a_member_from_the_ring_that_added_it) {
    RingView ring = ring_of(2, 8);
    ring.history = {{1, "d1", 1000, "n1", 1, 0, {{"add", ring.nodes[0], 1000, "first"}}},
                    {2, "d2", 2000, "n1", 2, 8, {{"add", ring.nodes[1], 2000, ""}}}};
    EXPECT_EQ(member_since(ring, "n1"), 1u);
    EXPECT_EQ(member_since(ring, "n2"), 2u);
    EXPECT_EQ(member_since(ring, "n3"), 0u);
    EXPECT_THAT(history_table(ring).text(), HasSubstr("add n1 (first)"));
}

}  // namespace
}  // namespace dynamo::cli
