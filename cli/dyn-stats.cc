// dyn-stats: prints the counters and latencies of nodes.
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/common/options.h"
#include "cli/common/spec.h"

namespace dynamo::cli {
namespace {

/// The statistics of one node, or why there are none.
struct NodeStats {
    std::string name;
    Result<std::map<std::string, double>> stats;
};

/// Whole numbers without a point.
std::string number_text(double value) {
    constexpr double exact = 9e15;
    return std::trunc(value) == value && std::abs(value) < exact ? fmt::format("{:.0f}", value)
                                                                 : fmt::format("{:.3f}", value);
}

/// A dotted name as Prometheus takes it: "put.latency.p99" is dynamo_put_latency_p99.
std::string prometheus_name(std::string name) {
    std::ranges::replace_if(name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
    return "dynamo_" + name;
}

class StatsTool {
  public:
    Spec spec();

  private:
    void build(App& app);
    int run();
    [[nodiscard]] Result<std::vector<NodeStats>> gather(Admin& admin) const;
    [[nodiscard]] bool wanted(const std::string& name) const;
    [[nodiscard]] std::string text_of(const std::vector<NodeStats>& nodes) const;
    [[nodiscard]] std::string json_of(const std::vector<NodeStats>& nodes) const;
    [[nodiscard]] std::string prometheus_of(const std::vector<NodeStats>& nodes) const;

    CommonOptions common_{"dyn-stats"};
    std::vector<Operand> operands_;
    std::optional<std::string> node_;
    bool all_ = false;
};

Spec StatsTool::spec() {
    return {
        .name = "dyn-stats",
        .brief = "print the counters and latency percentiles of nodes",
        .about =
            "Without --node or --all the first seed that answers is asked. GLOBs such as "
            "'hints.*' choose by name. Latencies are in microseconds.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-stats --all 'put.*'", "Print what every node knows of puts."},
                     {"dyn-stats --node n1 hints.held --format tsv",
                      "Print one number for a script."},
                     {"dyn-stats --all --format prom", "Print everything for Prometheus."}},
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
    common_.declare(app, {.formats = {"human", "json", "tsv", "prom"}});
    app.action([this] { return run(); });
}

Result<std::vector<NodeStats>> StatsTool::gather(Admin& admin) const {
    std::vector<NodeStats> nodes;
    if (!all_ && !node_) {
        const auto hello = admin.hello();
        if (!hello) {
            return std::unexpected(hello.error());
        }
        nodes.push_back({hello->node.name, admin.stats_at(hello->node.client_address)});
        return nodes;
    }
    if (node_ && node_->find(':') != std::string::npos) {
        nodes.push_back({*node_, admin.stats_at(*node_)});
        return nodes;
    }
    const auto ring = admin.ring();
    if (!ring) {
        return std::unexpected(ring.error());
    }
    for (const NodeInfo& node : ring->nodes) {
        if (all_ || node.name == *node_) {
            nodes.push_back({node.name, admin.stats_at(node.client_address)});
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

std::string StatsTool::text_of(const std::vector<NodeStats>& nodes) const {
    Table table({{"NODE"}, {"NAME"}, {"VALUE", true}});
    for (const NodeStats& node : nodes) {
        for (const auto& [name, value] : *node.stats) {
            if (wanted(name)) {
                table.add({node.name, name, number_text(value)});
            }
        }
    }
    return common_.format() == Format::tsv ? table.tsv() : table.text();
}

std::string StatsTool::json_of(const std::vector<NodeStats>& nodes) const {
    nlohmann::ordered_json object = {{"schema", common_.reporter().schema()}};
    auto list = nlohmann::ordered_json::array();
    for (const NodeStats& node : nodes) {
        nlohmann::ordered_json stats = nlohmann::ordered_json::object();
        for (const auto& [name, value] : *node.stats) {
            if (wanted(name)) {
                stats[name] = value;
            }
        }
        list.push_back({{"node", node.name}, {"stats", std::move(stats)}});
    }
    object["nodes"] = std::move(list);
    return dumped(object) + "\n";
}

std::string StatsTool::prometheus_of(const std::vector<NodeStats>& nodes) const {
    // All samples of a metric stand together, as the format asks.
    std::map<std::string, std::string> metrics;
    for (const NodeStats& node : nodes) {
        for (const auto& [name, value] : *node.stats) {
            if (wanted(name)) {
                const std::string metric = prometheus_name(name);
                metrics[metric] +=
                    fmt::format("{}{{node=\"{}\"}} {}\n", metric, node.name, number_text(value));
            }
        }
    }
    std::string out;
    for (const auto& [metric, samples] : metrics) {
        out += fmt::format("# TYPE {} untyped\n{}", metric, samples);
    }
    return out;
}

int StatsTool::run() {
    const Reporter reporter = common_.reporter();
    auto admin = common_.open_admin();
    if (!admin) {
        return reporter.error(admin.error());
    }
    auto nodes = gather(*admin);
    if (!nodes) {
        return reporter.error(nodes.error());
    }
    int exit = exits::done;
    for (const NodeStats& node : *nodes) {
        if (!node.stats) {
            exit = reporter.error(node.stats.error(), node.name);
        }
    }
    const auto asked = nodes->size();
    std::erase_if(*nodes, [](const NodeStats& node) { return !node.stats; });
    if (nodes->empty()) {
        return exit;
    }
    const bool found = std::ranges::any_of(*nodes, [this](const NodeStats& node) {
        return std::ranges::any_of(*node.stats,
                                   [this](const auto& stat) { return wanted(stat.first); });
    });
    if (!found) {
        return reporter.no("no statistic has such a name");
    }
    const std::string text = common_.json()                     ? json_of(*nodes)
                             : common_.format() == Format::prom ? prometheus_of(*nodes)
                                                                : text_of(*nodes);
    if (!write_out(text)) {
        return exits::server;
    }
    return nodes->size() < asked ? exits::partial : exits::done;
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::StatsTool tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
