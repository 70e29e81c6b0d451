#include "tests/sim/process.h"

#include <algorithm>
#include <utility>

#include "libdynamo/wire/state_codec.h"
#include "tests/sim/describe.h"

namespace dynamo::sim {
namespace {

constexpr WallMs wall_at_start = 1'700'000'000'000;
constexpr std::size_t inputs_per_turn = 64;
constexpr Duration wake_delay{50};

}  // namespace

Process::Process(World& world, Surroundings& around, unsigned index, NodeOptions options)
    : world_(world),
      around_(around),
      index_(index),
      options_(std::move(options)),
      member_(options_.self.id) {
    disk_.watch([this](const std::vector<Disk::Change>& changes) {
        world_.trace.fold(folded::commit, index_, changes.size());
        around_.committed(index_, changes);
    });
}

Now Process::now() const {
    const Instant instant = world_.timeline.now();
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(instant.time_since_epoch());
    return {instant, wall_at_start + ms.count() + wall_offset_};
}

LoadSample Process::load() const {
    LoadSample sample;
    sample.refuse_writes = refuse_writes_;
    sample.free_bytes = disk_.full() == Disk::Full::no ? std::uint64_t{1} << 40 : 0;
    return sample;
}

void Process::set_aside_what_is_damaged() {
    const bool is_short =
        std::exchange(log_is_short_, false) && options_.mutant != Mutant::short_log_accepted;
    if (!is_short && !disk_.is_broken()) return;
    world_.marks.hit(Mark::set_aside);
    if (world_.trace.wordy()) world_.say(options_.self.name + " sets its damaged files aside");
    disk_.wipe();
}

void Process::die_of(const char* cause) {
    if (world_.trace.wordy()) world_.say(options_.self.name + " ends: " + cause);
    kill();
    world_.timeline.after(Duration(300'000), [this] { start(); });
}

void Process::shorten_log(std::size_t lost) {
    kill();
    disk_.shorten_log(lost);
    log_is_short_ = true;
}

void Process::start() {
    if (node_ || retired_) return;
    ++runs_;
    set_aside_what_is_damaged();
    world_.trace.fold(folded::start, index_, runs_);
    if (world_.trace.wordy()) world_.say(options_.self.name + " starts");
    std::optional<RingState> ring;
    if (!ring_.empty()) {
        auto decoded = wire::decode_ring(ring_);
        if (!decoded) {
            world_.verdict.fail(rule::ring, {},
                                "a saved ring is refused: " + decoded.error().message);
            return;
        }
        ring = std::move(*decoded);
    }
    Random random(world_.chance.at(Stream::node, index_, runs_).bits());
    node_ = std::make_unique<Node>(options_, std::move(ring), disk_, random, now());
    node_->recall(vote_);
    node_->on_load(load());
    settle();
}

void Process::stop() {
    if (!node_) return;
    world_.trace.fold(folded::stop, index_, runs_);
    node_.reset();
    inbox_.clear();
    turn_due_ = Instant::max();
    sending_ = paused_ = false;
    armed_ = Boundary::none;
}

void Process::kill() {
    if (node_ && world_.trace.wordy()) world_.say(options_.self.name + " is killed");
    stop();
    disk_.kill();
    refuses_ = true;
}

void Process::lose_power(std::size_t kept) {
    const std::size_t lost = disk_.unsynced() - std::min(kept, disk_.unsynced());
    if (world_.trace.wordy())
        world_.say(options_.self.name + " loses power and " + std::to_string(lost) + " commits");
    stop();
    if (lost > 0) world_.marks.hit(Mark::power_lost_commits);
    if (kept < disk_.unsynced()) doubt();
    disk_.lose_power(kept);
    refuses_ = false;
}

void Process::start_as_stranger(const NodeId& id, const std::string& seed) {
    kill();
    disk_.wipe();
    ring_.clear();
    vote_ = {};
    options_.self.id = id;
    options_.seeds = {seed};
    start();
}

void Process::crash(Boundary at) {
    if (at == Boundary::before_send || at == Boundary::mid_send)
        world_.marks.hit(Mark::crash_between_commit_and_send);
    const Duration down = armed_down_;
    if (world_.trace.wordy())
        world_.say(options_.self.name + " crashes at boundary " +
                   std::to_string(static_cast<int>(at)));
    kill();
    world_.timeline.after(down, [this] { start(); });
}

void Process::arm(Boundary boundary, Duration down) {
    armed_ = boundary;
    armed_down_ = down;
}

void Process::pause(bool on) {
    if (!node_) return;
    paused_ = on;
    if (!on) wake(world_.timeline.now());
}

void Process::fill_disk(Disk::Full full, bool told) {
    disk_.fill(full);
    refuse_writes_ = full != Disk::Full::no && told;
    if (node_) node_->on_load(load());
}

void Process::receive(const Packet& packet) {
    if (!node_) return;
    inbox_.push_back({Input::Kind::packet, packet, {}});
    wake(world_.timeline.now() + wake_delay);
}

void Process::unreachable(const NodeId& node) {
    if (!node_) return;
    inbox_.push_back({Input::Kind::unreachable, {}, node});
    wake(world_.timeline.now() + wake_delay);
}

void Process::wake(Instant when) {
    when = std::max(when, world_.timeline.now());
    if (!node_ || sending_ || paused_ || when >= turn_due_ ||
        when > world_.timeline.now() + std::chrono::hours(1))
        return;
    turn_due_ = when;
    world_.timeline.at(when, [this, when, run = runs_] {
        if (run == runs_ && turn_due_ == when) turn();
    });
}

void Process::turn() {
    turn_due_ = Instant::max();
    if (!node_ || sending_ || paused_) return;
    for (std::size_t taken = 0; taken < inputs_per_turn && !inbox_.empty(); ++taken) {
        const Input input = std::move(inbox_.front());
        inbox_.pop_front();
        take(input);
        if (world_.verdict.failed()) return;
    }
    if (node_->wake_at() <= world_.timeline.now()) node_->tick(now());
    settle();
}

void Process::take(const Input& input) {
    switch (input.kind) {
        case Input::Kind::packet:
            return input.packet.from >= first_client ? take_client(input.packet)
                                                     : take_peer(input.packet);
        case Input::Kind::unreachable:
            return node_->on_unreachable(input.node, now());
    }
}

void Process::take_client(const Packet& packet) {
    bool batched = false;
    auto requests =
        wire::decode_requests(packet.frames.header, packet.frames.body, options_.limits, batched);
    if (!requests)
        return world_.verdict.fail(rule::answered, {},
                                   "a client's frame is refused: " + requests.error().message);
    for (auto& request : *requests) {
        if (const auto* rejected = std::get_if<wire::Rejected>(&request))
            return world_.verdict.fail(rule::answered, {},
                                       "a request is rejected: " + rejected->error.message);
        if (world_.trace.wordy())
            world_.say(options_.self.name + " <- client " + std::to_string(packet.from) + "  " +
                       describe(std::get<wire::Request>(request)));
        node_->on_client(packet.from, std::get<wire::Request>(std::move(request)), now());
    }
}

void Process::take_peer(const Packet& packet) {
    auto frame = wire::decode_peer(packet.frames.header, packet.frames.body);
    if (!frame)
        return world_.verdict.fail(rule::answered, {},
                                   "a peer's frame is refused: " + frame.error().message);
    for (wire::PeerMessage& message : frame->messages) {
        if (world_.trace.wordy())
            world_.say(options_.self.name + " <- n" + std::to_string(packet.from + 1) + "  " +
                       describe(message));
        const auto* write = std::get_if<wire::WriteRequest>(&message);
        const bool repairs = write && write->id == 0 && write->hint_for.empty();
        if (std::holds_alternative<wire::ForwardRequest>(message))
            world_.marks.hit(Mark::forwarded);
        if (const auto* reply = std::get_if<wire::TreeReply>(&message))
            if (reply->status == wire::PeerStatusCode::ok)
                world_.marks.hit(reply->nodes.empty() ? Mark::trees_compared
                                                      : Mark::trees_told_apart);
        const std::size_t changes_before = disk_.changes().size();
        node_->on_peer(frame->envelope, std::move(message), now());
        if (repairs && disk_.changes().size() > changes_before) world_.marks.hit(Mark::read_repair);
    }
}

bool Process::store(Outbox& outbox, Boundary crash_at) {
    if (crash_at == Boundary::before_commit) {
        crash(crash_at);
        return false;
    }
    if (const auto committed =
            disk_.commit(node_->outbox().sync ? Durability::sync : world_.setup.durability);
        !committed) {
        const bool synced = committed.error().code != Code::storage;
        if (!synced && options_.mutant != Mutant::failed_sync_forgotten) {
            world_.marks.hit(Mark::sync_failed);
            die_of("a sync failed");
            return false;
        }
        if (synced) node_->commit_failed(committed.error());
        if (world_.trace.wordy())
            world_.say(options_.self.name + " cannot commit: " + committed.error().message);
    }
    Random random = world_.chance.at(Stream::disk, index_, turns_);
    if (random.chance(0.05)) disk_.flush();
    outbox = std::exchange(node_->outbox(), {});
    if (crash_at == Boundary::before_ring) {
        crash(crash_at);
        return false;
    }
    if (outbox.ring) {
        ring_ = wire::encode(*outbox.ring);
        around_.saved_ring(index_, *outbox.ring);
    }
    if (outbox.vote && options_.mutant != Mutant::vote_forgets) vote_ = *outbox.vote;
    return true;
}

void Process::keep_exactly_w(std::vector<Outbox::ToPeer>& peers) {
    std::erase_if(peers, [&](const Outbox::ToPeer& to) {
        const auto* write = std::get_if<wire::WriteRequest>(&to.message);
        if (!write || write->id == 0) return false;
        std::set<NodeId>& asked = asked_[write->id];
        if (asked.contains(to.node)) return false;
        if (asked.size() + 1 >= world_.setup.w) return true;
        asked.insert(to.node);
        return false;
    });
}

void Process::settle() {
    ++turns_;
    const Outbox& said = node_->outbox();
    const bool wrote = disk_.has_changes();
    const bool speaks = !said.clients.empty() || !said.peers.empty();
    const Boundary crash_at =
        wrote || (speaks && armed_ > Boundary::before_ring) ? armed_ : Boundary::none;
    const wire::PeerEnvelope envelope = node_->envelope();
    Outbox outbox;
    if (disk_.is_broken()) {
        world_.marks.hit(Mark::engine_broke);
        return die_of("the engine is broken");
    }
    if (options_.mutant == Mutant::acknowledged_before_commit) {
        // The planted bug: everything is said first, and the commit comes when the turn is over.
        Outbox early = node_->outbox();
        early.ring.reset();
        send(early, envelope, Boundary::none);
        if (!node_) return;
        node_->outbox().clients.clear();
        node_->outbox().peers.clear();
    }
    if (wrote) {
        // As the loop does: questions to peers leave before the commit.
        around_.announced(index_, disk_.changes());
        Outbox early;
        early.peers = node_->outbox().take_early();
        if (options_.mutant == Mutant::acknowledged_early)
            std::erase_if(node_->outbox().peers, [&](const Outbox::ToPeer& to) {
                const bool acknowledges = std::holds_alternative<wire::WriteReply>(to.message);
                if (acknowledges) early.peers.push_back(to);
                return acknowledges;
            });
        if (world_.setup.sends_exactly_w) keep_exactly_w(early.peers);
        send(early, envelope, Boundary::none);
    }
    if (!store(outbox, crash_at)) return;
    for (const Outbox::LogLine& line : outbox.log)
        if (world_.trace.wordy()) world_.say(options_.self.name + " logs: " + line.text);
    if (crash_at == Boundary::before_send) return crash(crash_at);
    if (!wrote) {
        send(outbox, envelope, crash_at);
    } else {
        Random random = world_.chance.at(Stream::turn, index_, turns_);
        const bool slow = world_.timeline.now() < slow_until_;
        const auto most =
            slow ? 2'000'000u : static_cast<std::uint64_t>(world_.setup.commit_most.count());
        sending_ = true;
        world_.timeline.after(
            Duration(static_cast<std::int64_t>(20 + random.below(most))),
            [this, outbox = std::move(outbox), envelope, crash_at, run = runs_] {
                if (run != runs_ || !node_) return;
                sending_ = false;
                send(outbox, envelope, crash_at);
                if (node_) wake(inbox_.empty() ? node_->wake_at() : world_.timeline.now());
            });
    }
    if (node_) wake(inbox_.empty() ? node_->wake_at() : world_.timeline.now());
}

/// Some nodes hear of rings late: what they coordinate and answer by then, they do by an old one.
bool Process::is_unheard(const Outbox::ToPeer& to) const {
    if (!world_.rings_spread_slowly || !std::holds_alternative<wire::GossipState>(to.message))
        return false;
    const std::uint64_t receiver = checksum(to.node.bytes());
    if (!world_.chance.at(Stream::ring, receiver).chance(0.35)) return false;
    return world_.chance.at(Stream::ring, receiver ^ turns_, index_).chance(0.93);
}

void Process::send(const Outbox& outbox, const wire::PeerEnvelope& envelope, Boundary crash_at) {
    // One frame for each destination, in the order of first mention, as the transport does.
    std::vector<std::pair<std::string, wire::PeerFrame>> frames;
    for (const Outbox::ToPeer& peer : outbox.peers) {
        if (is_unheard(peer)) continue;
        auto at =
            std::ranges::find(frames, peer.address, [](const auto& frame) { return frame.first; });
        if (at == frames.end()) {
            frames.push_back({peer.address, {envelope, {}}});
            at = frames.end() - 1;
            if (!peer.node.is_none()) at->second.envelope.to = Bytes(peer.node.bytes());
        }
        at->second.messages.push_back(peer.message);
    }
    std::size_t left = crash_at == Boundary::mid_send ? frames.size() / 2 : SIZE_MAX;
    for (const auto& [address, frame] : frames) {
        if (left-- == 0) return crash(crash_at);
        around_.send_peer(index_, address, wire::encode_peer(frame));
    }
    if (crash_at == Boundary::mid_send) return crash(crash_at);
    for (const Outbox::ToClient& client : outbox.clients) {
        around_.replied(index_, client.client, client.reply);
        around_.send_client(index_, client.client, wire::encode_replies({client.reply}, false));
    }
    if (crash_at == Boundary::after_send) crash(crash_at);
}

}  // namespace dynamo::sim
