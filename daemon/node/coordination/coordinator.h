// The coordinator: which node leads a request, and the requests in progress here (paper sections
// 4.5, 6.4).
//
//     get, state        any node leads it
//     put, del, merge   an owner leads it; another node forwards to the first healthy owner, and
//                       leads it itself, as a stand-in, only when no owner can be reached
//
// Shape:   at most options.max_requests in progress
// Threads: one; the node's
// Errors:  busy, past that bound
#pragma once

#include <memory>
#include <queue>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/node/coordination/forwards.h"
#include "daemon/node/coordination/service.h"

namespace dynamo {

class Coordinator {
  public:
    explicit Coordinator(Service& service) : service_(service) {}

    void get(const Origin& origin, wire::GetRequest request, Duration timeout);
    void put(const Origin& origin, wire::PutRequest request, Duration timeout);
    void del(const Origin& origin, wire::DelRequest request, Duration timeout);
    void state(const Origin& origin, wire::StateRequest request, Duration timeout);
    void merge(const Origin& origin, wire::MergeRequest request, Duration timeout);

    void on(const wire::PeerEnvelope& envelope, const wire::ForwardRequest& request);
    void on(const NodeId& from, const wire::ForwardReply& reply);
    /// True when the answer belongs to a request in progress here.
    bool on(const NodeId& from, const wire::ReadReply& reply);
    bool on(const NodeId& from, const wire::WriteReply& reply);

    void on_unreachable(const NodeId& node);
    /// Lists of owners may be others.
    void on_ring();
    /// The commit after the present steps failed: what they stored is undone.
    void on_undone(const Error& error);
    void tick();
    /// No later than anything is due; at times a little earlier, when that is not waited for any
    /// more.
    [[nodiscard]] Instant wake_at() const;
    [[nodiscard]] std::size_t in_progress() const { return operations_.size(); }

  private:
    struct Running {
        std::unique_ptr<Operation> operation;
        Instant wake;
    };
    using Timer = std::pair<Instant, std::uint64_t>;
    template <typename WriteRequest>
    void write(const Origin& origin, WriteRequest request, Duration timeout);
    void run(std::uint64_t id, std::unique_ptr<Operation> operation);
    void begin_again(std::unique_ptr<Operation> operation);
    void set_timer(std::uint64_t id, Running& running);
    /// After a step of the operation: forgets it when finished, begins it again when outdated, else
    /// sets its timer anew.
    void settle(std::uint64_t id, Running& running);
    [[nodiscard]] bool admits(const Origin& origin);
    [[nodiscard]] Instant deadline(Duration timeout) const;
    [[nodiscard]] Running* find(std::uint64_t id);
    /// All in progress, by id: in the same order on every run.
    [[nodiscard]] std::vector<std::uint64_t> ids() const;

    Service& service_;
    SeenForwards seen_;
    std::unordered_map<std::uint64_t, Running> operations_;  ///< never iterated unsorted
    /// The next first. A timer whose operation is over, or has another one, means nothing any more:
    /// most are, and to find and take them out would cost more than all else about them.
    std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
};

}  // namespace dynamo
