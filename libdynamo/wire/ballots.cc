#include "libdynamo/wire/ballots.h"

#include "libdynamo/wire/state_parts.h"

namespace dynamo::wire {

Bytes encode(const Ballots& ballots) {
    Bytes out;
    Writer writer(out);
    writer.array(7);
    writer.number(state_format);
    writer.number(ballots.number);
    for (const Ballot& ballot : {ballots.promised, ballots.accepted}) {
        writer.number(ballot.round);
        writer.bin(ballot.by.bytes());
    }
    writer.bin(ballots.value);
    return out;
}

Result<Ballots> decode_ballots(BytesView bytes) {
    Reader reader(bytes);
    Ballots ballots;
    expect_format(reader, 7);
    ballots.number = reader.number();
    for (Ballot* ballot : {&ballots.promised, &ballots.accepted}) {
        ballot->round = reader.number();
        ballot->by = id_from<NodeId>(reader);
    }
    ballots.value = Bytes(reader.bin());
    if (auto finished = finish(reader, "vote"); !finished) return std::unexpected(finished.error());
    return ballots;
}

}  // namespace dynamo::wire
