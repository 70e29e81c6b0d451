// dyn-stats: prints the counters and latencies of nodes.
#include <fmt/format.h>
#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/common/interrupt.h"
#include "cli/common/options.h"
#include "cli/common/spec.h"
#include "cli/stats/print.h"
#include "cli/stats/prometheus.h"

namespace dynamo::cli {
namespace {

class StatsTool {
  public:
    Spec spec();

  private:
    void build(App& app);
    int run();
    int watch(Admin& admin);
    [[nodiscard]] Result<Sample> gather(Admin& admin) const;
    [[nodiscard]] Result<std::vector<NodeStats>> ask(Admin& admin) const;
    [[nodiscard]] int show(const Sample& now, const Sample* before);
    [[nodiscard]] bool wanted(const std::string& name) const;
    [[nodiscard]] bool finds_any(const Sample& sample) const;
    [[nodiscard]] bool redraws() const;
    void report_silent(const Sample& sample);

    CommonOptions common_{"dyn-stats"};
    std::vector<Operand> operands_;
    std::optional<std::string> node_;
    bool all_ = false;
    bool watch_ = false;
    bool delta_ = false;
    bool printed_ = false;
    std::chrono::milliseconds interval_{1000};
    std::set<std::string> silent_;  ///< nodes that did not answer last time
};

Spec StatsTool::spec() {
    return {
        .name = "dyn-stats",
        .brief = "print the counters and latency percentiles of nodes",
        .about =
            "Without --node or --all the first seed that answers is asked. GLOBs such as "
            "'hints.*' choose by name. Latencies are in microseconds; in the format of Prometheus "
            "they are seconds.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-stats --all 'put.*'", "Print what every node knows of puts."},
                     {"dyn-stats --node n1 hints.held --format tsv",
                      "Print one number for a script."},
                     {"dyn-stats --all --format prom", "Print everything for Prometheus."},
                     {"dyn-stats --all --delta 2s '*.count'",
                      "See what every node did in two seconds, and how much a second."},
                     {"timeout --preserve-status -s INT 3 dyn-stats --watch 'hints.*'",
                      "Follow a number for three seconds."}},
        .exits = with_failures({{exits::done, "printed"},
                                {exits::no, "no statistic has such a name"},
                                {exits::partial, "some nodes did not answer"}}),
    };
}

void StatsTool::build(App& app) {
    app.operands({.name = "GLOB...", .help = "names of statistics", .least = 0, .most = 1000},
                 operands_);
    app.option({.letter = "",
                .name = "--node",
                .help = "the node to ask: its name, or HOST:PORT",
                .value = "NODE",
                .complete = CommonOptions::live_nodes},
               node_);
    app.flag({.letter = "", .name = "--all", .help = "ask every node of the ring"}, all_)
        .excludes = {"--node"};
    const auto is_duration = [](const std::string& word) {
        return duration_from_text(word).has_value();
    };
    const auto every = [this](bool& chosen) {
        return [this, &chosen](const std::string& text) -> Result<void> {
            const auto interval = duration_from_text(text);
            if (!interval) {
                return std::unexpected(interval.error());
            }
            // What --watch says counts when both are given.
            interval_ = &chosen == &delta_ && watch_ ? interval_ : *interval;
            chosen = true;
            return {};
        };
    };
    app.option({.letter = "",
                .name = "--watch",
                .help = "print again and again until Ctrl-C, every second when not given: on a "
                        "terminal over itself, else one after the other with the time in front",
                .value = "[TIME]",
                .implied = "1s",
                .fits = is_duration},
               every(watch_));
    app.option({.letter = "",
                .name = "--delta",
                .help = "print what changed in that time, a second when not given, and how much a "
                        "second; with --watch between one print and the next",
                .value = "[TIME]",
                .implied = "1s",
                .fits = is_duration},
               every(delta_));
    common_.declare(app, {.formats = {"human", "json", "tsv", "prom"}});
    app.action([this] { return run(); });
}

Result<std::vector<NodeStats>> StatsTool::ask(Admin& admin) const {
    const auto stats_of = [&admin](const std::string& name, const std::string& address) {
        auto stats = admin.stats_at(address);
        return NodeStats{name, std::move(stats), std::chrono::steady_clock::now()};
    };
    std::vector<NodeStats> nodes;
    if (!all_ && !node_) {
        const auto hello = admin.hello();
        if (!hello) {
            return std::unexpected(hello.error());
        }
        nodes.push_back(stats_of(hello->node.name, hello->node.client_address));
        return nodes;
    }
    if (node_ && node_->find(':') != std::string::npos) {
        nodes.push_back(stats_of(*node_, *node_));
        return nodes;
    }
    const auto ring = admin.ring();
    if (!ring) {
        return std::unexpected(ring.error());
    }
    for (const NodeInfo& node : ring->nodes) {
        if (all_ || node.name == *node_) {
            nodes.push_back(stats_of(node.name, node.client_address));
        }
    }
    if (nodes.empty()) {
        return fail(Code::bad_request, fmt::format("the ring has no node '{}'", *node_));
    }
    return nodes;
}

bool StatsTool::wanted(const std::string& name) const {
    return operands_.empty() || std::ranges::any_of(operands_, [&name](const Operand& glob) {
               return ::fnmatch(glob.text.c_str(), name.c_str(), 0) == 0;
           });
}

bool StatsTool::finds_any(const Sample& sample) const {
    return std::ranges::any_of(sample.nodes, [this](const NodeStats& node) {
        return node.stats && std::ranges::any_of(*node.stats, [this](const auto& stat) {
                   return wanted(stat.first);
               });
    });
}

Result<Sample> StatsTool::gather(Admin& admin) const {
    auto nodes = ask(admin);
    if (!nodes) {
        return std::unexpected(nodes.error());
    }
    using std::chrono::milliseconds;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return Sample{std::chrono::duration_cast<milliseconds>(now).count(), std::move(*nodes)};
}

bool StatsTool::redraws() const {
    return watch_ && common_.format() == Format::human && ::isatty(STDOUT_FILENO) == 1;
}

int StatsTool::show(const Sample& now, const Sample* before) {
    const Shown shown{&now, before, [this](const std::string& name) { return wanted(name); },
                      watch_ && !redraws()};
    std::string text;
    if (common_.json()) {
        text = dumped(stats_json(shown)) + "\n";
    } else if (common_.format() == Format::prom) {
        text = prometheus_of(now, shown.wanted);
    } else if (common_.format() == Format::tsv) {
        text = stats_table(shown).tsv();
    } else if (redraws()) {
        // Home, the screen cleared below: what is drawn stands still while it changes.
        text = fmt::format("\x1b[H\x1b[J{}  every {} ms, Ctrl-C ends\n", time_text(now.wall_ms),
                           interval_.count()) +
               stats_table(shown).text();
    } else {
        text = stats_table(shown).text();
        // The titles of an endless table stand once.
        text.erase(0, watch_ && printed_ ? text.find('\n') + 1 : 0);
    }
    printed_ = true;
    return write_out(text) ? exits::done : exits::server;
}

/// Says of each node that does not answer, once while it does not.
void StatsTool::report_silent(const Sample& sample) {
    for (const NodeStats& node : sample.nodes) {
        if (node.stats) {
            silent_.erase(node.name);
        } else if (silent_.insert(node.name).second) {
            common_.reporter().error(node.stats.error(), node.name);
        }
    }
}

int StatsTool::watch(Admin& admin) {
    catch_interrupt();
    std::optional<Sample> before;
    auto next = std::chrono::steady_clock::now();
    do {
        auto sample = gather(admin);
        if (!sample) {
            common_.reporter().error(sample.error());
        } else {
            report_silent(*sample);
            if (before || !delta_) {
                const int shown = show(*sample, delta_ ? &*before : nullptr);
                if (shown != exits::done || !watch_) {
                    return shown != exits::done || silent_.empty() ? shown : exits::partial;
                }
            }
            before = std::move(*sample);
        }
        // Steady, and without catching up on what a slow answer missed.
        next = std::max(next + interval_, std::chrono::steady_clock::now());
    } while (sleep_until(next));
    return exits::done;
}

int StatsTool::run() {
    const Reporter reporter = common_.reporter();
    if ((watch_ || delta_) && common_.format() == Format::prom) {
        return reporter.usage(Error{Code::bad_request,
                                    "--format prom is one sample; Prometheus makes differences "
                                    "and rates itself"});
    }
    auto admin = common_.open_admin();
    if (!admin) {
        return reporter.error(admin.error());
    }
    const auto sample = gather(*admin);
    if (!sample) {
        return reporter.error(sample.error());
    }
    const auto answers = [](const NodeStats& node) { return node.stats.has_value(); };
    const bool any = std::ranges::any_of(sample->nodes, answers);
    if (any && !finds_any(*sample)) {
        return reporter.no("no statistic has such a name");
    }
    if (any && (watch_ || delta_)) {
        return watch(*admin);
    }
    int exit = exits::done;
    for (const NodeStats& node : sample->nodes) {
        if (!node.stats) {
            exit = reporter.error(node.stats.error(), node.name);
        }
    }
    if (!any) {
        return exit;
    }
    const int shown = show(*sample, nullptr);
    return shown == exits::done && exit != exits::done ? exits::partial : shown;
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::StatsTool tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
