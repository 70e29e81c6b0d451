// The verbs of dyn-ring that stage changes: join, leave, remove, replace, set, rebalance, discard.
//
// Nothing happens before a commit (commit.h).
//
// Threads: one owner
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/common/options.h"
#include "dynamo/admin.h"

namespace dynamo::cli {

class RingStaging {
  public:
    explicit RingStaging(const CommonOptions& common) : common_(common) {}
    void build(App& app);

  private:
    void declare_nodes(App& verb);
    void declare_note(App& verb);
    void declare_attributes(App& verb, const std::string& otherwise);
    void declare_lost(App& verb);
    int join();
    int leave();
    int remove();
    int replace();
    int set();
    int rebalance();
    int discard();
    /// The member of that name; with `former`, also one that was removed and holds something still.
    [[nodiscard]] Result<NodeInfo> find(const RingView& ring, const std::string& name,
                                        bool former = false) const;
    [[nodiscard]] int say_staged(unsigned staged) const;

    const CommonOptions& common_;
    std::vector<Operand> operands_;
    std::string name_;
    std::optional<std::string> zone_;
    std::optional<unsigned> weight_;
    std::string client_address_;
    std::string peer_address_;
    std::string note_;
    bool lost_ = false;
};

}  // namespace dynamo::cli
