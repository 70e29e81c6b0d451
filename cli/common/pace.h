// The pace of background work, for people and programs; and the verb that sets it, the same in
// dyn-repair and dyn-ring: what a change of the ring moves is background work like any other.
//
// Threads: one owner
// Errors:  bad_request for what is no rate
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/common/options.h"

namespace dynamo::cli {

[[nodiscard]] std::string pace_text(const BackgroundPace& pace);
[[nodiscard]] nlohmann::ordered_json pace_json(const BackgroundPace& pace);

/// "4MiB", "40MiB/s": octets a second.
[[nodiscard]] Result<std::uint64_t> rate_from_text(const std::string& text);

class Throttle {
  public:
    explicit Throttle(const CommonOptions& common) : common_(common) {}
    void build(App& app);

  private:
    int set();

    const CommonOptions& common_;
    std::vector<Operand> rate_;
    std::optional<std::string> node_;
};

}  // namespace dynamo::cli
