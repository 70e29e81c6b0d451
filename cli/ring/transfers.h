// What a change of the ring still has to move, and what stands in its way (paper section 4.9).
//
// Threads: plain values
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/common/output.h"
#include "cli/ring/survey.h"

namespace dynamo::cli {

/// One node's part of it.
struct TransferRow {
    std::string node;
    bool gains = true;                  ///< else it has left, and hands over what it holds
    unsigned left = 0;                  ///< partitions of a gain that are not complete yet
    unsigned done = 0;                  ///< those that are
    std::vector<std::string> partners;  ///< whom it learns from, by name
    std::string blocker;                ///< why it cannot go on; empty: it goes on
};

/// By name, those who gain first; none when nothing moves.
[[nodiscard]] std::vector<TransferRow> transfers_of(const Survey& survey);
/// Of rows that name a blocker, a sentence each.
[[nodiscard]] std::vector<std::string> blockers_of(const std::vector<TransferRow>& rows);

[[nodiscard]] Table transfers_table(const std::vector<TransferRow>& rows);
[[nodiscard]] nlohmann::ordered_json transfers_json(const Survey& survey);

}  // namespace dynamo::cli
