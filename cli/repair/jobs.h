// The verbs of dyn-repair that are about jobs: what nodes compare because an operator wanted it.
//
// A job is known to each member by itself, and nobody keeps the sum: the tool asks all of them.
//
// Threads: one owner
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/common/options.h"
#include "cli/common/progress.h"
#include "cli/repair/restraint.h"

namespace dynamo::cli {

/// What the members say of one job.
struct JobView {
    struct Part {
        NodeInfo node;
        JobShare share;
    };
    std::string id;
    std::vector<Part> parts;  ///< of those that know it, by name
    [[nodiscard]] JobState state() const;
    [[nodiscard]] std::uint64_t sum(std::uint64_t JobShare::* field) const;
};

class Jobs {
  public:
    explicit Jobs(const CommonOptions& common) : common_(common) {}
    void build(App& app);
    /// The option of `run` that is about jobs.
    void declare_detach(App& app);

    [[nodiscard]] bool detached() const { return detach_; }

    /// Begins a job at all members, and follows it to its end unless it is detached.
    [[nodiscard]] int run(Admin& admin, const RingView& ring,
                          const std::vector<unsigned>& partitions, const std::string& scope,
                          const Restraint& restraint);

  private:
    /// What all members know.
    struct Known {
        std::vector<JobView> jobs;  ///< the youngest first
        std::vector<NodeInfo> silent;
        [[nodiscard]] const JobView* find(const std::string& id) const;
    };
    int list();
    int show();
    int wait();
    int steer(JobStep step, const std::string& done);
    /// `told`: of nodes that do not answer.
    [[nodiscard]] Known gather(Admin& admin, const RingView& ring, bool told) const;
    /// The job that the operand names, and who was asked.
    struct Chosen {
        CommonOptions::Operator with;
        Known known;
        JobView job;
    };
    [[nodiscard]] Result<Chosen> chosen() const;
    /// Whole, or by its beginning.
    [[nodiscard]] static Result<JobView> job_named(const std::string& text, const Known& known);
    /// Until it has ended, patience or Ctrl-C. `again`: to be begun at members that do not know it;
    /// then nodes that stay away end the wait as well.
    [[nodiscard]] int follow(Admin& admin, const RingView& ring, const std::string& id,
                             const NewJob* again);
    [[nodiscard]] int finish(const RingView& ring, const JobView& job, const Known& known);
    [[nodiscard]] nlohmann::ordered_json json_of(const RingView& ring, const JobView& job) const;
    void print(const Table& table, const nlohmann::ordered_json& json) const;

    const CommonOptions& common_;
    Progress progress_;
    std::vector<Operand> id_;
    std::chrono::milliseconds patience_{0};  ///< 0: without end
    bool detach_ = false;
};

}  // namespace dynamo::cli
