// What the node core takes in: records from the storage, frames from clients and peers.
#include "daemon/node/local/record.h"
#include "libdynamo/base/check.h"
#include "libdynamo/base/hash.h"
#include "libdynamo/wire/peer_frames.h"
#include "libdynamo/wire/state_codec.h"
#include "tests/fuzz/session.h"
#include "tests/libdynamo/wire/samples.h"

namespace dynamo::fuzz {
namespace {

// ---------------------------------------------------------------------------------------- records

constexpr std::size_t sum_octets = 8;
constexpr std::size_t head_octets = 17;

Bytes row() { return wire::sample_position().prefix() + "cart:7"; }

Bytes with_sum(BytesView body) {
    Bytes out(body);
    const std::uint64_t sum = checksum(body, checksum(row()));
    for (int shift = 0; shift < 64; shift += 8) out += static_cast<char>(sum >> shift & 255);
    return out;
}

std::string run_record_once(BytesView input) {
    const auto record = decode_record(row(), input);
    if (!record) return record.error().code == Code::corrupt ? "" : "not called corrupt";
    if (decode_record(row() + "x", input)) return "another key's record is taken";
    const auto object = object_bytes(row(), input);
    if (!object) return "decoded, and its object is not there";
    if (*object != wire::encode(record->object)) return "an object that is not canonical";
    if (record->partial != is_partial(input)) return "partial or not";
    return encode_record(row(), *record) == input ? "" : "not written again octet by octet";
}

std::string run_record(BytesView input) {
    if (auto wrong = run_record_once(input); !wrong.empty()) return wrong;
    if (input.size() < sum_octets) return "";
    return run_record_once(with_sum(input.substr(0, input.size() - sum_octets)));
}

std::vector<Seed> record_seeds() {
    const Record whole{wire::sample_object(), 0xfedcba9876543210, 5, false};
    const Record partial{{}, 0, 0, true};
    return {{"whole", encode_record(row(), whole)}, {"partial", encode_record(row(), partial)}};
}

// --------------------------------------------------------------------------------------- sessions

/// So that one input does not take long.
constexpr std::size_t most_packets = 64;

std::string run_session(BytesView input) {
    Session session;
    std::size_t packets = 0;
    for (Packet packet; packets < most_packets && take_packet(input, packet); ++packets)
        session.take(packet);
    session.end();
    return session.wrong();
}

void ask(Bytes& session, std::uint64_t id, wire::ClientRequest request) {
    const auto frames = wire::encode_requests({{id, Duration(0), {}, std::move(request)}});
    append_packet(session, 0, join_frames(frames.header, frames.body));
}

void tell(Bytes& session, std::uint8_t kind, std::vector<wire::PeerMessage> messages) {
    const auto frames = wire::encode_peer({{}, std::move(messages)});
    append_packet(session, kind, join_frames({}, frames.body));
}

void wait(Bytes& session, std::size_t eighths_of_a_second) {
    append_packet(session, 3, Bytes(eighths_of_a_second * 16, ' '));
}

constexpr std::uint8_t from_second = 1;
constexpr std::uint8_t from_third = 1 | 1 << 3;
constexpr std::uint8_t answers = 1 << 6;

Bytes data_session() {
    const Bytes object = wire::encode(wire::sample_object());
    Bytes session;
    ask(session, 1, wire::PutRequest{"cart:7", "milk"});
    tell(session, from_second | answers, {wire::ReadReply{0, wire::PeerStatusCode::ok, object}});
    tell(session, from_second | answers, {wire::WriteReply{1}});
    ask(session, 2, wire::GetRequest{"cart:7", 2, true});
    tell(session, from_third | answers, {wire::ReadReply{2, wire::PeerStatusCode::ok, object}});
    ask(session, 3, wire::DelRequest{"cart:7"});
    ask(session, 4, wire::StateRequest{"cart:7", 1});
    ask(session, 5, wire::MergeRequest{"cart:7", object, 1});
    wait(session, 4);
    return session;
}

Bytes peer_session() {
    const Bytes object = wire::encode(wire::sample_object());
    const Bytes second(wire::node(2).bytes());
    Bytes session;
    tell(session, from_second, {wire::WriteRequest{8, {}, "cart:7", object}});
    tell(session, from_third, {wire::WriteRequest{9, second, "cart:8", object}});
    tell(session, from_third, {wire::ReadRequest{7, "cart:7"}, wire::Ping{10}});
    wait(session, 8);
    tell(session, from_second | answers, {wire::WriteReply{0}, wire::Pong{1}});
    ask(session, 4, wire::PeekRequest{"cart:8"});
    return session;
}

Bytes exchange_session() {
    const Bytes object = wire::encode(wire::sample_object());
    Bytes session;
    for (std::uint16_t partition = 0; partition < 4; ++partition)
        tell(session, from_second, {wire::ExchangeOffer{11, partition, {}, {}, {}}});
    wait(session, 12);
    tell(session, from_second | answers,
         {wire::ExchangeReply{0, wire::PeerStatusCode::ok, {row()}, {}, {{"cart:7", object}}}});
    tell(session, from_third, {wire::ExchangeOffer{12, 3, {}, {}, {{row(), Bytes(16, 'd')}}}});
    tell(session, from_second, {wire::TreeOffer{13, 3, 4, 1, {0, 1}, Bytes(32, 's')}});
    tell(session, from_second | answers, {wire::TreeReply{0, wire::PeerStatusCode::ok, 4, {0, 1}}});
    ask(session, 5, wire::KeysRequest{3, {}, {}, 10});
    return session;
}

Bytes change_session() {
    Bytes session;
    ask(session, 1,
        wire::StageRequest{1, Bytes(wire::node(4).bytes()), "d", "", 100, "d:1", "d:2", ""});
    ask(session, 2, wire::PlanRequest{});
    ask(session, 3, wire::CommitRequest{"p-91c2d07a"});
    wait(session, 16);
    return session;
}

Bytes gossip_session() {
    RingState waiting = Session::first_ring();
    waiting.epochs.resize(1);
    Bytes session;
    tell(session, from_second, {wire::GossipDigest{Bytes(32, 'r')}});
    tell(session, from_third, {wire::GossipState{wire::encode(waiting), true}});
    ask(session, 1, wire::HelloRequest{"x"});
    ask(session, 2, wire::RingRequest{});
    ask(session, 3, wire::StatusRequest{});
    return session;
}

Bytes forward_session() {
    wire::PutRequest put{"cart:7", "milk"};
    Bytes session;
    tell(session, from_second,
         {wire::ForwardRequest{9, 0, 1500000, "put", wire::encode_body(wire::ClientRequest(put))}});
    append_packet(session, 4, {});
    const auto frames = wire::encode_requests({{3, Duration(0), {}, put}});
    append_packet(session, 5, join_frames(frames.header, frames.body));
    wire::ForwardReply reply{0, 0, "put", wire::encode_body(wire::ClientReply(wire::PutReply{}))};
    tell(session, from_third | answers, {reply});
    return session;
}

std::vector<Seed> session_seeds() {
    return {{"data", data_session()},         {"peer", peer_session()},
            {"exchange", exchange_session()}, {"change", change_session()},
            {"gossip", gossip_session()},     {"forward", forward_session()}};
}

}  // namespace

const std::vector<Entry>& node_entries() {
    static const std::vector<Entry> all = {
        {"record", record_seeds, run_record, Layout::element, head_octets, sum_octets},
        {"session", session_seeds, run_session, Layout::session},
    };
    return all;
}

}  // namespace dynamo::fuzz
