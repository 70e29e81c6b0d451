#include "libdynamo/wire/peer_frames.h"

#include <utility>

#include "libdynamo/wire/struct_codec.h"

namespace dynamo::wire {
namespace {

constexpr std::uint64_t kind_peer = 3;
constexpr std::string_view peer_op = "peer";
constexpr std::size_t peer_kinds = std::variant_size_v<PeerMessage>;

/// Calls `use` with the place of the message, as a constant; false when there is none.
template <typename Use>
bool with_place(std::uint64_t place, const Use& use) {
    const auto one = [&]<std::size_t I>(std::integral_constant<std::size_t, I> index) {
        if (I != place) return false;
        use(index);
        return true;
    };
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return (one(std::integral_constant<std::size_t, I>{}) || ...);
    }(std::make_index_sequence<peer_kinds>{});
}

Result<void> decode_envelope(Reader& reader, BytesView header, PeerEnvelope& envelope) {
    reader.reset(header);
    const std::size_t count = reader.array();
    if (!reader.failed() && count < 4)
        reader.fail("expected 4 elements, got " + std::to_string(count));
    const std::uint64_t kind = reader.number();
    if (!reader.failed() && kind != kind_peer)
        reader.fail("expected kind " + std::to_string(kind_peer) + ", got " + std::to_string(kind));
    (void)reader.number();  // the id: peers' messages have their own
    if (!reader.failed() && reader.str() != peer_op) reader.fail("not a peer's frame");
    decode_struct(reader, envelope, Style::array);
    for (std::size_t i = 4; i < count; ++i) reader.skip();
    if (!reader.finish()) return fail(Code::bad_request, "header: " + reader.reason());
    return {};
}

void decode_message_into(Reader& reader, std::vector<PeerMessage>& messages) {
    const std::size_t elements = reader.array();
    if (!reader.failed() && elements == 0) reader.fail("a message without its number");
    const std::uint64_t place = reader.number();
    if (reader.failed()) return;
    const bool known = with_place(place, [&](auto index) {
        PeerMessage& message = messages.emplace_back(std::in_place_index<index.value>);
        decode_listed(reader, std::get<index.value>(message), elements - 1);
    });
    for (std::size_t skipped = 1; !known && skipped < elements; ++skipped) reader.skip();
    if (reader.failed()) reader.within("message " + std::to_string(place));
}

}  // namespace

Frames encode_peer(const PeerFrame& frame) {
    Frames frames;
    Writer header(frames.header);
    header.array(4);
    header.number(kind_peer);
    header.number(0);
    header.str(peer_op);
    encode_struct(header, frame.envelope, Style::array);

    std::size_t room = 5;
    for (const PeerMessage& message : frame.messages)
        room += std::visit([](const auto& body) { return room_for(body); }, message);
    frames.body.reserve(room);
    Writer body(frames.body);
    body.array(frame.messages.size());
    for (const PeerMessage& message : frame.messages) {
        std::visit(
            [&]<typename Message>(const Message& fields) {
                body.array(1 + field_count<Message>);
                body.number(message.index());
                encode_fields(body, fields, Style::array);
            },
            message);
    }
    return frames;
}

Result<PeerFrame> decode_peer(BytesView header, BytesView body) {
    if (auto checked = check_frames(header, body); !checked)
        return std::unexpected(checked.error());
    Reader reader;
    PeerFrame frame;
    if (auto decoded = decode_envelope(reader, header, frame.envelope); !decoded)
        return std::unexpected(decoded.error());
    reader.reset(body);
    const std::size_t count = reader.array();
    frame.messages.reserve(count);
    for (std::size_t i = 0; i < count && !reader.failed(); ++i)
        decode_message_into(reader, frame.messages);
    if (!reader.finish()) return fail(Code::bad_request, "peer: " + reader.reason());
    return frame;
}

}  // namespace dynamo::wire
