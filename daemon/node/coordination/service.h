// What a request in progress works with, and how it is answered.
//
// Threads: one; the node's
#pragma once

#include "daemon/node/desk.h"
#include "daemon/node/local/objects.h"
#include "daemon/node/membership/liveness.h"

namespace dynamo {

/// Who waits for the answer: a client of ours, or the node that forwarded for one of its.
struct Origin {
    ClientHandle client = 0;
    std::uint64_t id = 0;
    NodeId forwarder;  ///< none: a client of ours
};

struct Service {
    Desk& desk;
    Objects& objects;
    Liveness& liveness;

    /// `after_write`: the answer promises durability.
    void answer(const Origin& origin, wire::ClientReply reply, bool after_write = false);
    void answer(const Origin& origin, Error error);

    /// What a request asks for, 0 being the cluster's default, as a list of `owners` nodes can give
    /// it; bad_request when it is more than N.
    [[nodiscard]] Result<std::size_t> quorum(std::uint32_t asked, std::uint16_t standard,
                                             std::size_t owners, std::string_view name) const;
};

/// A request between its first step and its last answer: a small state machine.
class Operation {
  public:
    Operation() = default;
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
    virtual ~Operation() = default;

    virtual void start() = 0;
    virtual void on(const NodeId&, const wire::ReadReply&) {}
    virtual void on(const NodeId&, const wire::WriteReply&) {}
    /// Nobody listens at the node's address.
    virtual void on_unreachable(const NodeId& node) = 0;
    virtual void on_timer() = 0;
    /// The commit after the present steps failed: what they stored is undone.
    virtual void on_undone(const Error&) {}
    /// When on_timer() is due.
    [[nodiscard]] virtual Instant wake_at() const = 0;
    [[nodiscard]] virtual bool finished() const = 0;
};

}  // namespace dynamo
