// How dyn-ring shows rings and places, to people and to programs.
//
// Threads: any
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/common/options.h"
#include "cli/ring/survey.h"

namespace dynamo::cli {

/// What everybody knows of a node.
[[nodiscard]] nlohmann::ordered_json node_json(const NodeInfo& node);

/// A change with its node, its time and its note.
[[nodiscard]] nlohmann::ordered_json change_json(const StagedChange& change);

/// The one screen: a line for the ring, a row a node, what is staged, the verdict.
[[nodiscard]] std::string status_text(const Survey& survey);
/// The rows alone, parted by TAB.
[[nodiscard]] std::string status_tsv(const Survey& survey);
[[nodiscard]] nlohmann::ordered_json status_json(const Survey& survey);

/// Every ring so far, a row each, the present one last.
[[nodiscard]] Table history_table(const RingView& ring);
[[nodiscard]] nlohmann::ordered_json history_json(const RingView& ring);
/// The number of the ring in which a node became a member; 0 when the history does not say.
[[nodiscard]] std::uint64_t member_since(const RingView& ring, const std::string& id);

/// Where a key lives.
struct Place {
    std::string key;
    std::string position;
    unsigned partition = 0;
    std::vector<NodeInfo> nodes;      ///< its preference list, first choice first
    std::vector<NodeInfo> fallbacks;  ///< who stands in beyond it, in order
};
[[nodiscard]] Place place_of(const RingView& ring, const std::string& key);
[[nodiscard]] nlohmann::ordered_json place_json(const Place& place);

}  // namespace dynamo::cli
