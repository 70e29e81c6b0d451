// One stored record: an object, and what its node alone knows of it.
//
//     octet format | u64 own birth | u64 own run | the object's canonical encoding | u64 checksum
//
// The checksum spans key and record, so a row that landed under another key is noticed too.
//
// A record that takes the place of a damaged one is *partial* (another format octet): it holds what
// came since, and what it held before is being fetched from the other owners. Until then it stores
// whatever comes and answers no read, over a restart too.
//
// Threads: plain values
// Errors:  corrupt: the checksum does not match, or the bytes are no record
#pragma once

#include "dynamo/error.h"
#include "libdynamo/base/bytes.h"
#include "libdynamo/version/siblings.h"

namespace dynamo {

/// `own_birth` is the actor that this node last minted with for this key, and `own_run` the run in
/// which it did; 0 when it never did. They never leave the node.
struct Record {
    Object object;
    std::uint64_t own_birth = 0;
    std::uint64_t own_run = 0;
    bool partial = false;  ///< a damaged record stood here, and is not made up for yet
};

[[nodiscard]] Bytes encode_record(BytesView row, const Record& record);
/// The same with the object's canonical encoding, for whoever has it already; of `record` only what
/// the node alone knows is taken.
[[nodiscard]] Bytes encode_record(BytesView row, const Record& record, BytesView object);
[[nodiscard]] Result<Record> decode_record(BytesView row, BytesView bytes);
/// Whether bytes that hold a sound record hold a partial one.
[[nodiscard]] bool is_partial(BytesView record_bytes);
/// The object's canonical encoding inside a record's bytes, checked but not decoded.
[[nodiscard]] Result<BytesView> object_bytes(BytesView row, BytesView record_bytes);

}  // namespace dynamo
