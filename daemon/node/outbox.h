// What a step wants to say, held back until what it wrote is durable.
//
// Questions to peers need not wait for that: a write that is on its way to the other owners while
// its own node still commits takes one commit's time instead of two. Should the node die in
// between, its next run mints with another actor, so the dot that only the peers know is never
// given twice.
//
// Threads: a plain value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libdynamo/ring/ring.h"
#include "libdynamo/wire/ballots.h"
#include "libdynamo/wire/frames.h"
#include "libdynamo/wire/peer_messages.h"

namespace dynamo {

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
    std::optional<RingState> ring;      ///< to be persisted, synced, before anything is sent
    std::optional<wire::Ballots> vote;  ///< likewise
    /// What is written must be on the disk, whatever the durability, before anything is sent: power
    /// loss must not take it back.
    bool sync = false;
    std::vector<LogLine> log;
    void clear();

    /// Takes out what may leave before the commit: requests to peers, which promise nothing. None
    /// while there is a ring to persist.
    [[nodiscard]] std::vector<ToPeer> take_early();
};

}  // namespace dynamo
