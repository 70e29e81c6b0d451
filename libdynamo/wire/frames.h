// Frames: the parts of a ZeroMQ message, and what a client's may hold (man/dynamo-wire.7).
//
//     "DYN1" | [kind, id, op, {meta}] | {body}                 one request or reply
//     "DYN1" | [kind, 0, "batch", {}] | [h1, b1, h2, b2, ...]  many at once
//
// kind is 0 for a request, 1 for a reply (op is then the code, 0 for success). An empty frame
// before "DYN1" (a REQ socket's delimiter) is the transport's affair, not seen here.
//
// Header:  a request's meta may hold "timeout_ms" (from 0 to a day) and "cluster" (bin, 16 octets),
//          a reply's "ring". Other keys, and elements past the fourth, are ignored. Ids are the
//          client's, at most 2^53.
// Batch:   each h and b is a bin: exactly the octets that the request's two frames would hold by
//          themselves. So whatever is wrong with one request ends at its own octets.
//
// Errors:  bad_request, unknown_op or too_large. A header that was readable gives its id back in
//          `Rejected`, so that the client is answered rather than left to wait. In a batch a header
//          that was not gives 0. A reply that cannot be read becomes an ErrorReply (internal, maybe
//          applied): its request is not left to wait either.
#pragma once

#include <functional>
#include <vector>

#include "libdynamo/base/time.h"
#include "libdynamo/wire/client_messages.h"

namespace dynamo::wire {

inline constexpr std::string_view magic = "DYN1";
/// Requests in one batch, and octets in one frame; past either the message is refused whole.
inline constexpr std::size_t max_batch = 4096;
inline constexpr std::size_t max_frame_bytes = 16u << 20;

/// Limits that a daemon announces in `hello` and holds requests to.
struct Limits {
    std::size_t key_bytes = 1024;
    std::size_t value_bytes = 1u << 20;
    std::size_t context_bytes = 8192;
};

struct Request {
    std::uint64_t id = 0;
    Duration timeout{0};  ///< meta "timeout_ms"; 0: the daemon's default
    Bytes cluster;        ///< meta "cluster": refuse if the daemon is of another one; may be empty
    ClientRequest body;
};
struct Reply {
    std::uint64_t id = 0;
    std::uint64_t ring = 0;  ///< meta "ring": the daemon's head number; a larger one means refresh
    ClientReply body;
};
/// A request that was not understood, but whose id was.
struct Rejected {
    std::uint64_t id = 0;
    Error error;
};
/// Header and body frames of one or many; with one, no batch is made unless `batch` is set.
struct Frames {
    Bytes header;
    Bytes body;
};

/// too_large when either is longer than a frame may be.
[[nodiscard]] Result<void> check_frames(BytesView header, BytesView body);

[[nodiscard]] Frames encode_requests(const std::vector<Request>& requests);
/// `batched`: the requests came in a batch, so their replies may go in one.
[[nodiscard]] Result<std::vector<std::variant<Request, Rejected>>> decode_requests(
    BytesView header, BytesView body, const Limits& limits, bool& batched);

[[nodiscard]] Frames encode_replies(const std::vector<Reply>& replies, bool batch);
/// `op_of(id)` names the request that an id belongs to (replies do not repeat it); empty: unknown,
/// that reply is skipped.
[[nodiscard]] Result<std::vector<Reply>> decode_replies(
    BytesView header, BytesView body, const std::function<std::string_view(std::uint64_t)>& op_of);

/// The op name of a request's alternative.
[[nodiscard]] std::string_view op_of(const ClientRequest& request);
/// One client body by itself, as a map (a request's without the fields that have their defaults):
/// what ForwardRequest and ForwardReply carry.
[[nodiscard]] Bytes encode_body(const ClientRequest& request);
[[nodiscard]] Bytes encode_body(const ClientReply& reply);
[[nodiscard]] Result<ClientRequest> decode_request_body(std::string_view op, BytesView body,
                                                        const Limits& limits);
[[nodiscard]] Result<ClientReply> decode_reply_body(std::string_view op, std::uint16_t code,
                                                    BytesView body);

[[nodiscard]] ErrorReply to_reply(const Error& error);
[[nodiscard]] Error to_error(const ErrorReply& reply);

}  // namespace dynamo::wire
