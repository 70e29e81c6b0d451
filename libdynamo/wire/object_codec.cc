// Clocks, objects and contexts (state_codec.h).
#include <algorithm>

#include "libdynamo/base/check.h"
#include "libdynamo/wire/state_codec.h"
#include "libdynamo/wire/state_parts.h"

namespace dynamo::wire {
namespace {

constexpr char context_version = 1;
constexpr std::size_t checksum_octets = 8;

void append_big_endian(Bytes& out, std::uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 255);
}

// ------------------------------------------------------------------------------------------ clocks

void encode_clock(Writer& writer, const Clock& clock) {
    const auto& entries = clock.entries();
    writer.array(clock.actors());
    for (auto at = entries.begin(); at != entries.end();) {
        const auto is_another = [&](const Clock::Entry& entry) { return entry.actor != at->actor; };
        const auto end = std::find_if(at, entries.end(), is_another);
        writer.array(2 + static_cast<std::size_t>(end - at) * 2);
        writer.bin(at->actor.node.bytes());
        writer.number(at->actor.birth);
        for (; at != end; ++at) {
            writer.number(at->interval.first);
            writer.number(at->interval.last);
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
    clock.reserve(count);
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
    std::uint64_t index = 0;
    for (const Sibling& sibling : object.siblings) {
        while (entry != entries.end() && entry->actor < sibling.dot.actor) {
            const Actor passed = entry->actor;
            while (entry != entries.end() && entry->actor == passed) ++entry;
            ++index;
        }
        DYN_CHECK(entry != entries.end() && entry->actor == sibling.dot.actor);
        writer.array(5);
        writer.number(index);
        writer.number(sibling.dot.counter);
        writer.boolean(sibling.tombstone);
        writer.signed_number(sibling.wall_ms);
        writer.bin(sibling.value);
    }
}

/// The actors of a clock by their place. Siblings are sorted, so it goes on from the last one asked
/// for: from the front each time, a peer's object of very many writers would take seconds.
class Actors {
  public:
    explicit Actors(const Clock& clock) : entries_(clock.entries()), at_(entries_.begin()) {}

    /// Null when there are fewer.
    const Actor* find(std::uint64_t place) {
        if (place < place_) {
            place_ = 0;
            at_ = entries_.begin();
        }
        while (at_ != entries_.end() && place_ < place) {
            const Actor& passed = at_->actor;
            while (at_ != entries_.end() && at_->actor == passed) ++at_;
            ++place_;
        }
        return at_ == entries_.end() ? nullptr : &at_->actor;
    }

  private:
    const std::vector<Clock::Entry>& entries_;
    std::vector<Clock::Entry>::const_iterator at_;
    std::uint64_t place_ = 0;
};

Sibling decode_sibling(Reader& reader, const Clock& clock, Actors& actors) {
    Sibling sibling;
    expect_array(reader, 5);
    const Actor* actor = actors.find(reader.number());
    sibling.dot.counter = reader.number();
    sibling.tombstone = reader.boolean();
    sibling.wall_ms = reader.signed_number();
    sibling.value = reader.bin();
    if (reader.failed()) return sibling;
    if (!actor) {
        reader.fail("its node is not in the clock");
        return sibling;
    }
    sibling.dot.actor = *actor;
    if (!clock.covers(sibling.dot))
        reader.fail("the clock does not cover it");
    else if (sibling.tombstone && !sibling.value.empty())
        reader.fail("a tombstone with a value");
    return sibling;
}

}  // namespace

Bytes encode(const Object& object) {
    Bytes out;
    out.reserve(room_for(object));
    Writer writer(out);
    writer.array(3);
    writer.number(state_format);
    encode_clock(writer, object.clock);
    encode_siblings(writer, object);
    return out;
}

Result<Object> decode_object(BytesView bytes) {
    Reader reader(bytes);
    Object object;
    expect_format(reader, 3);
    object.clock = decode_clock(reader);
    Actors actors(object.clock);
    const std::size_t count = reader.array();
    object.siblings.reserve(count);
    for (std::size_t i = 0; i < count && !reader.failed(); ++i) {
        object.siblings.push_back(decode_sibling(reader, object.clock, actors));
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

}  // namespace dynamo::wire
