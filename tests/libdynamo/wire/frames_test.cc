#include "libdynamo/wire/frames.h"

#include "libdynamo/wire/peer_frames.h"
#include "tests/libdynamo/wire/generators.h"
#include "tests/libdynamo/wire/samples.h"

namespace dynamo::wire {
namespace {

using Understood = std::variant<Request, Rejected>;

Result<std::vector<Understood>> decoded(const Frames& frames, const Limits& limits = {}) {
    bool batched = false;
    return decode_requests(frames.header, frames.body, limits, batched);
}

Request get_of(std::uint64_t id, Bytes key) { return {id, Duration(0), "", GetRequest{key, 0}}; }

template <typename Write>
Bytes written(Write&& write) {
    Bytes out;
    Writer writer(out);
    write(writer);
    return out;
}

/// A header as a client of another language might make it.
Bytes header(std::uint64_t kind, std::uint64_t id, std::string_view op) {
    return written([&](Writer& writer) {
        writer.array(4);
        writer.number(kind);
        writer.number(id);
        writer.str(op);
        writer.map(0);
    });
}

Bytes batch_of(const std::vector<Bytes>& parts) {
    return written([&](Writer& writer) {
        writer.array(parts.size());
        for (const Bytes& part : parts) writer.bin(part);
    });
}

/// The one thing in a message that was not understood.
Rejected rejected(const Bytes& head, const Bytes& body, const Limits& limits = {}) {
    const auto all = decoded({head, body}, limits);
    if (!all || all->size() != 1 || !std::holds_alternative<Rejected>(all->front())) {
        ADD_FAILURE() << (all ? "was understood" : all.error().message);
        return {};
    }
    return std::get<Rejected>(all->front());
}

// ---------------------------------------------------------------------------------------- requests

RC_GTEST_PROP(frames, requests_are_read_as_they_were_written, ()) {
    const auto count = *rc::gen::inRange<std::size_t>(1, 5);
    std::vector<Request> requests(count);
    for (Request& request : requests) {
        request.id = *rc::gen::inRange<std::uint64_t>(0, max_client_number);
        request.timeout = std::chrono::milliseconds(*rc::gen::inRange(0, 86400000));
        if (*rc::gen::arbitrary<bool>()) request.cluster = Bytes(16, '\x99');
        PutRequest put;
        fill(put, Style::map);
        put.key += 'k';
        if (*rc::gen::arbitrary<bool>())
            request.body = put;
        else
            request.body = GetRequest{put.key, put.w};
    }
    const Frames frames = encode_requests(requests);
    bool batched = false;
    const auto all = decode_requests(frames.header, frames.body, {}, batched);
    RC_ASSERT(all.has_value());
    RC_ASSERT(batched == (count > 1));
    RC_ASSERT(all->size() == count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto* request = std::get_if<Request>(&(*all)[i]);
        RC_ASSERT(request != nullptr);
        RC_ASSERT(request->id == requests[i].id);
        RC_ASSERT(request->timeout == requests[i].timeout);
        RC_ASSERT(request->cluster == requests[i].cluster);
        RC_ASSERT(encode_body(request->body) == encode_body(requests[i].body));
        RC_ASSERT(request->body.index() == requests[i].body.index());
    }
}

TEST(frames, one_bad_request_does_not_spoil_its_batch) {
    const Frames good = encode_requests({get_of(3, "k")});
    const Frames empty_key = encode_requests({get_of(4, "")});
    const auto all = decoded({header(0, 0, "batch"),
                              batch_of({header(0, 1, "get"), "\xc1",              // no msgpack
                                        header(0, 2, "fly"), "\x80",              // no operation
                                        good.header, good.body,                   //
                                        empty_key.header, empty_key.body,         //
                                        "\x90", good.body,                        // no header
                                        header(0, 6, "batch"), batch_of({})})});  // a batch inside
    ASSERT_TRUE(all) << all.error().message;
    ASSERT_EQ(all->size(), 6u);
    const std::pair<std::uint64_t, Code> expected[] = {
        {1, Code::bad_request}, {2, Code::unknown_op},  {3, Code::ok},
        {4, Code::bad_request}, {0, Code::bad_request}, {6, Code::unknown_op}};
    for (std::size_t i = 0; i < all->size(); ++i) {
        if (expected[i].second == Code::ok) {
            ASSERT_TRUE(std::holds_alternative<Request>((*all)[i]));
            EXPECT_EQ(std::get<Request>((*all)[i]).id, expected[i].first);
        } else {
            ASSERT_TRUE(std::holds_alternative<Rejected>((*all)[i])) << i;
            EXPECT_EQ(std::get<Rejected>((*all)[i]).id, expected[i].first) << i;
            EXPECT_EQ(std::get<Rejected>((*all)[i]).error.code, expected[i].second) << i;
        }
    }
}

TEST(frames, a_batch_that_is_none_is_refused_whole) {
    const Bytes head = header(0, 0, "batch");
    for (const Bytes& body : {Bytes("\x80"), Bytes("\xc1"), batch_of({"\x80"}),
                              Bytes("\x92\x01\x02"), Bytes("\x92\x80\x80")})
        EXPECT_EQ(decoded({head, body}).error().code, Code::bad_request) << to_hex(body);
    EXPECT_TRUE(decoded({head, batch_of({})})->empty());
}

TEST(frames, a_batch_holds_no_more_than_its_limit) {
    std::vector<Request> requests(max_batch, get_of(1, "k"));
    EXPECT_EQ(decoded(encode_requests(requests))->size(), max_batch);
    requests.push_back(get_of(1, "k"));
    const auto refused = decoded(encode_requests(requests));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::too_large);
    EXPECT_EQ(refused.error().message, "the batch has 4097 requests, the limit is 4096");
}

TEST(frames, a_frame_past_its_limit_is_not_looked_at) {
    const Bytes large(max_frame_bytes + 1, '\xc0');
    bool batched = false;
    EXPECT_EQ(decode_requests(large, "\x80", {}, batched).error().code, Code::too_large);
    EXPECT_EQ(decode_requests(header(0, 1, "get"), large, {}, batched).error().code,
              Code::too_large);
    EXPECT_EQ(decode_peer(large, "\x90").error().code, Code::too_large);
    const auto op = [](std::uint64_t) { return std::string_view("get"); };
    EXPECT_EQ(decode_replies(header(1, 1, ""), large, op).error().code, Code::too_large);
}

TEST(frames, a_request_past_a_limit_is_told_the_size_and_the_limit) {
    const Limits limits{4, 10, 6};
    const auto reason = [&](const Request& request) {
        const Frames frames = encode_requests({request});
        const Rejected told = rejected(frames.header, frames.body, limits);
        EXPECT_EQ(told.id, request.id);
        EXPECT_EQ(told.error.code, Code::too_large);
        return told.error.message;
    };
    EXPECT_EQ(reason(get_of(7, "12345")), "the key has 5 octets, the limit is 4");
    EXPECT_EQ(reason({8, Duration(0), "", PutRequest{"1234", "12345678901", PutMode::blind, ""}}),
              "the value has 11 octets, the limit is 10");
    EXPECT_EQ(reason({9, Duration(0), "", DelRequest{"1234", PutMode::context, "1234567"}}),
              "the context has 7 octets, the limit is 6");
    const auto exact = decoded(
        encode_requests(
            {{9, Duration(0), "", PutRequest{"1234", "1234567890", PutMode::context, "123456"}}}),
        limits);
    EXPECT_TRUE(std::holds_alternative<Request>(exact->front()));
}

TEST(frames, an_empty_or_missing_key_is_a_bad_request) {
    for (const std::string_view op : {"get", "put", "del"}) {
        const Rejected told = rejected(header(0, 5, op), "\x80");
        EXPECT_EQ(told.id, 5u);
        EXPECT_EQ(told.error.code, Code::bad_request);
        EXPECT_EQ(told.error.message, "the key is empty or missing");
    }
}

TEST(frames, an_unknown_operation_is_named) {
    const Rejected told = rejected(header(0, 5, "fly"), "\x80");
    EXPECT_EQ(told.error.code, Code::unknown_op);
    EXPECT_EQ(told.error.message, "there is no operation 'fly'");
}

TEST(frames, meta_that_is_not_known_and_further_elements_are_ignored) {
    const Bytes head = written([](Writer& writer) {
        writer.array(5);
        writer.number(0);
        writer.number(5);
        writer.str("get");
        writer.map(3);
        writer.str("trace");
        writer.array(0);
        writer.number(1);
        writer.nil();
        writer.str("timeout_ms");
        writer.number(1500);
        writer.map(0);
    });
    const auto all = decoded({head, encode_body(ClientRequest(GetRequest{"k", 0}))});
    ASSERT_TRUE(all && std::holds_alternative<Request>(all->front()));
    EXPECT_EQ(std::get<Request>(all->front()).timeout, std::chrono::milliseconds(1500));
}

TEST(frames, meta_out_of_range_is_a_bad_request_with_the_id) {
    const auto told = [](auto&& write) {
        return rejected(written([&](Writer& writer) {
                            writer.array(4);
                            writer.number(0);
                            writer.number(5);
                            writer.str("get");
                            writer.map(1);
                            write(writer);
                        }),
                        "\x80");
    };
    const Rejected too_long = told([](Writer& writer) {
        writer.str("timeout_ms");
        writer.number(86400001);
    });
    EXPECT_EQ(too_long.id, 5u);
    EXPECT_EQ(too_long.error.message,
              "header: timeout_ms: expected at most 86400000, got 86400001");
    const Rejected cluster = told([](Writer& writer) {
        writer.str("cluster");
        writer.bin("short");
    });
    EXPECT_EQ(cluster.error.message, "header: cluster: expected 16 octets, got 5");
    const Rejected wrong = told([](Writer& writer) {
        writer.str("timeout_ms");
        writer.str("soon");
    });
    EXPECT_EQ(wrong.error.message, "header: timeout_ms: expected a number, got str");
}

TEST(frames, a_header_without_a_usable_id_is_refused_whole) {
    const Bytes no_id = header(0, max_client_number + 1, "get");
    const Bytes reply = header(1, 5, "get");
    for (const Bytes& head : {Bytes(), Bytes("\x90"), Bytes("\x93\x00\x05\xa3get"), no_id, reply,
                              header(2, 5, "get"), header(3, 5, "peer")})
        EXPECT_EQ(decoded({head, "\x80"}).error().code, Code::bad_request) << to_hex(head);
    EXPECT_TRUE(decoded({header(0, max_client_number, "get"), "\x80"}));
}

TEST(frames, a_short_timeout_does_not_become_none) {
    const auto all = decoded(encode_requests({{1, Duration(1), "", GetRequest{"k", 0}}}));
    EXPECT_EQ(std::get<Request>(all->front()).timeout, std::chrono::milliseconds(1));
}

TEST(frames, a_request_leaves_out_what_has_its_default) {
    // {"key": "k"}
    EXPECT_EQ(encode_body(ClientRequest(PutRequest{"k", "", PutMode::observe, ""})),
              "\x81\xa3key\xc4\x01k");
    EXPECT_EQ(encode_body(ClientRequest(RingRequest{})), "\x80");
    // A default that is not zero counts as one, and zero then does not.
    StageRequest stage;
    EXPECT_EQ(encode_body(ClientRequest(stage)), "\x80");
    stage.weight = 0;
    const auto decoded_stage = decode_request_body("stage", encode_body(ClientRequest(stage)), {});
    ASSERT_TRUE(decoded_stage);
    EXPECT_EQ(std::get<StageRequest>(*decoded_stage).weight, 0u);
}

// ----------------------------------------------------------------------------------------- replies

std::string_view always_get(std::uint64_t) { return "get"; }

TEST(frames, replies_are_read_as_what_was_asked) {
    const std::vector<Reply> replies = {{1, 7, GetReply{{}, "c", 1}},
                                        {2, 7, PutReply{"c", true}},
                                        {3, 7, to_reply({Code::busy, "later"})}};
    const Frames frames = encode_replies(replies, true);
    const auto op_of_id = [](std::uint64_t id) {
        return id == 1 ? std::string_view("get") : std::string_view("put");
    };
    const auto all = decode_replies(frames.header, frames.body, op_of_id);
    ASSERT_TRUE(all) << all.error().message;
    ASSERT_EQ(all->size(), 3u);
    EXPECT_EQ(std::get<GetReply>((*all)[0].body).context, "c");
    EXPECT_TRUE(std::get<PutReply>((*all)[1].body).existed);
    EXPECT_EQ(to_error(std::get<ErrorReply>((*all)[2].body)).code, Code::busy);
    EXPECT_EQ((*all)[0].ring, 7u);
}

TEST(frames, a_single_reply_makes_a_batch_only_when_asked_to) {
    const Reply reply{1, 7, GetReply{{}, "c", 1}};
    const Frames single = encode_replies({reply}, false);
    const Frames batch = encode_replies({reply}, true);
    EXPECT_NE(single.header, batch.header);
    for (const Frames& frames : {single, batch}) {
        const auto all = decode_replies(frames.header, frames.body, always_get);
        ASSERT_TRUE(all && all->size() == 1);
        EXPECT_EQ(all->front().id, 1u);
    }
}

TEST(frames, a_reply_that_nobody_waits_for_is_skipped) {
    const Frames frames = encode_replies({{1, 7, GetReply{{}, "c", 1}}}, false);
    const auto all = decode_replies(frames.header, frames.body,
                                    [](std::uint64_t) { return std::string_view(); });
    ASSERT_TRUE(all);
    EXPECT_TRUE(all->empty());
}

TEST(frames, a_reply_that_cannot_be_read_may_have_been_applied) {
    const Frames frames = encode_replies({{1, 7, GetReply{{}, "c", 1}}}, false);
    const auto all = decode_replies(frames.header, "\xc1", always_get);
    ASSERT_TRUE(all && all->size() == 1);
    EXPECT_EQ(all->front().id, 1u);
    const Error error = to_error(std::get<ErrorReply>(all->front().body));
    EXPECT_EQ(error.code, Code::internal);
    EXPECT_EQ(error.applied, Applied::maybe);
    EXPECT_EQ(error.message, "the reply cannot be read: get: not msgpack");
}

TEST(frames, a_reply_with_an_operation_in_place_of_its_code_is_not_taken_for_success) {
    const auto all = decode_replies(header(1, 1, "get"), "\x80", always_get);
    ASSERT_TRUE(all && all->size() == 1);
    EXPECT_EQ(std::get<ErrorReply>(all->front().body).message,
              "the reply cannot be read: header: expected a code, got str");
}

TEST(frames, errors_survive_the_way_to_the_client) {
    for (const Applied applied : {Applied::no, Applied::maybe, Applied::yes}) {
        const Error error{Code::quorum_not_met, "1 of 2", "n2", applied};
        const ErrorReply reply = to_reply(error);
        EXPECT_EQ(reply.name, "quorum_not_met");
        EXPECT_TRUE(reply.retryable);
        const Error back = to_error(reply);
        EXPECT_EQ(back.code, error.code);
        EXPECT_EQ(back.message, error.message);
        EXPECT_EQ(back.node, error.node);
        EXPECT_EQ(back.applied, applied);
    }
    EXPECT_EQ(to_error({20, "", "", false, "perhaps", ""}).applied, Applied::maybe);
    EXPECT_EQ(to_error({20, "", "", false, "no", ""}).message, "the daemon gives no reason");
}

TEST(frames, a_newer_daemons_error_code_is_kept) {
    ErrorReply error;
    error.code = 999;
    error.message = "new";
    const auto reply = decode_reply_body("get", 999, encode_body(ClientReply(error)));
    ASSERT_TRUE(reply);
    EXPECT_EQ(std::get<ErrorReply>(*reply).code, 999);
    EXPECT_EQ(name_of(to_error(std::get<ErrorReply>(*reply)).code), "unknown");
}

TEST(frames, the_headers_code_decides) {
    // A body that claims another code, as none of ours does.
    const auto reply =
        decode_reply_body("get", 33, encode_body(ClientReply(to_reply({Code::internal, "x"}))));
    EXPECT_EQ(std::get<ErrorReply>(*reply).code, 33);
}

TEST(frames, a_body_by_itself_is_held_to_the_limits_too) {
    const Bytes body = encode_body(ClientRequest(PutRequest{"key", "value", PutMode::blind, ""}));
    const auto put = decode_request_body("put", body, {});
    ASSERT_TRUE(put && std::holds_alternative<PutRequest>(*put));
    EXPECT_EQ(decode_request_body("put", body, {2, 5, 5}).error().code, Code::too_large);
    EXPECT_EQ(decode_request_body("fly", body, {}).error().code, Code::unknown_op);
}

// ------------------------------------------------------------------------------------------- peers

RC_GTEST_PROP(frames, a_peers_frame_is_read_as_it_was_written, ()) {
    PeerFrame frame;
    fill(frame.envelope, Style::array);
    const auto add = [&]<std::size_t... I>(std::index_sequence<I...>) {
        const auto one = [&](auto& message) { fill(message, Style::array); };
        (one(std::get<I>(frame.messages.emplace_back(std::in_place_index<I>))), ...);
    };
    add(std::make_index_sequence<std::variant_size_v<PeerMessage>>{});
    const Frames frames = encode_peer(frame);
    const auto decoded_frame = decode_peer(frames.header, frames.body);
    RC_ASSERT(decoded_frame.has_value());
    RC_ASSERT(equal(decoded_frame->envelope, frame.envelope));
    RC_ASSERT(decoded_frame->messages.size() == frame.messages.size());
    for (std::size_t i = 0; i < frame.messages.size(); ++i)
        RC_ASSERT(decoded_frame->messages[i].index() == i);
    const Frames again = encode_peer(*decoded_frame);
    RC_ASSERT(again.header == frames.header && again.body == frames.body);
}

TEST(frames, a_newer_peers_message_is_skipped) {
    const Frames frames = encode_peer({{}, {Ping{7}}});
    const Bytes body = written([](Writer& writer) {
        writer.array(3);
        writer.array(3);
        writer.number(200);
        writer.str("new");
        writer.map(0);
        writer.array(1);
        writer.number(201);
        writer.array(2);
        writer.number(6);
        writer.number(7);
    });
    const auto frame = decode_peer(frames.header, body);
    ASSERT_TRUE(frame) << frame.error().message;
    ASSERT_EQ(frame->messages.size(), 1u);
    EXPECT_EQ(std::get<Ping>(frame->messages[0]).id, 7u);
}

TEST(frames, a_malformed_message_of_a_peer_refuses_its_frame) {
    const Frames frames = encode_peer({{}, {Ping{7}}});
    for (const Bytes& body :
         {Bytes("\x80"), Bytes("\x91\x90"), Bytes("\x91\x92\x06\xa1x"), Bytes("\x91\x91\xa1x")}) {
        const auto frame = decode_peer(frames.header, body);
        ASSERT_FALSE(frame) << to_hex(body);
        EXPECT_EQ(frame.error().code, Code::bad_request);
    }
    EXPECT_EQ(decode_peer(frames.header, "\x91\x92\x06\xa1x").error().message,
              "peer: message 6: id: expected a number, got str");
}

TEST(frames, a_clients_frame_is_no_peers) {
    const Frames request = encode_requests({get_of(1, "k")});
    EXPECT_FALSE(decode_peer(request.header, request.body));
    EXPECT_FALSE(decode_peer(header(3, 0, "other"), "\x90"));
    const Frames peer = encode_peer({{}, {Ping{7}}});
    EXPECT_FALSE(decoded(peer));
}

}  // namespace
}  // namespace dynamo::wire
