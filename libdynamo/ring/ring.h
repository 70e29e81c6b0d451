// Ring state: who is a member, and which nodes hold each partition (paper sections 4.2, 4.3, 4.8).
//
//     history  issuer -> add n1, add n2, ...      what operators asked for; gossiped, never lost
//     epochs   1 -> 2 -> 3 (head)                 what was committed; each names its parent
//
// The key space is cut into Q equal partitions; an epoch lists, for each, N distinct nodes in order
// of preference. Staged changes are the operations of the history that the head does not cover yet.
// Epochs form one line, for each number is chosen once, by vote; how one gives way to the next is
// in transition.h. Two states of one cluster join into one: the history by issuer, the epochs by
// the longer line, what is noted of single nodes by union.
//
// Threads: plain values
// Errors:  joining states of different clusters, or two lines that differ at one number, is refused
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dynamo/error.h"
#include "libdynamo/base/bytes.h"
#include "libdynamo/base/hash.h"
#include "libdynamo/base/id.h"
#include "libdynamo/base/time.h"

namespace dynamo {

inline constexpr std::uint32_t max_weight = 1'000'000;
inline constexpr std::uint16_t max_copies = 16;
inline constexpr std::uint16_t max_partitions = 16384;
inline constexpr std::size_t max_members = 65'534;

/// What everybody knows of a node. Only `id` is its identity.
struct Member {
    NodeId id;
    std::string name;
    std::string zone;
    std::uint32_t weight = 100;  ///< 1 to max_weight: its share against the others'
    std::string client_address;  ///< "host:port" or "[v6]:port", for clients
    std::string peer_address;    ///< the same, for peers
    bool operator==(const Member&) const = default;
};

/// Hybrid logical time of an operation: wall milliseconds, then a counter that breaks ties.
struct Issued {
    WallMs wall_ms = 0;
    std::uint32_t count = 0;
    auto operator<=>(const Issued&) const = default;
};

/// One change that an operator asked for, with its time of issue (paper section 4.8.1).
struct MemberOp {
    enum class Kind : std::uint8_t {
        add = 1,
        remove = 2,
        set = 3,
        lost = 4,     ///< removed, and what it stored is gone for good
        discard = 5,  ///< voids every earlier operation that `kept` does not cover
    };
    NodeId issuer;          ///< the node that took it
    std::uint64_t seq = 0;  ///< dense per issuer, from 1
    Issued issued;
    Kind kind = Kind::add;
    Member subject;                          ///< `remove` and `lost` read only its id
    std::string note;                        ///< the operator's words
    std::map<NodeId, std::uint64_t> kept{};  ///< of `discard`, as Epoch::covers
    bool operator==(const MemberOp&) const = default;
};

/// One committed ring. Number 1 is the founding; each later one names its parent.
struct Epoch {
    std::uint64_t number = 0;
    Sha256 parent{};
    NodeId proposer;
    Issued issued;
    std::vector<Member> members;   ///< sorted by id
    std::uint16_t copies = 0;      ///< N
    std::uint16_t partitions = 0;  ///< Q, a power of two
    /// Q rows of N indexes into `members`, in order of preference; `nobody` where there are fewer
    /// than N members.
    std::vector<std::uint16_t> table;
    /// Per partition: the number of the epoch in which its list last changed.
    std::vector<std::uint64_t> version;
    /// Per issuer: the last operation of its history that is folded in.
    std::map<NodeId, std::uint64_t> covers;
    /// Nodes whose storage was declared gone, sorted. They never come back, and nobody waits for
    /// them.
    std::vector<NodeId> lost;

    static constexpr std::uint16_t nobody = 0xffff;
    bool operator==(const Epoch&) const = default;
};

/// What the founder chose, for ever (N, Q) or as defaults (R, W).
struct ClusterSettings {
    std::string name = "dynamo";
    std::uint16_t copies = 3;        ///< N
    std::uint16_t partitions = 256;  ///< Q, a power of two from 1 to 16384
    std::uint16_t read_quorum = 2;   ///< R when a request names none
    std::uint16_t write_quorum = 2;  ///< W when a request names none
    /// Readers are shown the youngest version only, by wall clock, and writers need no context (the
    /// paper's timestamp mode, section 6.1). Concurrent writes are lost; chosen once, for ever.
    bool last_write_wins = false;
    bool operator==(const ClusterSettings&) const = default;
};

struct RingState {
    ClusterId cluster;
    ClusterSettings settings;
    std::map<NodeId, std::vector<MemberOp>> history;
    /// Without gaps; the last one is the head. The first is the founding, or the oldest that is not
    /// forgotten (forget_rings() in transition.h).
    std::vector<Epoch> epochs;
    /// By the number of an epoch, by node: the partitions (partition_set.h) whose list that epoch
    /// changed and which the node, in that list, holds completely (transition.h).
    std::map<std::uint64_t, std::map<NodeId, Bytes>> synced;
    /// Nodes that were removed and have handed over all that they held, with the ring in which they
    /// had. Void when a later ring names the node again (is_released() in transition.h).
    std::map<NodeId, std::uint64_t> released;

    [[nodiscard]] const Epoch& head() const { return epochs.back(); }
    bool operator==(const RingState&) const = default;
};

/// Takes what `theirs` knows more, except what is older than the oldest ring that is ours: that is
/// forgotten. True when `ours` changed. wrong_cluster when they are of two
/// clusters; refused when their lines of epochs fork ("SPLIT"); bad_request when theirs is not well
/// formed (a table that names nobody's index, a repeated owner, a gap). Then nothing changes.
[[nodiscard]] Result<bool> join(RingState& ours, const RingState& theirs);

/// Checks what a node says of itself, or an operator of it: an identity, a name, addresses, a
/// weight in its range. Ask before stage(): a state that fails is refused by every peer.
[[nodiscard]] Result<void> validate(const Member& member);

/// Checks the promises of the types above.
[[nodiscard]] Result<void> validate(const RingState& state);

/// A new cluster with one member, at epoch 1. Its history begins with the founder's joining.
[[nodiscard]] RingState found(const ClusterId& cluster, const ClusterSettings& settings,
                              const Member& founder, WallMs wall_ms);

/// The operations that the head does not cover yet and that are not discarded, oldest first.
[[nodiscard]] std::vector<MemberOp> staged(const RingState& state);

/// Adds an operation of `issuer` to its history, with the next sequence number.
void stage(RingState& state, const NodeId& issuer, MemberOp::Kind kind, const Member& subject,
           std::string note, WallMs wall_ms);

/// The same for a `discard` of all that `kept` does not cover: with the head's `covers` of what is
/// staged, with those of its parent of what the head changed as well.
void stage_discard(RingState& state, const NodeId& issuer,
                   const std::map<NodeId, std::uint64_t>& kept, std::string note, WallMs wall_ms);

/// The members that the ring has once all that is staged is committed, sorted by id.
[[nodiscard]] std::vector<Member> members_to_be(const RingState& state);

/// The epoch that a commit of all staged operations would make: members folded, lists placed so
/// that few copies move (placement.h), versions set where a list changed. Pure: the same state
/// gives the same epoch on every node, so its digest is the plan's name. `parent` is the head's
/// digest (wire/state_codec.h). `proposer` and `issued` are left blank; the committer fills them.
/// refused when nothing is staged, no member would be left, two would bear one name, one that was
/// removed would return, or another change is under way that this one neither takes back nor
/// declares a node lost in. Taking the last change back gives every partition its list of before.
[[nodiscard]] Result<Epoch> plan(const RingState& state, const Sha256& parent);

/// Who holds a partition, most preferred first.
[[nodiscard]] std::vector<NodeId> owners_in(const Epoch& epoch, std::uint16_t partition);

/// How many (partition, node) copies of `after` are not in `before`.
[[nodiscard]] std::size_t copies_moved(const Epoch& before, const Epoch& after);

/// The partition of a position: its first log2(Q) bits.
[[nodiscard]] std::uint16_t partition_of(const Position& position, std::uint16_t partitions);

}  // namespace dynamo
