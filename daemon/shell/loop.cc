#include "daemon/shell/loop.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "daemon/shell/process.h"
#include "libdynamo/wire/peer_frames.h"

namespace dynamo {

namespace {

/// Of one drain. Enough to fill a commit, little enough that others wait a few milliseconds.
constexpr std::size_t drain_messages = 256;
constexpr std::size_t drain_octets = 4u << 20;
/// Frames are begun anew beyond this, well below what a receiver takes.
constexpr std::size_t frame_octets = 4u << 20;

constexpr auto load_interval = std::chrono::seconds(1);
/// The room is looked at anew after every such part of --min-free that arrived, too: a fast disk
/// takes all of it within an interval. Small records may take several times their own octets.
constexpr std::uint64_t looks_per_min_free = 16;
constexpr std::uint64_t least_octets_between_looks = 256u << 10;
constexpr auto turn_interval = std::chrono::seconds(30);
/// Two failed commits within this time are no accident.
constexpr auto failure_memory = std::chrono::minutes(1);

// How many octets a message will take, roughly: enough to bound frames by.
std::size_t weight_of(const Bytes& bytes) { return bytes.size() + 8; }
template <typename T>
    requires(!wire::Fielded<T>)
std::size_t weight_of(const T&) {
    return 8;
}
template <wire::Fielded T>
std::size_t weight_of(const T& message);
template <typename T>
std::size_t weight_of(const std::vector<T>& list) {
    std::size_t octets = 8;
    for (const auto& element : list) octets += weight_of(element);
    return octets;
}
template <wire::Fielded T>
std::size_t weight_of(const T& message) {
    return std::apply(
        [&](const auto&... fields) {
            return (std::size_t{8} + ... + weight_of(message.*(fields.member)));
        },
        T::fields());
}
template <typename... Alternatives>
std::size_t weight_of(const std::variant<Alternatives...>& message) {
    return std::visit([](const auto& alternative) { return weight_of(alternative); }, message);
}

/// True when a stop was asked for.
bool read_signals(int descriptor, Log& log) {
    signalfd_siginfo signal{};
    bool stop = false;
    while (read(descriptor, &signal, sizeof signal) == static_cast<ssize_t>(sizeof signal)) {
        const auto number = static_cast<int>(signal.ssi_signo);
        if (number == SIGTERM || number == SIGINT) {
            log.write(Severity::info,
                      fmt::format("stops on {}", number == SIGTERM ? "SIGTERM" : "SIGINT"));
            stop = true;
        } else {
            log.write(Severity::info, "SIGHUP: options are read at the start only");
        }
    }
    return stop;
}

}  // namespace

Loop::Loop(Node& node, Storage& storage, DataDirectory& directory, Transport& transport, Log& log,
           LoopOptions options)
    : node_(node),
      storage_(storage),
      directory_(directory),
      transport_(transport),
      log_(log),
      options_(std::move(options)) {}

Result<void> Loop::begin() {
    sample_load(now_of_system().instant);
    return settle();
}

Result<void> Loop::run(int signals) {
    for (;;) {
        const bool signalled = transport_.wait(patience(now_of_system().instant), signals) &&
                               read_signals(signals, log_);
        const auto began = now_of_system();
        step(began);
        if (const auto settled = settle(); !settled) return settled;
        ++stats_.iterations;
        stats_.iteration.record(now_of_system().instant - began.instant);
        // What had arrived before the signal has been answered.
        if (signalled) return {};
    }
}

Duration Loop::patience(Instant now) const {
    if (more_) return Duration(0);
    return std::clamp(std::min(node_.wake_at(), next_load_) - now, Duration(0),
                      Duration(load_interval));
}

// ------------------------------------------------------------------------------------------- step

void Loop::step(Now now) {
    const auto noticed = transport_.take_noticed();
    // The node need not know: an answer to a client that has gone is dropped when it is sent.
    for (const auto client : noticed.gone) batching_.erase(client);
    for (const auto& peer : noticed.unreachable) node_.on_unreachable(peer, now);

    // Peers first: what a client waits for is mostly a peer's answer.
    const bool peers_done =
        transport_.receive_peers(drain_messages, drain_octets,
                                 [&](const Received& received) { take_peer_frame(received, now); });
    const bool clients_done = transport_.receive_clients(
        drain_messages, drain_octets,
        [&](Received received) { take_client_frame(std::move(received), now); });
    more_ = !peers_done || !clients_done;

    if (now.instant >= next_load_ || taken_octets_ >= octets_between_looks())
        sample_load(now.instant);
    if (now.instant >= node_.wake_at()) node_.tick(now);
}

std::uint64_t Loop::octets_between_looks() const {
    return std::max(options_.min_free_bytes / looks_per_min_free, least_octets_between_looks);
}

void Loop::take_peer_frame(const Received& received, Now now) {
    taken_octets_ += received.body.size();
    if (received.fault != nullptr) return;
    auto frame = wire::decode_peer(received.header, received.body);
    if (!frame) {
        ++stats_.peer_frames_bad;
        log_.write_rarely("peer frame", Severity::warning,
                          "dropped a frame on the peer port: " + frame.error().message);
        return;
    }
    stats_.peer_messages += frame->messages.size();
    for (auto& message : frame->messages) node_.on_peer(frame->envelope, std::move(message), now);
}

void Loop::take_client_frame(Received received, Now now) {
    const auto client = received.sender;
    taken_octets_ += received.body.size();
    if (received.fault != nullptr) return reject(client, {0, {Code::bad_request, received.fault}});
    bool batched = false;
    auto requests = wire::decode_requests(received.header, received.body, options_.limits, batched);
    if (!requests) {
        if (const auto peer = wire::decode_peer(received.header, received.body))
            log_.write_rarely(
                "peer on client port", Severity::warning,
                fmt::format("the peer {} takes {} for a peer address: it is for clients; seeds are "
                            "peer addresses, here {}",
                            peer->envelope.peer_address, to_string(transport_.client_address()),
                            to_string(transport_.peer_address())));
        return reject(client, {0, requests.error()});
    }
    if (batched) batching_.insert(client);
    for (auto& request : *requests) {
        if (const auto* rejected = std::get_if<wire::Rejected>(&request)) {
            reject(client, *rejected);
        } else {
            ++stats_.requests;
            node_.on_client(client, std::move(std::get<wire::Request>(request)), now);
        }
    }
}

void Loop::reject(ClientHandle client, const wire::Rejected& rejected) {
    ++stats_.rejected;
    wire::Reply reply;
    reply.id = rejected.id;
    Error error = rejected.error;
    error.node = node_.name();
    reply.body = wire::to_reply(error);
    rejections_.emplace_back(client, std::move(reply));
}

void Loop::sample_load(Instant now) {
    next_load_ = now + load_interval;
    taken_octets_ = 0;
    options_.still_runs(now);
    if (now >= next_turn_) {
        next_turn_ = now + turn_interval;
        stats_.iteration.turn();
        stats_.commit.turn();
    }
    LoadSample sample;
    if (const auto usage = storage_.usage()) {
        sample.free_bytes = usage->free_bytes;
        sample.stored_bytes = usage->stored_bytes;
        const bool was_full = is_full_;
        // Writes come back a little above the mark, or they would come and go with every file.
        const auto least = options_.min_free_bytes + (was_full ? options_.min_free_bytes / 8 : 0);
        is_full_ = usage->free_bytes < least;
        if (is_full_ && !was_full)
            log_.write(Severity::error,
                       fmt::format("refuses writes: {} octets are free at {}, and --min-free is "
                                   "{}; make room",
                                   usage->free_bytes, directory_.path().string(),
                                   options_.min_free_bytes));
        if (!is_full_ && was_full)
            log_.write(Severity::info,
                       fmt::format("takes writes again: {} octets are free", usage->free_bytes));
    } else {
        log_.write_rarely("usage", Severity::warning, usage.error().message);
    }
    sample.refuse_writes = is_full_;
    sample.last_commit = last_commit_;
    sample.gauges = gauges();
    node_.on_load(sample);
}

std::vector<std::pair<std::string, double>> Loop::gauges() const {
    auto gauges = gauges_of(stats_, transport_);
    gauges.emplace_back("storage.set_aside", static_cast<double>(options_.shards_set_aside));
    return gauges;
}

// ----------------------------------------------------------------------------------------- settle

Result<void> Loop::settle() {
    // With nothing to commit they may as well leave in one frame with the rest.
    if (storage_.has_changes()) send_to_peers(node_.outbox().take_early());
    const auto committed = commit();
    if (node_.outbox().ring) {
        if (auto saved = directory_.save_ring(*node_.outbox().ring); !saved) {
            saved.error().message = "cannot save the ring: " + saved.error().message;
            return saved;
        }
    }
    if (node_.outbox().vote) {
        if (auto saved = directory_.save_vote(*node_.outbox().vote); !saved) {
            saved.error().message = "cannot save a vote: " + saved.error().message;
            return saved;
        }
    }
    write_log();
    send_to_peers(std::exchange(node_.outbox().peers, {}));
    send_to_clients();
    node_.outbox().clear();
    if (!committed) return committed;
    // Reads alone do not show it: each of them would be answered with an error for ever.
    if (auto broken = storage_.broken()) return std::unexpected(std::move(*broken));
    return {};
}

Result<void> Loop::commit() {
    const auto began = now_of_system().instant;
    auto committed = storage_.commit(node_.outbox().sync ? Durability::sync : options_.durability);
    last_commit_ = now_of_system().instant - began;
    stats_.commit.record(last_commit_);
    ++stats_.commits;
    if (committed) return {};
    ++stats_.commit_failures;
    log_.write_rarely("commit", Severity::error, "commit failed: " + committed.error().message);
    node_.commit_failed(committed.error());
    if (committed.error().code == Code::storage_full) {
        // Until the next look at the disk; the engine itself is well.
        is_full_ = true;
        LoadSample sample;
        sample.free_bytes = 0;
        sample.refuse_writes = true;
        sample.gauges = gauges();
        node_.on_load(sample);
        return {};
    }
    // Not "in a row": between two writes lie commits of nothing, which never fail.
    const bool is_second = last_failure_ && began - *last_failure_ < failure_memory;
    last_failure_ = began;
    if (committed.error().code == Code::corrupt || is_second) return committed;
    return {};
}

void Loop::write_log() {
    for (const auto& line : node_.outbox().log) log_.write(line.severity, line.text);
}

void Loop::send_to_peers(std::vector<Outbox::ToPeer> messages) {
    if (messages.empty()) return;
    struct Destination {
        wire::PeerFrame frame;
        std::size_t octets = 0;
    };
    std::map<std::pair<std::string, NodeId>, Destination> destinations;
    const auto envelope = node_.envelope();
    const auto send = [&](const std::pair<std::string, NodeId>& to, Destination& destination) {
        destination.frame.envelope = envelope;
        if (!to.second.is_none()) destination.frame.envelope.to = Bytes(to.second.bytes());
        (void)transport_.send_peer(to.first, to.second, wire::encode_peer(destination.frame));
        destination = {};
    };
    for (auto& message : messages) {
        const std::pair to{message.address, message.node};
        auto& destination = destinations[to];
        const auto octets = weight_of(message.message);
        if (destination.octets > 0 && destination.octets + octets > frame_octets)
            send(to, destination);
        destination.octets += octets;
        destination.frame.messages.push_back(std::move(message.message));
    }
    for (auto& [to, destination] : destinations)
        if (!destination.frame.messages.empty()) send(to, destination);
}

void Loop::send_to_clients() {
    std::map<ClientHandle, std::vector<wire::Reply>> replies;
    for (auto& [client, reply] : rejections_) replies[client].push_back(std::move(reply));
    rejections_.clear();
    for (auto& to : node_.outbox().clients) replies[to.client].push_back(std::move(to.reply));
    for (auto& [client, list] : replies) {
        if (batching_.contains(client)) {
            send_batch(client, std::move(list));
            continue;
        }
        for (auto& reply : list)
            if (!transport_.send_client(client, wire::encode_replies({std::move(reply)}, false)))
                break;
    }
}

void Loop::send_batch(ClientHandle client, std::vector<wire::Reply> replies) {
    std::vector<wire::Reply> batch;
    std::size_t octets = 0;
    for (auto& reply : replies) {
        const auto weight = weight_of(reply.body);
        if (!batch.empty() && (octets + weight > frame_octets || batch.size() >= wire::max_batch)) {
            if (!transport_.send_client(client, wire::encode_replies(batch, true))) return;
            batch.clear();
            octets = 0;
        }
        octets += weight;
        batch.push_back(std::move(reply));
    }
    (void)transport_.send_client(client, wire::encode_replies(batch, true));
}

}  // namespace dynamo
