// What peers tell peers: one struct a message, one field list each (man/dynamo-wire.7).
//
// They travel as arrays made from `fields()`. A field is only ever added at the end, with a default
// that means what its absence meant. Golden bytes of each are in tests/golden/wire.
//
// Threads: plain values
#pragma once

#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "libdynamo/wire/codec.h"

namespace dynamo::wire {

/// How a peer answered.
enum class PeerStatusCode : std::uint8_t {
    ok = 0,
    not_owner = 1,  ///< it stands in no live list of the partition, or that has changed since the
                    ///< sender's ring: the ring follows by gossip
    storage = 2,    ///< its storage failed: never "not found"
    full = 3,       ///< no room for writes or hints
    not_ready = 4,  ///< its copy was lost or damaged and is not complete yet: no answer
    too_old = 5,    ///< the state was read too long ago to be stored (WriteRequest::fence)
    behind = 6,     ///< the sender's ring is not known yet: ask again when it has been told
};
template <>
struct LastOf<PeerStatusCode> {
    static constexpr PeerStatusCode value = PeerStatusCode::behind;
};

/// Give me your state of a key. A stand-in answers with what it holds for others.
struct ReadRequest {
    std::uint64_t id = 0;
    Bytes key;
    Bytes hint_for;  ///< the owner that the receiver stands in for; empty: it is asked as an owner
    static constexpr auto fields() {
        return std::tuple{field("id", &ReadRequest::id), bin("key", &ReadRequest::key),
                          bin("hint_for", &ReadRequest::hint_for)};
    }
};
struct ReadReply {
    std::uint64_t id = 0;
    PeerStatusCode status = PeerStatusCode::ok;
    Bytes object;             ///< encode(Object); empty when it holds nothing
    std::uint64_t fence = 0;  ///< the sender's number when it was read (daemon/node/fence.h)
    static constexpr auto fields() {
        return std::tuple{field("id", &ReadReply::id), field("status", &ReadReply::status),
                          bin("object", &ReadReply::object), field("fence", &ReadReply::fence)};
    }
};

/// Merge this state durably. Replication, hints, handback, read repair and exchange are all this.
struct WriteRequest {
    std::uint64_t id = 0;  ///< 0: no answer is wanted (read repair)
    Bytes hint_for;        ///< the owner that the receiver stands in for; empty: for itself
    Bytes key;
    Bytes object;
    std::uint64_t fence = 0;  ///< the lowest number at which any part of it was read
    static constexpr auto fields() {
        return std::tuple{field("id", &WriteRequest::id), bin("hint_for", &WriteRequest::hint_for),
                          bin("key", &WriteRequest::key), bin("object", &WriteRequest::object),
                          field("fence", &WriteRequest::fence)};
    }
};
struct WriteReply {
    std::uint64_t id = 0;
    PeerStatusCode status = PeerStatusCode::ok;
    static constexpr auto fields() {
        return std::tuple{field("id", &WriteReply::id), field("status", &WriteReply::status)};
    }
};

/// A client's write that its first node may not coordinate (paper section 4.5): at most one hop.
///
/// Obeyed at most once: only by the run that it names, and one id of one sender only once. A replay
/// of an observing put would otherwise supersede what was written since.
struct ForwardRequest {
    std::uint64_t id = 0;
    std::uint64_t run = 0;  ///< the receiver's, as its envelopes told; another run answers `busy`
    std::uint64_t timeout_us = 0;
    std::string op;  ///< "put", "del" or "merge"
    Bytes body;      ///< the client's body, as a map
    static constexpr auto fields() {
        return std::tuple{field("id", &ForwardRequest::id), field("run", &ForwardRequest::run),
                          field("timeout_us", &ForwardRequest::timeout_us),
                          str("op", &ForwardRequest::op), bin("body", &ForwardRequest::body)};
    }
};
struct ForwardReply {
    std::uint64_t id = 0;
    std::uint16_t code = 0;
    std::string op;
    Bytes body;  ///< for the client, as a map; an ErrorReply when code is not 0
    static constexpr auto fields() {
        return std::tuple{field("id", &ForwardReply::id), field("code", &ForwardReply::code),
                          str("op", &ForwardReply::op), bin("body", &ForwardReply::body)};
    }
};

/// Are you there? Asked of suspected peers only (paper section 4.8.3).
struct Ping {
    std::uint64_t id = 0;
    static constexpr auto fields() { return std::tuple{field("id", &Ping::id)}; }
};
struct Pong {
    std::uint64_t id = 0;
    static constexpr auto fields() { return std::tuple{field("id", &Pong::id)}; }
};

/// The root of the sender's ring state. A receiver with another root answers with its state.
struct GossipDigest {
    Bytes root;  ///< 32 octets; empty: the sender has none
    static constexpr auto fields() { return std::tuple{bin("root", &GossipDigest::root)}; }
};
struct GossipState {
    Bytes state;          ///< encode(RingState)
    bool answer = false;  ///< send yours back if it knows more
    static constexpr auto fields() {
        return std::tuple{bin("state", &GossipState::state), field("answer", &GossipState::answer)};
    }
};

/// Anti-entropy without trees: the sender's records of a stretch of one partition, by digest.
struct ExchangeItem {
    Bytes row;     ///< the record's storage key: 8 octets of position, then the key
    Bytes digest;  ///< 16 octets: of the canonical encoding of its object
    static constexpr auto fields() {
        return std::tuple{bin("row", &ExchangeItem::row), bin("digest", &ExchangeItem::digest)};
    }
};
struct ExchangeOffer {
    std::uint64_t id = 0;
    std::uint16_t partition = 0;
    Bytes first;  ///< the stretch is [first, last); last empty: to the partition's end
    Bytes last;
    std::vector<ExchangeItem> items;  ///< sorted by row
    static constexpr auto fields() {
        return std::tuple{field("id", &ExchangeOffer::id),
                          field("partition", &ExchangeOffer::partition),
                          bin("first", &ExchangeOffer::first), bin("last", &ExchangeOffer::last),
                          field("items", &ExchangeOffer::items)};
    }
};
/// A whole state of one key.
struct ExchangeState {
    Bytes key;
    Bytes object;  ///< encode(Object)
    static constexpr auto fields() {
        return std::tuple{bin("key", &ExchangeState::key), bin("object", &ExchangeState::object)};
    }
};
/// What each lacks of the other's. The states come in the answer itself, so whoever has merged it
/// has everything that the sender held of the stretch.
struct ExchangeReply {
    std::uint64_t id = 0;
    PeerStatusCode status = PeerStatusCode::ok;
    std::vector<Bytes> want;  ///< rows of the offer that the sender lacks or holds differently
    Bytes resume;             ///< compared up to here only (its bounds were reached); empty: all
    std::vector<ExchangeState> states;  ///< that the sender of the offer lacks or holds differently
    std::uint64_t fence = 0;            ///< at which these were read
    std::uint64_t rest_us = 0;  ///< the sender asks for no other offer before so long (section 6.5)
    static constexpr auto fields() {
        return std::tuple{
            field("id", &ExchangeReply::id),          field("status", &ExchangeReply::status),
            bin("want", &ExchangeReply::want),        bin("resume", &ExchangeReply::resume),
            field("states", &ExchangeReply::states),  field("fence", &ExchangeReply::fence),
            field("rest_us", &ExchangeReply::rest_us)};
    }
};

/// Nodes of the sender's Merkle tree of a partition (paper section 4.7), to be compared with the
/// receiver's.
struct TreeOffer {
    std::uint64_t id = 0;
    std::uint16_t partition = 0;
    std::uint8_t depth = 0;            ///< of the sender's tree
    std::uint8_t level = 0;            ///< of the nodes; 0 is the root
    std::vector<std::uint32_t> nodes;  ///< their places in the level, ascending
    Bytes sums;                        ///< 16 octets for each of them
    static constexpr auto fields() {
        return std::tuple{
            field("id", &TreeOffer::id),       field("partition", &TreeOffer::partition),
            field("depth", &TreeOffer::depth), field("level", &TreeOffer::level),
            field("nodes", &TreeOffer::nodes), bin("sums", &TreeOffer::sums)};
    }
};
struct TreeReply {
    std::uint64_t id = 0;
    PeerStatusCode status = PeerStatusCode::ok;  ///< not_ready: it has no tree to compare with now
    std::uint8_t depth = 0;                      ///< of the sender's tree
    std::vector<std::uint32_t> nodes;            ///< those of the offer that differ
    static constexpr auto fields() {
        return std::tuple{field("id", &TreeReply::id), field("status", &TreeReply::status),
                          field("depth", &TreeReply::depth), field("nodes", &TreeReply::nodes)};
    }
};

/// Have you heard of my run, and at which number is your fence? (daemon/node/repair/purge.h)
struct FenceAsk {
    std::uint64_t id = 0;
    static constexpr auto fields() { return std::tuple{field("id", &FenceAsk::id)}; }
};
struct FenceReply {
    std::uint64_t id = 0;
    std::uint64_t fence = 0;
    bool settled = false;  ///< all members have heard of the sender's run, and it is not behind
    bool noted = false;    ///< the number was stored; otherwise the sender has lost its storage
    static constexpr auto fields() {
        return std::tuple{field("id", &FenceReply::id), field("fence", &FenceReply::fence),
                          field("settled", &FenceReply::settled),
                          field("noted", &FenceReply::noted)};
    }
};

/// Records that the sender would reduce, for an owner that may hold them as they are there.
struct PurgeOffer {
    std::uint64_t id = 0;
    std::uint16_t partition = 0;
    std::uint64_t fence = 0;  ///< that all members have reached
    std::vector<ExchangeItem> items;
    static constexpr auto fields() {
        return std::tuple{field("id", &PurgeOffer::id), field("partition", &PurgeOffer::partition),
                          field("fence", &PurgeOffer::fence), field("items", &PurgeOffer::items)};
    }
};
/// Those that the sender holds alike, and for long enough.
struct PurgeReply {
    std::uint64_t id = 0;
    PeerStatusCode status = PeerStatusCode::ok;
    std::vector<std::uint32_t> agreed;  ///< places in the offer's items, ascending
    static constexpr auto fields() {
        return std::tuple{field("id", &PurgeReply::id), field("status", &PurgeReply::status),
                          field("agreed", &PurgeReply::agreed)};
    }
};
/// All owners hold these alike: reduce those that are still so.
struct PurgeOrder {
    std::uint16_t partition = 0;
    std::uint64_t fence = 0;
    std::vector<ExchangeItem> items;
    static constexpr auto fields() {
        return std::tuple{field("partition", &PurgeOrder::partition),
                          field("fence", &PurgeOrder::fence), field("items", &PurgeOrder::items)};
    }
};

/// Of a vote: a question (daemon/node/membership/vote.h). The sender's id breaks ties of rounds.
struct VoteAsk {
    std::uint64_t id = 0;
    std::uint64_t number = 0;  ///< of the ring that is chosen
    std::uint64_t round = 0;
    Bytes value;  ///< encode(Epoch): accept this; empty: promise to accept nothing of before
    static constexpr auto fields() {
        return std::tuple{field("id", &VoteAsk::id), field("number", &VoteAsk::number),
                          field("round", &VoteAsk::round), bin("value", &VoteAsk::value)};
    }
};
struct VoteReply {
    std::uint64_t id = 0;
    bool granted = false;
    std::uint64_t promised_round = 0;
    std::uint64_t accepted_round = 0;
    Bytes accepted_by;  ///< whose ballot that was
    Bytes value;        ///< what was accepted then; empty: nothing, or it was asked to accept
    static constexpr auto fields() {
        return std::tuple{field("id", &VoteReply::id),
                          field("granted", &VoteReply::granted),
                          field("promised_round", &VoteReply::promised_round),
                          field("accepted_round", &VoteReply::accepted_round),
                          bin("accepted_by", &VoteReply::accepted_by),
                          bin("value", &VoteReply::value)};
    }
};

using PeerMessage = std::variant<ReadRequest, ReadReply, WriteRequest, WriteReply, ForwardRequest,
                                 ForwardReply, Ping, Pong, GossipDigest, GossipState, ExchangeOffer,
                                 ExchangeReply, TreeOffer, TreeReply, FenceAsk, FenceReply,
                                 PurgeOffer, PurgeReply, PurgeOrder, VoteAsk, VoteReply>;

/// Says once per peer frame who speaks, to whom, and which ring the speaker knows. A frame for
/// another cluster or another node is dropped: nothing of it is looked at.
struct PeerEnvelope {
    Bytes cluster;  ///< 16 octets; empty from a node that waits
    Bytes from;
    Bytes to;                  ///< empty when only the address is known (a seed)
    std::string peer_address;  ///< where the sender is reached
    std::uint64_t run = 0;     ///< of the sender's process: 64 random bits
    std::uint64_t ring = 0;
    std::uint32_t fingerprint = 0;
    std::uint64_t fence = 0;  ///< every member has been at the number before this one
    static constexpr auto fields() {
        return std::tuple{bin("cluster", &PeerEnvelope::cluster),
                          bin("from", &PeerEnvelope::from),
                          bin("to", &PeerEnvelope::to),
                          str("peer_address", &PeerEnvelope::peer_address),
                          field("run", &PeerEnvelope::run),
                          field("ring", &PeerEnvelope::ring),
                          field("fingerprint", &PeerEnvelope::fingerprint),
                          field("fence", &PeerEnvelope::fence)};
    }
};

}  // namespace dynamo::wire
