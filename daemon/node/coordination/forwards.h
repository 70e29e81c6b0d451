// Forwarding: a write that reaches a node outside its key's preference list goes on to one inside
// (paper section 4.5), by one hop and at most once.
//
//     client ──► this node ──ForwardRequest(id, run)──► an owner: coordinates as for its own client
//     client ◄── this node ◄──────ForwardReply(id)────── it
//
// A forward that the owner may have obeyed is never sent again: its outcome is unknown and is
// reported so. The owner obeys one id once and only if the forward names its present run, so that a
// late copy cannot write again what was superseded since. One that names an earlier run may have
// been obeyed by that run, so its refusal says "may be applied"; one that names none was not.
//
// Threads: one; the node's
#pragma once

#include <map>
#include <set>
#include <utility>

#include "daemon/node/coordination/service.h"

namespace dynamo {

/// Our side: a write that an owner coordinates for a client of ours.
class Forward final : public Operation {
  public:
    Forward(Service& service, std::uint64_t id, Origin origin, wire::ClientRequest request,
            NodeId owner, Instant deadline);

    void start() override;
    void on_reply(const NodeId& from, const wire::ForwardReply& reply);
    void on_unreachable(const NodeId& node) override;
    void on_timer() override;
    [[nodiscard]] Instant wake_at() const override { return deadline_; }
    [[nodiscard]] bool finished() const override { return finished_; }

  private:
    void send();
    void give_up(const std::string& why);

    Service& service_;
    std::uint64_t id_;
    Origin origin_;
    wire::ClientRequest request_;
    NodeId owner_;
    Instant deadline_;
    std::uint64_t named_run_ = 0;
    bool sent_again_ = false;
    bool finished_ = false;
};

/// The owner's side: which forwards were obeyed already.
class SeenForwards {
  public:
    /// True the first time that this run of `from` sends `id`. An id too far behind the newest ones
    /// to be remembered counts as seen.
    bool first_time(const NodeId& from, std::uint64_t run, std::uint64_t id);

  private:
    struct Window {
        std::set<std::uint64_t> ids;
        std::uint64_t forgotten = 0;  ///< ids up to this one are not remembered
    };
    std::map<std::pair<NodeId, std::uint64_t>, Window> windows_;
};

}  // namespace dynamo
