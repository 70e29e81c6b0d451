// What a request in progress works with, and how it is answered.
//
// Threads: one; the node's
#pragma once

#include "daemon/node/coordination/quorum.h"
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

    /// What a request asks for, 0 being the cluster's default, of the live lists of a partition;
    /// bad_request when it is more than N.
    [[nodiscard]] Result<Quorum> quorum(std::uint32_t asked, std::uint16_t standard,
                                        std::uint16_t partition, std::string_view name) const;
    /// The live lists in each of which a write or a read needs its quorum; none: there is only one.
    enum class Need : std::uint8_t { read, write };
    [[nodiscard]] std::vector<OwnerList> lists(std::uint16_t partition, Need need) const;
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
    /// Another ring: lists of owners may be others.
    virtual void on_ring() {}
    /// Whether what it has heard so far says nothing any more, for lists of owners are others.
    [[nodiscard]] virtual bool outdated() const { return false; }
    /// Begins again, under another number: who still answers to the old one is not heard.
    virtual void begin_again(std::uint64_t /*id*/) {}
    /// When on_timer() is due.
    [[nodiscard]] virtual Instant wake_at() const = 0;
    [[nodiscard]] virtual bool finished() const = 0;
};

}  // namespace dynamo
