// The bytes of objects, contexts and ring state: one canonical encoding each, on the wire, on disk
// and under every digest.
//
// Canonical: equal values have equal bytes, whatever way they came about. What a decoder accepts,
// the encoder writes again octet by octet; anything else is refused: numbers not in their shortest
// form, what is not sorted, intervals that touch, siblings that the clock does not cover.
//
//     clock     [[node, birth, first, last, first, last, ...], ...]
//     object    [1, clock, [[entry of the clock, counter, tombstone, wall_ms, value], ...]]
//     context   octet 1, [cluster, position, clock(, fastest)], 8 octets of checksum over the rest
//     member    [id, name, zone, weight, client address, peer address]
//     epoch     [1, number, parent, proposer, wall_ms, count, [member, ...], N, Q, table,
//                [version, ...], [[issuer, seq], ...](, [lost node, ...])]
//                                           table: bin, 2 octets big-endian an index
//     ring      [1, cluster, [name, N, Q, R, W(, true when the last write wins)],
//                [[issuer, [[seq, wall_ms, count, kind, member, note], ...]], ...], [epoch, ...]
//                (, [[version, [[node, partitions], ...]], ...], [[released node, number], ...])]
//                                           each epoch a bin; partitions: bin, a bit for each; a
//                                           discard has [[issuer, seq], ...] for the member
//
// The leading 1 is the format's number. Identities, digests and values are bin, names are str.
//
// Threads: pure functions
// Errors:  bad_request names the part; bad_context for a token
#pragma once

#include "dynamo/error.h"
#include "libdynamo/ring/ring.h"
#include "libdynamo/version/context.h"
#include "libdynamo/version/siblings.h"

namespace dynamo::wire {

[[nodiscard]] Bytes encode(const Object& object);
[[nodiscard]] Result<Object> decode_object(BytesView bytes);

/// The token: a version octet, the encoding, a checksum. Not text; base64 is the tools' affair.
[[nodiscard]] Bytes encode(const Context& context);
/// bad_context when it is no token, damaged, of another cluster, or made for another key.
[[nodiscard]] Result<Context> decode_context(BytesView token, const ClusterId& cluster,
                                             const Position& key);

[[nodiscard]] Bytes encode(const Epoch& epoch);
[[nodiscard]] Result<Epoch> decode_epoch(BytesView bytes);
[[nodiscard]] Bytes encode(const RingState& state);
/// Also validates the state (ring.h), and that each epoch names its parent's digest.
[[nodiscard]] Result<RingState> decode_ring(BytesView bytes);

/// The epoch's name: the SHA-256 of its encoding.
[[nodiscard]] Sha256 digest_of(const Epoch& epoch);
/// The whole state's digest: equal states, and only they, have nothing to gossip.
[[nodiscard]] Sha256 digest_of(const RingState& state);
/// "p-" and eight hexadecimal digits of the digest of a planned epoch, for people.
[[nodiscard]] std::string plan_id(const Epoch& planned);

}  // namespace dynamo::wire
