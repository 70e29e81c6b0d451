// One daemon process on one machine: the node core, its disk, and the loop that drives them.
//
//     drain → step → commit → save the ring → send
//           ▲      ▲        ▲               ▲  ▲ in the middle
//           └──────┴────────┴───────────────┴──┴── where a crash can be armed
//
// The same order as daemon/shell/loop; time passes between the commit and the sending, so that
// packets queue up and are taken as a batch.
//
// What the daemon does about its storage is done here too: an engine that is broken or a sync that
// failed ends the process; a log that ends before the high-water mark, or an engine that was broken
// in the last run, has the files set aside, and the node starts with none.
//
// Threads: one
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "daemon/node/node.h"
#include "tests/sim/disk.h"
#include "tests/sim/network.h"
#include "tests/sim/world.h"

namespace dynamo::sim {

enum class Boundary : std::uint8_t {
    none,
    before_commit,
    before_ring,  ///< committed; the ring that goes with it is not saved
    before_send,
    mid_send,
    after_send,
};

/// What the processes need of what is around them.
class Surroundings {
  public:
    virtual ~Surroundings() = default;
    /// Frames for a peer, by its address.
    virtual void send_peer(unsigned from, const std::string& address, wire::Frames frames) = 0;
    virtual void send_client(unsigned from, ClientHandle client, wire::Frames frames) = 0;
    /// What a transaction wrote may be sent to peers from now on; it is not committed yet.
    virtual void announced(unsigned node, const std::vector<Disk::Change>& changes) = 0;
    /// A transaction of the node is committed.
    virtual void committed(unsigned node, const std::vector<Disk::Change>& changes) = 0;
    /// The node has saved this ring.
    virtual void saved_ring(unsigned node, const RingState& ring) = 0;
    /// A reply leaves for a client.
    virtual void replied(unsigned node, ClientHandle client, const wire::Reply& reply) = 0;
};

class Process {
  public:
    Process(World& world, Surroundings& around, unsigned index, NodeOptions options);

    void start();
    /// Dies. After power loss, of the unsynced commits the oldest `kept` stay and nobody refuses
    /// connections in its place.
    void kill();
    void lose_power(std::size_t kept);
    [[nodiscard]] bool up() const { return node_ != nullptr; }
    /// Down, but its machine answers: connections are refused.
    [[nodiscard]] bool refuses() const { return !up() && refuses_; }

    /// The next turn that has something to store or to say dies there; it is up again after
    /// `down`.
    void arm(Boundary boundary, Duration down);
    /// It is never started again.
    void retire() { retired_ = true; }
    /// The data directory is gone, identity and ring with it: a new daemon starts in its place.
    void start_as_stranger(const NodeId& id, const std::string& seed);
    void pause(bool on);
    /// Its commits take up to two seconds until then.
    void slow_until(Instant until) { slow_until_ = until; }
    /// Of its log the last transactions are gone; recovery will not notice, the mark will.
    void shorten_log(std::size_t lost);
    /// The next start will find it so.
    [[nodiscard]] bool log_is_short() const { return log_is_short_; }
    /// What it holds may be older than what it held: it may have to give it up, until it has heard
    /// from all members.
    [[nodiscard]] bool is_doubtful() {
        if (is_doubtful_ && node_ && node_->settled()) is_doubtful_ = was_put_back_ = false;
        return is_doubtful_;
    }
    void doubt() { is_doubtful_ = true; }
    /// Its disk is an older image, and not all members have heard from it since.
    [[nodiscard]] bool was_put_back() { return is_doubtful() && was_put_back_; }
    void put_back() { is_doubtful_ = was_put_back_ = true; }
    void jump_clock(std::int64_t ms) { wall_offset_ += ms; }
    /// Fills the disk or gives room again. `told`: the loop notices and tells the core.
    void fill_disk(Disk::Full full, bool told);

    void receive(const Packet& packet);
    void unreachable(const NodeId& node);

    [[nodiscard]] Disk& disk() { return disk_; }
    [[nodiscard]] const Disk& disk() const { return disk_; }
    [[nodiscard]] const Node* node() const { return node_.get(); }
    [[nodiscard]] const NodeOptions& options() const { return options_; }
    /// The member that lives, or lived, here.
    [[nodiscard]] const NodeId& id() const { return member_; }
    /// Starts so far.
    [[nodiscard]] std::uint64_t runs() const { return runs_; }
    [[nodiscard]] unsigned index() const { return index_; }
    /// The ring as it would be read after a crash now.
    [[nodiscard]] const Bytes& saved_ring() const { return ring_; }

  private:
    struct Input {
        enum class Kind : std::uint8_t { packet, unreachable };
        Kind kind = Kind::packet;
        Packet packet;
        NodeId node;
    };
    [[nodiscard]] Now now() const;
    void wake(Instant when);
    void turn();
    void take(const Input& input);
    void take_client(const Packet& packet);
    void take_peer(const Packet& packet);
    /// Of the requests of one put, those to more than W - 1 others are lost: only anti-entropy
    /// finds the rest.
    void keep_exactly_w(std::vector<Outbox::ToPeer>& peers);
    /// The second half of a turn: commit, save the ring, send.
    void settle();
    [[nodiscard]] bool store(Outbox& outbox, Boundary crash);
    [[nodiscard]] bool is_unheard(const Outbox::ToPeer& to) const;
    void send(const Outbox& outbox, const wire::PeerEnvelope& envelope, Boundary crash);
    void crash(Boundary at);
    void stop();
    /// The storage is of no use any more: ends, and starts again a little later.
    void die_of(const char* cause);
    void set_aside_what_is_damaged();
    [[nodiscard]] LoadSample load() const;

    World& world_;
    Surroundings& around_;
    unsigned index_;
    NodeOptions options_;
    NodeId member_;
    Disk disk_;
    Bytes ring_;  ///< encoded; empty: none saved
    wire::Ballots vote_;
    std::unique_ptr<Node> node_;
    std::deque<Input> inbox_;
    std::uint64_t runs_ = 0;
    std::uint64_t turns_ = 0;
    Instant turn_due_ = Instant::max();
    bool sending_ = false;
    bool paused_ = false;
    bool refuses_ = true;
    bool retired_ = false;
    bool refuse_writes_ = false;
    Boundary armed_ = Boundary::none;
    Duration armed_down_{0};
    std::int64_t wall_offset_ = 0;
    Instant slow_until_;
    bool log_is_short_ = false;
    bool is_doubtful_ = false;
    bool was_put_back_ = false;
    std::map<std::uint64_t, std::set<NodeId>> asked_;  ///< for keep_exactly_w(), by request
};

}  // namespace dynamo::sim
