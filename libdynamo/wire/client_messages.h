// What clients ask and are told: one struct a message, one field list each (man/dynamo-wire.7).
//
// Requests and replies travel as maps made from `fields()`. A field is only ever added at the end,
// with a default that means what its absence meant. Golden bytes of each are in tests/golden/wire.
//
// Threads: plain values
#pragma once

#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "dynamo/types.h"
#include "libdynamo/wire/codec.h"
#include "libdynamo/wire/job_messages.h"
#include "libdynamo/wire/upkeep_messages.h"

namespace dynamo::wire {

template <>
struct LastOf<PutMode> {
    static constexpr PutMode value = PutMode::blind;
};

/// Who are you? The first thing a client says; also how an operator learns an address's node id.
struct HelloRequest {
    std::string client;  ///< the program's name, for logs
    static constexpr std::string_view op = "hello";
    static constexpr auto fields() { return std::tuple{str("client", &HelloRequest::client)}; }
};
struct HelloReply {
    std::uint32_t proto_min = 1;
    std::uint32_t proto_max = 1;
    std::string server;
    std::vector<std::string> features;
    std::uint64_t max_key = 0;      ///< octets
    std::uint64_t max_value = 0;    ///< octets
    std::uint64_t max_context = 0;  ///< octets
    std::string cluster;            ///< its name; empty when waiting
    Bytes cluster_id;               ///< 16 octets, or none
    std::string node;
    Bytes node_id;
    std::string zone;
    std::uint32_t weight = 0;
    std::string client_address;
    std::string peer_address;
    std::string state;       ///< "member", "waiting" (for an operator's join) or "removed"
    std::uint64_t ring = 0;  ///< number of the head epoch; 0 when waiting
    static constexpr auto fields() {
        return std::tuple{field("proto_min", &HelloReply::proto_min),
                          field("proto_max", &HelloReply::proto_max),
                          str("server", &HelloReply::server),
                          str("features", &HelloReply::features),
                          field("max_key", &HelloReply::max_key),
                          field("max_value", &HelloReply::max_value),
                          field("max_context", &HelloReply::max_context),
                          str("cluster", &HelloReply::cluster),
                          bin("cluster_id", &HelloReply::cluster_id),
                          str("node", &HelloReply::node),
                          bin("node_id", &HelloReply::node_id),
                          str("zone", &HelloReply::zone),
                          field("weight", &HelloReply::weight),
                          str("client_address", &HelloReply::client_address),
                          str("peer_address", &HelloReply::peer_address),
                          str("state", &HelloReply::state),
                          field("ring", &HelloReply::ring)};
    }
};

/// One step of a traced request, up to the answer.
struct TraceStep {
    std::uint64_t at_us = 0;  ///< since the coordinator took the request
    Bytes node;               ///< whom it concerns; the first step names the coordinator
    std::string what;         ///< "coordinates", "read asked", "read answered", ...: dynamo-wire(7)
    static constexpr auto fields() {
        return std::tuple{field("at_us", &TraceStep::at_us), bin("node", &TraceStep::node),
                          str("what", &TraceStep::what)};
    }
};

struct GetRequest {
    Bytes key;
    std::uint32_t r = 0;  ///< 0: the cluster's R
    bool trace = false;   ///< tell in the reply who was asked and who answered when
    static constexpr std::string_view op = "get";
    static constexpr auto fields() {
        return std::tuple{bin("key", &GetRequest::key), field("r", &GetRequest::r),
                          field("trace", &GetRequest::trace)};
    }
};
/// One version, as clients see it.
struct VersionReply {
    Bytes value;
    bool tombstone = false;
    std::int64_t wall_ms = 0;
    Bytes node;                 ///< of its dot: who took the write
    std::string birth;          ///< of its dot, decimal: a 64-bit number
    std::uint64_t counter = 0;  ///< of its dot
    static constexpr auto fields() {
        return std::tuple{
            bin("value", &VersionReply::value),       field("tombstone", &VersionReply::tombstone),
            field("wall_ms", &VersionReply::wall_ms), bin("node", &VersionReply::node),
            str("birth", &VersionReply::birth),       field("counter", &VersionReply::counter)};
    }
};
struct GetReply {
    std::vector<VersionReply> versions;  ///< all siblings, tombstones too; empty when never written
    Bytes context;                       ///< covers all of them; also given for an absent key
    std::uint64_t clock_entries = 0;
    std::vector<TraceStep> trace;
    static constexpr auto fields() {
        return std::tuple{
            field("versions", &GetReply::versions), bin("context", &GetReply::context),
            field("clock_entries", &GetReply::clock_entries), field("trace", &GetReply::trace)};
    }
};

struct PutRequest {
    Bytes key;
    Bytes value;
    PutMode mode = PutMode::observe;
    Bytes context;                ///< a token, with PutMode::context
    std::uint32_t w = 0;          ///< 0: the cluster's W
    std::uint32_t observe_r = 0;  ///< clocks to gather with PutMode::observe; 0: the cluster's R
    bool overwrite =
        false;  ///< observe: supersede several differing siblings instead of `conflict`
    bool if_absent = false;  ///< observe: `exists` when there is a value; best effort
    bool trace = false;
    static constexpr std::string_view op = "put";
    static constexpr auto fields() {
        return std::tuple{bin("key", &PutRequest::key),
                          bin("value", &PutRequest::value),
                          field("mode", &PutRequest::mode),
                          bin("context", &PutRequest::context),
                          field("w", &PutRequest::w),
                          field("observe_r", &PutRequest::observe_r),
                          field("overwrite", &PutRequest::overwrite),
                          field("if_absent", &PutRequest::if_absent),
                          field("trace", &PutRequest::trace)};
    }
};
struct PutReply {
    Bytes context;         ///< what the put's context covered, and the new version; nothing else
    bool existed = false;  ///< the coordinator saw a live value before it
    std::vector<TraceStep> trace;
    static constexpr auto fields() {
        return std::tuple{bin("context", &PutReply::context), field("existed", &PutReply::existed),
                          field("trace", &PutReply::trace)};
    }
};

/// A delete is a put of a tombstone. Observing, it supersedes all siblings that it saw; seeing no
/// live value it writes nothing and answers `existed` false.
struct DelRequest {
    Bytes key;
    PutMode mode = PutMode::observe;
    Bytes context;
    std::uint32_t w = 0;
    std::uint32_t observe_r = 0;
    bool trace = false;
    static constexpr std::string_view op = "del";
    static constexpr auto fields() {
        return std::tuple{bin("key", &DelRequest::key),
                          field("mode", &DelRequest::mode),
                          bin("context", &DelRequest::context),
                          field("w", &DelRequest::w),
                          field("observe_r", &DelRequest::observe_r),
                          field("trace", &DelRequest::trace)};
    }
};
struct DelReply {
    Bytes context;
    bool existed = false;
    std::vector<TraceStep> trace;
    static constexpr auto fields() {
        return std::tuple{bin("context", &DelReply::context), field("existed", &DelReply::existed),
                          field("trace", &DelReply::trace)};
    }
};

/// All that R nodes know of a key, for a backup: a get that answers with the state itself.
struct StateRequest {
    Bytes key;
    std::uint32_t r = 0;  ///< 0: the cluster's R
    static constexpr std::string_view op = "state";
    static constexpr auto fields() {
        return std::tuple{bin("key", &StateRequest::key), field("r", &StateRequest::r)};
    }
};
struct StateReply {
    Bytes state;              ///< encode(Object) of state_codec.h; empty when never written
    std::uint64_t fence = 0;  ///< 1 + the lowest fence that it was read at
    static constexpr auto fields() {
        return std::tuple{bin("state", &StateReply::state), field("fence", &StateReply::fence)};
    }
};

/// Merges a state into a key, by the rules of a put but for the dot: none is minted, since the
/// state's versions have theirs already. Doing it again, or later, changes nothing more.
struct MergeRequest {
    Bytes key;
    Bytes state;          ///< encode(Object), with one version at least
    std::uint32_t w = 0;  ///< 0: the cluster's W
    /// Of the StateReply: refused when what supersedes the state may have been purged since.
    /// 0: stored in any case.
    std::uint64_t fence = 0;
    static constexpr std::string_view op = "merge";
    static constexpr auto fields() {
        return std::tuple{bin("key", &MergeRequest::key), bin("state", &MergeRequest::state),
                          field("w", &MergeRequest::w), field("fence", &MergeRequest::fence)};
    }
};
struct MergeReply {
    bool changed = false;  ///< the coordinator's copy had not seen all of it
    static constexpr auto fields() { return std::tuple{field("changed", &MergeReply::changed)}; }
};

/// What this one node holds of a key, for its own account and for others. Nobody else is asked.
struct PeekRequest {
    Bytes key;
    static constexpr std::string_view op = "peek";
    static constexpr auto fields() { return std::tuple{bin("key", &PeekRequest::key)}; }
};
struct PeekCopy {
    Bytes hint_for;        ///< the owner that it is kept for; empty: the node's own copy
    bool damaged = false;  ///< stored, but unreadable
    std::vector<VersionReply> versions;
    std::uint64_t clock_entries = 0;
    Bytes digest;  ///< 16 octets: equal states, and only they, have equal digests
    Bytes seen;    ///< a context of every write that the copy has seen
    static constexpr auto fields() {
        return std::tuple{bin("hint_for", &PeekCopy::hint_for),
                          field("damaged", &PeekCopy::damaged),
                          field("versions", &PeekCopy::versions),
                          field("clock_entries", &PeekCopy::clock_entries),
                          bin("digest", &PeekCopy::digest),
                          bin("seen", &PeekCopy::seen)};
    }
};
struct PeekReply {
    bool owner = false;       ///< the node stands in the key's preference list
    bool rebuilding = false;  ///< its copy of the partition is not complete
    std::vector<PeekCopy> copies;
    static constexpr auto fields() {
        return std::tuple{field("owner", &PeekReply::owner),
                          field("rebuilding", &PeekReply::rebuilding),
                          field("copies", &PeekReply::copies)};
    }
};

/// A page of the keys that this one node holds of a partition it owns, in order of position.
struct KeysRequest {
    std::uint16_t partition = 0;
    Bytes first;              ///< the row to begin at; empty: the partition's first
    Bytes prefix;             ///< only keys that begin so
    std::uint32_t limit = 0;  ///< rows at most; 0: as many as the daemon gives
    /// Only rows under this node of the partition's tree (TreeRequest); 0, 0: the root, so all.
    std::uint8_t level = 0;
    std::uint32_t node = 0;
    static constexpr std::string_view op = "keys";
    static constexpr auto fields() {
        return std::tuple{
            field("partition", &KeysRequest::partition), bin("first", &KeysRequest::first),
            bin("prefix", &KeysRequest::prefix),         field("limit", &KeysRequest::limit),
            field("level", &KeysRequest::level),         field("node", &KeysRequest::node)};
    }
};
struct KeyRow {
    Bytes row;                 ///< 8 octets of position, then the key
    Bytes digest;              ///< 16 octets, as in PeekCopy; empty: the record is damaged
    std::uint32_t values = 0;  ///< differing live values; 0: deleted
    bool tombstone = false;    ///< a delete is among its versions
    static constexpr auto fields() {
        return std::tuple{bin("row", &KeyRow::row), bin("digest", &KeyRow::digest),
                          field("values", &KeyRow::values), field("tombstone", &KeyRow::tombstone)};
    }
};
struct KeysReply {
    std::vector<KeyRow> rows;  ///< sorted by row
    Bytes next;                ///< where the next page begins; empty: there is none
    static constexpr auto fields() {
        return std::tuple{field("rows", &KeysReply::rows), bin("next", &KeysReply::next)};
    }
};

/// Sums of this one node's Merkle tree of a partition that it owns (paper section 4.7). Equal sums
/// mean equal records under that node, on any two nodes of a cluster.
struct TreeRequest {
    std::uint16_t partition = 0;
    std::uint8_t level = 0;            ///< of `nodes`; 0 is the root
    std::vector<std::uint32_t> nodes;  ///< their places in the level
    std::uint8_t down = 0;             ///< levels below them that are answered with; at most 4
    bool anew = false;                 ///< have the tree built from the records again, first
    static constexpr std::string_view op = "tree";
    static constexpr auto fields() {
        return std::tuple{field("partition", &TreeRequest::partition),
                          field("level", &TreeRequest::level), field("nodes", &TreeRequest::nodes),
                          field("down", &TreeRequest::down), field("anew", &TreeRequest::anew)};
    }
};
struct TreeNodesReply {
    bool complete = false;   ///< the tree is there; else it is being built: ask again
    std::uint8_t depth = 0;  ///< the level of the leaves
    std::uint8_t level = 0;  ///< of the sums: less than was asked for where the tree ends
    Bytes sums;              ///< 16 octets a node, in the order of the request's nodes
    static constexpr auto fields() {
        return std::tuple{
            field("complete", &TreeNodesReply::complete), field("depth", &TreeNodesReply::depth),
            field("level", &TreeNodesReply::level), bin("sums", &TreeNodesReply::sums)};
    }
};

/// The roots of several trees at once: most are equal, and need no more than that.
struct RootsRequest {
    std::vector<std::uint16_t> partitions;  ///< at most 4096
    static constexpr std::string_view op = "roots";
    static constexpr auto fields() {
        return std::tuple{field("partitions", &RootsRequest::partitions)};
    }
};
struct RootsReply {
    Bytes sums;  ///< 16 octets for each that is not unknown, in the order of the request
    /// Those whose sum is not told: not owned here, being rebuilt, or the tree is being built.
    std::vector<std::uint16_t> unknown;
    static constexpr auto fields() {
        return std::tuple{bin("sums", &RootsReply::sums), field("unknown", &RootsReply::unknown)};
    }
};

/// The ring, for clients that route by themselves (paper section 6.4).
struct RingRequest {
    static constexpr std::string_view op = "ring";
    static constexpr auto fields() { return std::tuple{}; }
};
struct RingReply {
    Bytes state;  ///< encode(RingState) of state_codec.h
    static constexpr auto fields() { return std::tuple{bin("state", &RingReply::state)}; }
};

struct StatsRequest {
    static constexpr std::string_view op = "stats";
    static constexpr auto fields() { return std::tuple{}; }
};
struct Stat {
    std::string name;  ///< dotted: "hints.held", "put.latency.p99" (microseconds)
    double value = 0;
    static constexpr auto fields() {
        return std::tuple{str("name", &Stat::name), field("value", &Stat::value)};
    }
};
struct StatsReply {
    std::vector<Stat> stats;  ///< sorted by name
    static constexpr auto fields() { return std::tuple{field("stats", &StatsReply::stats)}; }
};

/// What one node reports of itself and of its peers: a row of `dyn-ring status`.
struct StatusRequest {
    static constexpr std::string_view op = "status";
    static constexpr auto fields() { return std::tuple{}; }
};
struct PeerStatus {
    Bytes node_id;
    bool suspected = false;
    std::int64_t silent_ms = 0;  ///< since it was last heard; -1: never
    std::uint64_t hints = 0;     ///< kept here for it
    static constexpr auto fields() {
        return std::tuple{
            bin("node_id", &PeerStatus::node_id), field("suspected", &PeerStatus::suspected),
            field("silent_ms", &PeerStatus::silent_ms), field("hints", &PeerStatus::hints)};
    }
};
struct StatusReply {
    Bytes node_id;
    std::uint64_t ring = 0;
    std::uint64_t stored_bytes = 0;
    std::uint64_t free_bytes = 0;
    std::uint64_t hints_held = 0;
    std::int64_t uptime_ms = 0;
    std::string durability;
    bool writes_refused = false;  ///< the disk is below its low-water mark
    std::vector<PeerStatus> peers;
    static constexpr auto fields() {
        return std::tuple{bin("node_id", &StatusReply::node_id),
                          field("ring", &StatusReply::ring),
                          field("stored_bytes", &StatusReply::stored_bytes),
                          field("free_bytes", &StatusReply::free_bytes),
                          field("hints_held", &StatusReply::hints_held),
                          field("uptime_ms", &StatusReply::uptime_ms),
                          str("durability", &StatusReply::durability),
                          field("writes_refused", &StatusReply::writes_refused),
                          field("peers", &StatusReply::peers)};
    }
};

/// Beyond the kinds of a MemberOp: discard what is staged, or what the head changed as well.
inline constexpr std::uint8_t stage_discard = 5;
inline constexpr std::uint8_t stage_cancel = 6;
/// A member as clients name one. The numbers of `kind` are MemberOp::Kind's, or those above.
struct StageRequest {
    std::uint8_t kind = 1;
    Bytes node_id;
    std::string name;
    std::string zone;
    std::uint32_t weight = 100;
    std::string client_address;
    std::string peer_address;
    std::string note;
    static constexpr std::string_view op = "stage";
    static constexpr auto fields() {
        return std::tuple{field("kind", &StageRequest::kind),
                          bin("node_id", &StageRequest::node_id),
                          str("name", &StageRequest::name),
                          str("zone", &StageRequest::zone),
                          field("weight", &StageRequest::weight),
                          str("client_address", &StageRequest::client_address),
                          str("peer_address", &StageRequest::peer_address),
                          str("note", &StageRequest::note)};
    }
};
struct StageReply {
    std::uint64_t staged = 0;  ///< operations waiting for a commit
    static constexpr auto fields() { return std::tuple{field("staged", &StageReply::staged)}; }
};

struct PlanRequest {
    static constexpr std::string_view op = "plan";
    static constexpr auto fields() { return std::tuple{}; }
};
struct PlanReply {
    std::string plan;  ///< its id; names the ring that it was planned on as well
    Bytes epoch;       ///< encode(Epoch): what a commit would make the head
    static constexpr auto fields() {
        return std::tuple{str("plan", &PlanReply::plan), bin("epoch", &PlanReply::epoch)};
    }
};

struct CommitRequest {
    std::string plan;  ///< must be the present plan's id, else stale_plan
    /// The number of partitions of which fewer than W copies would be left: refused unless exact.
    std::uint64_t accept_loss = 0;
    static constexpr std::string_view op = "commit";
    static constexpr auto fields() {
        return std::tuple{str("plan", &CommitRequest::plan),
                          field("accept_loss", &CommitRequest::accept_loss)};
    }
};
struct CommitReply {
    std::uint64_t ring = 0;  ///< the new head's number
    static constexpr auto fields() { return std::tuple{field("ring", &CommitReply::ring)}; }
};

/// The body of every reply whose code is not 0.
struct ErrorReply {
    std::uint16_t code = 0;
    std::string name;
    std::string message;
    bool retryable = false;
    std::string applied;  ///< "no" or "maybe"
    std::string node;
    static constexpr auto fields() {
        return std::tuple{
            field("code", &ErrorReply::code),     str("name", &ErrorReply::name),
            str("message", &ErrorReply::message), field("retryable", &ErrorReply::retryable),
            str("applied", &ErrorReply::applied), str("node", &ErrorReply::node)};
    }
};

using ClientRequest =
    std::variant<HelloRequest, GetRequest, PutRequest, DelRequest, RingRequest, StatsRequest,
                 StatusRequest, StageRequest, PlanRequest, CommitRequest, PeekRequest, KeysRequest,
                 TreeRequest, RootsRequest, StateRequest, MergeRequest, RepairRequest,
                 ThrottleRequest, FlushRequest, ScrubRequest, CheckRequest, GcRequest, JobRequest,
                 JobsRequest>;
using ClientReply =
    std::variant<ErrorReply, HelloReply, GetReply, PutReply, DelReply, RingReply, StatsReply,
                 StatusReply, StageReply, PlanReply, CommitReply, PeekReply, KeysReply,
                 TreeNodesReply, RootsReply, StateReply, MergeReply, RepairReply, ThrottleReply,
                 FlushReply, ScrubReply, CheckReply, GcReply, JobReply, JobsReply>;

}  // namespace dynamo::wire
