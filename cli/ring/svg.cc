#include "cli/ring/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "cli/common/output.h"
#include "cli/ring/show.h"

namespace dynamo::cli {
namespace {

constexpr double centre = 330;     // of the picture's left part, both ways
constexpr double outer = 270;      // radius of the outermost ring
constexpr double inner = 110;      // what the rings leave for the words in the middle
constexpr double legend_x = 680;   // where the legend begins
constexpr double row_height = 30;  // of the legend
constexpr double width = 1120;
constexpr double least_height = 660;

/// Past this many, neighbours with one owner are drawn as one arc: nobody could tell them apart.
constexpr std::size_t most_single_arcs = 512;

std::string colour_of(unsigned node) {
    // Told apart by people who see colours differently as well (after Okabe and Ito), then by turns
    // of the golden angle.
    constexpr std::array known = {"#0072b2", "#e69f00", "#009e73", "#cc79a7",
                                  "#56b4e9", "#d55e00", "#f0e442", "#6a51a3"};
    if (node < known.size()) {
        return known[node];
    }
    const double hue = std::fmod(200 + 137.508 * node, 360);
    return fmt::format("hsl({:.0f},55%,{}%)", hue, 42 + 12 * (node % 3));
}

struct Ring {
    double from = 0;  ///< radius
    double to = 0;
};

struct Point {
    double x = 0;
    double y = 0;
};

Point at(double radius, double turn) {
    const double angle = turn * 2 * std::numbers::pi;
    return {centre + radius * std::sin(angle), centre - radius * std::cos(angle)};
}

std::string arc(const Ring& ring, double begin, double end) {
    // A whole circle has no two ends for an arc to join.
    end = std::min(end, begin + 0.99999);
    const int large = end - begin > 0.5 ? 1 : 0;
    const Point a = at(ring.to, begin);
    const Point b = at(ring.to, end);
    const Point c = at(ring.from, end);
    const Point d = at(ring.from, begin);
    return fmt::format(
        "M{:.2f} {:.2f}A{:.2f} {:.2f} 0 {} 1 {:.2f} {:.2f}L{:.2f} {:.2f}A{:.2f} {:.2f} 0 {} 0 "
        "{:.2f} {:.2f}Z",
        a.x, a.y, ring.to, ring.to, large, b.x, b.y, c.x, c.y, ring.from, ring.from, large, d.x,
        d.y);
}

/// The owner at a rank; none where the list is shorter.
unsigned owner_at(const RingView& ring, std::size_t partition, std::size_t rank) {
    const auto& list = ring.owners[partition];
    return rank < list.size() ? list[rank] : static_cast<unsigned>(ring.nodes.size());
}

std::string title_of(const RingView& ring, std::size_t first, std::size_t last, std::size_t rank) {
    const NodeInfo& node = ring.nodes[owner_at(ring, first, rank)];
    const std::string which = first == last ? fmt::format("partition {}", first)
                                            : fmt::format("partitions {} to {}", first, last);
    return fmt::format("{}, rank {}: {}", which, rank + 1, xml_escaped(node.name));
}

std::string rank_ring(const RingView& ring, std::size_t rank, const Ring& place) {
    const std::size_t count = ring.owners.size();
    const bool merge = count > most_single_arcs;
    std::string out = fmt::format("<g aria-label=\"rank {}\">\n", rank + 1);
    for (std::size_t first = 0; first < count;) {
        const unsigned owner = owner_at(ring, first, rank);
        std::size_t last = first;
        while (merge && last + 1 < count && owner_at(ring, last + 1, rank) == owner) {
            ++last;
        }
        if (owner < ring.nodes.size()) {
            const double begin = static_cast<double>(first) / static_cast<double>(count);
            const double end = static_cast<double>(last + 1) / static_cast<double>(count);
            out += fmt::format("<path class=\"n{}\" d=\"{}\"><title>{}</title></path>\n", owner,
                               arc(place, begin, end), title_of(ring, first, last, rank));
        }
        first = last + 1;
    }
    return out + "</g>\n";
}

std::string rings(const RingView& ring) {
    std::size_t ranks = 0;
    for (const auto& list : ring.owners) {
        ranks = std::max(ranks, list.size());
    }
    std::string out;
    // The first owner matters most and gets twice the room.
    const double unit = (outer - inner) / (static_cast<double>(ranks) + 1);
    double to = outer;
    for (std::size_t rank = 0; rank < ranks; ++rank) {
        const double thick = rank == 0 ? 2 * unit : unit;
        out += rank_ring(ring, rank, {to - thick + 3, to});
        to -= thick;
    }
    return out;
}

/// The positions at the four quarters, so that a key's digest can be found by eye.
std::string dial() {
    std::string out;
    constexpr std::array marks = {"00", "40", "80", "c0"};
    for (std::size_t quarter = 0; quarter < marks.size(); ++quarter) {
        const double turn = static_cast<double>(quarter) / 4;
        const Point from = at(outer + 3, turn);
        const Point to = at(outer + 11, turn);
        const Point text = at(outer + 26, turn);
        out += fmt::format(
            "<line class=\"tick\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n"
            "<text class=\"small mid\" x=\"{:.1f}\" y=\"{:.1f}\">{}…</text>\n",
            from.x, from.y, to.x, to.y, text.x, text.y + 4, marks[quarter]);
    }
    return out;
}

std::string words_in_the_middle(const RingView& ring) {
    return fmt::format(
        "<text class=\"head mid\" x=\"{0}\" y=\"{1}\">{2}</text>\n"
        "<text class=\"mid\" x=\"{0}\" y=\"{3}\">ring v{4}</text>\n"
        "<text class=\"small mid\" x=\"{0}\" y=\"{5}\">Q={6}  N={7}  R={8}  W={9}</text>\n"
        "<text class=\"small mid\" x=\"{0}\" y=\"{10}\">{11}</text>\n",
        centre, centre - 22, xml_escaped(ring.cluster), centre + 4, ring.number, centre + 28,
        ring.partitions, ring.copies, ring.read_quorum, ring.write_quorum, centre + 48,
        ring.digest.substr(0, 12));
}

std::string legend(const RingView& ring) {
    const auto owned = owned_by_rank(ring);
    std::string out = fmt::format(
        "<text class=\"label\" x=\"{}\" y=\"52\">NODE</text>"
        "<text class=\"label\" x=\"{}\" y=\"52\">ZONE</text>"
        "<text class=\"label end\" x=\"{}\" y=\"52\">WEIGHT</text>"
        "<text class=\"label end\" x=\"{}\" y=\"52\">FIRST</text>"
        "<text class=\"label end\" x=\"{}\" y=\"52\">SHARE</text>\n",
        legend_x + 30, legend_x + 160, legend_x + 300, legend_x + 355, legend_x + 420);
    double y = 60;
    for (unsigned node = 0; node < ring.nodes.size(); ++node) {
        const NodeInfo& info = ring.nodes[node];
        const double base = y + 19;
        out += fmt::format(
            "<rect class=\"n{0}\" x=\"{1}\" y=\"{2}\" width=\"18\" height=\"18\" rx=\"4\"/>"
            "<text x=\"{3}\" y=\"{4}\">{5}</text><text x=\"{6}\" y=\"{4}\">{7}</text>",
            node, legend_x, y + 5, legend_x + 30, base, xml_escaped(info.name), legend_x + 160,
            info.zone.empty() ? "–" : xml_escaped(info.zone));
        out += fmt::format(
            "<text class=\"end\" x=\"{0}\" y=\"{1}\">{2}</text>"
            "<text class=\"end\" x=\"{3}\" y=\"{1}\">{4}</text>"
            "<text class=\"end\" x=\"{5}\" y=\"{1}\">{6:.1f}%</text>\n",
            legend_x + 300, base, info.weight, legend_x + 355,
            owned[node].empty() ? 0 : owned[node].front(), legend_x + 420,
            share_of(owned[node], ring) * 100);
        y += row_height;
    }
    return out + fmt::format(
                     "<text class=\"small\" x=\"{}\" y=\"{}\">Outer ring: the first owner of "
                     "each partition.</text>\n<text class=\"small\" x=\"{}\" y=\"{}\">"
                     "Inner rings: the second, the third and so on.</text>\n",
                     legend_x, y + 24, legend_x, y + 42);
}

std::string style(const RingView& ring) {
    std::string out =
        "<style>text{font:15px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;"
        "fill:#1b1f24}.head{font-size:22px;font-weight:600}.small{font-size:12.5px;fill:#57606a}"
        ".label{font-size:12px;letter-spacing:.06em;fill:#57606a}.mid{text-anchor:middle}"
        ".end{text-anchor:end}.tick{stroke:#8c959f;stroke-width:1.5}";
    // Thin white gaps, as long as there is room for them.
    out += ring.owners.size() <= 256 ? "path{stroke:#fff;stroke-width:1}" : "path{stroke:none}";
    for (unsigned node = 0; node < ring.nodes.size(); ++node) {
        out += fmt::format(".n{}{{fill:{}}}", node, colour_of(node));
    }
    return out + "</style>\n";
}

std::string description(const RingView& ring) {
    std::string out = fmt::format(
        "Version {} of the ring: {} partitions, {} copies of each. Shares of all copies:",
        ring.number, ring.partitions, ring.copies);
    const auto owned = owned_by_rank(ring);
    for (unsigned node = 0; node < ring.nodes.size(); ++node) {
        out += fmt::format("{} {} {:.1f}%", node == 0 ? "" : ",",
                           xml_escaped(ring.nodes[node].name), share_of(owned[node], ring) * 100);
    }
    return out + ".";
}

}  // namespace

std::string xml_escaped(std::string_view text) {
    std::string out;
    for (const char c : as_utf8(text)) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '&') {
            out += "&amp;";
        } else if (c == '<') {
            out += "&lt;";
        } else if (c == '>') {
            out += "&gt;";
        } else if (c == '"') {
            out += "&quot;";
        } else {
            out += octet < 0x20 && c != '\t' && c != '\n' ? ' ' : c;
        }
    }
    return out;
}

std::string ring_svg(const RingView& ring) {
    const double rows = static_cast<double>(ring.nodes.size()) * row_height + 140;
    const double height = std::max(least_height, rows);
    std::string out = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
        "height=\"{1}\" role=\"img\" aria-labelledby=\"title desc\">\n"
        "<title id=\"title\">The ring of cluster {2}</title>\n<desc id=\"desc\">{3}</desc>\n",
        width, height, xml_escaped(ring.cluster), description(ring));
    out += style(ring);
    out += fmt::format("<rect width=\"{}\" height=\"{}\" fill=\"#fff\"/>\n", width, height);
    return out + rings(ring) + dial() + words_in_the_middle(ring) + legend(ring) + "</svg>\n";
}

}  // namespace dynamo::cli
