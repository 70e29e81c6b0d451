// The node core in the hands of strangers: a node of a cluster of three, in memory, that is sent
// whatever a session holds.
//
//     packet kind, bits 0-2   0 client's frames   1 a peer's frames, envelope mended   2 as they
//     are
//                             3 time passes       4 a peer is unreachable              5 the next
//                             commit fails        6 the disk is full, or not           7 as 0
//              bits 3-4       the sender: another member, the third, a stranger, the node itself
//              bit 5          the envelope names another cluster
//              bit 6          answers take the number of a question that the node has asked
//              bit 7          for another node
//
// As peers nothing holds them back: what is well formed and of this cluster is obeyed, so a session
// may change the ring and every key. What has to hold is that the node goes on, that all it says
// can be read, and that what it stores can be started from.
//
// Threads: one
#pragma once

#include <string>

#include "daemon/node/node.h"
#include "daemon/storage/memory.h"
#include "tests/fuzz/entries.h"

namespace dynamo::fuzz {

class Session {
  public:
    Session();
    /// Obeys one packet; what the node said is kept for the next ones.
    void take(const Packet& packet);
    /// Looks at all that is stored, and starts a node from it.
    void end();
    /// Which promise was broken first; empty: none.
    [[nodiscard]] const std::string& wrong() const { return wrong_; }

    /// Where the others are, as the sessions' seeds need them.
    [[nodiscard]] static RingState first_ring();

  private:
    void take_client(BytesView header, BytesView body);
    void take_peer(std::uint8_t kind, BytesView header, BytesView body);
    [[nodiscard]] wire::PeerEnvelope envelope_for(std::uint8_t kind) const;
    void settle(bool fails);
    void check_replies(const std::vector<Outbox::ToClient>& replies);
    void check_peers(const std::vector<Outbox::ToPeer>& messages);
    void check_rows();
    void expect(bool holds, const char* promise);

    MemoryStorage storage_;
    NodeOptions options_;
    Now now_{Instant(std::chrono::seconds(1000)), 1'700'000'000'000};
    std::optional<RingState> ring_;
    std::optional<Node> node_;
    std::vector<std::uint64_t> asked_;  ///< numbers of the node's questions to peers
    std::string plan_;                  ///< the plan that it named last
    std::string wrong_;
};

}  // namespace dynamo::fuzz
