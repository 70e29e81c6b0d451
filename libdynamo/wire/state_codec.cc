#include "libdynamo/wire/state_codec.h"

#include <algorithm>

#include "libdynamo/base/check.h"
#include "libdynamo/wire/codec.h"

namespace dynamo::wire {
namespace {

constexpr std::uint64_t format = 1;
constexpr char context_version = 1;
constexpr std::size_t checksum_octets = 8;

BytesView view_of(const Sha256& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

/// An array of exactly `count` elements.
void expect_array(Reader& reader, std::size_t count) {
    const std::size_t given = reader.array();
    if (!reader.failed() && given != count)
        reader.fail("expected " + std::to_string(count) + " elements, got " +
                    std::to_string(given));
}

/// The array that a state is, with the number of a format that we know at its front.
void expect_format(Reader& reader, std::size_t count) {
    expect_array(reader, count);
    const std::uint64_t given = reader.number();
    if (!reader.failed() && given != format)
        reader.fail("format " + std::to_string(given) + " is not known here");
}

/// A bin of exactly as many octets.
BytesView fixed_bin(Reader& reader, std::size_t octets) {
    const BytesView bytes = reader.bin();
    if (!reader.failed() && bytes.size() != octets)
        reader.fail("expected " + std::to_string(octets) + " octets, got " +
                    std::to_string(bytes.size()));
    return bytes;
}

template <typename AnyId>
AnyId id_from(Reader& reader) {
    return AnyId::from(fixed_bin(reader, 16));
}

std::uint16_t small_number(Reader& reader) {
    return static_cast<std::uint16_t>(reader.number(UINT16_MAX));
}

std::uint32_t medium_number(Reader& reader) {
    return static_cast<std::uint32_t>(reader.number(UINT32_MAX));
}

std::uint64_t big_endian(BytesView octets) {
    std::uint64_t value = 0;
    for (const char octet : octets) value = value << 8 | static_cast<unsigned char>(octet);
    return value;
}

void append_big_endian(Bytes& out, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 255);
}

/// The end of every decoder: all was read, and it was written the one way.
Result<void> finish(Reader& reader, std::string_view what) {
    if (reader.finish() && !reader.shortest()) reader.fail("not in its shortest form");
    if (reader.failed()) return fail(Code::bad_request, std::string(what) + ": " + reader.reason());
    return {};
}

// ------------------------------------------------------------------------------------------ clocks

void encode_clock(Writer& writer, const Clock& clock) {
    writer.array(clock.entries().size());
    for (const Clock::Entry& entry : clock.entries()) {
        writer.array(2 + entry.intervals.size() * 2);
        writer.bin(entry.actor.node.bytes());
        writer.number(entry.actor.birth);
        for (const Interval& interval : entry.intervals) {
            writer.number(interval.first);
            writer.number(interval.last);
        }
    }
}

void decode_intervals(Reader& reader, const Actor& actor, std::size_t count, Clock& clock) {
    std::uint64_t previous = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t first = reader.number();
        const std::uint64_t last = reader.number();
        if (reader.failed()) return;
        // The first may start at 1; each later one leaves a gap of at least one counter.
        const bool apart = i == 0 ? first >= 1 : first > previous && first - previous >= 2;
        if (!apart) return reader.fail("counters overlap, touch, are not sorted or are 0");
        if (first > last) return reader.fail("an interval is empty");
        clock.add(actor, {first, last});
        previous = last;
    }
}

Clock decode_clock(Reader& reader) {
    Clock clock;
    if (reader.failed()) return clock;
    const std::size_t count = reader.array();
    for (std::size_t i = 0; i < count && !reader.failed(); ++i) {
        const std::size_t elements = reader.array();
        const Actor actor{id_from<NodeId>(reader), reader.number()};
        if (!reader.failed() && (elements < 4 || elements % 2 != 0))
            reader.fail("an entry without whole intervals");
        if (!reader.failed() && i > 0 && actor <= clock.entries().back().actor)
            reader.fail("entries are repeated or not sorted");
        if (reader.failed()) break;
        decode_intervals(reader, actor, (elements - 2) / 2, clock);
    }
    if (reader.failed()) reader.within("clock");
    return clock;
}

// ----------------------------------------------------------------------------------------- objects

std::size_t room_for(const Object& object) {
    return 16 + object.clock.size() * 48 + object.siblings.size() * 32 + object.value_bytes();
}

/// A sibling's actor has an entry in the clock, since the clock covers its dot; the entry's index
/// says it in one octet instead of twenty-seven.
void encode_siblings(Writer& writer, const Object& object) {
    const auto& entries = object.clock.entries();
    writer.array(object.siblings.size());
    auto entry = entries.begin();
    for (const Sibling& sibling : object.siblings) {
        while (entry != entries.end() && entry->actor < sibling.dot.actor) ++entry;
        DYN_CHECK(entry != entries.end() && entry->actor == sibling.dot.actor);
        writer.array(5);
        writer.number(static_cast<std::uint64_t>(entry - entries.begin()));
        writer.number(sibling.dot.counter);
        writer.boolean(sibling.tombstone);
        writer.signed_number(sibling.wall_ms);
        writer.bin(sibling.value);
    }
}

Sibling decode_sibling(Reader& reader, const Clock& clock) {
    Sibling sibling;
    expect_array(reader, 5);
    const std::uint64_t entry = reader.number();
    sibling.dot.counter = reader.number();
    sibling.tombstone = reader.boolean();
    sibling.wall_ms = reader.signed_number();
    sibling.value = reader.bin();
    if (reader.failed()) return sibling;
    if (entry >= clock.entries().size()) {
        reader.fail("its node is not in the clock");
        return sibling;
    }
    sibling.dot.actor = clock.entries()[entry].actor;
    if (!clock.covers(sibling.dot))
        reader.fail("the clock does not cover it");
    else if (sibling.tombstone && !sibling.value.empty())
        reader.fail("a tombstone with a value");
    return sibling;
}

// --------------------------------------------------------------------------------------------
// rings

void encode_member(Writer& writer, const Member& member) {
    writer.array(6);
    writer.bin(member.id.bytes());
    writer.str(member.name);
    writer.str(member.zone);
    writer.number(member.weight);
    writer.str(member.client_address);
    writer.str(member.peer_address);
}

Member decode_member(Reader& reader) {
    Member member;
    if (reader.failed()) return member;
    expect_array(reader, 6);
    member.id = id_from<NodeId>(reader);
    member.name = reader.str();
    member.zone = reader.str();
    member.weight = medium_number(reader);
    member.client_address = reader.str();
    member.peer_address = reader.str();
    if (reader.failed()) reader.within("member");
    return member;
}

void decode_members(Reader& reader, std::vector<Member>& members) {
    const std::size_t count = reader.array();
    members.reserve(count);
    for (std::size_t i = 0; i < count && !reader.failed(); ++i) {
        members.push_back(decode_member(reader));
        if (i > 0 && members[i].id <= members[i - 1].id)
            reader.fail("members are repeated or not sorted");
    }
}

Bytes encode_table(const std::vector<std::uint16_t>& table) {
    Bytes out;
    out.reserve(table.size() * 2);
    for (const std::uint16_t index : table) {
        out += static_cast<char>(index >> 8);
        out += static_cast<char>(index & 255);
    }
    return out;
}

/// Refuses places that name no member, so that whoever holds an epoch may use it as it is.
void decode_table(Reader& reader, Epoch& epoch) {
    const BytesView octets = reader.bin();
    if (reader.failed()) return;
    if (octets.size() != std::size_t{epoch.partitions} * epoch.copies * 2)
        return reader.fail("the table has not Q times N places");
    epoch.table.reserve(octets.size() / 2);
    for (std::size_t at = 0; at < octets.size(); at += 2) {
        const auto index = static_cast<std::uint16_t>(big_endian(octets.substr(at, 2)));
        if (index != Epoch::nobody && index >= epoch.members.size())
            return reader.fail("an owner who is no member");
        epoch.table.push_back(index);
    }
}

void decode_versions(Reader& reader, Epoch& epoch) {
    const std::size_t count = reader.array();
    if (!reader.failed() && count != epoch.partitions)
        reader.fail("expected a version for each partition");
    for (std::size_t i = 0; i < count && !reader.failed(); ++i)
        epoch.version.push_back(reader.number());
}

void decode_covers(Reader& reader, std::map<NodeId, std::uint64_t>& covers) {
    const std::size_t count = reader.array();
    for (std::size_t i = 0; i < count && !reader.failed(); ++i) {
        expect_array(reader, 2);
        const auto issuer = id_from<NodeId>(reader);
        const std::uint64_t last = reader.number();
        if (!reader.failed() && (last == 0 || (i > 0 && issuer <= covers.rbegin()->first)))
            reader.fail("covers: repeated, not sorted or 0");
        if (!reader.failed()) covers.emplace_hint(covers.end(), issuer, last);
    }
}

void encode_operation(Writer& writer, const MemberOp& operation) {
    writer.array(6);
    writer.number(operation.seq);
    writer.signed_number(operation.issued.wall_ms);
    writer.number(operation.issued.count);
    writer.number(static_cast<std::uint64_t>(operation.kind));
    encode_member(writer, operation.subject);
    writer.str(operation.note);
}

MemberOp decode_operation(Reader& reader, const NodeId& issuer) {
    MemberOp operation;
    operation.issuer = issuer;
    expect_array(reader, 6);
    operation.seq = reader.number();
    operation.issued.wall_ms = reader.signed_number();
    operation.issued.count = medium_number(reader);
    const std::uint64_t kind = reader.number();
    if (kind < static_cast<std::uint64_t>(MemberOp::Kind::add) ||
        kind > static_cast<std::uint64_t>(MemberOp::Kind::set))
        reader.fail("an operation of an unknown kind");
    operation.kind = static_cast<MemberOp::Kind>(kind);
    operation.subject = decode_member(reader);
    operation.note = reader.str();
    return operation;
}

void encode_history(Writer& writer, const std::map<NodeId, std::vector<MemberOp>>& history) {
    // An issuer who has issued nothing says nothing, so it is not written.
    writer.array(static_cast<std::size_t>(
        std::ranges::count_if(history, [](const auto& line) { return !line.second.empty(); })));
    for (const auto& [issuer, operations] : history) {
        if (operations.empty()) continue;
        writer.array(2);
        writer.bin(issuer.bytes());
        writer.array(operations.size());
        for (const MemberOp& operation : operations) encode_operation(writer, operation);
    }
}

void decode_history(Reader& reader, std::map<NodeId, std::vector<MemberOp>>& history) {
    if (reader.failed()) return;
    const std::size_t issuers = reader.array();
    for (std::size_t i = 0; i < issuers && !reader.failed(); ++i) {
        expect_array(reader, 2);
        const auto issuer = id_from<NodeId>(reader);
        if (!reader.failed() && i > 0 && issuer <= history.rbegin()->first)
            reader.fail("issuers are repeated or not sorted");
        const std::size_t count = reader.array();
        if (count == 0) reader.fail("an issuer without operations");
        auto& operations = history[issuer];
        for (std::size_t at = 0; at < count && !reader.failed(); ++at)
            operations.push_back(decode_operation(reader, issuer));
    }
    if (reader.failed()) reader.within("history");
}

void decode_settings(Reader& reader, ClusterSettings& settings) {
    if (reader.failed()) return;
    const std::size_t elements = reader.array();
    if (!reader.failed() && elements != 5 && elements != 6) reader.fail("expected 5 or 6 elements");
    settings.name = reader.str();
    settings.copies = small_number(reader);
    settings.partitions = small_number(reader);
    settings.read_quorum = small_number(reader);
    settings.write_quorum = small_number(reader);
    if (elements == 6) settings.last_write_wins = reader.boolean();
    if (!reader.failed() && elements == 6 && !settings.last_write_wins)
        reader.fail("a default that is written");
    if (reader.failed()) reader.within("settings");
}

/// Each epoch names the digest of the one before it, the first one names none.
Result<void> decode_epochs(Reader& reader, std::vector<Epoch>& epochs) {
    const std::size_t count = reader.array();
    Sha256 parent{};
    for (std::size_t i = 0; i < count && !reader.failed(); ++i) {
        const BytesView bytes = reader.bin();
        if (reader.failed()) break;
        Result<Epoch> epoch = decode_epoch(bytes);
        if (!epoch) return std::unexpected(std::move(epoch.error()));
        if (epoch->parent != parent)
            reader.fail("epoch " + std::to_string(epoch->number) + " names another parent");
        parent = sha256(bytes);
        epochs.push_back(std::move(*epoch));
    }
    return {};
}

}  // namespace

// ----------------------------------------------------------------------------------------- objects

Bytes encode(const Object& object) {
    Bytes out;
    out.reserve(room_for(object));
    Writer writer(out);
    writer.array(3);
    writer.number(format);
    encode_clock(writer, object.clock);
    encode_siblings(writer, object);
    return out;
}

Result<Object> decode_object(BytesView bytes) {
    Reader reader(bytes);
    Object object;
    expect_format(reader, 3);
    object.clock = decode_clock(reader);
    const std::size_t count = reader.array();
    object.siblings.reserve(count);
    for (std::size_t i = 0; i < count && !reader.failed(); ++i) {
        object.siblings.push_back(decode_sibling(reader, object.clock));
        if (i > 0 && object.siblings[i].dot <= object.siblings[i - 1].dot)
            reader.fail("siblings are repeated or not sorted");
        if (reader.failed()) reader.within("sibling " + std::to_string(i));
    }
    if (auto finished = finish(reader, "object"); !finished)
        return std::unexpected(finished.error());
    return object;
}

// ---------------------------------------------------------------------------------------- contexts

Bytes encode(const Context& context) {
    Bytes out;
    out.reserve(64 + context.seen.size() * 48);
    out += context_version;
    Writer writer(out);
    writer.array(context.fastest.is_none() ? 3 : 4);
    writer.bin(context.cluster.bytes());
    writer.bin(context.key.bytes());
    encode_clock(writer, context.seen);
    if (!context.fastest.is_none()) writer.bin(context.fastest.bytes());
    append_big_endian(out, checksum(out));
    return out;
}

Result<Context> decode_context(BytesView token, const ClusterId& cluster, const Position& key) {
    if (token.size() <= 1 + checksum_octets || token.front() != context_version)
        return fail(Code::bad_context, "not a context token");
    const BytesView checked = token.substr(0, token.size() - checksum_octets);
    if (big_endian(token.substr(checked.size())) != checksum(checked))
        return fail(Code::bad_context, "the context token is damaged");

    Reader reader(checked.substr(1));
    Context context;
    const std::size_t elements = reader.array();
    if (!reader.failed() && elements != 3 && elements != 4) reader.fail("expected 3 or 4 elements");
    context.cluster = id_from<ClusterId>(reader);
    const BytesView position = fixed_bin(reader, 16);
    if (!reader.failed())
        context.key = {big_endian(position.substr(0, 8)), big_endian(position.substr(8))};
    context.seen = decode_clock(reader);
    if (elements == 4) context.fastest = id_from<NodeId>(reader);
    if (!reader.failed() && elements == 4 && context.fastest.is_none())
        reader.fail("a fastest node that is none");
    if (auto finished = finish(reader, "context"); !finished)
        return fail(Code::bad_context, std::move(finished.error().message));
    if (context.cluster != cluster)
        return fail(Code::bad_context, "the context token is of another cluster");
    if (context.key != key)
        return fail(Code::bad_context, "the context token was made for another key");
    return context;
}

// --------------------------------------------------------------------------------------------
// rings

Bytes encode(const Epoch& epoch) {
    Bytes out;
    Writer writer(out);
    writer.array(12);
    writer.number(format);
    writer.number(epoch.number);
    writer.bin(view_of(epoch.parent));
    writer.bin(epoch.proposer.bytes());
    writer.signed_number(epoch.issued.wall_ms);
    writer.number(epoch.issued.count);
    writer.array(epoch.members.size());
    for (const Member& member : epoch.members) encode_member(writer, member);
    writer.number(epoch.copies);
    writer.number(epoch.partitions);
    writer.bin(encode_table(epoch.table));
    writer.array(epoch.version.size());
    for (const std::uint64_t version : epoch.version) writer.number(version);
    writer.array(epoch.covers.size());
    for (const auto& [issuer, last] : epoch.covers) {
        writer.array(2);
        writer.bin(issuer.bytes());
        writer.number(last);
    }
    return out;
}

Result<Epoch> decode_epoch(BytesView bytes) {
    Reader reader(bytes);
    Epoch epoch;
    expect_format(reader, 12);
    epoch.number = reader.number();
    const BytesView parent = fixed_bin(reader, epoch.parent.size());
    if (!reader.failed()) std::ranges::copy(parent, epoch.parent.begin());
    epoch.proposer = id_from<NodeId>(reader);
    epoch.issued.wall_ms = reader.signed_number();
    epoch.issued.count = medium_number(reader);
    decode_members(reader, epoch.members);
    epoch.copies = small_number(reader);
    epoch.partitions = small_number(reader);
    decode_table(reader, epoch);
    decode_versions(reader, epoch);
    decode_covers(reader, epoch.covers);
    if (auto finished = finish(reader, "epoch"); !finished)
        return std::unexpected(finished.error());
    return epoch;
}

Bytes encode(const RingState& state) {
    Bytes out;
    Writer writer(out);
    writer.array(5);
    writer.number(format);
    writer.bin(state.cluster.bytes());
    writer.array(state.settings.last_write_wins ? 6 : 5);
    writer.str(state.settings.name);
    writer.number(state.settings.copies);
    writer.number(state.settings.partitions);
    writer.number(state.settings.read_quorum);
    writer.number(state.settings.write_quorum);
    if (state.settings.last_write_wins) writer.boolean(true);
    encode_history(writer, state.history);
    writer.array(state.epochs.size());
    for (const Epoch& epoch : state.epochs) writer.bin(encode(epoch));
    return out;
}

Result<RingState> decode_ring(BytesView bytes) {
    Reader reader(bytes);
    RingState state;
    expect_format(reader, 5);
    state.cluster = id_from<ClusterId>(reader);
    decode_settings(reader, state.settings);
    decode_history(reader, state.history);
    if (auto decoded = decode_epochs(reader, state.epochs); !decoded)
        return std::unexpected(decoded.error());
    if (auto finished = finish(reader, "ring"); !finished) return std::unexpected(finished.error());
    if (auto valid = validate(state); !valid) return std::unexpected(valid.error());
    return state;
}

// ------------------------------------------------------------------------------------------
// digests

Sha256 digest_of(const Epoch& epoch) { return sha256(encode(epoch)); }

Sha256 digest_of(const RingState& state) { return sha256(encode(state)); }

std::string plan_id(const Epoch& planned) {
    const Sha256 digest = digest_of(planned);
    return "p-" + to_hex(view_of(digest).substr(0, 4));
}

}  // namespace dynamo::wire
