// A put, a delete or a merge, from a client's request to the last replica's answer (paper
// sections 4.4, 4.5).
//
//     observing ──► R clocks ──► several differing values ──► conflict, nothing written
//         │             │
//         ▼             ▼
//     mint a dot, store here, ask the others ──► W stored it ──► replied ──► all settled ──► done
//                                        │
//                                        └── deadline ──► error: may be applied
//
// The dot is minted here and nowhere else; everyone after that forwards the object. A merge mints
// none: its object has come from a client, and goes on as it came. An owner that
// stays silent is stood in for; with no stand-in left its hint stays here and does not count.
//
// While the partition moves, W owners of each of its live lists must store it, those that are live
// when the last of them answers: another ring adds places to a write in progress, and takes none of
// what it has.
//
// Threads: one; the node's
// Errors:  before the store nothing is applied: too_few_nodes, conflict, exists, object_full,
//          bad_context, refused, storage…; after it quorum_not_met, which may be applied
#pragma once

#include "daemon/node/coordination/read_round.h"

namespace dynamo {

/// What a put, a delete and a merge have in common.
struct WriteIntent {
    enum class Kind : std::uint8_t { put, remove, merge };
    Kind kind = Kind::put;
    Bytes key;
    Position position;        ///< of the key
    Bytes value;              ///< of a merge: the encoded object
    std::uint64_t fence = 0;  ///< of a merge: as in wire::MergeRequest
    PutMode mode = PutMode::observe;
    Bytes context;
    std::uint32_t w = 0;
    std::uint32_t observe_r = 0;
    bool overwrite = false;
    bool if_absent = false;
    bool trace = false;

    WriteIntent(wire::PutRequest request, const Position& its_position);
    WriteIntent(wire::DelRequest request, const Position& its_position);
    WriteIntent(wire::MergeRequest request, const Position& its_position);
};

class Put final : public Operation {
  public:
    /// `stands_for`: none when this node owns the key; otherwise the owner that it mints for.
    Put(Service& service, std::uint64_t id, Origin origin, WriteIntent intent, NodeId stands_for,
        Instant deadline);

    void start() override;
    void on(const NodeId& from, const wire::ReadReply& reply) override;
    void on(const NodeId& from, const wire::WriteReply& reply) override;
    void on_unreachable(const NodeId& node) override;
    void on_timer() override;
    void on_undone(const Error& error) override;
    void on_ring() override;
    [[nodiscard]] bool outdated() const override;
    void begin_again(std::uint64_t id) override;
    [[nodiscard]] Instant wake_at() const override;
    [[nodiscard]] bool finished() const override { return finished_; }

  private:
    enum class Phase : std::uint8_t { observing, writing };

    [[nodiscard]] Result<Clock> given_context() const;
    [[nodiscard]] Result<void> observe();
    void advance_observing();
    void decide(const Object& seen);
    void write(const Clock& context);
    [[nodiscard]] Result<void> mint(const Slot& slot, const Clock& context);
    [[nodiscard]] Result<void> merge(const Slot& slot);
    void ask(Team::Place& place);
    /// Asks whoever fills it; for nobody a hint stays here.
    void fill(Team::Place& place);
    /// Counts towards W of the lists that are live now.
    void follow_lists();
    void refused_by(Team::Place& place, wire::PeerStatusCode status);
    void replace(Team::Place& place, Team::Because because);
    void keep_hint(const NodeId& owner);
    void stored_by(const NodeId& node);
    void advance_writing();
    void reply_stored();
    void give_up(Error error);
    [[nodiscard]] bool at_deadline() const;

    Service& service_;
    std::uint64_t id_;
    Origin origin_;
    WriteIntent intent_;
    NodeId stands_for_;
    Instant started_;
    Instant deadline_;
    std::uint16_t partition_;
    Phase phase_ = Phase::observing;
    Trace trace_;
    std::optional<ReadRound> round_;
    Quorum quorum_;  ///< of owners whose place has it durably
    Team team_;
    Object object_;            ///< what is stored, here and there
    Bytes encoded_;            ///< of object_
    std::uint64_t stamp_ = 0;  ///< of object_: the fence's number when it was stored here, or read
    Bytes context_;            ///< the token for the reply
    bool existed_ = false;
    bool changed_ = false;  ///< a merge has changed this node's copy
    bool replied_ = false;
    bool finished_ = false;
};

}  // namespace dynamo
