#include "tests/libdynamo/wire/samples.h"

#include <string_view>

#include "libdynamo/wire/peer_frames.h"
#include "libdynamo/wire/state_codec.h"
#include "libdynamo/wire/struct_codec.h"

namespace dynamo::wire {
namespace {

using namespace std::string_literals;

const Bytes id_octets(16, '\x11');

Member member(std::uint8_t octet, std::string name) {
    return {node(octet), name, "zone-" + name, 100, name + ":7100", name + ":7101"};
}

// -------------------------------------------------------------------- one of each client's message

GetRequest get_request() { return {"cart:7", 2, true}; }
PutRequest put_request() {
    return {"cart:7", "milk\0bread"s, PutMode::context, encode(sample_context()), 2, 1, true, true,
            true};
}
ErrorReply error_reply() { return {20, "quorum_not_met", "1 of 2 answered", true, "maybe", "n2"}; }
GetReply get_reply() {
    return {{{"milk", false, 1700000000000, id_octets, "18446744073709551615", 7},
             {"", true, -1, Bytes(16, '\x22'), "1", 300}},
            encode(sample_context()),
            3,
            {{0, id_octets, "coordinates"}, {412, Bytes(16, '\x22'), "read answered"}}};
}
HelloReply hello_reply() {
    HelloReply hello;
    hello.server = "dynamod 0.1.0";
    hello.features = {"batch", "forward"};
    hello.max_key = 1024;
    hello.max_value = 1u << 20;
    hello.max_context = 8192;
    hello.cluster = "dynamo";
    hello.cluster_id = Bytes(16, '\x99');
    hello.node = "n1";
    hello.node_id = id_octets;
    hello.zone = "a";
    hello.weight = 100;
    hello.client_address = "127.0.0.1:7100";
    hello.peer_address = "127.0.0.1:7101";
    hello.state = "member";
    hello.ring = 2;
    return hello;
}

std::vector<ClientRequest> client_requests() {
    return {HelloRequest{"dyn-get"},
            get_request(),
            put_request(),
            DelRequest{"cart:7", PutMode::blind, "", 3, 2},
            RingRequest{},
            StatsRequest{},
            StatusRequest{},
            StageRequest{1, id_octets, "n2", "b", 50, "n2:7100", "n2:7101", "more room"},
            PlanRequest{},
            CommitRequest{"p-91c2d07a"},
            PeekRequest{"cart:7"},
            KeysRequest{17, "row-1", "cart:", 100, 4, 9},
            TreeRequest{17, 4, {0, 9}, 4, true},
            RootsRequest{{0, 17, 255}},
            StateRequest{"cart:7", 2},
            MergeRequest{"cart:7", encode(sample_object()), 3, 4},
            RepairRequest{true, 17},
            ThrottleRequest{4u << 20},
            FlushRequest{},
            ScrubRequest{17, Bytes(16, '\x22'), "row-1"},
            CheckRequest{17},
            GcRequest{true, 9, "row-1"},
            JobRequest{{500, 50000, 1320, 360},
                       "3f9a01c7",
                       JobAction::pause,
                       Bytes(2, '\xff'),
                       "all",
                       1'700'000'000'000},
            JobsRequest{}};
}
Pace sample_pace() { return {4u << 20, true, false, 1800, 2400}; }

JobShare job_share() {
    return {{500, 50000, 1320, 360},
            "3f9a01c7",
            "all",
            1'700'000'000'000,
            JobState::running,
            JobWaits::for_owners,
            384,
            100,
            12,
            51200,
            {Bytes(16, '\x22')}};
}

std::vector<ClientReply> client_replies() {
    return {hello_reply(),
            get_reply(),
            PutReply{encode(sample_context()), true, get_reply().trace},
            DelReply{encode(sample_context()), false},
            RingReply{encode(sample_ring())},
            StatsReply{{{"hints.held", 3}, {"put.latency.p99", 412.5}}},
            StatusReply{id_octets,
                        2,
                        1u << 30,
                        1u << 31,
                        5,
                        60000,
                        "sync",
                        false,
                        {{Bytes(16, '\x22'), true, 1500, 5}, {Bytes(16, '\x33'), false, -1, 0}}},
            StageReply{1},
            PlanReply{"p-91c2d07a", encode(sample_ring().head())},
            CommitReply{2},
            PeekReply{
                true,
                false,
                {{"", false, get_reply().versions, 3, Bytes(16, '\x55'), encode(sample_context())},
                 {Bytes(16, '\x22'), true, {}, 0, {}, {}}}},
            KeysReply{{{"row-1", Bytes(16, '\x55'), 2, true}, {"row-2", "", 0, false}}, "row-3"},
            TreeNodesReply{true, 8, 8, Bytes(32, '\x55')},
            RootsReply{Bytes(32, '\x55'), {17}},
            StateReply{encode(sample_object()), 4},
            MergeReply{true},
            RepairReply{3600000,
                        512,
                        2,
                        1,
                        1800000,
                        4711,
                        12,
                        9,
                        1,
                        1,
                        8,
                        0,
                        3,
                        {{Bytes(16, '\x22'), 5}},
                        sample_pace(),
                        {{17, Bytes(16, '\x22'), true, 60000, 2}},
                        18},
            ThrottleReply{sample_pace()},
            FlushReply{5},
            ScrubReply{100, 51200, 1, 1'700'000'000'000, "row-9", 40},
            CheckReply{true, true, 100},
            GcReply{7, 4096, 12, 10, 4711, 41000, {{"silent", Bytes(16, '\x22'), 1500}}, "row-2"},
            JobReply{job_share()},
            JobsReply{{job_share()}}};
}

std::vector<PeerMessage> peer_messages() {
    return {ReadRequest{7, "cart:7", Bytes(16, '\x22')},
            ReadReply{7, PeerStatusCode::ok, encode(sample_object()), 5},
            WriteRequest{8, Bytes(16, '\x22'), "cart:7", encode(sample_object()), 5},
            WriteReply{8, PeerStatusCode::full},
            ForwardRequest{9, 77, 1500000, "put", encode_body(ClientRequest(put_request()))},
            ForwardReply{9, 20, "put", encode_body(ClientReply(error_reply()))},
            Ping{10},
            Pong{10},
            GossipDigest{Bytes(32, '\x44')},
            GossipState{encode(sample_ring()), true},
            ExchangeOffer{11, 255, "a", "", {{"row-1", Bytes(16, '\x55')}}},
            ExchangeReply{11,
                          PeerStatusCode::ok,
                          {"row-1", "row-2"},
                          "row-3",
                          {{"cart:7", encode(sample_object())}},
                          5,
                          2500},
            TreeOffer{12, 255, 12, 8, {3, 200}, Bytes(32, '\x66')},
            TreeReply{12, PeerStatusCode::ok, 16, {200}},
            FenceAsk{13},
            FenceReply{13, 5, true, true},
            PurgeOffer{14, 255, 5, {{"row-1", Bytes(16, '\x55')}}},
            PurgeReply{14, PeerStatusCode::ok, {0}},
            PurgeOrder{255, 5, {{"row-1", Bytes(16, '\x55')}}},
            VoteAsk{15, 18, 3, "an epoch"},
            VoteReply{15, true, 3, 2, Bytes(16, '\x66'), "an epoch"}};
}
constexpr std::string_view peer_names[] = {
    "read_request",   "read_reply",     "write_request", "write_reply",   "forward_request",
    "forward_reply",  "ping",           "pong",          "gossip_digest", "gossip_state",
    "exchange_offer", "exchange_reply", "tree_offer",    "tree_reply",    "fence_ask",
    "fence_reply",    "purge_offer",    "purge_reply",   "purge_order",   "vote_ask",
    "vote_reply"};
static_assert(std::size(peer_names) == std::variant_size_v<PeerMessage>);

// ------------------------------------------------------------------------------------ there and
// back

/// Encodes what was decoded, or passes the error on.
template <typename T, typename Encode>
Result<Parts> then(const Result<T>& decoded, Encode&& encode_it) {
    if (!decoded) return std::unexpected(decoded.error());
    return encode_it(*decoded);
}

template <typename Message, Style style>
Result<Parts> message_again(const Parts& parts) {
    return then(decode_message<Message>(parts[0], style),
                [](const Message& message) { return Parts{encode_message(message, style)}; });
}

template <typename Message>
Result<Parts> request_again(const Parts& parts) {
    return then(decode_message<Message>(parts[0], Style::map),
                [](const Message& message) { return Parts{encode_body(ClientRequest(message))}; });
}

Parts parts_of(Frames frames) { return {std::move(frames.header), std::move(frames.body)}; }

Result<Parts> requests_again(const Parts& parts) {
    bool batched = false;
    auto decoded = decode_requests(parts[0], parts[1], {}, batched);
    if (!decoded) return std::unexpected(decoded.error());
    std::vector<Request> requests;
    for (auto& one : *decoded) {
        if (auto* rejected = std::get_if<Rejected>(&one)) return std::unexpected(rejected->error);
        requests.push_back(std::move(std::get<Request>(one)));
    }
    return parts_of(encode_requests(requests));
}

/// As a client that has asked `get` with 41 and `put` with all others.
std::string_view asked(std::uint64_t id) { return id == 41 ? "get" : "put"; }

Result<Parts> replies_again(const Parts& parts) {
    auto decoded = decode_replies(parts[0], parts[1], asked);
    if (!decoded) return std::unexpected(decoded.error());
    for (const Reply& reply : *decoded) {
        const auto* error = std::get_if<ErrorReply>(&reply.body);
        if (error && error->code == static_cast<std::uint16_t>(Code::internal))
            return std::unexpected(to_error(*error));
    }
    return parts_of(encode_replies(*decoded, decoded->size() != 1));
}

Result<Parts> peer_again(const Parts& parts) {
    return then(decode_peer(parts[0], parts[1]),
                [](const PeerFrame& frame) { return parts_of(encode_peer(frame)); });
}

template <typename State, Result<State> (*decode)(BytesView)>
Result<Parts> state_again(const Parts& parts) {
    return then(decode(parts[0]), [](const State& state) { return Parts{encode(state)}; });
}

Result<Parts> context_again(const Parts& parts) {
    return then(decode_context(parts[0], sample_cluster(), sample_position()),
                [](const Context& context) { return Parts{encode(context)}; });
}

void add_messages(std::vector<Sample>& out) {
    for (const ClientRequest& request : client_requests()) {
        std::visit(
            [&]<typename Message>(const Message&) {
                out.push_back({std::string(Message::op) + "_request",
                               {encode_body(request)},
                               request_again<Message>});
            },
            request);
    }
    const auto requests = client_requests();
    const auto replies = client_replies();
    for (std::size_t i = 0; i < replies.size(); ++i) {
        std::visit(
            [&]<typename Message>(const Message& message) {
                out.push_back({std::string(op_of(requests[i])) + "_reply",
                               {encode_message(message, Style::map)},
                               message_again<Message, Style::map>});
            },
            replies[i]);
    }
    out.push_back({"error_reply",
                   {encode_message(error_reply(), Style::map)},
                   message_again<ErrorReply, Style::map>});
    for (const PeerMessage& message : peer_messages()) {
        std::visit(
            [&]<typename Message>(const Message& fields) {
                out.push_back({"peer_" + std::string(peer_names[message.index()]),
                               {encode_message(fields, Style::array)},
                               message_again<Message, Style::array>});
            },
            message);
    }
}

void add_frames(std::vector<Sample>& out) {
    const Request one{41, std::chrono::milliseconds(250), Bytes(16, '\x99'), get_request()};
    const Request other{42, Duration(0), "", put_request()};
    const Reply got{41, 2, get_reply()};
    const Reply failed{42, 2, error_reply()};
    out.push_back({"request_frame", parts_of(encode_requests({one})), requests_again});
    out.push_back({"request_batch", parts_of(encode_requests({one, other})), requests_again});
    out.push_back({"reply_frame", parts_of(encode_replies({got}, false)), replies_again});
    out.push_back({"error_frame", parts_of(encode_replies({failed}, false)), replies_again});
    out.push_back({"reply_batch", parts_of(encode_replies({got, failed}, true)), replies_again});
    const PeerEnvelope envelope{Bytes(16, '\x99'),  id_octets, Bytes(16, '\x22'), "n1:7101",
                                0xfedcba9876543210, 2,         0xdeadbeef};
    out.push_back({"peer_frame", parts_of(encode_peer({envelope, peer_messages()})), peer_again});
}

}  // namespace

NodeId node(std::uint8_t octet) {
    NodeId id;
    id.octets.fill(octet);
    return id;
}

ClusterId sample_cluster() {
    ClusterId id;
    id.octets.fill(0x99);
    return id;
}

Position sample_position() { return position_of("cart:7"); }

Object sample_object() {
    const Actor first{node(0x11), 0xfedcba9876543210};
    const Actor second{node(0x22), 5};
    Object object;
    object.clock.add(first, {1, 4});
    object.clock.add(first, {7, 300});
    object.clock.add(second, {1, 2});
    object.siblings = {{{first, 300}, false, 1700000000000, "milk\0bread"s},
                       {{second, 1}, true, -1, ""},
                       {{second, 2}, false, 0, std::string(40, 'v')}};
    return object;
}

Context sample_context() {
    return {sample_cluster(), sample_position(), sample_object().clock, node(0x22)};
}

RingState sample_ring() {
    RingState state;
    state.cluster = sample_cluster();
    state.settings = {"dynamo", 2, 4, 1, 2, true};
    state.history[node(0x11)] = {
        {node(0x11), 1, {1700000001000, 2}, MemberOp::Kind::add, member(0x22, "n2"), "more room"},
        {node(0x11), 2, {1700000003000, 0}, MemberOp::Kind::remove, member(0x22, "n2"), ""}};

    Epoch founding;
    founding.number = 1;
    founding.proposer = node(0x11);
    founding.issued = {1700000000000, 0};
    founding.members = {member(0x11, "n1")};
    founding.copies = 2;
    founding.partitions = 4;
    for (int p = 0; p < 4; ++p) founding.table.insert(founding.table.end(), {0, Epoch::nobody});
    founding.version.assign(4, 1);

    Epoch grown = founding;
    grown.number = 2;
    grown.parent = digest_of(founding);
    grown.issued = {1700000002000, 1};
    grown.members.push_back(member(0x22, "n2"));
    grown.table = {0, 1, 1, 0, 0, 1, 1, 0};
    grown.version.assign(4, 2);
    grown.covers[node(0x11)] = 1;
    state.epochs = {founding, grown};
    return state;
}

const std::vector<Sample>& samples() {
    static const std::vector<Sample> all = [] {
        std::vector<Sample> out;
        add_messages(out);
        add_frames(out);
        out.push_back(
            {"object", {encode(sample_object())}, state_again<Object, decode_object>, true});
        out.push_back({"context", {encode(sample_context())}, context_again, true});
        out.push_back(
            {"epoch", {encode(sample_ring().head())}, state_again<Epoch, decode_epoch>, true});
        out.push_back({"ring", {encode(sample_ring())}, state_again<RingState, decode_ring>, true});
        return out;
    }();
    return all;
}

}  // namespace dynamo::wire
