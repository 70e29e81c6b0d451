#include "libdynamo/wire/client_messages.h"
#include "libdynamo/wire/peer_messages.h"
#include "tests/libdynamo/wire/generators.h"

namespace dynamo::wire {
namespace {

using namespace std::string_view_literals;

template <typename Message>
void round_trip(Style style) {
    Message message;
    fill(message, style);
    const Bytes bytes = encode_message(message, style);
    RC_ASSERT(Reader(bytes).shortest());
    const auto decoded = decode_message<Message>(bytes, style);
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(equal(*decoded, message));
    RC_ASSERT(encode_message(*decoded, style) == bytes);
}

template <typename Variant>
void round_trip_each(Style style) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        (round_trip<std::variant_alternative_t<I, Variant>>(style), ...);
    }(std::make_index_sequence<std::variant_size_v<Variant>>{});
}

RC_GTEST_PROP(messages, every_request_is_read_as_it_was_written, ()) {
    round_trip_each<ClientRequest>(Style::map);
}
RC_GTEST_PROP(messages, every_reply_is_read_as_it_was_written, ()) {
    round_trip_each<ClientReply>(Style::map);
}
RC_GTEST_PROP(messages, every_peers_message_is_read_as_it_was_written, ()) {
    round_trip_each<PeerMessage>(Style::array);
    round_trip<PeerEnvelope>(Style::array);
}

/// What must hold of a list of fields, so that both styles are unambiguous.
template <typename Message>
void check_fields() {
    std::set<std::string_view> names;
    std::apply([&](const auto&... field) { (names.insert(field.name), ...); }, Message::fields());
    EXPECT_EQ(names.size(), field_count<Message>);
    EXPECT_FALSE(names.contains(""));
    // As many members as the struct has octets for would be better; this sees a forgotten field of
    // a struct of strings and of most others.
    if constexpr (field_count<Message> > 0) {
        const std::size_t octets = std::apply(
            [](const auto&... field) {
                return (sizeof(std::declval<Message>().*field.member) + ...);
            },
            Message::fields());
        EXPECT_GE(octets + 8 * field_count<Message>, sizeof(Message));
    }
}
TEST(messages, the_fields_of_each_have_names_of_their_own) {
    [&]<typename... Message>(std::type_identity<std::variant<Message...>>) {
        (check_fields<Message>(), ...);
    }(std::type_identity<ClientRequest>{});
    [&]<typename... Message>(std::type_identity<std::variant<Message...>>) {
        (check_fields<Message>(), ...);
    }(std::type_identity<ClientReply>{});
    [&]<typename... Message>(std::type_identity<std::variant<Message...>>) {
        (check_fields<Message>(), ...);
    }(std::type_identity<PeerMessage>{});
}

template <typename Write>
Bytes written(Write&& write) {
    Bytes out;
    Writer writer(out);
    write(writer);
    return out;
}

TEST(messages, keys_of_a_map_that_are_not_known_are_skipped) {
    const Bytes bytes = written([](Writer& writer) {
        writer.map(5);
        writer.str("later");
        writer.map(1);
        writer.str("key");
        writer.array(0);
        writer.str("r");
        writer.number(3);
        writer.number(7);  // a key that is no name
        writer.boolean(true);
        writer.bin("key");  // nor is this one
        writer.bin("not this");
        writer.str("key");
        writer.bin("k");
    });
    const auto get = decode_message<GetRequest>(bytes, Style::map);
    ASSERT_TRUE(get) << get.error().message;
    EXPECT_EQ(get->key, "k");
    EXPECT_EQ(get->r, 3u);
}

TEST(messages, fields_that_are_missing_keep_their_defaults) {
    const auto stage = decode_message<StageRequest>("\x80"sv, Style::map);
    ASSERT_TRUE(stage);
    EXPECT_TRUE(equal(*stage, StageRequest{}));
    EXPECT_EQ(stage->weight, 100u);
    const auto listed = decode_message<WriteRequest>("\x91\x07"sv, Style::array);
    ASSERT_TRUE(listed);
    EXPECT_EQ(listed->id, 7u);
    EXPECT_EQ(listed->key, "");
}

TEST(messages, what_a_newer_sender_adds_at_the_end_is_skipped) {
    const auto ping = decode_message<Ping>("\x93\x07\x81\xa1k\xc0\x01"sv, Style::array);
    ASSERT_TRUE(ping) << ping.error().message;
    EXPECT_EQ(ping->id, 7u);
}

template <typename Message>
std::string reason_of(BytesView bytes, Style style) {
    const auto decoded = decode_message<Message>(bytes, style);
    if (decoded) return "accepted";
    EXPECT_EQ(decoded.error().code, Code::bad_request);
    return decoded.error().message;
}

TEST(messages, a_wrong_type_is_refused_with_the_fields_name) {
    EXPECT_EQ(reason_of<GetRequest>("\x81\xa3key\xa1k"sv, Style::map),
              "key: expected bin, got str");
    EXPECT_EQ(reason_of<GetRequest>("\x81\xa1r\xff"sv, Style::map),
              "r: expected a number, got a negative number");
    EXPECT_EQ(reason_of<GetRequest>("\x81\xa1r\xcf\x00\x00\x00\x01\x00\x00\x00\x00"sv, Style::map),
              "r: expected at most 4294967295, got 4294967296");
    EXPECT_EQ(reason_of<GetReply>("\x81\xa8versions\x91\x81\xa5value\x01"sv, Style::map),
              "versions: value: expected bin, got a number");
    EXPECT_EQ(reason_of<GetReply>("\x81\xa8versions\x80"sv, Style::map),
              "versions: expected an array, got a map");
    EXPECT_EQ(reason_of<GetRequest>("\x90"sv, Style::map), "expected a map, got an array");
    EXPECT_EQ(reason_of<ReadReply>("\x92\x01\xa1x"sv, Style::array),
              "status: expected a number, got str");
}

TEST(messages, an_enum_past_its_last_value_is_refused) {
    EXPECT_EQ(reason_of<PutRequest>("\x81\xa4mode\x02"sv, Style::map), "accepted");
    EXPECT_EQ(reason_of<PutRequest>("\x81\xa4mode\x03"sv, Style::map),
              "mode: expected at most 2, got 3");
    EXPECT_EQ(reason_of<WriteReply>("\x92\x01\xcc\xff"sv, Style::array),
              "status: expected at most 6, got 255");
}

TEST(messages, clients_are_never_given_a_number_past_two_to_the_53) {
    StatusReply status;
    status.free_bytes = UINT64_MAX;
    status.ring = max_client_number;
    status.uptime_ms = INT64_MIN;
    const auto decoded =
        decode_message<StatusReply>(encode_message(status, Style::map), Style::map);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->free_bytes, max_client_number);
    EXPECT_EQ(decoded->ring, max_client_number);
    EXPECT_EQ(decoded->uptime_ms, -static_cast<std::int64_t>(max_client_number));
    // Between peers nothing is cut.
    const auto offer =
        decode_message<Ping>(encode_message(Ping{UINT64_MAX}, Style::array), Style::array);
    ASSERT_TRUE(offer);
    EXPECT_EQ(offer->id, UINT64_MAX);
}

TEST(messages, one_allocation_holds_an_encoded_message) {
    const PutRequest put{"key", std::string(5000, 'v'), PutMode::context, std::string(300, 'c')};
    EXPECT_GE(room_for(put), encode_message(put, Style::map).size());
    EXPECT_LT(room_for(put), encode_message(put, Style::map).size() + 200);
}

}  // namespace
}  // namespace dynamo::wire
