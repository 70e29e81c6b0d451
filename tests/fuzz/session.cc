#include "tests/fuzz/session.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "daemon/node/local/record.h"
#include "libdynamo/base/check.h"
#include "libdynamo/wire/peer_frames.h"
#include "libdynamo/wire/state_codec.h"
#include "tests/libdynamo/ring/settled.h"
#include "tests/libdynamo/wire/samples.h"

namespace dynamo::fuzz {
namespace {

constexpr std::uint8_t what_bits = 7;
constexpr std::uint8_t foreign_bit = 1 << 5;
constexpr std::uint8_t answer_bit = 1 << 6;
constexpr std::uint8_t other_node_bit = 1 << 7;
constexpr std::size_t most_asked = 64;
constexpr std::uint64_t stranger_run = 0x5152535455565758;

Member member(std::uint8_t octet) {
    const std::string name(1, static_cast<char>('a' + octet));
    return {
        wire::node(static_cast<std::uint8_t>(octet + 1)), name, "", 100, name + ":1", name + ":2"};
}

NodeId sender_of(std::uint8_t kind) {
    constexpr std::array<std::uint8_t, 4> octets = {2, 3, 9, 1};
    return wire::node(octets[kind >> 3 & 3]);
}

/// The operation whose reply that alternative is.
std::string_view op_of_reply(const wire::ClientReply& reply) {
    // An error may be the reply to any operation.
    constexpr std::array<std::string_view, 25> ops = {
        "get",      "hello",  "get",   "put",   "del",  "ring",  "stats", "status", "stage",
        "plan",     "commit", "peek",  "keys",  "tree", "roots", "state", "merge",  "repair",
        "throttle", "flush",  "scrub", "check", "gc",   "job",   "jobs"};
    static_assert(std::variant_size_v<wire::ClientReply> == ops.size());
    return ops[reply.index()];
}

bool is_request(const wire::PeerMessage& message) {
    return std::holds_alternative<wire::ReadRequest>(message) ||
           std::holds_alternative<wire::WriteRequest>(message) ||
           std::holds_alternative<wire::ForwardRequest>(message) ||
           std::holds_alternative<wire::ExchangeOffer>(message);
}

}  // namespace

RingState Session::first_ring() {
    ClusterSettings settings;
    settings.copies = 2;
    settings.partitions = 4;
    RingState ring = found(wire::sample_cluster(), settings, member(0), 1'700'000'000'000);
    for (std::uint8_t octet = 1; octet < 3; ++octet)
        stage(ring, member(0).id, MemberOp::Kind::add, member(octet), "", 1'700'000'000'001);
    auto grown = plan(ring, wire::digest_of(ring.head()));
    DYN_CHECK(grown.has_value());
    grown->proposer = member(0).id;
    grown->issued = {1'700'000'000'002, 0};
    ring.epochs.push_back(std::move(*grown));
    test::settle(ring);
    return ring;
}

Session::Session() {
    static const RingState first = first_ring();
    ring_ = first;
    options_.self = member(0);
    node_.emplace(options_, ring_, storage_, Random(7), now_);
    settle(false);
}

void Session::expect(bool holds, const char* promise) {
    if (!holds && wrong_.empty()) wrong_ = promise;
}

void Session::take(const Packet& packet) {
    const auto [header, body] = split_frames(packet.octets);
    bool fails = false;
    switch (packet.kind & what_bits) {
        case 1:
        case 2:
            take_peer(packet.kind, header, body);
            break;
        case 3:
            now_.instant += std::chrono::milliseconds(1) * (1 + 8 * packet.octets.size());
            now_.wall_ms += static_cast<WallMs>(1 + packet.octets.size());
            node_->tick(now_);
            break;
        case 4:
            node_->on_unreachable(sender_of(packet.kind), now_);
            break;
        case 6: {
            LoadSample load;
            load.refuse_writes = packet.octets.size() % 2 == 1;
            node_->on_load(load);
            break;
        }
        case 5:
            fails = true;
            [[fallthrough]];
        default:
            take_client(header, body);
    }
    settle(fails);
}

void Session::take_client(BytesView header, BytesView body) {
    bool batched = false;
    auto requests = wire::decode_requests(header, body, options_.limits, batched);
    if (!requests) return;
    for (auto& one : *requests) {
        auto* request = std::get_if<wire::Request>(&one);
        if (!request) continue;
        if (auto* commit = std::get_if<wire::CommitRequest>(&request->body))
            if (commit->plan == "p-91c2d07a") commit->plan = plan_;
        node_->on_client(1, std::move(*request), now_);
    }
}

wire::PeerEnvelope Session::envelope_for(std::uint8_t kind) const {
    wire::PeerEnvelope envelope = node_->envelope();
    envelope.to = Bytes(((kind & other_node_bit) != 0 ? wire::node(2) : options_.self.id).bytes());
    envelope.from = Bytes(sender_of(kind).bytes());
    envelope.peer_address = "x:2";
    envelope.run = stranger_run;
    if ((kind & foreign_bit) != 0) envelope.cluster = Bytes(16, 'f');
    return envelope;
}

void Session::take_peer(std::uint8_t kind, BytesView header, BytesView body) {
    const bool as_is = (kind & what_bits) == 2;
    const Bytes good = wire::encode_peer({envelope_for(kind), {}}).header;
    auto frame = wire::decode_peer(as_is ? header : BytesView(good), body);
    if (!frame) return;
    for (wire::PeerMessage& message : frame->messages) {
        if (auto* forward = std::get_if<wire::ForwardRequest>(&message); forward && !as_is)
            forward->run = node_->envelope().run;
        std::visit(
            [&](auto& fields) {
                if constexpr (requires { fields.id; })
                    if ((kind & answer_bit) != 0 && !asked_.empty())
                        fields.id = asked_[fields.id % asked_.size()];
            },
            message);
        node_->on_peer(frame->envelope, std::move(message), now_);
    }
}

// ------------------------------------------------------------------------- what the node has said

void Session::settle(bool fails) {
    Outbox& outbox = node_->outbox();
    check_peers(outbox.take_early());
    if (fails) {
        storage_.rollback();
        node_->commit_failed({Code::storage_full, "no room"});
    } else {
        expect(storage_.commit(Durability::os).has_value(), "memory refused a commit");
    }
    if (outbox.ring) ring_ = std::exchange(outbox.ring, std::nullopt);
    check_peers(outbox.peers);
    check_replies(outbox.clients);
    outbox.clear();
}

void Session::check_replies(const std::vector<Outbox::ToClient>& replies) {
    for (const Outbox::ToClient& to : replies) {
        if (const auto* planned = std::get_if<wire::PlanReply>(&to.reply.body))
            plan_ = planned->plan;
        const auto frames = wire::encode_replies({to.reply}, false);
        const auto op = op_of_reply(to.reply.body);
        const auto read =
            wire::decode_replies(frames.header, frames.body, [&](std::uint64_t) { return op; });
        expect(read && read->size() == 1 && read->front().id == to.reply.id &&
                   read->front().body.index() == to.reply.body.index(),
               "a reply that a client cannot read");
    }
}

void Session::check_peers(const std::vector<Outbox::ToPeer>& messages) {
    wire::PeerFrame frame{node_->envelope(), {}};
    for (const Outbox::ToPeer& to : messages) {
        frame.messages.push_back(to.message);
        if (!is_request(to.message)) continue;
        std::visit(
            [&](const auto& fields) {
                if constexpr (requires { fields.id; })
                    if (asked_.size() < most_asked) asked_.push_back(fields.id);
            },
            to.message);
    }
    const auto frames = wire::encode_peer(frame);
    const auto read = wire::decode_peer(frames.header, frames.body);
    expect(read.has_value(), "a frame that no peer can read");
    if (!read) return;
    const auto again = wire::encode_peer(*read);
    expect(again.header == frames.header && again.body == frames.body, "peers read another thing");
}

void Session::check_rows() {
    const std::uint16_t partitions = first_ring().settings.partitions;
    for (std::uint16_t partition = 0; partition < partitions; ++partition) {
        const auto scanned =
            storage_.scan(Table::objects(partition), {}, [&](BytesView row, BytesView bytes) {
                const auto record = decode_record(row, bytes);
                expect(record.has_value(), "a record is stored that cannot be read");
                if (record)
                    expect(record->object.siblings.size() <= options_.max_siblings ||
                               !record->object.empty(),
                           "a record of nothing");
                return true;
            });
        expect(scanned.has_value(), "memory cannot be scanned");
    }
}

void Session::end() {
    check_rows();
    expect(ring_->cluster == wire::sample_cluster(), "taken over by another cluster");
    const auto read = wire::decode_ring(wire::encode(*ring_));
    expect(read && *read == *ring_, "a ring is saved that cannot be read");
    node_.emplace(options_, ring_, storage_, Random(8), now_);
    now_.instant += std::chrono::seconds(3);
    node_->tick(now_);
    settle(false);
}

}  // namespace dynamo::fuzz
