#include "dynamo/dump.h"

#include <algorithm>
#include <utility>

#include "libdynamo/base/bytes.h"
#include "libdynamo/client/frames.h"
#include "libdynamo/wire/state_codec.h"
#include "libdynamo/wire/struct_codec.h"

namespace dynamo {
namespace {

constexpr std::string_view magic = "DYNDUMP1";
constexpr std::int64_t every_partition = -1;

enum class Kind : char { head = 'H', record = 'R', tail = 'T' };

struct HeadBody {
    std::string cluster;
    Bytes cluster_id;
    std::int64_t wall_ms = 0;
    std::uint32_t partitions = 0;
    std::int64_t partition = every_partition;
    Bytes prefix;
    static constexpr auto fields() {
        return std::tuple{wire::str("cluster", &HeadBody::cluster),
                          wire::bin("cluster_id", &HeadBody::cluster_id),
                          wire::field("wall_ms", &HeadBody::wall_ms),
                          wire::field("partitions", &HeadBody::partitions),
                          wire::field("partition", &HeadBody::partition),
                          wire::bin("prefix", &HeadBody::prefix)};
    }
};

struct TailBody {
    std::uint64_t records = 0;
    Bytes root;
    std::uint64_t unread_keys = 0;
    std::uint64_t unread_partitions = 0;
    static constexpr auto fields() {
        return std::tuple{wire::field("records", &TailBody::records),
                          wire::bin("root", &TailBody::root),
                          wire::field("unread_keys", &TailBody::unread_keys),
                          wire::field("unread_partitions", &TailBody::unread_partitions)};
    }
};

std::string part(Kind kind, std::uint64_t number, std::string_view key, std::string_view body) {
    return framed(static_cast<char>(kind), number, key, body);
}

}  // namespace

void DumpRoot::add(std::string_view checksum) {
    octets_ += checksum;
    octets_ = sha256_octets(octets_);
}

std::string DumpRoot::text() const { return to_hex(octets_); }

// ----------------------------------------------------------------------------------------- writing

std::string DumpWriter::head(const DumpHead& head) {
    HeadBody body{head.cluster, {}, head.wall_ms, head.partitions, every_partition, head.prefix};
    (void)from_hex(head.cluster_id, body.cluster_id);
    if (head.partition) body.partition = *head.partition;
    return std::string(magic) +
           part(Kind::head, 0, {}, wire::encode_message(body, wire::Style::map));
}

std::string DumpWriter::record(std::string_view key, const KeyState& state) {
    std::string out = part(Kind::record, ++records_, key, state.octets);
    root_.add(checksum_in(out));
    return out;
}

std::string DumpWriter::tail(std::uint64_t unread_keys, std::uint64_t unread_partitions) {
    TailBody body{records_, {}, unread_keys, unread_partitions};
    (void)from_hex(root_.text(), body.root);
    return part(Kind::tail, records_ + 1, {}, wire::encode_message(body, wire::Style::map));
}

// ----------------------------------------------------------------------------------------- reading

std::unexpected<Error> DumpReader::damaged(const std::string& why) const {
    const std::string where =
        stage_ == Stage::head ? "the dump's head" : "record " + std::to_string(records_ + 1);
    return fail(Code::corrupt, where + " of the dump is damaged: " + why);
}

Result<DumpReader::Part> DumpReader::cut_off(std::string_view here) const {
    if (stage_ == Stage::magic && here.size() < magic.size())
        return fail(Code::corrupt, here.empty() ? "there is no dump: the input is empty"
                                                : "this is no dump of dyn-dump");
    if (stage_ != Stage::records) return fail(Code::corrupt, "the dump is cut off within its head");
    return fail(Code::corrupt,
                "the dump is cut off, or damaged, " +
                    (here.empty() ? "after record " + std::to_string(records_)
                                  : "within record " + std::to_string(records_ + 1)) +
                    ": its trailer is missing");
}

Result<DumpReader::Part> DumpReader::next(std::string_view here, bool ended, std::size_t& taken) {
    taken = 0;
    if (stage_ == Stage::after_tail) {
        if (here.empty()) return Part{};
        return fail(Code::corrupt, "octets follow the dump's trailer");
    }
    const std::size_t before = stage_ == Stage::magic ? magic.size() : 0;
    if (!magic.starts_with(here.substr(0, before)))
        return fail(Code::corrupt, "this is no dump of dyn-dump");
    const std::string_view rest = here.substr(std::min(before, here.size()));
    const Stage was = stage_;
    if (was == Stage::magic) stage_ = Stage::head;
    const auto frame = cut_frame(rest, stage_ == Stage::head ? 0 : records_ + 1);
    if (!frame) return damaged(frame.error().message);
    if (!*frame) {
        stage_ = was;
        return ended ? cut_off(here) : Part{};
    }
    taken = before + (*frame)->octets;
    return part_of(**frame);
}

Result<DumpReader::Part> DumpReader::part_of(const Frame& frame) {
    const auto kind = static_cast<Kind>(frame.kind);
    if (kind == Kind::head && stage_ == Stage::head) {
        const auto body = wire::decode_message<HeadBody>(frame.body, wire::Style::map);
        if (!body) return damaged(body.error().message);
        stage_ = Stage::records;
        DumpHead head{body->cluster, to_hex(body->cluster_id),
                      body->wall_ms, body->partitions,
                      std::nullopt,  body->prefix};
        if (body->partition >= 0) head.partition = static_cast<unsigned>(body->partition);
        return head;
    }
    if (kind == Kind::record && stage_ == Stage::records) {
        const auto object = wire::decode_object(frame.body);
        if (!object) return damaged(object.error().message);
        if (frame.key.empty()) return damaged("its key is empty");
        root_.add(frame.checksum);
        return DumpRecord{++records_, std::string(frame.key), {std::string(frame.body)}};
    }
    if (kind == Kind::tail && stage_ == Stage::records) {
        const auto body = wire::decode_message<TailBody>(frame.body, wire::Style::map);
        if (!body) return fail(Code::corrupt, "the dump's trailer: " + body.error().message);
        if (body->records != records_ || to_hex(body->root) != root_.text())
            return fail(Code::corrupt, "the dump's trailer is of other records");
        stage_ = Stage::after_tail;
        return DumpTail{records_, root_.text(), body->unread_keys, body->unread_partitions};
    }
    return damaged("it is no such part");
}

}  // namespace dynamo
