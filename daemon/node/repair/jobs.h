// Jobs: an operator has all owners of some partitions compare them at once (dyn-repair(1)), beside
// the turns that exchanges take by themselves.
//
//     dyn-repair run ──► every member: JobRequest{id, partitions}      each has its share of it:
//     for each of the partitions that it owns ──► a pass with each other owner, all done ──► done
//
// At the end of a pass this node has all that the other held (exchange.h); so when all shares are
// done, each owner has what any of them held when the job began. Any pass counts that began after
// the job, whoever wanted it; so does one of which nothing differed, for one small message.
//
// A share waits for owners that do not answer, for the hours in which it may work, and while the
// requests led here are slow. It is noted in storage with the partitions that are left, so it goes
// on after a restart; a partition of which some owners were compared starts over. Those that ended
// are kept for a while, to be shown.
//
// Shape:   so many jobs are known at most; none of them may hold back what exchanges do anyway
// Threads: one; the node's
// Errors:  bad_request for what makes no sense and for a job that is not known, busy when too many
//          are open; storage
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "daemon/node/desk.h"
#include "daemon/node/membership/liveness.h"

namespace dynamo {

class Jobs {
  public:
    Jobs(Desk& desk, Liveness& liveness) : desk_(desk), liveness_(liveness) {}

    /// Reads what is noted.
    [[nodiscard]] Result<void> start();
    /// The commit of the present step failed: what is noted is all that was done.
    void rolled_back();
    /// Another ring: what this node does not own any more is no part of its shares.
    void on_ring();
    /// All that was stored here is gone: what was compared before is to be compared again.
    void given_up();
    [[nodiscard]] Result<wire::JobReply> on(const wire::JobRequest& request);
    [[nodiscard]] wire::JobsReply list() const;
    void tick();
    [[nodiscard]] Instant wake_at() const;

    struct Turn {
        std::string job;
        std::uint16_t partition = 0;
        NodeId partner;
    };
    /// What is to be compared next; none while no job may go on.
    [[nodiscard]] std::optional<Turn> next();
    /// Before this there is no next().
    [[nodiscard]] Instant ready_at() const;
    /// Nothing more of any job before then.
    void rest_until(Instant then);
    /// A pass with the other owner, begun then, is complete.
    void compared(std::uint16_t partition, const NodeId& partner, Instant began);
    /// In a pass that the job wanted so many records differed.
    void moved(const std::string& job, std::size_t records, std::size_t octets);
    /// A pass that the job wanted did not come to its end.
    void failed(const std::string& job, std::uint16_t partition);
    /// Whether a pass that the job wanted may go on.
    [[nodiscard]] bool may_go_on(const std::string& job);
    /// When; of one that may.
    [[nodiscard]] Instant rests_until(const std::string& job) const;

  private:
    struct Job {
        wire::JobShare share;                            ///< without the owners that are away
        std::map<std::uint16_t, std::set<NodeId>> left;  ///< partitions, and owners compared with
        Instant began;  ///< a pass that did not begin later does not count
        Instant rests_until;
        std::uint16_t at = 0;      ///< the partition that is looked at first
        std::size_t failures = 0;  ///< so that each of its owners comes first some time
        bool noted = false;        ///< storage has it as it is here
    };
    [[nodiscard]] Result<void> begin(const wire::JobRequest& request);
    [[nodiscard]] Result<void> steer(Job& job, wire::JobAction action);
    [[nodiscard]] Result<void> read_notes();
    [[nodiscard]] Result<void> note(Job& job);
    void note_or_log(Job& job);
    /// Follows the ring with what is left, and ends a share of which nothing is.
    void settle(Job& job) const;
    /// Why it may not go on at present.
    [[nodiscard]] wire::JobWaits held_by(const Job& job) const;
    [[nodiscard]] std::optional<Turn> next_of(Job& job) const;
    [[nodiscard]] wire::JobShare told(const Job& job) const;
    void forget_oldest();

    Desk& desk_;
    Liveness& liveness_;
    std::map<std::string, Job> jobs_;
    bool unread_ = false;  ///< storage could not be read
    Instant next_try_;
};

}  // namespace dynamo
