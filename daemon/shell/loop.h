// The loop: drain → step → commit → send.
//
//     wait ──▶ drain peers, then clients ──▶ node ──▶ commit, save ring ──▶ send ──┐
//      ▲                                                                           │
//      └───────────────────────────────────────────────────────────────────────────┘
//
// Everything that arrived together is stepped together, committed as one transaction and answered
// with one frame to each peer and one batch to each client that sends batches: a busy node batches
// by itself. A drain is bounded in messages and octets, for peers and clients alike, so that
// neither waits for the other. Nothing is said before it is durable.
//
// Threads: one; run() returns at the end of the process
// Errors:  a commit that fails is told to the node and survived once; a storage engine that says it
//          is broken (after reads too), a second failure soon after, or a ring that cannot be saved
//          ends the loop, when what was to be said is said
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/node/node.h"
#include "daemon/shell/data_directory.h"
#include "daemon/shell/log.h"
#include "daemon/shell/stats.h"
#include "daemon/shell/transport.h"

namespace dynamo {

struct LoopOptions {
    Durability durability = Durability::sync;
    wire::Limits limits;
    std::uint64_t min_free_bytes = 0;
    std::size_t shards_set_aside = 0;  ///< shown among the gauges
    /// Called about once a second, while the storage engine is whole.
    std::function<void(Instant now)> still_runs = [](Instant) {};
};

class Loop {
  public:
    Loop(Node& node, Storage& storage, DataDirectory& directory, Transport& transport, Log& log,
         LoopOptions options);

    /// Commits and sends what the node said when it was made: call it once, before run().
    [[nodiscard]] Result<void> begin();
    /// Until SIGTERM or SIGINT can be read from `signals` (a signalfd).
    [[nodiscard]] Result<void> run(int signals);

    [[nodiscard]] const LoopStats& stats() const { return stats_; }

  private:
    void step(Now now);
    void take_peer_frame(const Received& received, Now now);
    void take_client_frame(Received received, Now now);
    void reject(ClientHandle client, const wire::Rejected& rejected);
    void sample_load(Instant now);
    [[nodiscard]] std::uint64_t octets_between_looks() const;
    [[nodiscard]] Result<void> settle();
    [[nodiscard]] Result<void> commit();
    void send_to_peers(std::vector<Outbox::ToPeer> messages);
    void send_to_clients();
    void send_batch(ClientHandle client, std::vector<wire::Reply> replies);
    void write_log();
    [[nodiscard]] std::vector<std::pair<std::string, double>> gauges() const;
    [[nodiscard]] Duration patience(Instant now) const;

    Node& node_;
    Storage& storage_;
    DataDirectory& directory_;
    Transport& transport_;
    Log& log_;
    LoopOptions options_;
    LoopStats stats_;
    std::set<ClientHandle> batching_;  // clients that send batches, and so understand them
    std::vector<std::pair<ClientHandle, wire::Reply>> rejections_;
    bool more_ = false;  // a drain stopped at its bounds
    bool is_full_ = false;
    std::optional<Instant> last_failure_;
    Duration last_commit_{0};
    Instant next_load_{};
    std::uint64_t taken_octets_ = 0;  // since the last look at the load
    Instant next_turn_{};
};

}  // namespace dynamo
