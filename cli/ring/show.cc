#include "cli/ring/show.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <nlohmann/json.hpp>

#include "cli/common/output.h"
#include "cli/ring/print.h"

namespace dynamo::cli {
namespace {

constexpr std::size_t group = 8;        // partitions between two spaces
constexpr std::size_t label_width = 9;  // of what stands before the first group

/// Colours that are told apart on dark and on light; a node beyond them starts over, its letter
/// does not.
constexpr std::array colours = {34, 33, 32, 35, 36, 31, 94, 93, 92, 95, 96, 91};

std::string coloured(char mark, unsigned node, bool colour) {
    return colour ? fmt::format("\x1b[{}m{}\x1b[0m", colours[node % colours.size()], mark)
                  : std::string(1, mark);
}

/// Partitions a line: a power of two, so that lines begin at round positions of the ring.
std::size_t partitions_a_line(std::size_t width) {
    const std::size_t room = width > label_width ? width - label_width : 0;
    std::size_t count = 64;
    while (count > group && count + count / group - 1 > room) {
        count /= 2;
    }
    while (count < 256 && 2 * count + 2 * count / group - 1 <= room) {
        count *= 2;
    }
    return count;
}

std::size_t ranks_of(const RingView& ring) {
    std::size_t ranks = 0;
    for (const auto& list : ring.owners) {
        ranks = std::max(ranks, list.size());
    }
    return ranks;
}

std::string stripe(const RingView& ring, std::size_t first, std::size_t count, bool colour) {
    std::string out;
    const std::size_t end = std::min(first + count, ring.owners.size());
    for (std::size_t rank = 0; rank < ranks_of(ring); ++rank) {
        out += rank == 0 ? fmt::format("{:>5} {:>2} ", first, rank + 1)
                         : fmt::format("{:>5} {:>2} ", "", rank + 1);
        for (std::size_t partition = first; partition < end; ++partition) {
            const auto& list = ring.owners[partition];
            out += (partition - first) % group == 0 && partition != first ? " " : "";
            out += rank < list.size() ? coloured(mark_of(list[rank]), list[rank], colour) : ".";
        }
        out += "\n";
    }
    return out;
}

Table summary(const RingView& ring) {
    const auto owned = owned_by_rank(ring);
    std::vector<Table::Column> columns = {{"MAP"}, {"NODE"}, {"ZONE"}, {"WEIGHT", true}};
    for (std::size_t rank = 0; rank < ranks_of(ring); ++rank) {
        columns.push_back({fmt::format("RANK{}", rank + 1), true});
    }
    columns.push_back({"ALL", true});
    columns.push_back({"SHARE", true});
    Table table(columns);
    for (unsigned node = 0; node < ring.nodes.size(); ++node) {
        const NodeInfo& info = ring.nodes[node];
        std::vector<std::string> row = {std::string(1, mark_of(node)), printable(info.name),
                                        info.zone.empty() ? "-" : printable(info.zone),
                                        std::to_string(info.weight)};
        unsigned all = 0;
        for (const unsigned count : owned[node]) {
            row.push_back(std::to_string(count));
            all += count;
        }
        row.push_back(std::to_string(all));
        row.push_back(fmt::format("{:.1f}%", share_of(owned[node], ring) * 100));
        table.add(std::move(row));
    }
    return table;
}

/// The summary's letters in the colours of the map.
std::string colour_marks(const std::string& table, std::size_t nodes, bool colour) {
    if (!colour) {
        return table;
    }
    std::string out;
    std::size_t at = table.find('\n') + 1;
    out = table.substr(0, at);
    for (unsigned node = 0; node < nodes; ++node) {
        const std::size_t end = table.find('\n', at) + 1;
        out += coloured(table[at], node, true) + table.substr(at + 1, end - at - 1);
        at = end;
    }
    return out;
}

std::string ring_line(const RingView& ring) {
    return fmt::format("RING v{}  {}  {}  Q={} N={}", ring.number, printable(ring.cluster),
                       ring.digest.substr(0, 8), ring.partitions, ring.copies);
}

nlohmann::ordered_json ring_json(const RingView& ring) {
    return {{"schema", "dyn.ring/1"}, {"cluster", as_utf8(ring.cluster)}, {"ring", ring.number},
            {"digest", ring.digest},  {"partitions", ring.partitions},    {"copies", ring.copies}};
}

Table partition_table(const RingView& ring, unsigned partition) {
    Table table({{"ROLE"}, {"RANK", true}, {"NODE"}, {"ZONE"}, {"ADDRESS"}});
    const auto add = [&](const std::string& role, const std::vector<unsigned>& nodes) {
        for (std::size_t rank = 0; rank < nodes.size(); ++rank) {
            const NodeInfo& node = ring.nodes[nodes[rank]];
            table.add({role, std::to_string(rank + 1), printable(node.name),
                       node.zone.empty() ? "-" : printable(node.zone), node.client_address});
        }
    };
    add("owner", ring.owners[partition]);
    add("stand-in", ring.fallbacks(partition));
    return table;
}

/// [rank]: the partitions in whose lists the node stands there.
std::vector<std::vector<unsigned>> partitions_of(const RingView& ring, unsigned node) {
    std::vector<std::vector<unsigned>> partitions(ranks_of(ring));
    for (unsigned partition = 0; partition < ring.owners.size(); ++partition) {
        const auto& list = ring.owners[partition];
        for (std::size_t rank = 0; rank < list.size(); ++rank) {
            if (list[rank] == node) {
                partitions[rank].push_back(partition);
            }
        }
    }
    return partitions;
}

Table node_table(const RingView& ring, unsigned node) {
    Table table({{"RANK", true}, {"COUNT", true}, {"PARTITIONS"}});
    const auto partitions = partitions_of(ring, node);
    for (std::size_t rank = 0; rank < partitions.size(); ++rank) {
        table.add({std::to_string(rank + 1), std::to_string(partitions[rank].size()),
                   partitions[rank].empty() ? "-" : ranges_text(partitions[rank])});
    }
    return table;
}

}  // namespace

std::vector<std::vector<unsigned>> owned_by_rank(const RingView& ring) {
    std::vector<std::vector<unsigned>> owned(ring.nodes.size(),
                                             std::vector<unsigned>(ranks_of(ring), 0));
    for (const auto& list : ring.owners) {
        for (std::size_t rank = 0; rank < list.size(); ++rank) {
            ++owned[list[rank]][rank];
        }
    }
    return owned;
}

double share_of(const std::vector<unsigned>& owned, const RingView& ring) {
    std::size_t copies = 0;
    for (const auto& list : ring.owners) {
        copies += list.size();
    }
    unsigned all = 0;
    for (const unsigned count : owned) {
        all += count;
    }
    return copies == 0 ? 0 : static_cast<double>(all) / static_cast<double>(copies);
}

char mark_of(unsigned node) {
    constexpr std::string_view marks = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return node < marks.size() ? marks[node] : '?';
}

Span span_of(unsigned partition, unsigned partitions) {
    // A partition is named by the first bits of a position; Q is a power of two, at most 16384.
    const int bits = std::countr_zero(partitions == 0 ? 1u : partitions);
    const unsigned first = bits == 0 ? 0 : partition << (16 - bits);
    const unsigned last = first + (0xFFFFu >> bits);
    return {fmt::format("{:04x}{:028d}", first, 0), fmt::format("{:04x}{:f>28}", last, "f")};
}

std::string ranges_text(const std::vector<unsigned>& ascending) {
    std::string out;
    for (std::size_t at = 0; at < ascending.size();) {
        std::size_t end = at;
        while (end + 1 < ascending.size() && ascending[end + 1] == ascending[end] + 1) {
            ++end;
        }
        out += out.empty() ? "" : ",";
        out += end == at ? fmt::format("{}", ascending[at])
                         : fmt::format("{}-{}", ascending[at], ascending[end]);
        at = end + 1;
    }
    return out;
}

std::string map_text(const RingView& ring, std::size_t width, bool colour) {
    std::string out = ring_line(ring) + "\n";
    const std::size_t count = partitions_a_line(width);
    for (std::size_t first = 0; first < ring.owners.size(); first += count) {
        out += stripe(ring, first, count, colour);
    }
    return out + colour_marks(summary(ring).text(), ring.nodes.size(), colour);
}

std::string map_tsv(const RingView& ring) {
    std::string out;
    for (std::size_t partition = 0; partition < ring.owners.size(); ++partition) {
        std::vector<std::string> names;
        for (const unsigned owner : ring.owners[partition]) {
            names.push_back(ring.nodes[owner].name);
        }
        out += fmt::format("{}\t{}\n", partition, fmt::join(names, ","));
    }
    return out;
}

nlohmann::ordered_json map_json(const RingView& ring) {
    nlohmann::ordered_json object = ring_json(ring);
    const auto owned = owned_by_rank(ring);
    auto nodes = nlohmann::ordered_json::array();
    for (unsigned node = 0; node < ring.nodes.size(); ++node) {
        nlohmann::ordered_json one = node_json(ring.nodes[node]);
        one["by_rank"] = owned[node];
        one["share"] = share_of(owned[node], ring);
        nodes.push_back(std::move(one));
    }
    object["nodes"] = std::move(nodes);
    auto owners = nlohmann::ordered_json::array();
    for (const auto& list : ring.owners) {
        auto names = nlohmann::ordered_json::array();
        for (const unsigned owner : list) {
            names.push_back(as_utf8(ring.nodes[owner].name));
        }
        owners.push_back(std::move(names));
    }
    object["owners"] = std::move(owners);
    return object;
}

std::string partition_text(const RingView& ring, unsigned partition) {
    const Span span = span_of(partition, ring.partitions);
    return fmt::format("PARTITION {}  {}\nfrom {}\nto   {}\n", partition, ring_line(ring),
                       span.first, span.last) +
           partition_table(ring, partition).text();
}

std::string partition_tsv(const RingView& ring, unsigned partition) {
    return partition_table(ring, partition).tsv();
}

nlohmann::ordered_json partition_json(const RingView& ring, unsigned partition) {
    nlohmann::ordered_json object = ring_json(ring);
    const Span span = span_of(partition, ring.partitions);
    object["partition"] = partition;
    object["first_position"] = span.first;
    object["last_position"] = span.last;
    const auto list_of = [&ring](const std::vector<unsigned>& nodes) {
        auto list = nlohmann::ordered_json::array();
        for (const unsigned node : nodes) {
            list.push_back(node_json(ring.nodes[node]));
        }
        return list;
    };
    object["nodes"] = list_of(ring.owners[partition]);
    object["fallbacks"] = list_of(ring.fallbacks(partition));
    return object;
}

std::string node_text(const RingView& ring, unsigned node) {
    const NodeInfo& info = ring.nodes[node];
    const auto owned = owned_by_rank(ring)[node];
    return fmt::format("NODE {}  zone {}  weight {}  {:.1f}% of the copies  ring v{}\n",
                       printable(info.name), info.zone.empty() ? "-" : printable(info.zone),
                       info.weight, share_of(owned, ring) * 100, ring.number) +
           node_table(ring, node).text();
}

std::string node_tsv(const RingView& ring, unsigned node) { return node_table(ring, node).tsv(); }

nlohmann::ordered_json node_map_json(const RingView& ring, unsigned node) {
    nlohmann::ordered_json object = ring_json(ring);
    object["node"] = node_json(ring.nodes[node]);
    object["share"] = share_of(owned_by_rank(ring)[node], ring);
    object["ranks"] = partitions_of(ring, node);
    return object;
}

Result<unsigned> node_by_name(const RingView& ring, const std::string& name) {
    for (unsigned node = 0; node < ring.nodes.size(); ++node) {
        if (ring.nodes[node].name == name || ring.nodes[node].id == name) {
            return node;
        }
    }
    return fail(Code::bad_request, fmt::format("the ring has no node '{}'", printable(name)));
}

}  // namespace dynamo::cli
