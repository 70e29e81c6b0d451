#include "tests/daemon/node/rig.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "daemon/node/local/objects.h"
#include "libdynamo/base/check.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo::test {
namespace {

std::string address_of(std::size_t index) { return "127.0.0.1:" + std::to_string(9000 + index); }

}  // namespace

Rig::Rig(const Settings& settings) : settings_(settings) {
    Random random(42);
    for (std::size_t i = 0; i < settings.nodes; ++i) {
        auto machine = std::make_unique<Machine>();
        machine->options.self = {NodeId::random(random),
                                 "n" + std::to_string(i + 1),
                                 "",
                                 100,
                                 "127.0.0.1:" + std::to_string(8000 + i),
                                 address_of(i)};
        if (i > 0) machine->options.seeds = {address_of(0)};
        machine->options.founding = settings.cluster;
        machine->options.exchange_pass = settings.exchange_pass;
        machine->storage = std::make_unique<MemoryStorage>();
        machines_.push_back(std::move(machine));
    }
    for (std::size_t i = 0; i < settings.nodes; ++i) start(i);
    if (settings.nodes > 1) form();
}

void Rig::form() {
    for (std::size_t i = 1; i < machines_.size(); ++i) {
        const Member& self = machines_[i]->options.self;
        const auto reply = call(0, wire::StageRequest{1, Bytes(self.id.bytes()), self.name, "", 100,
                                                      self.client_address, self.peer_address, ""});
        DYN_CHECK(std::holds_alternative<wire::StageReply>(reply));
    }
    const auto planned = call(0, wire::PlanRequest{});
    DYN_CHECK(std::holds_alternative<wire::PlanReply>(planned));
    const auto done = call(0, wire::CommitRequest{std::get<wire::PlanReply>(planned).plan});
    DYN_CHECK(std::holds_alternative<wire::CommitReply>(done));
    pass(std::chrono::seconds(10));
    for (const auto& machine : machines_)
        DYN_CHECK(machine->ring && machine->ring->epochs.size() == 2);
}

void Rig::start(std::size_t index) {
    Machine& machine = *machines_[index];
    machine.node = std::make_unique<Node>(machine.options, machine.ring, *machine.storage,
                                          Random(seed_++ * 7919), now_of(index));
    flush(index);
}

void Rig::stop(std::size_t index) {
    machines_[index]->node.reset();
    std::erase_if(letters_,
                  [&](const Letter& letter) { return letter.from == index || letter.to == index; });
}

void Rig::restart(std::size_t index) {
    stop(index);
    start(index);
}

void Rig::wipe(std::size_t index) {
    stop(index);
    machines_[index]->storage = std::make_unique<MemoryStorage>();
    start(index);
}

std::size_t Rig::index_of(const NodeId& id) const {
    for (std::size_t i = 0; i < machines_.size(); ++i)
        if (machines_[i]->options.self.id == id) return i;
    return machines_.size();
}

void Rig::flush(std::size_t index) {
    Machine& machine = *machines_[index];
    Outbox& outbox = machine.node->outbox();
    DYN_CHECK(machine.storage->commit(Durability::sync).has_value());
    if (outbox.ring) machine.ring = outbox.ring;
    for (auto& to : outbox.peers) {
        std::size_t target = index_of(to.node);
        if (to.node.is_none())
            for (std::size_t i = 0; i < machines_.size(); ++i)
                if (address_of(i) == to.address) target = i;
        if (target == machines_.size()) continue;
        auto envelope = machine.node->envelope();
        if (!to.node.is_none()) envelope.to = Bytes(to.node.bytes());
        letters_.push_back({index, target, std::move(envelope), std::move(to.message)});
    }
    for (auto& to : outbox.clients) answers_[to.reply.id] = std::move(to.reply.body);
    outbox.clear();
}

std::size_t Rig::ask(std::size_t node, wire::ClientRequest request) {
    const std::size_t id = answers_.size();
    answers_.emplace_back();
    machines_[node]->node->on_client(1, {id, Duration(0), {}, std::move(request)}, now_of(node));
    flush(node);
    return id;
}

const wire::ClientReply* Rig::answer(std::size_t request) const {
    return answers_[request] ? &*answers_[request] : nullptr;
}

wire::ClientReply Rig::call(std::size_t node, wire::ClientRequest request) {
    const std::size_t id = ask(node, std::move(request));
    settle();
    for (int i = 0; i < 1000 && !answer(id); ++i) pass(std::chrono::milliseconds(10));
    DYN_CHECK(answer(id) != nullptr);
    return *answer(id);
}

Bytes Rig::put(std::size_t node, const Bytes& key, const Bytes& value, PutMode mode,
               const Bytes& context) {
    const auto reply =
        call(node, wire::PutRequest{.key = key, .value = value, .mode = mode, .context = context});
    const auto* stored = std::get_if<wire::PutReply>(&reply);
    if (!stored) ADD_FAILURE() << "the put failed: " << std::get<wire::ErrorReply>(reply).message;
    return stored ? stored->context : Bytes{};
}

std::string Rig::get(std::size_t node, const Bytes& key) {
    const auto reply = call(node, wire::GetRequest{key});
    const auto* got = std::get_if<wire::GetReply>(&reply);
    if (!got) return "error: " + std::get<wire::ErrorReply>(reply).name;
    std::vector<std::string> values;
    for (const auto& version : got->versions)
        values.push_back(version.tombstone ? "(gone)" : version.value);
    std::ranges::sort(values);
    std::string all;
    for (const auto& value : values) all += (all.empty() ? "" : ",") + value;
    return all;
}

void Rig::settle() {
    while (!letters_.empty()) {
        Letter letter = std::move(letters_.front());
        letters_.pop_front();
        if (!machines_[letter.to]->node) continue;
        const auto cut = cut_.find({letter.from, letter.to});
        if (cut != cut_.end()) continue;
        if (filter && !filter(letter.from, letter.to, letter.message)) continue;
        machines_[letter.to]->node->on_peer(letter.envelope, std::move(letter.message),
                                            now_of(letter.to));
        flush(letter.to);
    }
}

void Rig::deliver(std::size_t from, std::size_t to, wire::PeerMessage message) {
    wire::PeerEnvelope envelope = machines_[from]->node->envelope();
    envelope.to = Bytes(id(to).bytes());
    machines_[to]->node->on_peer(envelope, std::move(message), now_of(to));
    flush(to);
    settle();
}

void Rig::pass(Duration time) {
    const Instant end = now_.instant + time;
    while (now_.instant < end) {
        const Duration step = std::min<Duration>(std::chrono::milliseconds(10), end - now_.instant);
        now_.instant += step;
        now_.wall_ms += step.count() / 1000;
        for (std::size_t i = 0; i < machines_.size(); ++i) {
            if (!machines_[i]->node) continue;
            machines_[i]->node->tick(now_of(i));
            flush(i);
        }
        settle();
    }
}

void Rig::cut(std::size_t from, std::size_t to) { cut_[{from, to}] = true; }

void Rig::isolate(std::size_t node) {
    for (std::size_t i = 0; i < machines_.size(); ++i) {
        cut(i, node);
        cut(node, i);
    }
}

void Rig::heal() { cut_.clear(); }

Routes Rig::routes() const {
    const RingState& ring = *machines_[0]->ring;
    return {ring, wire::digest_of(ring.head())};
}

std::vector<std::size_t> Rig::owners(BytesView key) const {
    const Routes ring = routes();
    std::vector<std::size_t> indexes;
    for (const NodeId& owner : ring.owners(ring.partition_of(position_of(key))))
        indexes.push_back(index_of(owner));
    return indexes;
}

std::size_t Rig::stranger(BytesView key) const {
    const auto owning = owners(key);
    for (std::size_t i = 0; i < machines_.size(); ++i)
        if (std::ranges::find(owning, i) == owning.end()) return i;
    DYN_CHECK(!"every node owns the key");
    return 0;
}

double Rig::stat(std::size_t node, std::string_view name) {
    const auto reply = call(node, wire::StatsRequest{});
    for (const auto& stat : std::get<wire::StatsReply>(reply).stats)
        if (stat.name == name) return stat.value;
    return 0;
}

Object Rig::stored(std::size_t node, BytesView key, const NodeId& hint_for) {
    const Slot slot = Slot::of(routes(), key, hint_for);
    const auto bytes = storage(node).get(slot.table(), slot.storage_key());
    DYN_CHECK(bytes.has_value());
    if (!*bytes) return {};
    const auto record = decode_record(slot.row, **bytes);
    DYN_CHECK(record.has_value());
    return record->object;
}

}  // namespace dynamo::test
