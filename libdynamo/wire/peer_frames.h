// Frames between peers (man/dynamo-wire.7).
//
//     "DYN1" | [3, 0, "peer", envelope] | [[n, fields...], ...]
//
// n is a message's place in PeerMessage, counted from 0; its fields follow in list order. Messages
// of a larger n are skipped, for they come from newer peers.
//
// Threads: pure functions
// Errors:  bad_request or too_large; a frame is read whole or refused whole
#pragma once

#include <vector>

#include "libdynamo/wire/frames.h"
#include "libdynamo/wire/peer_messages.h"

namespace dynamo::wire {

struct PeerFrame {
    PeerEnvelope envelope;
    std::vector<PeerMessage> messages;
};

[[nodiscard]] Frames encode_peer(const PeerFrame& frame);
[[nodiscard]] Result<PeerFrame> decode_peer(BytesView header, BytesView body);

}  // namespace dynamo::wire
