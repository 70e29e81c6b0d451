#include "libdynamo/wire/frames.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "libdynamo/base/check.h"
#include "libdynamo/base/quote.h"
#include "libdynamo/wire/struct_codec.h"

namespace dynamo::wire {
namespace {

constexpr std::uint64_t kind_request = 0;
constexpr std::uint64_t kind_reply = 1;
constexpr std::string_view batch_op = "batch";
constexpr std::uint64_t longest_timeout_ms = std::uint64_t{24} * 60 * 60 * 1000;
constexpr std::size_t id_octets = 16;

constexpr std::size_t request_kinds = std::variant_size_v<ClientRequest>;
// The reply to the request of one place stands one place further: ErrorReply comes first.
static_assert(std::variant_size_v<ClientReply> == request_kinds + 1);

/// Calls `use` with the index of the request called `op`, as a constant; false when there is none.
template <typename Use>
bool with_op(std::string_view op, const Use& use) {
    const auto one = [&]<std::size_t I>(std::integral_constant<std::size_t, I> index) {
        if (std::variant_alternative_t<I, ClientRequest>::op != op) return false;
        use(index);
        return true;
    };
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
        return (one(std::integral_constant<std::size_t, I>{}) || ...);
    }(std::make_index_sequence<request_kinds>{});
}

// ------------------------------------------------------------------------------------------ limits

Result<void> check_size(std::string_view what, std::size_t octets, std::size_t limit) {
    if (octets <= limit) return {};
    return fail(Code::too_large, "the " + std::string(what) + " has " + std::to_string(octets) +
                                     " octets, the limit is " + std::to_string(limit));
}

template <typename Message>
Result<void> check_limits(const Message& message, const Limits& limits) {
    Result<void> checked;
    if constexpr (requires { message.key; }) {
        if (message.key.empty()) return fail(Code::bad_request, "the key is empty or missing");
        checked = check_size("key", message.key.size(), limits.key_bytes);
    }
    if constexpr (requires { message.value; }) {
        if (checked) checked = check_size("value", message.value.size(), limits.value_bytes);
    }
    if constexpr (requires { message.context; }) {
        if (checked) checked = check_size("context", message.context.size(), limits.context_bytes);
    }
    return checked;
}

// ----------------------------------------------------------------------------------------- headers

/// What the first frame says. When only a part of it made sense, `problem` says what did not.
struct Header {
    std::uint64_t id = 0;
    std::string_view op;     ///< of a request or a batch; points into the frame
    std::uint16_t code = 0;  ///< of a reply
    Duration timeout{0};
    BytesView cluster;
    std::uint64_t ring = 0;
    std::optional<Error> problem;
};

void decode_meta(Reader& reader, Header& header) {
    const std::size_t count = reader.map();
    for (std::size_t i = 0; i < count && !reader.failed(); ++i) {
        const std::string_view name = reader.peek().word();
        reader.skip();
        if (name == "timeout_ms")
            header.timeout = std::chrono::milliseconds(reader.number(longest_timeout_ms));
        else if (name == "cluster")
            header.cluster = reader.bin();
        else if (name == "ring")
            header.ring = reader.number();
        else
            reader.skip();
        if (reader.failed()) reader.within(name);
    }
    if (!header.cluster.empty() && header.cluster.size() != id_octets)
        reader.fail("cluster: expected " + std::to_string(id_octets) + " octets, got " +
                    std::to_string(header.cluster.size()));
}

/// Reads a header of the given kind. An error when not even its id can be told.
Result<Header> decode_header(Reader& reader, BytesView frame, std::uint64_t kind) {
    Header header;
    reader.reset(frame);
    const std::size_t count = reader.array();
    if (!reader.failed() && count < 4)
        reader.fail("expected 4 elements, got " + std::to_string(count));
    const std::uint64_t given_kind = reader.number();
    if (!reader.failed() && given_kind != kind)
        reader.fail("expected kind " + std::to_string(kind) + ", got " +
                    std::to_string(given_kind));
    header.id = reader.number(max_client_number);
    if (reader.failed()) return fail(Code::bad_request, "header: " + reader.reason());

    if (reader.peek().kind == Token::Kind::number)
        header.code = static_cast<std::uint16_t>(reader.number(UINT16_MAX));
    else
        header.op = reader.str();
    if (kind == kind_reply && !header.op.empty() && header.op != batch_op)
        reader.fail("expected a code, got str");
    decode_meta(reader, header);
    for (std::size_t i = 4; i < count; ++i) reader.skip();
    if (!reader.finish()) header.problem = Error{Code::bad_request, "header: " + reader.reason()};
    return header;
}

void encode_header(Writer& writer, const Request& request) {
    writer.array(4);
    writer.number(kind_request);
    writer.number(request.id);
    writer.str(op_of(request.body));
    const bool timed = request.timeout.count() > 0;
    writer.map((timed ? 1U : 0U) + (request.cluster.empty() ? 0U : 1U));
    if (timed) {
        writer.str("timeout_ms");
        // Rounded up: a short time-out must not become none.
        const auto ms = std::chrono::ceil<std::chrono::milliseconds>(request.timeout).count();
        writer.number(std::min(static_cast<std::uint64_t>(ms), longest_timeout_ms));
    }
    if (!request.cluster.empty()) {
        writer.str("cluster");
        writer.bin(request.cluster);
    }
}

void encode_header(Writer& writer, const Reply& reply) {
    const auto* error = std::get_if<ErrorReply>(&reply.body);
    DYN_CHECK(!error || error->code != 0);  // it would read as success
    writer.array(4);
    writer.number(kind_reply);
    writer.number(reply.id);
    writer.number(error ? error->code : 0U);
    writer.map(1);
    writer.str("ring");
    writer.number(std::min(reply.ring, max_client_number));
}

void encode_batch_header(Writer& writer, std::uint64_t kind) {
    writer.array(4);
    writer.number(kind);
    writer.number(0);
    writer.str(batch_op);
    writer.map(0);
}

// --------------------------------------------------------------------------------- one and batches

void encode_into(Bytes& out, const ClientRequest& request) {
    Writer writer(out);
    std::visit(
        [&](const auto& message) {
            out.reserve(room_for(message));
            encode_sparse(writer, message);
        },
        request);
}

void encode_into(Bytes& out, const ClientReply& reply) {
    Writer writer(out);
    std::visit(
        [&](const auto& message) {
            out.reserve(room_for(message));
            encode_struct(writer, message, Style::map);
        },
        reply);
}

template <typename Item>
Frames encode_one(const Item& item) {
    Frames frames;
    Writer header(frames.header);
    encode_header(header, item);
    encode_into(frames.body, item.body);
    return frames;
}

template <typename Item>
Frames encode_batch(const std::vector<Item>& items, std::uint64_t kind) {
    Frames frames;
    Writer header(frames.header);
    encode_batch_header(header, kind);
    Writer body(frames.body);
    body.array(items.size() * 2);
    Bytes scratch;
    for (const Item& item : items) {
        Writer part(scratch);
        scratch.clear();
        encode_header(part, item);
        body.bin(scratch);
        scratch.clear();
        encode_into(scratch, item.body);
        body.bin(scratch);
    }
    return frames;
}

/// The header and body of each item of a batch's body.
using Pairs = std::vector<std::pair<BytesView, BytesView>>;

Result<Pairs> decode_batch(BytesView body) {
    Reader reader(body);
    const std::size_t count = reader.array();
    if (!reader.failed() && count % 2 != 0) reader.fail("a header without a body");
    if (!reader.failed() && count / 2 > max_batch)
        return fail(Code::too_large, "the batch has " + std::to_string(count / 2) +
                                         " requests, the limit is " + std::to_string(max_batch));
    Pairs pairs;
    pairs.reserve(count / 2);
    for (std::size_t i = 0; i < count / 2 && !reader.failed(); ++i) {
        const BytesView head = reader.bin();
        pairs.emplace_back(head, reader.bin());
    }
    if (!reader.finish()) return fail(Code::bad_request, "batch: " + reader.reason());
    return pairs;
}

// --------------------------------------------------------------------------------- single messages

std::unexpected<Error> no_such(std::string_view op) {
    return fail(Code::unknown_op, "there is no operation " + quote(op));
}

/// Decodes in place. `reader` is only scratch: a batch reads all of its items with one.
Result<void> decode_request_into(ClientRequest& out, Reader& reader, std::string_view op,
                                 BytesView body, const Limits& limits) {
    Result<void> checked;
    const bool known = with_op(op, [&](auto index) {
        auto& message = out.emplace<index.value>();
        reader.reset(body);
        decode_struct(reader, message, Style::map);
        if (reader.finish())
            checked = check_limits(message, limits);
        else
            checked = fail(Code::bad_request, std::string(op) + ": " + reader.reason());
    });
    return known ? checked : no_such(op);
}

Result<ClientReply> decode_reply_with(Reader& reader, std::string_view op, std::uint16_t code,
                                      BytesView body) {
    reader.reset(body);
    if (code != 0) {
        ErrorReply error;
        decode_struct(reader, error, Style::map);
        if (!reader.finish()) return fail(Code::bad_request, "error: " + reader.reason());
        error.code = code;
        return error;
    }
    Result<ClientReply> reply = fail(Code::unknown_op, {});
    const bool known = with_op(op, [&](auto index) {
        std::variant_alternative_t<index.value + 1, ClientReply> message;
        decode_struct(reader, message, Style::map);
        if (reader.finish())
            reply = std::move(message);
        else
            reply = fail(Code::bad_request, std::string(op) + ": " + reader.reason());
    });
    return known ? std::move(reply) : no_such(op);
}

using Understood = std::variant<Request, Rejected>;

void decode_request(std::vector<Understood>& out, Reader& reader, const Header& header,
                    BytesView body, const Limits& limits) {
    auto& request = std::get<Request>(out.emplace_back(std::in_place_type<Request>));
    request.id = header.id;
    request.timeout = header.timeout;
    request.cluster = header.cluster;
    Result<void> checked;
    if (header.problem)
        checked = std::unexpected(*header.problem);
    else
        checked = decode_request_into(request.body, reader, header.op, body, limits);
    if (!checked) out.back() = Rejected{header.id, std::move(checked.error())};
}

/// Nothing when nobody waits for it.
template <typename OpOf>
std::optional<Reply> decode_reply(Reader& reader, const Header& header, BytesView body,
                                  const OpOf& op_of) {
    const std::string_view op = op_of(header.id);
    if (op.empty()) return std::nullopt;
    Result<ClientReply> reply = header.problem ? std::unexpected(*header.problem)
                                               : decode_reply_with(reader, op, header.code, body);
    if (!reply)
        // The daemon has answered, so the request may well have done its work.
        reply = to_reply({Code::internal,
                          "the reply cannot be read: " + reply.error().message,
                          {},
                          Applied::maybe});
    return Reply{header.id, header.ring, std::move(*reply)};
}

}  // namespace

Result<void> check_frames(BytesView header, BytesView body) {
    const Result<void> checked = check_size("header", header.size(), max_frame_bytes);
    return checked ? check_size("body", body.size(), max_frame_bytes) : checked;
}

// ---------------------------------------------------------------------------------------- requests

Frames encode_requests(const std::vector<Request>& requests) {
    return requests.size() == 1 ? encode_one(requests.front())
                                : encode_batch(requests, kind_request);
}

Result<std::vector<Understood>> decode_requests(BytesView header, BytesView body,
                                                const Limits& limits, bool& batched) {
    batched = false;
    if (auto checked = check_frames(header, body); !checked)
        return std::unexpected(checked.error());
    Reader reader;
    const Result<Header> head = decode_header(reader, header, kind_request);
    if (!head) return std::unexpected(head.error());

    std::vector<Understood> requests;
    if (head->op != batch_op) {
        decode_request(requests, reader, *head, body, limits);
        return requests;
    }
    batched = true;
    const Result<Pairs> pairs = decode_batch(body);
    if (!pairs) return std::unexpected(pairs.error());
    requests.reserve(pairs->size());
    for (const auto& [part_header, part_body] : *pairs) {
        const Result<Header> part = decode_header(reader, part_header, kind_request);
        if (part)
            decode_request(requests, reader, *part, part_body, limits);
        else
            requests.emplace_back(Rejected{0, part.error()});
    }
    return requests;
}

// ----------------------------------------------------------------------------------------- replies

Frames encode_replies(const std::vector<Reply>& replies, bool batch) {
    return !batch && replies.size() == 1 ? encode_one(replies.front())
                                         : encode_batch(replies, kind_reply);
}

Result<std::vector<Reply>> decode_replies(
    BytesView header, BytesView body, const std::function<std::string_view(std::uint64_t)>& op_of) {
    if (auto checked = check_frames(header, body); !checked)
        return std::unexpected(checked.error());
    Reader reader;
    const Result<Header> head = decode_header(reader, header, kind_reply);
    if (!head) return std::unexpected(head.error());

    std::vector<Reply> replies;
    if (head->op != batch_op) {
        if (auto reply = decode_reply(reader, *head, body, op_of))
            replies.push_back(std::move(*reply));
        return replies;
    }
    const Result<Pairs> pairs = decode_batch(body);
    if (!pairs) return std::unexpected(pairs.error());
    replies.reserve(pairs->size());
    for (const auto& [part_header, part_body] : *pairs) {
        const Result<Header> part = decode_header(reader, part_header, kind_reply);
        if (!part) continue;  // it names no request, so there is nobody to tell
        if (auto reply = decode_reply(reader, *part, part_body, op_of))
            replies.push_back(std::move(*reply));
    }
    return replies;
}

// ------------------------------------------------------------------------------------------ bodies

std::string_view op_of(const ClientRequest& request) {
    return std::visit([]<typename Message>(const Message&) { return Message::op; }, request);
}

Bytes encode_body(const ClientRequest& request) {
    Bytes out;
    encode_into(out, request);
    return out;
}

Bytes encode_body(const ClientReply& reply) {
    Bytes out;
    encode_into(out, reply);
    return out;
}

Result<ClientRequest> decode_request_body(std::string_view op, BytesView body,
                                          const Limits& limits) {
    Reader reader;
    ClientRequest request;
    const Result<void> checked = decode_request_into(request, reader, op, body, limits);
    if (!checked) return std::unexpected(checked.error());
    return request;
}

Result<ClientReply> decode_reply_body(std::string_view op, std::uint16_t code, BytesView body) {
    Reader reader;
    return decode_reply_with(reader, op, code, body);
}

}  // namespace dynamo::wire
