#include "cli/cluster/local_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <thread>
#include <utility>

#include "cli/common/output.h"

namespace dynamo::cli {
namespace {

using std::chrono::milliseconds;

// A signal handler reaches nothing but a global.
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables)
volatile std::sig_atomic_t interrupted = 0;

void on_interrupt(int) { interrupted = 1; }

/// While it lives Ctrl-C only asks to stop: what was started is ended before the tool is.
class InterruptGuard {
  public:
    InterruptGuard() {
        struct sigaction action{};
        action.sa_handler = on_interrupt;
        ::sigaction(SIGINT, &action, &before_[0]);
        ::sigaction(SIGTERM, &action, &before_[1]);
    }
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;
    ~InterruptGuard() {
        ::sigaction(SIGINT, &before_[0], nullptr);
        ::sigaction(SIGTERM, &before_[1], nullptr);
    }

  private:
    struct sigaction before_[2]{};
};

Error interrupted_error() {
    return {Code::unreachable, "interrupted; what was started is stopped"};
}

Result<Admin> admin_of(const std::vector<std::string>& seeds, milliseconds timeout) {
    ClientOptions options;
    options.seeds = seeds;
    options.timeout = timeout;
    options.program = "dyn-cluster";
    return Admin::open(options);
}

/// Asks until the answer is good enough or the patience ends; answers with the last error.
Result<void> ask_until(milliseconds patience, const std::function<Result<bool>()>& ask) {
    const auto end = std::chrono::steady_clock::now() + patience;
    Error last{Code::timed_out, "it took too long"};
    for (;;) {
        const auto answer = ask();
        if (answer && *answer) {
            return {};
        }
        if (!answer) {
            last = answer.error();
            if (!is_retryable(last.code)) {
                return std::unexpected(last);
            }
        }
        if (interrupted != 0) {
            return std::unexpected(interrupted_error());
        }
        if (std::chrono::steady_clock::now() >= end) {
            return std::unexpected(last);
        }
        std::this_thread::sleep_for(milliseconds(25));
    }
}

constexpr milliseconds one_call{1000};

}  // namespace

ProcessState LocalCluster::state_of(const LocalNode& node) const {
    return cli::state_of(node.process, directory_.data_of(node));
}

Result<LocalNode*> LocalCluster::find(const std::string& name) {
    const auto found = std::ranges::find(state_.nodes, name, &LocalNode::name);
    if (found == state_.nodes.end()) {
        std::vector<std::string> names;
        std::ranges::transform(state_.nodes, std::back_inserter(names), &LocalNode::name);
        return fail(Code::bad_request, fmt::format("there is no node '{}' here; there are {}", name,
                                                   fmt::join(names, ", ")));
    }
    return &*found;
}

LocalNode LocalCluster::next_node() const {
    const auto index = static_cast<unsigned>(state_.nodes.size());
    return {fmt::format("n{}", index + 1), state_.base_port + 10 * index, 0, false};
}

Result<void> LocalCluster::check_ports(const std::vector<LocalNode>& nodes) const {
    for (const LocalNode& node : nodes) {
        for (const unsigned port : {node.port, node.port + 1}) {
            if (port > 65535) {
                return fail(Code::bad_request, fmt::format("{} would need port {}; choose a lower "
                                                           "--base-port",
                                                           node.name, port));
            }
            if (port_is_taken(port)) {
                return fail(Code::bad_request,
                            fmt::format("{} needs port {} of 127.0.0.1, which is taken; stop what "
                                        "listens there or choose another --base-port",
                                        node.name, port));
            }
        }
    }
    return {};
}

std::vector<std::string> LocalCluster::command_of(const LocalNode& node) const {
    std::vector<std::string> words = {
        "--data-dir", directory_.data_of(node), "--listen", node.address(), "--name", node.name};
    // The first start of n1 founds the cluster. Whoever starts later has the others for seeds, so
    // that one that lost everything waits as a stranger instead of founding a second cluster.
    const bool founds = &node == &state_.nodes.front() && !state_.formed;
    std::string seeds;
    for (const LocalNode& other : state_.nodes) {
        if (other.name != node.name && !founds) {
            seeds += (seeds.empty() ? "" : ",") + other.peer_address();
        }
    }
    if (!seeds.empty()) {
        words.insert(words.end(), {"--seeds", seeds});
    }
    words.insert(words.end(), state_.daemon_options.begin(), state_.daemon_options.end());
    return words;
}

Error LocalCluster::ended_early(const LocalNode& node, int exit) const {
    constexpr std::size_t shown = 8;
    const std::string said = last_lines(directory_.log_of(node), shown);
    if (!said.empty()) {
        write_error(said);
    }
    const std::string how = exit > 128 ? fmt::format("was ended by signal {}", exit - 128)
                                       : fmt::format("exited with {}", exit);
    return {exit == exits::usage ? Code::bad_request : Code::internal,
            fmt::format("{} {}; its log is {}", node.name, how, directory_.log_of(node)),
            node.name};
}

Result<void> LocalCluster::start(LocalNode& node) {
    const auto daemon = find_daemon();
    if (!daemon) {
        return std::unexpected(daemon.error());
    }
    std::vector<std::string> words = command_of(node);
    words.insert(words.begin(), *daemon);
    const auto process = start_process(words, directory_.log_of(node));
    if (!process) {
        return std::unexpected(process.error());
    }
    node.process = *process;
    return directory_.save(state_);
}

Result<void> LocalCluster::wait_until_up(const LocalNode& node) {
    auto admin = admin_of({node.address()}, one_call);
    if (!admin) {
        return std::unexpected(admin.error());
    }
    return ask_until(patience_, [&]() -> Result<bool> {
        if (const int exit = exit_of_child(node.process); exit >= 0) {
            return std::unexpected(ended_early(node, exit));
        }
        const auto hello = admin->hello_at(node.address());
        if (!hello) {
            return std::unexpected(hello.error());
        }
        return hello->node.name == node.name;
    });
}

Result<void> LocalCluster::join_and_commit() {
    const LocalNode& founder = state_.nodes.front();
    auto admin = admin_of({founder.address()}, std::max(one_call, milliseconds(5000)));
    if (!admin) {
        return std::unexpected(admin.error());
    }
    for (std::size_t at = 1; at < state_.nodes.size(); ++at) {
        const LocalNode& node = state_.nodes[at];
        const auto staged = admin->stage_join(node.address(), {});
        if (!staged) {
            return std::unexpected(staged.error());
        }
    }
    if (state_.nodes.size() > 1) {
        const auto plan = admin->plan();
        if (!plan) {
            return std::unexpected(plan.error());
        }
        if (const auto committed = admin->commit(plan->id); !committed) {
            return std::unexpected(committed.error());
        }
    }
    for (LocalNode& node : state_.nodes) {
        node.joined = true;
    }
    state_.formed = true;
    return directory_.save(state_);
}

bool LocalCluster::is_healthy(Admin& admin) const {
    std::uint64_t ring = 0;
    for (const LocalNode& node : state_.nodes) {
        if (!node.joined) {
            continue;
        }
        const auto status = admin.status_at(node.address());
        if (!status || status->ring == 0 || (ring != 0 && status->ring != ring)) {
            return false;
        }
        ring = status->ring;
        if (std::ranges::any_of(status->peers, &PeerView::suspected)) {
            return false;
        }
    }
    // Empty as it is, a ring that was just made has to come to its end as any other.
    const auto view = admin.ring();
    return ring != 0 && view && view->number == ring && view->moving.empty();
}

Result<void> LocalCluster::wait_until_healthy() {
    auto admin = admin_of({state_.nodes.front().address()}, one_call);
    if (!admin) {
        return std::unexpected(admin.error());
    }
    return ask_until(patience_, [&]() -> Result<bool> { return is_healthy(*admin); });
}

Result<void> LocalCluster::form(unsigned nodes) {
    const InterruptGuard guard;
    while (state_.nodes.size() < nodes) {
        state_.nodes.push_back(next_node());
    }
    const auto run = [&]() -> Result<void> {
        if (const auto free = check_ports(state_.nodes); !free) {
            return free;
        }
        if (const auto saved = directory_.save(state_); !saved) {
            return saved;
        }
        for (LocalNode& node : state_.nodes) {
            if (const auto started = start(node); !started) {
                return started;
            }
            if (const auto up = wait_until_up(node); !up) {
                return up;
            }
        }
        if (const auto joined = join_and_commit(); !joined) {
            return joined;
        }
        return wait_until_healthy();
    };
    auto formed = run();
    if (!formed) {
        // The logs stay for whoever wants to know why; the half-made data does not.
        static_cast<void>(stop());
        for (const LocalNode& node : state_.nodes) {
            std::error_code ignored;
            std::filesystem::remove_all(directory_.data_of(node), ignored);
        }
        std::error_code ignored;
        std::filesystem::remove(directory_.path() / "cluster.json", ignored);
    }
    return formed;
}

Result<void> LocalCluster::start_again() {
    const InterruptGuard guard;
    std::vector<LocalNode*> started;
    for (LocalNode& node : state_.nodes) {
        if (state_of(node) == ProcessState::dead) {
            if (const auto free = check_ports({node}); !free) {
                return free;
            }
            started.push_back(&node);
        }
    }
    const auto run = [&]() -> Result<void> {
        for (LocalNode* node : started) {
            if (const auto begun = start(*node); !begun) {
                return begun;
            }
        }
        for (const LocalNode* node : started) {
            if (const auto up = wait_until_up(*node); !up) {
                return up;
            }
        }
        return wait_until_healthy();
    };
    auto done = run();
    if (!done) {
        for (LocalNode* node : started) {
            end(*node, milliseconds(2000));
        }
    }
    return done;
}

Result<std::string> LocalCluster::add() {
    const InterruptGuard guard;
    const LocalNode node = next_node();
    if (const auto free = check_ports({node}); !free) {
        return std::unexpected(free.error());
    }
    state_.nodes.push_back(node);
    LocalNode& added = state_.nodes.back();
    auto up = start(added);
    if (up) {
        up = wait_until_up(added);
    }
    if (!up) {
        end(added, milliseconds(2000));
        std::error_code ignored;
        static_cast<void>(std::filesystem::remove_all(directory_.data_of(added), ignored));
        state_.nodes.pop_back();
        static_cast<void>(directory_.save(state_));
        return std::unexpected(up.error());
    }
    return added.address();
}

void LocalCluster::kill(LocalNode& node) { end(node, milliseconds(0)); }

Result<void> LocalCluster::pause(const LocalNode& node) {
    ::kill(node.process, SIGSTOP);
    return ask_until(patience_,
                     [&]() -> Result<bool> { return state_of(node) == ProcessState::paused; });
}

void LocalCluster::resume(const LocalNode& node) { ::kill(node.process, SIGCONT); }

Result<void> LocalCluster::restart(LocalNode& node) {
    const InterruptGuard guard;
    end(node, milliseconds(10000));
    if (const auto free = check_ports({node}); !free) {
        return free;
    }
    if (const auto started = start(node); !started) {
        return started;
    }
    auto up = wait_until_up(node);
    if (!up) {
        end(node, milliseconds(2000));
    }
    return up;
}

Result<void> LocalCluster::wipe(LocalNode& node, bool all) {
    if (state_of(node) != ProcessState::dead) {
        return fail(
            Code::refused,
            fmt::format("{0} is running; end it first with dyn-cluster kill {0}", node.name));
    }
    std::error_code error;
    const std::filesystem::path data = directory_.data_of(node);
    std::vector<std::filesystem::path> doomed;
    for (const auto& entry : std::filesystem::directory_iterator(data, error)) {
        const std::string name = entry.path().filename();
        if (all || (name != "identity" && name != "ring" && name != "lock")) {
            doomed.push_back(entry.path());
        }
    }
    for (const auto& path : doomed) {
        std::filesystem::remove_all(path, error);
        if (error) {
            return fail(Code::bad_request,
                        fmt::format("cannot remove {}: {}", path.string(), error.message()));
        }
    }
    // It comes back as a stranger, whom nobody waits for.
    node.joined = node.joined && !all;
    return directory_.save(state_);
}

void LocalCluster::end(LocalNode& node, milliseconds grace) {
    const std::string data = directory_.data_of(node);
    if (state_of(node) == ProcessState::dead) {
        static_cast<void>(exit_of_child(node.process));
        return;
    }
    if (grace.count() > 0) {
        ::kill(node.process, SIGTERM);
        ::kill(node.process, SIGCONT);
        if (wait_until_dead(node.process, data, grace)) {
            return;
        }
        reporter_.remark(
            fmt::format("{} did not stop in {} s and is killed", node.name, grace.count() / 1000));
    }
    ::kill(node.process, SIGKILL);
    static_cast<void>(wait_until_dead(node.process, data, milliseconds(30000)));
}

unsigned LocalCluster::stop() {
    unsigned running = 0;
    for (const LocalNode& node : state_.nodes) {
        if (state_of(node) != ProcessState::dead) {
            ++running;
            // All at once: each ends in its own time.
            ::kill(node.process, SIGTERM);
            ::kill(node.process, SIGCONT);
        }
    }
    for (LocalNode& node : state_.nodes) {
        end(node, milliseconds(10000));
    }
    return running;
}

Result<void> LocalCluster::clean() {
    static_cast<void>(stop());
    return directory_.remove(state_);
}

}  // namespace dynamo::cli
