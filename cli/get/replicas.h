// What each replica of a key holds, and where the key lives.
//
// Threads: one owner
// Errors:  a node that does not answer is part of the result
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/common/output.h"
#include "dynamo/admin.h"

namespace dynamo::cli {

/// One copy at one node, or that there is none.
struct Replica {
    NodeInfo node;
    bool owner = false;
    std::string
        state;      ///< "value", "conflict", "deleted", "absent", "damaged", "rebuilding", "down"
    HeldCopy copy;  ///< its `hint_for` names the owner that a stand-in keeps it for
    std::optional<Error> error;  ///< of a node that is down
};

/// Of the owners each; of the other nodes those that hold something or do not answer.
[[nodiscard]] std::vector<Replica> replicas_of(Admin& admin, const RingView& ring,
                                               const std::string& key);
[[nodiscard]] Table replicas_table(const std::vector<Replica>& replicas);
[[nodiscard]] nlohmann::ordered_json replicas_json(const std::string& key,
                                                   const std::vector<Replica>& replicas);

}  // namespace dynamo::cli
