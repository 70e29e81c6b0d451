// dyn-cluster: a cluster of real daemons on this machine, for trying things out and for tests.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/cluster/local_cluster.h"
#include "cli/common/options.h"
#include "cli/common/spec.h"

namespace dynamo::cli {
namespace {

using Access = ClusterDirectory::Access;

class ClusterTool {
  public:
    Spec spec();

  private:
    void build(App& app);
    void build_node_verbs(App& app);
    App& node_verb(App& app, const std::string& name, const std::string& brief,
                   std::function<int(LocalCluster&, LocalNode&)> act);
    int start();
    int env();
    int list();
    int add();
    int stop();
    int clean();
    int kill(LocalCluster& cluster, LocalNode& node);
    int pause(LocalCluster& cluster, LocalNode& node);
    int resume(LocalCluster& cluster, LocalNode& node);
    int restart(LocalCluster& cluster, LocalNode& node);
    int wipe(LocalCluster& cluster, LocalNode& node);

    [[nodiscard]] std::filesystem::path directory() const;
    [[nodiscard]] Result<LocalCluster> open(Access access) const;
    [[nodiscard]] Candidates local_nodes() const;
    [[nodiscard]] bool is_there(const std::string& file) const;
    /// For stop and clean, which then have nothing to do.
    [[nodiscard]] int nothing_there() const;
    [[nodiscard]] int not_running(const LocalNode& node) const;
    [[nodiscard]] int report(const Result<void>& done) const;

    CommonOptions common_{"dyn-cluster"};
    std::optional<std::string> directory_;
    std::vector<Operand> operands_;
    unsigned nodes_ = 3;
    std::optional<unsigned> base_port_;
    bool all_ = false;
    std::chrono::milliseconds patience_{30000};
};

Spec ClusterTool::spec() {
    return {
        .name = "dyn-cluster",
        .brief = "run a cluster of real daemons on this machine",
        .about =
            "For trying things out and for tests. The nodes are n1, n2 and so on; node k "
            "listens on 127.0.0.1, clients on the base port + 10 (k - 1), peers on the port "
            "after that. Data and logs lie in --dir, which names the cluster in every "
            "command.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-cluster start --nodes 3", "Start three nodes and make them a cluster."},
                     {"eval \"$(dyn-cluster env)\"", "Let the other tools find it."},
                     {"dyn-cluster kill n3", "Lose a node as by kill -9."},
                     {"dyn-cluster restart n3", "Bring it back."},
                     {"dyn-cluster clean", "Stop everything and remove its files."}},
        .exits = {{exits::done, "done"},
                  {exits::no, "the node is not running"},
                  {exits::usage,
                   "the command line makes no sense, there is no such node or cluster, a port is "
                   "taken, or a daemon refused its options"},
                  {exits::maybe_applied, "the nodes did not become a cluster in time"},
                  {exits::not_applied, "the nodes could not be reached in time"},
                  {exits::refused,
                   "refused: the node still runs, or a cluster of another size is "
                   "there"},
                  {exits::server, "a daemon ended; its last words are printed"}},
    };
}

void ClusterTool::build(App& app) {
    App& start = app.verb("start",
                          "start daemons, join them, wait until they are healthy; start "
                          "those of a stopped cluster again");
    start.option(
        {.letter = "", .name = "--nodes", .help = "how many; 3 when not given", .value = "N"},
        nodes_);
    start.option({.letter = "",
                  .name = "--base-port",
                  .help = "port of n1 for clients; 7100 when not given",
                  .value = "PORT"},
                 base_port_);
    start.operands({.name = "-- DAEMON OPTIONS",
                    .help = "given to every daemon, see dynamod(8)",
                    .least = 0,
                    .most = 1000},
                   operands_);
    start.action([this] { return this->start(); });
    app.verb("env", "print the line of shell that lets the other tools find the cluster")
        .action([this] { return env(); });
    app.verb("list", "print the nodes and what each is doing").action([this] { return list(); });
    build_node_verbs(app);
    app.verb("add", "start one more daemon, not joined, and print its address").action([this] {
        return add();
    });
    app.verb("stop", "end every daemon; the data stays").action([this] { return stop(); });
    app.verb("clean", "end every daemon and remove data and logs").action([this] {
        return clean();
    });
    app.option({.letter = "",
                .name = "--dir",
                .help = "where the cluster lives; $DYN_CLUSTER_DIR, else one of yours under "
                        "$TMPDIR",
                .value = "DIR",
                .shared = true},
               directory_);
    app.option({.letter = "",
                .name = "--wait",
                .help = "how long to wait for daemons; 30s when not given",
                .value = "TIME",
                .shared = true},
               patience_);
    common_.declare(app, {.formats = {"human", "json", "tsv"}, .network = false});
}

void ClusterTool::build_node_verbs(App& app) {
    node_verb(app, "kill", "end a daemon with SIGKILL",
              [this](LocalCluster& cluster, LocalNode& node) { return kill(cluster, node); });
    node_verb(app, "pause", "stop a daemon in mid-air with SIGSTOP",
              [this](LocalCluster& cluster, LocalNode& node) { return pause(cluster, node); });
    node_verb(app, "resume", "let a paused daemon go on",
              [this](LocalCluster& cluster, LocalNode& node) { return resume(cluster, node); });
    node_verb(app, "restart", "end a daemon if it runs, start it, wait until it answers",
              [this](LocalCluster& cluster, LocalNode& node) { return restart(cluster, node); });
    App& wipe = node_verb(
        app, "wipe", "remove a dead node's stored data",
        [this](LocalCluster& cluster, LocalNode& node) { return this->wipe(cluster, node); });
    wipe.flag({.letter = "",
               .name = "--all",
               .help = "its identity and ring too: it comes back as a stranger"},
              all_);
}

App& ClusterTool::node_verb(App& app, const std::string& name, const std::string& brief,
                            std::function<int(LocalCluster&, LocalNode&)> act) {
    App& verb = app.verb(name, brief);
    verb.operands({.name = "NAME",
                   .help = "the node: n1, n2 and so on",
                   .least = 1,
                   .most = 1,
                   .complete = [this] { return local_nodes(); }},
                  operands_);
    verb.action([this, act = std::move(act)] {
        auto cluster = open(Access::change);
        if (!cluster) {
            return common_.reporter().error(cluster.error());
        }
        const auto node = cluster->find(operands_.front().text);
        return node ? act(*cluster, **node) : common_.reporter().error(node.error());
    });
    return verb;
}

std::filesystem::path ClusterTool::directory() const {
    return directory_ ? std::filesystem::path(*directory_) : ClusterDirectory::default_path();
}

Result<LocalCluster> ClusterTool::open(Access access) const {
    auto directory = ClusterDirectory::open(this->directory(), access);
    if (!directory) {
        return std::unexpected(directory.error());
    }
    auto state = directory->load();
    if (!state) {
        return std::unexpected(state.error());
    }
    return LocalCluster(std::move(*directory), std::move(*state), common_.reporter(), patience_);
}

Candidates ClusterTool::local_nodes() const {
    const auto cluster = open(Access::look);
    Candidates candidates;
    if (cluster) {
        for (const LocalNode& node : cluster->state().nodes) {
            candidates.push_back({node.name, std::string(name_of(cluster->state_of(node)))});
        }
    }
    return candidates;
}

int ClusterTool::not_running(const LocalNode& node) const {
    return common_.reporter().no(
        fmt::format("{0} is not running; dyn-cluster restart {0} starts it", node.name));
}

int ClusterTool::report(const Result<void>& done) const {
    return done ? exits::done : common_.reporter().error(done.error());
}

int ClusterTool::start() {
    const Reporter reporter = common_.reporter();
    constexpr unsigned most_nodes = 100;
    if (nodes_ == 0 || nodes_ > most_nodes) {
        return reporter.usage(Error{Code::bad_request, "--nodes is between 1 and 100"});
    }
    auto directory = ClusterDirectory::open(this->directory(), Access::make);
    if (!directory) {
        return reporter.error(directory.error());
    }
    if (directory->has_state()) {
        auto state = directory->load();
        if (!state) {
            return reporter.error(state.error());
        }
        LocalCluster cluster(std::move(*directory), std::move(*state), reporter, patience_);
        const std::size_t there = cluster.state().nodes.size();
        const std::string where = cluster.directory().path();
        if (!operands_.empty()) {
            return reporter.error(
                Error{Code::refused, fmt::format("{} holds a cluster already", where)}, {},
                "start it without daemon options, or remove it with dyn-cluster clean");
        }
        if (there != nodes_) {
            return reporter.error(
                Error{Code::refused, fmt::format("{} holds a cluster of {} nodes", where, there)},
                {},
                fmt::format("start that with --nodes {}, or remove it with dyn-cluster clean",
                            there));
        }
        const auto started = cluster.start_again();
        if (started) {
            reporter.remark(fmt::format("{} nodes are running again in {}", there, where));
        }
        return report(started);
    }
    ClusterState state;
    state.base_port = base_port_.value_or(state.base_port);
    for (const Operand& option : operands_) {
        state.daemon_options.push_back(option.text);
    }
    LocalCluster cluster(std::move(*directory), std::move(state), reporter, patience_);
    const auto formed = cluster.form(nodes_);
    if (formed) {
        reporter.remark(
            fmt::format("{} nodes are one healthy cluster; next: eval \"$(dyn-cluster "
                        "--dir {} env)\"",
                        nodes_, cluster.directory().path().string()));
    }
    return report(formed);
}

int ClusterTool::env() {
    const auto cluster = open(Access::look);
    if (!cluster) {
        return common_.reporter().error(cluster.error());
    }
    // Those that run, so that the first try finds one; all of them when none does.
    std::vector<std::string> running;
    std::vector<std::string> all;
    for (const LocalNode& node : cluster->state().nodes) {
        all.push_back(node.address());
        if (cluster->state_of(node) == ProcessState::running) {
            running.push_back(node.address());
        }
    }
    const std::string line =
        fmt::format("export DYN_SEEDS={}\n", fmt::join(running.empty() ? all : running, ","));
    return write_out(line) ? exits::done : exits::server;
}

int ClusterTool::list() {
    const auto cluster = open(Access::look);
    if (!cluster) {
        return common_.reporter().error(cluster.error());
    }
    Table table({{"NAME"}, {"STATE"}, {"ADDRESS"}, {"PEERS"}, {"PID", true}, {"JOINED"}});
    auto nodes = nlohmann::ordered_json::array();
    for (const LocalNode& node : cluster->state().nodes) {
        const std::string state(name_of(cluster->state_of(node)));
        table.add({node.name, state, node.address(), node.peer_address(),
                   std::to_string(node.process), node.joined ? "yes" : "no"});
        nodes.push_back({{"name", node.name},
                         {"state", state},
                         {"address", node.address()},
                         {"peer_address", node.peer_address()},
                         {"pid", node.process},
                         {"joined", node.joined},
                         {"data", cluster->directory().data_of(node)},
                         {"log", cluster->directory().log_of(node)}});
    }
    std::string out = common_.format() == Format::tsv ? table.tsv() : table.text();
    if (common_.json()) {
        const nlohmann::ordered_json object = {{"schema", common_.reporter().schema()},
                                               {"dir", cluster->directory().path().string()},
                                               {"nodes", std::move(nodes)}};
        out = dumped(object) + "\n";
    }
    return write_out(out) ? exits::done : exits::server;
}

int ClusterTool::kill(LocalCluster& cluster, LocalNode& node) {
    if (cluster.state_of(node) == ProcessState::dead) {
        return not_running(node);
    }
    cluster.kill(node);
    return exits::done;
}

int ClusterTool::pause(LocalCluster& cluster, LocalNode& node) {
    return cluster.state_of(node) == ProcessState::dead ? not_running(node)
                                                        : report(cluster.pause(node));
}

int ClusterTool::resume(LocalCluster& cluster, LocalNode& node) {
    if (cluster.state_of(node) == ProcessState::dead) {
        return not_running(node);
    }
    cluster.resume(node);
    return exits::done;
}

int ClusterTool::restart(LocalCluster& cluster, LocalNode& node) {
    return report(cluster.restart(node));
}

int ClusterTool::wipe(LocalCluster& cluster, LocalNode& node) {
    return report(cluster.wipe(node, all_));
}

int ClusterTool::add() {
    auto cluster = open(Access::change);
    if (!cluster) {
        return common_.reporter().error(cluster.error());
    }
    const auto address = cluster->add();
    if (!address) {
        return common_.reporter().error(address.error());
    }
    return write_out(*address + "\n") ? exits::done : exits::server;
}

int ClusterTool::nothing_there() const {
    common_.reporter().remark(fmt::format("there is no cluster in {}", directory().string()));
    return exits::done;
}

int ClusterTool::stop() {
    if (!is_there("cluster.json")) {
        return nothing_there();
    }
    auto cluster = open(Access::change);
    if (!cluster) {
        return common_.reporter().error(cluster.error());
    }
    const unsigned running = cluster->stop();
    common_.reporter().remark(running == 0 ? "nothing was running"
                                           : fmt::format("{} nodes are stopped", running));
    return exits::done;
}

int ClusterTool::clean() {
    if (is_there("cluster.json")) {
        auto cluster = open(Access::change);
        return cluster ? report(cluster->clean()) : common_.reporter().error(cluster.error());
    }
    if (!is_there("lock")) {
        return nothing_there();
    }
    // What a start that failed has left for whoever wanted to know why.
    auto directory = ClusterDirectory::open(this->directory(), Access::change);
    return directory ? report(directory->remove({})) : common_.reporter().error(directory.error());
}

bool ClusterTool::is_there(const std::string& file) const {
    std::error_code ignored;
    return std::filesystem::exists(directory() / file, ignored);
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::ClusterTool tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
