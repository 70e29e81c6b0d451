// What dyn-get, dyn-put, dyn-del and dyn-merge share: how a read value becomes JSON, and how the
// siblings of a key are put before a person or a program.
//
// Threads: any
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/common/options.h"
#include "dynamo/types.h"

namespace dynamo::cli {

/// {"key", "value", "siblings", "context"}, "value" null when there is none or more than one;
/// "values" lists them when there are more.
[[nodiscard]] nlohmann::ordered_json got_fields(std::string_view key, const Got& got);

/// The trace with names where a client that had not seen the ring yet was told identities.
[[nodiscard]] std::vector<TraceStep> named_trace(const CommonOptions& common,
                                                 std::vector<TraceStep> trace);
/// What a traced request did, a line a step: when, who, what.
[[nodiscard]] std::string trace_text(const std::vector<TraceStep>& trace);
[[nodiscard]] nlohmann::ordered_json trace_json(const std::vector<TraceStep>& trace);

/// The youngest by the coordinators' clocks; ties by dot, so that all readers agree.
[[nodiscard]] const Version& newest(const std::vector<const Version*>& values);

/// The octets of each, in the order given.
[[nodiscard]] std::vector<std::string_view> octets_of(const std::vector<const Version*>& values);

}  // namespace dynamo::cli
