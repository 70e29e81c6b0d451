// The node core: everything that a node decides, and nothing that it touches.
//
// SANS-IO: no socket, clock, thread, file or library call. The loop (daemon/shell) and the
// simulator (tests/sim) run this identical code the same way:
//
//     drain → step → commit → send
//
//     on_client / on_peer / on_unreachable / on_load / tick     any number of times
//     storage.commit(); save outbox().ring durably if it is set
//     send outbox(); clear it             nothing is said before it is durable
//
// When the commit fails, the loop calls commit_failed() instead of sending.
//
// Threads: one owner
// Errors:  a bad request is answered; a message that makes no sense between peers is dropped and
//          counted; neither changes anything
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/storage/storage.h"
#include "libdynamo/base/random.h"
#include "libdynamo/base/time.h"
#include "libdynamo/ring/ring.h"
#include "libdynamo/wire/frames.h"

namespace dynamo {

/// Rules that the simulator breaks on purpose, one at a time, to prove that its checkers see it
/// (tests/sim/mutants.h). The daemon has no way to set one.
enum class Mutant : std::uint8_t {
    none,
    replica_overwrites,           ///< a replica write replaces the record instead of merging
    error_is_not_found,           ///< a failed read answers as an absent key
    actor_outlives_run,           ///< goes on with a record's actor after a restart
    full_clock_returned,          ///< a put's reply covers everything that the coordinator has seen
    hint_dropped_when_sent,       ///< a hint is erased before its owner has acknowledged it
    acknowledged_before_commit,   ///< (simulator's loop) sends before it commits
    hint_counts_for_coordinator,  ///< a hint that the coordinator keeps counts towards W
    answers_counted_twice,        ///< a replica that answers twice counts twice
    context_drops_all,            ///< a put drops siblings that its context does not cover
    delete_erases,                ///< a delete removes the record instead of leaving a tombstone
    hint_erased_though_changed,   ///< a hint that changed since it was sent is erased on the answer
    blind_supersedes,             ///< a blind put supersedes what the coordinator holds
    exchange_one_way,             ///< anti-entropy takes from the peer and never gives
    w_minus_one,                  ///< acknowledges with one durable copy too few
};

struct NodeOptions {
    Member self;                     ///< as announced to others
    std::vector<std::string> seeds;  ///< peer addresses; empty: this node founds a cluster
    ClusterSettings founding;        ///< what it founds with
    bool refuse_other_name = false;  ///< waiting: adopt only a cluster called founding.name
    wire::Limits limits;
    Duration request_timeout = std::chrono::milliseconds(2000);  ///< when a client names none
    Duration replica_timeout =
        std::chrono::milliseconds(400);  ///< silence before a stand-in is asked
    Duration gossip_interval = std::chrono::milliseconds(1000);
    Duration probe_interval = std::chrono::milliseconds(500);      ///< of suspected peers
    Duration handback_interval = std::chrono::milliseconds(500);   ///< between looks at held hints
    Duration exchange_interval = std::chrono::milliseconds(1000);  ///< between anti-entropy turns
    std::size_t max_requests = 65536;  ///< in progress; one more is answered `busy`
    std::size_t max_siblings = 64;     ///< of one object
    std::size_t max_object_bytes = 8u << 20;
    std::string version = "0";        ///< for `hello`
    std::string durability = "sync";  ///< for `status`; the loop does the committing
    Mutant mutant = Mutant::none;
};

/// What the loop knows of the outside (paper section 6.5).
struct LoadSample {
    std::uint64_t free_bytes = UINT64_MAX;
    std::uint64_t stored_bytes = 0;
    bool refuse_writes = false;  ///< the disk is below its low-water mark
    Duration last_commit{0};
};

/// Where a client's answer goes: a number that the transport gave.
using ClientHandle = std::uint64_t;

enum class Severity : std::uint8_t { debug, info, warning, error };

struct Outbox {
    struct ToClient {
        ClientHandle client = 0;
        wire::Reply reply;
        bool after_write =
            false;  ///< promises durability: turned into an error if the commit fails
    };
    struct ToPeer {
        NodeId node;  ///< none when only the address is known (a seed)
        std::string address;
        wire::PeerMessage message;
    };
    struct LogLine {
        Severity severity = Severity::info;
        std::string text;
    };
    std::vector<ToClient> clients;
    std::vector<ToPeer> peers;
    std::optional<RingState> ring;  ///< to be persisted, synced, before anything is sent
    std::vector<LogLine> log;
    void clear();
};

class Node {
  public:
    /// `ring` is what was persisted; none on a first start, when a node without seeds founds a
    /// cluster (its outbox then holds the ring to persist). `random` seeds the run id and births:
    /// it must never repeat a stream between two runs.
    Node(NodeOptions options, std::optional<RingState> ring, Storage& storage, Random random,
         Now now);
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    void on_client(ClientHandle client, wire::Request request, Now now);
    /// The client has gone; answers to it are not made any more.
    void on_client_gone(ClientHandle client);
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

    /// The present ring; none while waiting.
    [[nodiscard]] const RingState* ring() const;
    /// Requests in progress: a clean stop waits for none of them, tests may.
    [[nodiscard]] std::size_t in_progress() const;

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace dynamo
