// The options of dyn-bench, and the settings that they come to.
//
// Threads: one owner
// Errors:  bad_request with the sentence that the user sees
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cli/bench/settings.h"
#include "cli/bench/slo.h"
#include "cli/common/app.h"

namespace dynamo::cli {

struct BenchOptions {
    void declare_mix(App& run);
    void declare_length(App& run);
    void declare_outcome(App& run);
    void declare_canary(App& canary);
    void declare_keys(App& app);
    void declare_requests(App& app);

    /// With all that was not given filled in.
    [[nodiscard]] Settings settled(const ClientOptions& client, bool canary) const;

    Settings settings;
    bool keys_given = false;
    std::optional<std::string> prefix;
    Routing routing = Routing::coordinator;
    std::optional<unsigned> in_flight;
    std::optional<std::chrono::milliseconds> length;
    std::optional<std::uint64_t> count;
    std::chrono::milliseconds warm_up{0};
    std::chrono::milliseconds patience{30000};
    std::chrono::milliseconds interval{10000};
    bool load_first = false;
    bool quiet = false;
    std::optional<std::string> hgrm;
    std::vector<Slo> targets;
};

}  // namespace dynamo::cli
