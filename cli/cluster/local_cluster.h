// A cluster of real daemons on this machine: started, joined, hurt, healed and stopped.
//
// Node k listens on 127.0.0.1, clients on base + 10 (k - 1), peers on the port after it. n1 founds;
// the others wait until they are joined. Every step is written down before the next, so that
// whatever was started can be stopped.
//
// Threads: one owner
// Errors:  a daemon that ends early is an error with the last lines of its log
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli/cluster/process.h"
#include "cli/cluster/state.h"
#include "cli/common/exit.h"
#include "dynamo/admin.h"

namespace dynamo::cli {

class LocalCluster {
  public:
    LocalCluster(ClusterDirectory directory, ClusterState state, Reporter reporter,
                 std::chrono::milliseconds patience)
        : directory_(std::move(directory)),
          state_(std::move(state)),
          reporter_(std::move(reporter)),
          patience_(patience) {}

    [[nodiscard]] const ClusterState& state() const { return state_; }
    [[nodiscard]] const ClusterDirectory& directory() const { return directory_; }

    /// Starts `nodes` daemons and makes them one cluster. On failure nothing of it is left running.
    [[nodiscard]] Result<void> form(unsigned nodes);
    /// Starts every daemon that is not running, and waits until they are one cluster again.
    [[nodiscard]] Result<void> start_again();
    /// One more daemon, not joined. Answers with its client address.
    [[nodiscard]] Result<std::string> add();

    // What is done to one node.
    [[nodiscard]] Result<LocalNode*> find(const std::string& name);
    [[nodiscard]] ProcessState state_of(const LocalNode& node) const;
    void kill(LocalNode& node);
    [[nodiscard]] Result<void> pause(const LocalNode& node);
    void resume(const LocalNode& node);
    /// Ends it cleanly if it runs, starts it, waits until it answers.
    [[nodiscard]] Result<void> restart(LocalNode& node);
    /// A dead node's stored data; with `all` its identity and its ring too.
    [[nodiscard]] Result<void> wipe(LocalNode& node, bool all);

    /// Ends every daemon, by force if need be; answers with how many there were.
    [[nodiscard]] unsigned stop();
    /// Stops, then removes every file of the cluster.
    [[nodiscard]] Result<void> clean();

  private:
    [[nodiscard]] Result<void> check_ports(const std::vector<LocalNode>& nodes) const;
    [[nodiscard]] LocalNode next_node() const;
    [[nodiscard]] Result<void> start(LocalNode& node);
    [[nodiscard]] Result<void> wait_until_up(const LocalNode& node);
    [[nodiscard]] Result<void> join_and_commit();
    [[nodiscard]] Result<void> wait_until_healthy();
    [[nodiscard]] bool is_healthy(Admin& admin) const;
    [[nodiscard]] Error ended_early(const LocalNode& node, int exit) const;
    [[nodiscard]] std::vector<std::string> command_of(const LocalNode& node) const;
    void end(LocalNode& node, std::chrono::milliseconds grace);

    ClusterDirectory directory_;
    ClusterState state_;
    Reporter reporter_;
    std::chrono::milliseconds patience_;
};

}  // namespace dynamo::cli
