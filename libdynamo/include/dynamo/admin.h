// Administration: the ring, its changes, and what nodes report of themselves.
//
//     auto admin = dynamo::Admin::open({.seeds = {"127.0.0.1:7100"}});
//     admin->stage_join("127.0.0.1:7110", {});
//     auto plan = admin->plan();
//     admin->commit(plan->id);
//
// Threads: one owner at a time; every call blocks until its answer or the client's timeout
// Errors:  Result<T>, as client.h
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dynamo/client.h"
#include "dynamo/jobs.h"
#include "dynamo/upkeep.h"

namespace dynamo {

struct NodeInfo {
    std::string id;    ///< 32 hexadecimal digits
    std::string name;  ///< unique in the ring
    std::string zone;
    unsigned weight = 100;
    std::string client_address;
    std::string peer_address;
    bool operator==(const NodeInfo&) const = default;
};

/// What a daemon says of itself.
struct Hello {
    NodeInfo node;
    std::string server;      ///< "dynamod 0.1.0"
    std::string cluster;     ///< empty while it waits
    std::string cluster_id;  ///< 32 hexadecimal digits, or empty
    std::string state;       ///< "member", "waiting", "removed"
    std::uint64_t ring = 0;
    std::uint64_t max_key = 0;      ///< octets
    std::uint64_t max_value = 0;    ///< octets
    std::uint64_t max_context = 0;  ///< octets
};

/// A change that waits for a commit.
struct StagedChange {
    std::string kind;  ///< "add", "remove" or "set"
    NodeInfo node;
    std::int64_t wall_ms = 0;
    std::string note;
};

/// One committed ring of the past, and what made it differ from the one before.
struct RingEpoch {
    std::uint64_t number = 0;           ///< 1 is the founding
    std::string digest;                 ///< hexadecimal
    std::int64_t wall_ms = 0;           ///< when it was committed, by the clock of `proposer`
    std::string proposer;               ///< who committed it: a node's name, or 8 digits of its id
    unsigned members = 0;               ///< then
    unsigned moves = 0;                 ///< (partition, node) copies that were new
    std::vector<StagedChange> changes;  ///< that it made, oldest first
};

/// A partition whose last change has not come to its end (paper section 4.9).
struct MovingPartition {
    unsigned partition = 0;
    std::vector<std::string> from;     ///< names of the owners of its older lists, each once
    std::vector<std::string> waiting;  ///< owners of the newest list that do not hold all of it yet
    std::vector<std::string> complete;  ///< those that do
    unsigned sources = 0;               ///< of each older list, how many have to be reached
};

/// The ring as one node knows it.
struct RingView {
    std::string cluster;
    std::string cluster_id;
    std::uint64_t number = 0;
    std::string digest;            ///< of the head epoch, hexadecimal
    unsigned copies = 0;           ///< N
    unsigned partitions = 0;       ///< Q
    unsigned read_quorum = 0;      ///< default R
    unsigned write_quorum = 0;     ///< default W
    bool last_write_wins = false;  ///< readers are shown the youngest version only
    std::vector<NodeInfo> nodes;   ///< sorted by name
    /// Per partition: indexes into `nodes`, most preferred first; shorter than N on a small ring.
    std::vector<std::vector<unsigned>> owners;
    std::vector<MovingPartition> moving;
    std::vector<NodeInfo> leaving;  ///< nodes that were removed and still hold something
    std::vector<StagedChange> staged;
    std::vector<RingEpoch> history;  ///< those remembered, oldest first; the last is this

    /// The partition of a key, and the node indexes that would stand in beyond its owners.
    [[nodiscard]] unsigned partition_of(std::string_view key) const;
    [[nodiscard]] std::vector<unsigned> fallbacks(unsigned partition) const;
    /// The 128-bit position of a key, 32 hexadecimal digits.
    [[nodiscard]] static std::string position_of(std::string_view key);
    /// Whether the holder of a context of `key` has seen, or written, this version of it. No for
    /// what is no context of the key in this cluster.
    [[nodiscard]] bool covers(std::string_view key, const ContextToken& context,
                              const Version& version) const;
};

struct PeerView {
    std::string id;
    bool suspected = false;
    std::int64_t silent_ms = 0;  ///< since it was last heard; -1: never
    std::uint64_t hints = 0;     ///< kept for it
};

/// What one node reports.
struct NodeStatus {
    NodeInfo node;
    std::uint64_t ring = 0;
    std::uint64_t stored_bytes = 0;
    std::uint64_t free_bytes = 0;
    std::uint64_t hints_held = 0;
    std::int64_t uptime_ms = 0;
    std::string durability;
    bool writes_refused = false;
    std::vector<PeerView> peers;
};

/// What one node holds of one key: its own copy, and what it keeps for owners (hints).
struct HeldCopy {
    std::string hint_for;  ///< the owner's name, or 8 digits of its id; empty: its own copy
    bool damaged = false;  ///< stored, but unreadable
    std::vector<Version> versions;
    std::uint64_t clock_entries = 0;
    std::string digest;  ///< 32 hexadecimal digits; equal states, and only they, have equal ones
    ContextToken seen;   ///< covers every write that the copy has seen
};
struct Held {
    bool owner = false;       ///< the node stands in the key's preference list
    bool rebuilding = false;  ///< its copy of the partition is not complete
    std::vector<HeldCopy> copies;
};

struct Plan {
    std::string id;          ///< "p-91c2d07a"
    std::uint64_t from = 0;  ///< number of the ring that it changes
    std::uint64_t to = 0;
    RingView after;
    struct Row {
        NodeInfo node;
        unsigned owns_before = 0;  ///< partitions
        unsigned owns_after = 0;
        unsigned gains = 0;  ///< partitions that it did not own before
        double gives = 0;    ///< copies that it sends, when all owners send alike
    };
    std::vector<Row> rows;          ///< every node of either ring, by name
    unsigned moves = 0;             ///< (partition, node) copies that are new
    unsigned moves_minimum = 0;     ///< no assignment as balanced moves fewer
    unsigned replicas = 0;          ///< Q times the copies of a row
    bool zones_distinct = false;    ///< every list spans as many zones as it can
    unsigned short_partitions = 0;  ///< of which fewer than W copies would be left
};

/// A change of a ring that is only thought of.
struct WhatIf {
    std::vector<NodeInfo> join;      ///< name, zone and weight of nodes that need not exist
    std::vector<std::string> leave;  ///< names of members
};
/// What the change would do to a ring that Admin::saved_ring() gave, whatever is staged in it. Asks
/// nobody. bad_request for what is no such ring or names nobody; refused as a commit would be.
[[nodiscard]] Result<Plan> simulate(std::string_view saved_ring, const WhatIf& change);

class Admin {
  public:
    [[nodiscard]] static Result<Admin> open(ClientOptions options);
    Admin(Admin&&) noexcept;
    Admin& operator=(Admin&&) noexcept;
    ~Admin();

    /// Of the first seed that answers, or of exactly `address`.
    [[nodiscard]] Result<Hello> hello();
    [[nodiscard]] Result<Hello> hello_at(const std::string& address);
    [[nodiscard]] Result<RingView> ring();
    [[nodiscard]] Result<RingView> ring_at(const std::string& address);
    /// The ring with its history, in octets that simulate() reads.
    [[nodiscard]] Result<std::string> saved_ring();
    /// A ring of the past: who was a member, and who owned what.
    [[nodiscard]] Result<RingView> ring_version(std::uint64_t number);
    [[nodiscard]] Result<NodeStatus> status_at(const std::string& address);
    /// Dotted names, sorted.
    [[nodiscard]] Result<std::map<std::string, double>> stats_at(const std::string& address);

    /// What exactly this node holds of a key; it asks nobody else.
    [[nodiscard]] Result<Held> peek_at(const std::string& address, std::string_view key);

    // Of exactly one node, as the rest of these.
    /// How far its background work is; `pairs`: of each partition and other owner, too.
    [[nodiscard]] Result<UpkeepStatus> upkeep_at(const std::string& address, bool pairs);
    /// Sets the rate of background work, octets a second, until the daemon ends; 0: the latency of
    /// requests decides again.
    [[nodiscard]] Result<BackgroundPace> throttle_at(const std::string& address,
                                                     std::uint64_t rate);
    /// Has it look at once for owners of the hints that it keeps. Answers with how many there are.
    [[nodiscard]] Result<std::uint64_t> flush_hints_at(const std::string& address);
    /// What it keeps of deletes, and why; `number`: what PurgeStatus::due counts by, 0 for the
    /// fence's of now. With `now` it takes the next step towards forgetting them at once.
    [[nodiscard]] Result<PurgeStatus> purge_at(const std::string& address, bool now,
                                               std::uint64_t number = 0);
    /// Has it read and verify a slice of its records, and moves the place past it.
    [[nodiscard]] Result<ScrubSlice> scrub_at(const std::string& address, ScrubPlace& place);
    /// Has it compare a kept Merkle tree with one made from the records, and put that in its place
    /// if they differ. Nothing while it is at it: ask again.
    [[nodiscard]] Result<std::optional<TreeCheck>> check_tree_at(const std::string& address,
                                                                 unsigned partition);
    /// Has it build a tree, `anew` though there is one. Whether it is complete: else ask again.
    [[nodiscard]] Result<bool> build_tree_at(const std::string& address, unsigned partition,
                                             bool anew);

    /// Has it begin its share of a job, in a ring of so many partitions. A job that it knows goes
    /// on as it is. busy when too many are open there.
    [[nodiscard]] Result<JobShare> begin_job_at(const std::string& address, const NewJob& job,
                                                unsigned partitions);
    /// bad_request for a job that it does not know. One that has ended stays as it is.
    [[nodiscard]] Result<JobShare> steer_job_at(const std::string& address, const std::string& id,
                                                JobStep step);
    /// Its shares of all jobs that it knows, the youngest first.
    [[nodiscard]] Result<std::vector<JobShare>> jobs_at(const std::string& address);

    /// What a join may override of what the node says of itself.
    struct JoinOptions {
        std::string name;
        std::string zone;
        std::optional<unsigned> weight;
        std::string note;
    };
    /// Asks the daemon at `address` who it is, then stages its joining. refused when it belongs to
    /// a cluster already, is a member, or its name is taken. Returns the number of changes staged.
    [[nodiscard]] Result<unsigned> stage_join(const std::string& address,
                                              const JoinOptions& options);
    /// How a node leaves the ring.
    enum class Leaving : std::uint8_t {
        hands_over,  ///< it gives all that it holds to those who own it then
        lost,        ///< what it stored is gone for good; it never comes back
    };
    /// Stages that a member leaves. Returns the number of changes staged.
    [[nodiscard]] Result<unsigned> stage_leave(const NodeInfo& node, Leaving leaving,
                                               const std::string& note);
    /// Stages what is to be known of a member from now on: name, zone, weight, addresses. Returns
    /// the number of changes staged.
    [[nodiscard]] Result<unsigned> stage_set(const NodeInfo& node, const std::string& note);
    /// Stages a new placement of the members that there are. Nothing, and 0, when it is what the
    /// ring has.
    [[nodiscard]] Result<unsigned> stage_rebalance(const std::string& note);
    /// Discards all that is staged; with `head`, what the last commit changed as well, which is
    /// refused when nothing of it is under way any more. Returns the number of changes staged.
    [[nodiscard]] Result<unsigned> stage_discard(bool head, const std::string& note);
    /// What a commit of all that is staged would do.
    [[nodiscard]] Result<Plan> plan();
    /// stale_plan when the ring or what is staged is not what `plan_id` names; refused unless
    /// `accept_loss` is Plan::short_partitions; quorum_not_met when no majority of the members
    /// answers: then it may be made later. Returns the new ring's number.
    [[nodiscard]] Result<std::uint64_t> commit(const std::string& plan_id,
                                               std::uint64_t accept_loss = 0);

  private:
    friend class Comparison;
    friend class TreeReader;
    explicit Admin(Client client);
    struct Upkeep;
    Client client_;
};

}  // namespace dynamo
