// A get, from a client's question to the last late answer (paper sections 4.5 and 5).
//
//     asked ──► R answered ──► replied ──► all answered, or silent long enough ──► read repair ──►
//     done
//       │
//       └── R cannot be had, or the deadline ──► error
//
// Threads: one; the node's
// Errors:  too_few_nodes, quorum_not_met, bad_request
#pragma once

#include "daemon/node/coordination/read_round.h"

namespace dynamo {

class Get final : public Operation {
  public:
    Get(Service& service, std::uint64_t id, Origin origin, wire::GetRequest request,
        Instant deadline);
    /// Answers with the merged state itself.
    Get(Service& service, std::uint64_t id, Origin origin, wire::StateRequest request,
        Instant deadline);

    void start() override;
    void on(const NodeId& from, const wire::ReadReply& reply) override;
    void on_unreachable(const NodeId& node) override;
    void on_timer() override;
    void on_undone(const Error& error) override;
    void on_ring() override;
    [[nodiscard]] bool outdated() const override;
    void begin_again(std::uint64_t id) override;
    [[nodiscard]] Instant wake_at() const override;
    [[nodiscard]] bool finished() const override { return finished_; }

  private:
    void advance();
    void reply();
    void give_up(Error error);

    Service& service_;
    std::uint64_t id_;
    Origin origin_;
    wire::GetRequest request_;
    bool wants_state_ = false;
    Position position_;
    Instant started_;
    Instant deadline_;
    Trace trace_;
    std::optional<ReadRound> round_;
    bool replied_ = false;
    bool finished_ = false;
};

}  // namespace dynamo
