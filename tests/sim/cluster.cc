#include "tests/sim/cluster.h"

#include <algorithm>
#include <utility>

#include "daemon/node/local/objects.h"
#include "libdynamo/base/numbers.h"
#include "libdynamo/wire/state_codec.h"
#include "tests/sim/describe.h"

namespace dynamo::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string peer_address(unsigned index) { return "10.0.0." + std::to_string(index + 1) + ":7101"; }

/// A row of the hints table: the owner's id, then the row as in the main tables.
constexpr std::size_t owner_octets = 16;
constexpr std::size_t position_octets = 8;

struct RowName {
    NodeId hint_for;
    Bytes row;
    [[nodiscard]] Bytes key() const { return row.substr(position_octets); }
};
RowName row_name(const Table& table, BytesView key) {
    if (table.kind == Table::Kind::objects) return {{}, Bytes(key)};
    return {NodeId::from(key.substr(0, owner_octets)), Bytes(key.substr(owner_octets))};
}

}  // namespace

Cluster::Cluster(World& world)
    : world_(world),
      network_(world.timeline, world.chance, world.setup.network,
               [this](const Packet& packet) { deliver(packet); }) {
    if (world_.trace.wordy())
        network_.tell_of_losses(
            [this](const Packet& packet, const char* what) { say_of(packet, what); });
    for (unsigned i = 0; i < world.setup.nodes; ++i)
        processes_.push_back(std::make_unique<Process>(world_, *this, i, options_of(i)));
}

NodeOptions Cluster::options_of(unsigned index) const {
    Random random = world_.chance.at(Stream::identity, index);
    NodeOptions options;
    options.self.id = NodeId::random(random);
    options.self.name = "n" + std::to_string(index + 1);
    if (world_.setup.zones) options.self.zone = std::string(1, static_cast<char>('a' + index % 3));
    options.self.client_address = "10.0.0." + std::to_string(index + 1) + ":7100";
    options.self.peer_address = peer_address(index);
    if (index > 0) options.seeds = {peer_address(0)};
    options.founding.name = "sim";
    options.founding.copies = static_cast<std::uint16_t>(world_.setup.copies);
    options.founding.last_write_wins = world_.setup.last_write_wins;
    options.founding.partitions = static_cast<std::uint16_t>(world_.setup.partitions);
    options.founding.read_quorum = static_cast<std::uint16_t>(world_.setup.r);
    options.founding.write_quorum = static_cast<std::uint16_t>(world_.setup.w);
    options.exchange_interval = world_.setup.exchange_every;
    options.kept_rings = world_.setup.kept_rings;
    options.scrub_every = world_.setup.scrub_every;
    options.purge_interval = world_.setup.purge_every;
    options.keep_trees_every = world_.setup.keep_trees_every;
    if (world_.setup.one_compares && index > 0) {
        options.exchange_interval = std::chrono::hours(24);
        options.exchange_pass = std::chrono::hours(24 * 365);
    }
    if (world_.setup.hurried) {
        options.replica_timeout = milliseconds(120);
        options.gossip_interval = milliseconds(300);
        options.handback_interval = milliseconds(100);
        options.exchange_rows = 1;
        options.hints_in_flight = 1;
        options.background_p99 = milliseconds(1);  // every request is slower: the floor
    }
    options.mutant = world_.setup.mutant;
    return options;
}

// --------------------------------------------------------------------------------- forming a ring

bool Cluster::stage_all() {
    for (unsigned i = 1; i < world_.setup.founders(); ++i) {
        const auto hello = ask_and_wait(i, wire::HelloRequest{"dyn-sim"}, seconds(5));
        const auto* who = hello ? std::get_if<wire::HelloReply>(&*hello) : nullptr;
        if (!who || who->state != "waiting") return false;
        wire::StageRequest stage;
        stage.node_id = who->node_id;
        stage.name = who->node;
        stage.zone = who->zone;
        stage.weight = who->weight;
        stage.client_address = who->client_address;
        stage.peer_address = who->peer_address;
        const auto staged = ask_and_wait(0, stage, seconds(5));
        if (!staged || !std::holds_alternative<wire::StageReply>(*staged)) return false;
    }
    return true;
}

void Cluster::form() {
    for (auto& process : processes_) process->start();
    const auto broken = [&](const char* what) { world_.verdict.fail(rule::forms, {}, what); };
    known_ring_ = *processes_[0]->node()->ring();
    if (world_.setup.founders() == 1) {
        cluster_ = known_ring_->cluster;
        routes_ = Routes(*known_ring_, wire::digest_of(known_ring_->head()));
        return;
    }
    if (!stage_all()) return broken("a node could not be staged to join");
    const auto planned = ask_and_wait(0, wire::PlanRequest{}, seconds(5));
    const auto* plan = planned ? std::get_if<wire::PlanReply>(&*planned) : nullptr;
    if (!plan) return broken("no plan");
    const auto committed = ask_and_wait(0, wire::CommitRequest{plan->plan}, seconds(5));
    if (!committed || !std::holds_alternative<wire::CommitReply>(*committed))
        return broken("the plan could not be committed");
    const auto joined = [&] {
        return std::ranges::all_of(processes_, [&](const auto& process) {
            if (process->index() >= world_.setup.founders()) return true;
            const RingState* ring = process->node() ? process->node()->ring() : nullptr;
            return ring && ring->head().members.size() == world_.setup.founders() &&
                   !is_moving(*ring);
        });
    };
    world_.run_for(seconds(60), joined);
    if (!joined()) return broken("not every node has the new ring within a minute");
    cluster_ = known_ring_->cluster;
    routes_ = Routes(*known_ring_, wire::digest_of(known_ring_->head()));
}

void Cluster::saved_ring(unsigned node, const RingState& ring) {
    if (!known_ring_ || ring.cluster != known_ring_->cluster) return;
    const auto changed = join(*known_ring_, ring);
    if (!changed)
        return world_.verdict.fail(rule::ring, {},
                                   "the ring of n" + std::to_string(node + 1) +
                                       " and those of others: " + changed.error().message);
    if (!*changed) return;
    const std::size_t moving = routes_.moving().size();
    routes_ = Routes(*known_ring_, wire::digest_of(known_ring_->head()));
    if (routes_.moving().size() < moving)
        world_.marks.hit(Mark::list_ended, moving - routes_.moving().size());
}

// ------------------------------------------------------------------------------------- who is who

unsigned Cluster::index_of(const NodeId& id) const {
    for (const auto& process : processes_)
        if (process->id() == id) return process->index();
    return UINT32_MAX;
}

std::vector<unsigned> Cluster::owners(const Bytes& key) const {
    std::vector<unsigned> out;
    for (const NodeId& id : routes_.owners(routes_.partition_of(position_of(key))))
        out.push_back(index_of(id));
    return out;
}

std::vector<OwnerList> Cluster::lists_at(unsigned node, const Bytes& key) const {
    const Node* core = processes_[node]->node();
    const RingState* ring = core ? core->ring() : nullptr;
    if (!ring) return {};
    return live_lists(*ring, partition_of(position_of(key), ring->settings.partitions));
}

std::vector<unsigned> Cluster::fallbacks(const Bytes& key) const {
    std::vector<unsigned> out;
    for (const NodeId& id : routes_.fallbacks(routes_.partition_of(position_of(key))))
        out.push_back(index_of(id));
    return out;
}

// ---------------------------------------------------------------------------------------- packets

void Cluster::send_peer(unsigned from, const std::string& address, wire::Frames frames) {
    for (const auto& process : processes_)
        if (process->options().self.peer_address == address)
            network_.send({from, process->index(), std::move(frames)}, true);
}

void Cluster::send_client(unsigned from, ClientHandle client, wire::Frames frames) {
    network_.send({from, static_cast<unsigned>(client), std::move(frames)}, false);
}

void Cluster::ask(unsigned client, unsigned node, const wire::Request& request) {
    network_.send({client, node, wire::encode_requests({request})}, false);
}

std::optional<wire::ClientReply> Cluster::ask_and_wait(unsigned node, wire::ClientRequest body,
                                                       Duration patience) {
    const std::uint64_t id = ++asked_;
    operator_ops_ = {{id, wire::op_of(body)}};
    operator_answer_.reset();
    ask(operator_end, node, {id, patience, {}, std::move(body)});
    // An answer that is given at the end of it has to come back.
    world_.run_for(patience + seconds(1), [&] { return operator_answer_.has_value(); });
    operator_ops_.clear();
    return std::exchange(operator_answer_, std::nullopt);
}

void Cluster::say_of(const Packet& packet, const char* what) {
    const auto end = [](unsigned number) {
        return number < first_client ? "n" + std::to_string(number + 1)
                                     : "client " + std::to_string(number);
    };
    std::string content;
    if (const auto frame = wire::decode_peer(packet.frames.header, packet.frames.body))
        for (const wire::PeerMessage& message : frame->messages)
            content += "  " + dynamo::sim::describe(message);
    world_.say(end(packet.from) + " -> " + end(packet.to) + " " + what + content);
}

void Cluster::deliver(const Packet& packet) {
    world_.trace.fold(folded::packet, std::uint64_t{packet.from} << 32 | packet.to,
                      checksum(packet.frames.header, checksum(packet.frames.body)));
    if (packet.to >= first_session) {
        if (listener_.arrives) listener_.arrives(packet.to, packet.frames);
        return;
    }
    if (packet.to == operator_end) {
        const auto replies =
            wire::decode_replies(packet.frames.header, packet.frames.body, [&](std::uint64_t id) {
                const auto at = operator_ops_.find(id);
                return at == operator_ops_.end() ? std::string_view{} : at->second;
            });
        if (replies && !replies->empty()) operator_answer_ = replies->front().body;
        return;
    }
    Process& to = *processes_[packet.to];
    if (to.up()) return to.receive(packet);
    if (!to.refuses()) return;
    if (packet.from < first_client) {
        // The sender's transport sees the refusal after a way back.
        world_.timeline.after(Duration(300), [this, packet] {
            processes_[packet.from]->unreachable(processes_[packet.to]->id());
        });
    } else if (packet.from >= first_session && listener_.refused) {
        listener_.refused(packet.from, packet.to, packet.frames);
    }
}

void Cluster::replied(unsigned node, ClientHandle client, const wire::Reply& reply) {
    if (world_.trace.wordy())
        world_.say("n" + std::to_string(node + 1) + " -> client " + std::to_string(client) + "  " +
                   describe(reply));
    if (const auto* jobs = std::get_if<wire::JobsReply>(&reply.body); jobs && jobs_watcher_)
        jobs_watcher_(node, *jobs);
    if (client >= first_session && listener_.leaves) listener_.leaves(node, client, reply);
}

// ---------------------------------------------------------------------------------------- records

Cluster::Row Cluster::read_row(const Disk::Change& change) {
    const RowName name = row_name(change.table, change.key);
    Row row{name.key(), name.hint_for, {}, {}, true};
    // Before it there may be a damaged record: then it says nothing of what the node had seen.
    if (change.before) {
        auto before = decode_record(name.row, *change.before);
        row.mended = !before || before->partial;
        if (before) row.before = std::move(before->object);
    }
    if (!change.after) return row;
    auto after = decode_record(name.row, *change.after);
    if (after) {
        row.mended = row.mended && !after->partial;
        row.after = std::move(after->object);
        return row;
    }
    row.is_sound = false;
    world_.verdict.fail(rule::invented, row.key,
                        "a record is stored that cannot be read: " + after.error().message);
    return row;
}

namespace {

bool holds_records(Table table) {
    return table.kind == Table::Kind::objects || table.kind == Table::Kind::hints;
}

/// Only who gives up what it holds leaves out a number of the fence.
bool is_giving_up(const Disk::Change& change) {
    return change.table == Table::notes() && change.key == "fence" && change.after &&
           number_at(*change.after, 0) >
               1 + (change.before ? number_at(*change.before, 0) : std::uint64_t{0});
}

}  // namespace

void Cluster::announced(unsigned node, const std::vector<Disk::Change>& changes) {
    for (const Disk::Change& change : changes) {
        if (!holds_records(change.table) || !change.after) continue;
        const Row row = read_row(change);
        if (row.is_sound)
            world_.ledger.announced({node, processes_[node]->id(), !row.hint_for.is_none()},
                                    row.key, row.before, row.after);
    }
}

void Cluster::committed(unsigned node, const std::vector<Disk::Change>& changes) {
    const bool gives_up = std::ranges::any_of(changes, is_giving_up);
    if (gives_up) world_.marks.hit(Mark::gave_up);
    for (const Disk::Change& change : changes)
        if (holds_records(change.table) && (change.after || !gives_up)) committed_row(node, change);
}

void Cluster::committed_row(unsigned node, const Disk::Change& change) {
    const Row row = read_row(change);
    if (!row.is_sound) return;
    const bool hint = !row.hint_for.is_none();
    const unsigned owner = hint ? index_of(row.hint_for) : node;
    if (world_.trace.wordy())
        world_.say("n" + std::to_string(node + 1) + " commits " + row.key +
                   (hint ? " for n" + std::to_string(owner + 1) : "") +
                   (change.after ? "" : ": erased"));
    if (change.after) {
        if (hint && !change.before) world_.marks.hit(Mark::hint_stored);
        if (row.mended) world_.marks.hit(Mark::record_mended);
        world_.ledger.committed(node, processes_[node]->id(), row.key, row.before, row.after, hint);
    } else if (!row.mended) {
        check_erased(node, owner, row.key, row.before);
    }
}

void Cluster::check_erased(unsigned node, unsigned owner, const Bytes& key, const Object& before) {
    const std::string who = "n" + std::to_string(node + 1);
    // A purge erases what is nothing but tombstones to a reader.
    const Sibling* last = world_.setup.last_write_wins ? newest(before) : nullptr;
    if (owner == node &&
        (std::ranges::all_of(before.siblings, &Sibling::tombstone) || (last && last->tombstone)))
        return world_.ledger.committed(node, processes_[node]->id(), key, before, {}, false);
    // What was handed over and a ring that has its owner serve again may come in one step, and so
    // may a ring that has it serve no longer and the handing over: what either allows is right.
    const auto ring = wire::decode_ring(processes_[node]->saved_ring());
    const RingState* present = processes_[node]->node()->ring();
    for (const RingState* state : {ring ? &*ring : nullptr, present}) {
        const Routes known = state ? Routes(*state, {}) : Routes();
        if (known.serves(processes_[owner]->id(), known.partition_of(position_of(key)))) continue;
        if (owner == node) world_.marks.hit(Mark::copy_handed_over);
        // Who was an owner when it took the hint hands it over with all that it holds.
        return check_handed_over({node, owner}, known, key, before);
    }
    if (owner == node)
        return world_.verdict.fail(rule::lost, key, who + " erased its record of the key");
    WriteSet missing;
    for (const std::size_t number : world_.ledger.covered(key, before.clock).members())
        if ((world_.ledger.writes(key)[number].held >> owner & 1) == 0) missing.add(number);
    if (missing.empty()) return world_.marks.hit(Mark::hint_delivered);
    world_.verdict.fail(rule::hints, key,
                        who + " dropped its hint for n" + std::to_string(owner + 1) +
                            ", which never stored " + world_.ledger.show(key, missing));
}

void Cluster::check_handed_over(const Dropped& dropped, const Routes& known, const Bytes& key,
                                const Object& before) {
    const auto [node, kept_for] = dropped;
    for (const NodeId& id : known.owners(known.partition_of(position_of(key)))) {
        const unsigned owner = index_of(id);
        WriteSet missing;
        for (const std::size_t number : world_.ledger.covered(key, before.clock).members())
            if (const std::uint64_t held = world_.ledger.writes(key)[number].held;
                (held >> owner & 1) == 0 && (kept_for == node || (held >> kept_for & 1) == 0))
                missing.add(number);
        missing.remove(world_.ledger.purged(key));
        if (!missing.empty())
            world_.verdict.fail(
                rule::lost, key,
                "n" + std::to_string(node + 1) + " dropped " +
                    (kept_for == node ? "its copy"
                                      : "its hint for n" + std::to_string(kept_for + 1)) +
                    ", and n" + std::to_string(owner + 1) + ", an owner now, never stored " +
                    world_.ledger.show(key, missing));
    }
}

std::optional<Object> Cluster::stored(unsigned node, const Bytes& key, const NodeId& hint_for) {
    const Slot slot = Slot::of(routes_, key, hint_for);
    const Bytes* bytes = processes_[node]->disk().peek(slot.table(), slot.storage_key());
    if (!bytes) return std::nullopt;
    auto record = decode_record(slot.row, *bytes);
    if (!record) return std::nullopt;
    return std::move(record->object);
}

bool Cluster::is_whole(unsigned node) const {
    // Without its first note it has lost everything; with the second it has not all of it back.
    const Disk& disk = processes_[node]->disk();
    if (processes_[node]->log_is_short() || processes_[node]->is_doubtful()) return false;
    return !disk.is_broken() && disk.peek(Table::notes(), "formed") &&
           !disk.peek(Table::notes(), "rebuilding");
}

std::optional<Object> Cluster::stored_whole(unsigned node, const Bytes& key) {
    const Slot slot = Slot::of(routes_, key);
    const Disk& disk = processes_[node]->disk();
    if (!is_whole(node)) return std::nullopt;
    const Bytes* bytes = disk.peek_synced(slot.table(), slot.storage_key());
    if (!bytes) return std::nullopt;
    auto record = decode_record(slot.row, *bytes);
    if (!record || record->partial) return std::nullopt;
    return std::move(record->object);
}

bool Cluster::is_unsound(unsigned node, const Bytes& key) {
    const Slot slot = Slot::of(routes_, key);
    const Bytes* bytes = processes_[node]->disk().peek(slot.table(), slot.storage_key());
    if (!bytes) return false;
    const auto record = decode_record(slot.row, *bytes);
    return !record || record->partial;
}

Bytes Cluster::stored_bytes(unsigned node, const Bytes& key) {
    const auto object = stored(node, key);
    return object ? wire::encode(*object) : Bytes{};
}

std::size_t Cluster::hints(unsigned holder, unsigned owner) {
    const auto& image = processes_[holder]->disk().image();
    const auto rows = image.find(Table::hints());
    if (rows == image.end()) return 0;
    const NodeId& id = processes_[owner]->id();
    return static_cast<std::size_t>(std::ranges::count_if(
        rows->second, [&](const auto& row) { return row.first.starts_with(id.bytes()); }));
}

}  // namespace dynamo::sim
