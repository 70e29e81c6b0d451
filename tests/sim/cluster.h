// The cluster: processes, the network between them and their clients, and the operator who forms
// the ring.
//
// Ends 0 to n-1 of the network are nodes; clients begin at first_client, the operator is the first
// of them.
//
// Threads: one
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "libdynamo/ring/route.h"
#include "tests/sim/process.h"

namespace dynamo::sim {

inline constexpr unsigned operator_end = first_client;
inline constexpr unsigned first_session = first_client + 1;

class Cluster final : public Surroundings {
  public:
    /// Called when a reply leaves a node, and when it reaches its client.
    struct Listener {
        std::function<void(unsigned node, ClientHandle client, const wire::Reply& reply)> leaves;
        std::function<void(unsigned client, const wire::Frames& frames)> arrives;
        /// The node refused the connection: the request that was on its way is not applied.
        std::function<void(unsigned client, unsigned node, const wire::Frames& frames)> refused;
    };

    explicit Cluster(World& world);
    /// Called when a node answers the operator what it knows of jobs.
    using JobsWatcher = std::function<void(unsigned node, const wire::JobsReply& reply)>;
    void watch_jobs(JobsWatcher watcher) { jobs_watcher_ = std::move(watcher); }
    void listen(Listener listener) { listener_ = std::move(listener); }

    /// Starts all nodes and forms the ring, as an operator does: the first founds, the others wait;
    /// each is asked who it is and staged to join; then plan and commit.
    void form();

    [[nodiscard]] std::size_t size() const { return processes_.size(); }
    [[nodiscard]] Process& process(unsigned index) { return *processes_[index]; }
    [[nodiscard]] const Process& process(unsigned index) const { return *processes_[index]; }
    [[nodiscard]] Network& network() { return network_; }
    /// By the ring that all saved ones join to.
    [[nodiscard]] const Routes& routes() const { return routes_; }
    /// The live lists of a key as a node knows them; none when it has no ring.
    [[nodiscard]] std::vector<OwnerList> lists_at(unsigned node, const Bytes& key) const;
    [[nodiscard]] const RingState& known_ring() const { return *known_ring_; }
    [[nodiscard]] const ClusterId& id() const { return cluster_; }
    [[nodiscard]] unsigned index_of(const NodeId& id) const;
    /// The owners of a key, most preferred first, then those who would stand in.
    [[nodiscard]] std::vector<unsigned> owners(const Bytes& key) const;
    [[nodiscard]] std::vector<unsigned> fallbacks(const Bytes& key) const;

    /// Sends a request from a client's end.
    void ask(unsigned client, unsigned node, const wire::Request& request);
    /// Sends one and waits for its answer; none when there is none within `patience`.
    [[nodiscard]] std::optional<wire::ClientReply> ask_and_wait(unsigned node,
                                                                wire::ClientRequest body,
                                                                Duration patience);

    /// A key's object in the main table of a node, or its hint there; none when absent or damaged.
    [[nodiscard]] std::optional<Object> stored(unsigned node, const Bytes& key,
                                               const NodeId& hint_for = {});
    /// Whether its disk has lost nothing that it has not been given again.
    [[nodiscard]] bool is_whole(unsigned node) const;
    /// What its disk holds of a key for certain: committed, and not damaged.
    [[nodiscard]] std::optional<Object> stored_whole(unsigned node, const Bytes& key);
    /// Whether its record of a key is damaged, or partial.
    [[nodiscard]] bool is_unsound(unsigned node, const Bytes& key);
    /// The canonical bytes of the same; empty when absent.
    [[nodiscard]] Bytes stored_bytes(unsigned node, const Bytes& key);
    /// Hints that a node holds for another.
    [[nodiscard]] std::size_t hints(unsigned holder, unsigned owner);

    void send_peer(unsigned from, const std::string& address, wire::Frames frames) override;
    void send_client(unsigned from, ClientHandle client, wire::Frames frames) override;
    void announced(unsigned node, const std::vector<Disk::Change>& changes) override;
    void committed(unsigned node, const std::vector<Disk::Change>& changes) override;
    void saved_ring(unsigned node, const RingState& ring) override;
    void replied(unsigned node, ClientHandle client, const wire::Reply& reply) override;

  private:
    void deliver(const Packet& packet);
    /// A line of the trace: what becomes of a packet.
    void say_of(const Packet& packet, const char* what);
    /// A change of a record.
    struct Row {
        Bytes key;
        NodeId hint_for;
        Object before;
        Object after;
        bool is_sound = true;  ///< otherwise a violation was noted
        bool mended = false;   ///< a damaged or partial record became whole
    };
    [[nodiscard]] Row read_row(const Disk::Change& change);
    void committed_row(unsigned node, const Disk::Change& change);
    void check_erased(unsigned node, unsigned owner, const Bytes& key, const Object& before);
    /// That all owners of the ring that the node had have held what it forgets of a key that it
    /// does not serve, or that it keeps for one that does not.
    struct Dropped {
        unsigned node;
        unsigned kept_for;  ///< itself: it was its own record
    };
    void check_handed_over(const Dropped& dropped, const Routes& known, const Bytes& key,
                           const Object& before);
    [[nodiscard]] NodeOptions options_of(unsigned index) const;
    [[nodiscard]] bool stage_all();

    World& world_;
    Network network_;
    std::vector<std::unique_ptr<Process>> processes_;
    Listener listener_;
    JobsWatcher jobs_watcher_;
    Routes routes_;
    std::optional<RingState> known_ring_;
    ClusterId cluster_;
    std::uint64_t asked_ = 0;
    std::map<std::uint64_t, std::string_view> operator_ops_;
    std::optional<wire::ClientReply> operator_answer_;
};

}  // namespace dynamo::sim
