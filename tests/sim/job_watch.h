// Jobs that an operator has nodes do while faults strike (daemon/node/repair/jobs.h), and what a
// share must be worth that says it is done: the node has all that the other owners held when the
// job began.
//
// Held to it are owners that have not stopped since, for what a disk loses nobody can give; and no
// node whose own copy is not whole. Runs with purges or with damaged records have no jobs: what a
// node held may go there with good reason.
//
// Threads: one
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/checkers.h"
#include "tests/sim/cluster.h"

namespace dynamo::sim {

class JobWatch {
  public:
    JobWatch(World& world, Cluster& cluster);

    /// Arranges for the jobs of the setup.
    void schedule();
    /// After the healing: what is paused goes on, and all that is open has to end.
    void finish(const Scene& scene);

  private:
    /// What one node held when a job began.
    struct Held {
        std::uint64_t run = 0;
        std::map<Bytes, Object> objects;
    };
    struct Job {
        Bytes partitions;
        std::vector<Held> held;
        std::set<std::pair<unsigned, std::uint64_t>> judged;  ///< nodes, and their runs
        std::map<unsigned, std::uint64_t> began;              ///< nodes, and their runs then
    };
    void begin(const std::string& id, Random random);
    void tell(unsigned node, wire::ClientRequest body);
    void poll();
    void look(unsigned node, const wire::JobsReply& reply);
    void judge(unsigned node, const std::string& id, Job& job);

    World& world_;
    Cluster& cluster_;
    std::map<std::string, Job> jobs_;
    std::uint64_t asked_ = std::uint64_t{1} << 40;
    std::map<unsigned, std::size_t> open_;  ///< shares, by node, as it said last
};

}  // namespace dynamo::sim
