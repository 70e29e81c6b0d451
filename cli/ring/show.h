// The ring as a map: which node owns which partitions (paper sections 4.2, 4.3).
//
//       0  1 aabbccab ...      read down a column: the preference list of one partition
//          2 bbccaabc ...
//
// Threads: any
// Errors:  bad_request for a partition or a node that the ring does not have
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "dynamo/admin.h"

namespace dynamo::cli {

/// How many partitions each node owns, by rank: [node][rank].
[[nodiscard]] std::vector<std::vector<unsigned>> owned_by_rank(const RingView& ring);
/// The part of all copies that a node owns, 0 to 1.
[[nodiscard]] double share_of(const std::vector<unsigned>& owned, const RingView& ring);

/// The letter that stands for a node in the map: a to z, A to Z, then '?' for all others.
[[nodiscard]] char mark_of(unsigned node);

/// First and last position of a partition, 32 hexadecimal digits each.
struct Span {
    std::string first;
    std::string last;
};
[[nodiscard]] Span span_of(unsigned partition, unsigned partitions);

/// "0-3,17,20-21".
[[nodiscard]] std::string ranges_text(const std::vector<unsigned>& ascending);

/// The whole ring, `width` columns wide at most where that is possible.
[[nodiscard]] std::string map_text(const RingView& ring, std::size_t width, bool colour);
/// A line a partition: its number, its owners.
[[nodiscard]] std::string map_tsv(const RingView& ring);
[[nodiscard]] nlohmann::ordered_json map_json(const RingView& ring);

/// One partition: its positions, its preference list, who stands in.
[[nodiscard]] std::string partition_text(const RingView& ring, unsigned partition);
[[nodiscard]] std::string partition_tsv(const RingView& ring, unsigned partition);
[[nodiscard]] nlohmann::ordered_json partition_json(const RingView& ring, unsigned partition);

/// One node: the partitions in whose lists it stands, by rank.
[[nodiscard]] std::string node_text(const RingView& ring, unsigned node);
[[nodiscard]] std::string node_tsv(const RingView& ring, unsigned node);
[[nodiscard]] nlohmann::ordered_json node_map_json(const RingView& ring, unsigned node);

/// The index of the node of that name or id.
[[nodiscard]] Result<unsigned> node_by_name(const RingView& ring, const std::string& name);

}  // namespace dynamo::cli
