// Epochs, rings and their digests (state_codec.h).
#include <algorithm>

#include "libdynamo/wire/state_codec.h"
#include "libdynamo/wire/state_parts.h"

namespace dynamo::wire {
namespace {

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

void encode_covers(Writer& writer, const std::map<NodeId, std::uint64_t>& covers) {
    writer.array(covers.size());
    for (const auto& [issuer, last] : covers) {
        writer.array(2);
        writer.bin(issuer.bytes());
        writer.number(last);
    }
}

void encode_operation(Writer& writer, const MemberOp& operation) {
    const bool discards = operation.kind == MemberOp::Kind::discard;
    writer.array(6);
    writer.number(operation.seq);
    writer.signed_number(operation.issued.wall_ms);
    writer.number(operation.issued.count);
    writer.number(static_cast<std::uint64_t>(operation.kind));
    if (discards)
        encode_covers(writer, operation.kept);
    else
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
        kind > static_cast<std::uint64_t>(MemberOp::Kind::discard))
        reader.fail("an operation of an unknown kind");
    operation.kind = static_cast<MemberOp::Kind>(kind);
    if (operation.kind == MemberOp::Kind::discard)
        decode_covers(reader, operation.kept);
    else
        operation.subject = decode_member(reader);
    operation.note = reader.str();
    return operation;
}

void decode_lost(Reader& reader, std::vector<NodeId>& lost) {
    const std::size_t count = reader.array();
    if (!reader.failed() && count == 0) reader.fail("nobody is lost, and that is written");
    for (std::size_t i = 0; i < count && !reader.failed(); ++i) {
        lost.push_back(id_from<NodeId>(reader));
        if (i > 0 && lost[i] <= lost[i - 1]) reader.fail("lost nodes are repeated or not sorted");
    }
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

void encode_notes(Writer& writer, const RingState& state) {
    writer.array(state.synced.size());
    for (const auto& [version, nodes] : state.synced) {
        writer.array(2);
        writer.number(version);
        writer.array(nodes.size());
        for (const auto& [node, partitions] : nodes) {
            writer.array(2);
            writer.bin(node.bytes());
            writer.bin(partitions);
        }
    }
    writer.array(state.released.size());
    for (const auto& [node, number] : state.released) {
        writer.array(2);
        writer.bin(node.bytes());
        writer.number(number);
    }
}

void decode_synced(Reader& reader, RingState& state) {
    const std::size_t versions = reader.array();
    for (std::size_t i = 0; i < versions && !reader.failed(); ++i) {
        expect_array(reader, 2);
        const std::uint64_t version = reader.number();
        if (i > 0 && !reader.failed() && version <= state.synced.rbegin()->first)
            reader.fail("versions are repeated or not sorted");
        const std::size_t count = reader.array();
        if (count == 0) reader.fail("a version without nodes");
        if (reader.failed()) return;
        auto& nodes = state.synced[version];
        for (std::size_t at = 0; at < count && !reader.failed(); ++at) {
            expect_array(reader, 2);
            const auto node = id_from<NodeId>(reader);
            if (at > 0 && !reader.failed() && node <= nodes.rbegin()->first)
                reader.fail("nodes are repeated or not sorted");
            nodes.emplace_hint(nodes.end(), node, Bytes(reader.bin()));
        }
    }
}

void decode_notes(Reader& reader, RingState& state) {
    decode_synced(reader, state);
    const std::size_t count = reader.array();
    for (std::size_t i = 0; i < count && !reader.failed(); ++i) {
        expect_array(reader, 2);
        const auto node = id_from<NodeId>(reader);
        const std::uint64_t number = reader.number();
        if (!reader.failed() && (number == 0 || (i > 0 && node <= state.released.rbegin()->first)))
            reader.fail("released nodes are repeated or not sorted, or in no ring");
        state.released.emplace_hint(state.released.end(), node, number);
    }
    if (!reader.failed() && state.synced.empty() && state.released.empty())
        reader.fail("nothing is noted, and that is written");
    if (reader.failed()) reader.within("notes");
}

/// Each epoch names the digest of the one before it, the founding names none.
Result<void> decode_epochs(Reader& reader, std::vector<Epoch>& epochs) {
    const std::size_t count = reader.array();
    Sha256 parent{};
    for (std::size_t i = 0; i < count && !reader.failed(); ++i) {
        const BytesView bytes = reader.bin();
        if (reader.failed()) break;
        Result<Epoch> epoch = decode_epoch(bytes);
        if (!epoch) return std::unexpected(std::move(epoch.error()));
        const bool follows_forgotten = i == 0 && epoch->number > 1;
        if (!follows_forgotten && epoch->parent != parent)
            reader.fail("epoch " + std::to_string(epoch->number) + " names another parent");
        parent = sha256(bytes);
        epochs.push_back(std::move(*epoch));
    }
    return {};
}

}  // namespace

Bytes encode(const Epoch& epoch) {
    Bytes out;
    Writer writer(out);
    writer.array(epoch.lost.empty() ? 12 : 13);
    writer.number(state_format);
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
    encode_covers(writer, epoch.covers);
    if (epoch.lost.empty()) return out;
    writer.array(epoch.lost.size());
    for (const NodeId& node : epoch.lost) writer.bin(node.bytes());
    return out;
}

Result<Epoch> decode_epoch(BytesView bytes) {
    Reader reader(bytes);
    Epoch epoch;
    const std::size_t elements = expect_format(reader, 12, 13);
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
    if (elements == 13) decode_lost(reader, epoch.lost);
    if (auto finished = finish(reader, "epoch"); !finished)
        return std::unexpected(finished.error());
    return epoch;
}

Bytes encode(const RingState& state) {
    Bytes out;
    Writer writer(out);
    const bool has_notes = !state.synced.empty() || !state.released.empty();
    writer.array(has_notes ? 7 : 5);
    writer.number(state_format);
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
    if (has_notes) encode_notes(writer, state);
    return out;
}

Result<RingState> decode_ring(BytesView bytes) {
    Reader reader(bytes);
    RingState state;
    const std::size_t elements = expect_format(reader, 5, 7);
    state.cluster = id_from<ClusterId>(reader);
    decode_settings(reader, state.settings);
    decode_history(reader, state.history);
    if (auto decoded = decode_epochs(reader, state.epochs); !decoded)
        return std::unexpected(decoded.error());
    if (elements == 7) decode_notes(reader, state);
    if (auto finished = finish(reader, "ring"); !finished) return std::unexpected(finished.error());
    if (auto valid = validate(state); !valid) return std::unexpected(valid.error());
    return state;
}

Sha256 digest_of(const Epoch& epoch) { return sha256(encode(epoch)); }

Sha256 digest_of(const RingState& state) { return sha256(encode(state)); }

std::string plan_id(const Epoch& planned) {
    const Sha256 digest = digest_of(planned);
    return "p-" + to_hex(view_of(digest).substr(0, 4));
}

}  // namespace dynamo::wire
