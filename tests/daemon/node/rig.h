// A rig of whole nodes without a network: messages lie in a list until the test delivers them.
//
// Every node is the real core over the memory engine; commit comes before send, as in the loop. The
// clock moves only when the test moves it. Forms its ring as an operator does.
//
// Threads: one
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/node/node.h"
#include "daemon/storage/memory.h"
#include "libdynamo/ring/route.h"
#include "libdynamo/version/siblings.h"

namespace dynamo::test {

class Rig {
  public:
    struct Settings {
        std::size_t nodes = 3;
        ClusterSettings cluster = {.partitions = 8};
        Duration exchange_pass = std::chrono::hours(1);
    };

    Rig() : Rig(Settings{}) {}
    explicit Rig(const Settings& settings);

    // --- asking
    /// Sends a request to a node and returns its number in the order of requests.
    std::size_t ask(std::size_t node, wire::ClientRequest request);
    /// The answer, once there is one.
    [[nodiscard]] const wire::ClientReply* answer(std::size_t request) const;
    /// Asks and delivers everything until the answer is there; fails the test when none comes.
    wire::ClientReply call(std::size_t node, wire::ClientRequest request);

    [[nodiscard]] Bytes put(std::size_t node, const Bytes& key, const Bytes& value,
                            PutMode mode = PutMode::observe, const Bytes& context = {});
    /// The values of a key in order, joined by commas; tombstones as "(gone)".
    [[nodiscard]] std::string get(std::size_t node, const Bytes& key);

    // --- the world
    /// Delivers messages, and those that they cause, until none is left.
    void settle();
    /// Delivers one message past the filter, then all that it causes.
    void deliver(std::size_t from, std::size_t to, wire::PeerMessage message);
    /// Moves the clock in small steps and delivers.
    void pass(Duration time);
    /// Messages from one node to another are lost from now on.
    void cut(std::size_t from, std::size_t to);
    void isolate(std::size_t node);
    void heal();
    /// Called for each message before it is delivered; false loses it.
    std::function<bool(std::size_t from, std::size_t to, const wire::PeerMessage&)> filter;

    /// Stops a node and starts it over the same data, as another run.
    void restart(std::size_t node);
    void stop(std::size_t node);
    /// The same over an empty disk: it kept its identity and the ring, and lost all else.
    void wipe(std::size_t node);
    /// Sets a node's wall clock so much behind the others'.
    void set_behind(std::size_t node, WallMs milliseconds) {
        machines_[node]->behind = milliseconds;
    }

    // --- looking
    [[nodiscard]] Node& node(std::size_t index) { return *machines_[index]->node; }
    [[nodiscard]] Storage& storage(std::size_t index) { return *machines_[index]->storage; }
    [[nodiscard]] const NodeId& id(std::size_t index) const {
        return machines_[index]->options.self.id;
    }
    [[nodiscard]] std::size_t index_of(const NodeId& id) const;
    [[nodiscard]] Routes routes() const;
    /// The indexes of a key's owners, most preferred first.
    [[nodiscard]] std::vector<std::size_t> owners(BytesView key) const;
    /// A node that does not own the key.
    [[nodiscard]] std::size_t stranger(BytesView key) const;
    [[nodiscard]] double stat(std::size_t node, std::string_view name);
    /// The object that a node stores for a key, in its main table or as a hint.
    [[nodiscard]] Object stored(std::size_t node, BytesView key, const NodeId& hint_for = {});

  private:
    struct Machine {
        NodeOptions options;
        std::unique_ptr<MemoryStorage> storage;
        std::optional<RingState> ring;
        std::unique_ptr<Node> node;
        WallMs behind = 0;
    };
    struct Letter {
        std::size_t from;
        std::size_t to;
        wire::PeerEnvelope envelope;
        wire::PeerMessage message;
    };
    void start(std::size_t index);
    [[nodiscard]] Now now_of(std::size_t index) const {
        return {now_.instant, now_.wall_ms - machines_[index]->behind};
    }
    /// Commit, then send.
    void flush(std::size_t index);
    void form();

    Settings settings_;
    std::vector<std::unique_ptr<Machine>> machines_;
    std::deque<Letter> letters_;
    std::map<std::pair<std::size_t, std::size_t>, bool> cut_;
    std::vector<std::optional<wire::ClientReply>> answers_;
    Now now_{Instant(std::chrono::seconds(1000)), 1'700'000'000'000};
    std::uint64_t seed_ = 1;
};

}  // namespace dynamo::test
