#include "cli/bench/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/common/options.h"

namespace dynamo::cli {
namespace {

/// A setter for a whole number between two bounds.
template <typename Number>
std::function<Result<void>(const std::string&)> whole(Number& target, std::uint64_t least,
                                                      std::uint64_t most) {
    return [&target, least, most](const std::string& text) -> Result<void> {
        const auto number = number_from_text(text, most);
        if (!number || *number < least) {
            return fail(Code::bad_request,
                        fmt::format("write a number from {} to {}", least, most));
        }
        target = static_cast<Number>(*number);
        return {};
    };
}

/// "100", "4KiB", "1MiB".
Result<std::size_t> size_from_text(const std::string& text) {
    constexpr std::uint64_t most = 8U << 20;
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::string unit = text.substr(digits);
    const auto number = number_from_text(text.substr(0, digits), most);
    const std::uint64_t factor = unit == "MiB" ? 1U << 20 : unit == "KiB" ? 1U << 10 : 1;
    if (!number || (factor == 1 && !unit.empty()) || *number == 0 || *number * factor > most) {
        return fail(
            Code::bad_request,
            fmt::format("'{}' is not a size from 1 to 8MiB; write 100, 4KiB or 1MiB", text));
    }
    return *number * factor;
}

Result<SizeRange> sizes_from_text(const std::string& text) {
    const auto dots = text.find("..");
    const auto least = size_from_text(text.substr(0, dots));
    const auto most = dots == std::string::npos ? least : size_from_text(text.substr(dots + 2));
    if (!least || !most) {
        return std::unexpected(!least ? least.error() : most.error());
    }
    if (*least > *most) {
        return fail(Code::bad_request, "the smaller size comes first, as in 100..4KiB");
    }
    return SizeRange{*least, *most};
}

}  // namespace

void BenchOptions::declare_mix(App& run) {
    run.option({.letter = "",
                .name = "--reads",
                .help = "how many of a hundred operations are gets; 50 when not given",
                .value = "PERCENT"},
               whole(settings.reads_percent, 0, 100));
    run.option({.letter = "",
                .name = "--distribution",
                .help = "how keys are chosen: all alike (when not given), or a few very often",
                .value = "NAME",
                .choices = {"uniform", "zipf"}},
               [this](const std::string& name) -> Result<void> {
                   settings.zipf = name == "zipf";
                   return {};
               });
    run.option({.letter = "",
                .name = "--theta",
                .help = "how uneven zipf is: key number k comes up in proportion to "
                        "1/(k+1)^THETA; 0.99 when not given",
                .value = "THETA"},
               [this](const std::string& text) -> Result<void> {
                   const auto number = decimal_from_text(text);
                   if (!number || *number <= 0 || *number > 10) {
                       return fail(Code::bad_request, "write a number above 0, up to 10");
                   }
                   settings.theta = *number;
                   return {};
               });
    run.option({.letter = "",
                .name = "--put-mode",
                .help = "how puts treat what is there: observe and supersede it (when not given), "
                        "put blindly beside it, or get it first and put with its context",
                .value = "MODE",
                .choices = {"observe", "blind", "context"}},
               [this](const std::string& name) -> Result<void> {
                   settings.put_mode = name == "blind"     ? PutMode::blind
                                       : name == "context" ? PutMode::context
                                                           : PutMode::observe;
                   return {};
               });
    run.option({.letter = "",
                .name = "--rate",
                .help = "operations to begin a second, come what may (open loop); without it as "
                        "many as --in-flight allows (closed loop)",
                .value = "OPS"},
               [this](const std::string& text) -> Result<void> {
                   const auto number = decimal_from_text(text);
                   if (!number || *number <= 0 || *number > 1e7) {
                       return fail(Code::bad_request,
                                   "write operations a second, above 0, up to 10000000");
                   }
                   settings.rate = *number;
                   return {};
               });
}

void BenchOptions::declare_length(App& run) {
    const auto duration = [](auto& target) {
        return [&target](const std::string& text) -> Result<void> {
            const auto time = duration_from_text(text);
            if (!time) {
                return std::unexpected(time.error());
            }
            target = *time;
            return {};
        };
    };
    run.option({.letter = "",
                .name = "--for",
                .help = "how long to measure; 10s when neither it nor --count is given",
                .value = "TIME"},
               duration(length));
    run.option({.letter = "",
                .name = "--count",
                .help = "how many operations to begin, those of the warm-up among them",
                .value = "N"},
               [this](const std::string& text) -> Result<void> {
                   std::uint64_t operations = 0;
                   if (const auto read = whole(operations, 1, 1'000'000'000'000)(text); !read) {
                       return read;
                   }
                   count = operations;
                   return {};
               });
    run.option({.letter = "",
                .name = "--warmup",
                .help = "how long to run before measuring; not at all when not given",
                .value = "TIME"},
               duration(warm_up));
    run.flag({.letter = "", .name = "--load", .help = "put every key once first"}, load_first);
}

void BenchOptions::declare_outcome(App& run) {
    run.option({.letter = "",
                .name = "--slo",
                .help = "exit 1 when missed: 'p99.9<300ms', 'put.max<1s', 'errors<0.1%', "
                        "'ops>1000'; may be given several times",
                .value = "TARGET",
                .repeated = true},
               [this](const std::string& text) -> Result<void> {
                   auto slo = Slo::from_text(text);
                   if (!slo) {
                       return std::unexpected(slo.error());
                   }
                   targets.push_back(std::move(*slo));
                   return {};
               });
    run.flag({.letter = "",
              .name = "--verify",
              .help = "afterwards read every key back; exit 8 when an acknowledged write is "
                      "neither there nor superseded"},
             settings.verify);
    run.option({.letter = "",
                .name = "--hgrm",
                .help = "write the percentiles of all operations here, as HdrHistogram does",
                .value = "FILE"},
               hgrm);
}

void BenchOptions::declare_canary(App& canary) {
    canary.option({.letter = "",
                   .name = "--rate",
                   .help = "puts a second, each followed by a get of its key; 5 when not given",
                   .value = "OPS"},
                  [this](const std::string& text) -> Result<void> {
                      const auto number = decimal_from_text(text);
                      if (!number || *number <= 0 || *number > 10'000) {
                          return fail(Code::bad_request,
                                      "write puts a second, above 0, up to 10000");
                      }
                      settings.rate = *number;
                      return {};
                  });
    canary.option({.letter = "",
                   .name = "--every",
                   .help = "how often to print a line; 10s when not given",
                   .value = "TIME"},
                  interval);
}

void BenchOptions::declare_keys(App& app) {
    app.option({.letter = "",
                .name = "--keys",
                .help = "how many keys there are; 100000 when not given, 100 for canary",
                .value = "N",
                .shared = true},
               [this](const std::string& text) -> Result<void> {
                   keys_given = true;
                   return whole(settings.keys, 1, 1'000'000'000)(text);
               });
    app.option({.letter = "",
                .name = "--prefix",
                .help = "what keys begin with: they are its own, and put over; bench: when not "
                        "given, canary: for canary",
                .value = "TEXT",
                .shared = true},
               prefix);
    app.option({.letter = "",
                .name = "--value-size",
                .help = "octets of a value, or a range such as 100..4KiB; 100 when not given",
                .value = "SIZE",
                .shared = true},
               [this](const std::string& text) -> Result<void> {
                   const auto sizes = sizes_from_text(text);
                   if (!sizes) {
                       return std::unexpected(sizes.error());
                   }
                   settings.sizes = *sizes;
                   return {};
               });
    app.option({.letter = "",
                .name = "--seed-number",
                .help = "what chance starts from: the same operations come in the same order; 1 "
                        "when not given",
                .value = "N",
                .shared = true},
               whole(settings.random_seed, 0, 1'000'000'000));
}

void BenchOptions::declare_requests(App& app) {
    app.option({.letter = "-r",
                .name = "",
                .help = "how many replicas must answer a get; the cluster's R when not given",
                .value = "N",
                .shared = true},
               settings.r);
    app.option({.letter = "-w",
                .name = "",
                .help = "how many replicas must hold a put durably; the cluster's W when not given",
                .value = "N",
                .shared = true},
               settings.w);
    app.option({.letter = "",
                .name = "--observe-r",
                .help = "how many replicas' clocks an observing put gathers; 1 when not given, 0 "
                        "for the cluster's R",
                .value = "N",
                .shared = true},
               settings.observe_r);
    app.option({.letter = "",
                .name = "--routing",
                .help = "ask a node of the key's preference list (when not given), or any node",
                .value = "NAME",
                .choices = {"coordinator", "any"},
                .shared = true},
               [this](const std::string& name) -> Result<void> {
                   routing = name == "any" ? Routing::any : Routing::coordinator;
                   return {};
               });
    app.option({.letter = "",
                .name = "--clients",
                .help = "clients, each with its thread and connections; 1 when not given",
                .value = "N",
                .shared = true},
               whole(settings.clients, 1, 256));
    app.option({.letter = "",
                .name = "--in-flight",
                .help = "operations under way at a time, of all clients; when not given 64, with "
                        "--rate up to 4096",
                .value = "N",
                .shared = true},
               [this](const std::string& text) -> Result<void> {
                   unsigned number = 0;
                   if (const auto read = whole(number, 1, 65536)(text); !read) {
                       return read;
                   }
                   in_flight = number;
                   return {};
               });
    app.option({.letter = "",
                .name = "--settle",
                .help = "how long --verify and canary look again for a write before it counts as "
                        "lost; 30s when not given",
                .value = "TIME",
                .shared = true},
               patience);
    app.flag({.letter = "",
              .name = "--quiet",
              .help = "no line on the terminal while it runs",
              .shared = true},
             quiet);
}

Settings BenchOptions::settled(const ClientOptions& client, bool canary) const {
    Settings all = settings;
    all.client = client;
    all.client.routing = routing;
    all.prefix = prefix.value_or(canary ? "canary:" : "bench:");
    if (canary) {
        all.keys = keys_given ? all.keys : 100;
        all.rate = all.rate.value_or(5);
        all.verify = true;
    }
    all.in_flight = in_flight.value_or(all.rate ? 4096 : 64);
    // A key of the canary has one operation under way, so that a get is to show the put before it.
    const auto most =
        canary ? static_cast<unsigned>(std::min<std::uint64_t>(all.keys, 65536)) : 65536U;
    all.in_flight = std::min(all.in_flight, most);
    all.clients = std::min(all.clients, all.in_flight);
    return all;
}

}  // namespace dynamo::cli
