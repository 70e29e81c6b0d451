// The node core: everything that a node decides, and nothing that it touches.
//
// SANS-IO: no socket, clock, thread, file or library call. The loop (daemon/shell) and the
// simulator (tests/sim) run this identical code the same way:
//
//     drain → step → ask peers → commit → send
//
//     on_client / on_peer / on_unreachable / on_load / tick     any number of times
//     send outbox().take_early()          questions to peers, which promise nothing
//     storage.commit(); save outbox().ring and vote durably if they are set
//     send outbox(); clear it             no answer is given before it is durable
//
// When the commit fails, the loop calls commit_failed() instead of sending.
//
// Threads: one owner
// Errors:  a bad request is answered; a message that makes no sense between peers is dropped and
//          counted; neither changes anything
#pragma once

#include <memory>
#include <optional>

#include "daemon/node/options.h"
#include "daemon/node/outbox.h"
#include "daemon/storage/storage.h"
#include "libdynamo/base/random.h"
#include "libdynamo/base/time.h"
#include "libdynamo/ring/ring.h"

namespace dynamo {

class Node {
  public:
    /// `ring` is what was persisted; none on a first start, when a node without seeds founds a
    /// cluster (its outbox then holds the ring to persist). `random` seeds the run id and births:
    /// it must never repeat a stream between two runs.
    Node(NodeOptions options, std::optional<RingState> ring, Storage& storage, Random random,
         Now now);
    ~Node();
    /// What was promised and accepted in votes, as it was persisted; before anything else.
    void recall(wire::Ballots ballots);
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    void on_client(ClientHandle client, wire::Request request, Now now);
    /// `envelope` must be decoded; one of another cluster or for another node is dropped here.
    void on_peer(const wire::PeerEnvelope& envelope, wire::PeerMessage message, Now now);
    /// The transport knows that nobody listens there (connection refused).
    void on_unreachable(const NodeId& node, Now now);
    void on_load(const LoadSample& sample);
    /// Does what is due. Call it at wake_at() or later; calling it early does nothing.
    void tick(Now now);
    [[nodiscard]] Instant wake_at() const;

    /// What the present steps want to say.
    [[nodiscard]] Outbox& outbox();
    /// The envelope for every frame that leaves now, without `to`.
    [[nodiscard]] wire::PeerEnvelope envelope() const;
    /// The commit after these steps failed and was undone: rewrites the outbox so that nothing in
    /// it promises what is not stored, and starts a new run.
    void commit_failed(const Error& error);

    [[nodiscard]] const std::string& name() const;
    /// The present ring; none while waiting.
    [[nodiscard]] const RingState* ring() const;
    /// Whether the partition's Merkle tree, if it is complete, is the one that the stored records
    /// make. Reads all of them.
    [[nodiscard]] Result<bool> tree_is_right(std::uint16_t partition) const;
    /// Whether every member has heard of this run, so that what is stored here is known not to be
    /// older than it was (daemon/node/repair/purge.h).
    [[nodiscard]] bool settled() const;
    /// Whether a vote on the next ring is open here.
    [[nodiscard]] bool vote_open() const;
    /// Requests in progress: a clean stop waits for none of them, tests may.
    [[nodiscard]] std::size_t in_progress() const;

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace dynamo
