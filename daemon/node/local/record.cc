#include "daemon/node/local/record.h"

#include "libdynamo/base/hash.h"
#include "libdynamo/base/numbers.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {
namespace {

constexpr char whole_format = 1;
constexpr char partial_format = 2;
constexpr std::size_t head_bytes = 1 + 8 + 8;
constexpr std::size_t checksum_bytes = 8;

std::uint64_t checksum_of(BytesView row, BytesView body) { return checksum(body, checksum(row)); }

}  // namespace

Bytes encode_record(BytesView row, const Record& record) {
    return encode_record(row, record, wire::encode(record.object));
}

Bytes encode_record(BytesView row, const Record& record, BytesView object) {
    Bytes out;
    out.reserve(head_bytes + object.size() + checksum_bytes);
    out += record.partial ? partial_format : whole_format;
    append_number(out, record.own_birth);
    append_number(out, record.own_run);
    out += object;
    append_number(out, checksum_of(row, out));
    return out;
}

bool is_partial(BytesView record_bytes) { return record_bytes[0] == partial_format; }

Result<BytesView> object_bytes(BytesView row, BytesView record_bytes) {
    if (record_bytes.size() < head_bytes + checksum_bytes)
        return fail(Code::corrupt, "a stored record is too short to be one");
    const BytesView body = record_bytes.substr(0, record_bytes.size() - checksum_bytes);
    if (number_at(record_bytes, body.size()) != checksum_of(row, body))
        return fail(Code::corrupt, "a stored record's checksum does not match");
    if (body[0] != whole_format && body[0] != partial_format)
        return fail(Code::corrupt, "a stored record is of an unknown format");
    return body.substr(head_bytes);
}

Result<Record> decode_record(BytesView row, BytesView bytes) {
    const auto object = object_bytes(row, bytes);
    if (!object) return std::unexpected(object.error());
    auto decoded = wire::decode_object(*object);
    if (!decoded) return fail(Code::corrupt, "a stored record: " + decoded.error().message);
    return Record{std::move(*decoded), number_at(bytes, 1), number_at(bytes, 9), is_partial(bytes)};
}

}  // namespace dynamo
