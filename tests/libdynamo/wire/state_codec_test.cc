#include "libdynamo/wire/state_codec.h"

#include "tests/libdynamo/wire/generators.h"
#include "tests/libdynamo/wire/samples.h"

namespace dynamo::wire {
namespace {

using namespace std::string_literals;

template <typename Write>
Bytes written(Write&& write) {
    Bytes out;
    Writer writer(out);
    write(writer);
    return out;
}

template <typename T>
std::string reason_of(const Result<T>& result) {
    return result ? "accepted" : result.error().message;
}

// ----------------------------------------------------------------------------------------- objects

RC_GTEST_PROP(object_codec, what_is_written_is_read, ()) {
    const Object object = any_object();
    const Bytes bytes = encode(object);
    const auto decoded = decode_object(bytes);
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(*decoded == object);
    RC_ASSERT(encode(*decoded) == bytes);
}

RC_GTEST_PROP(object_codec, states_merged_in_either_order_have_the_same_bytes, ()) {
    // Two replicas that saw parts of one history: a dot names one value, so siblings are shared.
    const Object whole = any_object();
    Object left;
    Object right;
    for (const Sibling& sibling : whole.siblings) {
        const int side = *rc::gen::inRange(0, 3);
        if (side != 1) add_version(left, {}, sibling);
        if (side != 0) add_version(right, {}, sibling);
    }
    Object one = left;
    merge(one, right);
    Object other = right;
    merge(other, left);
    RC_ASSERT(encode(one) == encode(other));
}

/// An object with one actor that has the given intervals, and whatever siblings follow.
template <typename Siblings>
Bytes object_of(const std::vector<std::uint64_t>& counters, Siblings&& siblings) {
    return written([&](Writer& writer) {
        writer.array(3);
        writer.number(1);
        writer.array(1);
        writer.array(2 + counters.size());
        writer.bin(node(0x11).bytes());
        writer.number(5);
        for (const std::uint64_t counter : counters) writer.number(counter);
        siblings(writer);
    });
}

void no_siblings(Writer& writer) { writer.array(0); }

TEST(object_codec, refuses_intervals_that_another_way_of_writing_would_join) {
    const auto reason = [](const std::vector<std::uint64_t>& counters) {
        return reason_of(decode_object(object_of(counters, no_siblings)));
    };
    EXPECT_EQ(reason({1, 3, 5, 6}), "accepted");
    EXPECT_EQ(reason({UINT64_MAX, UINT64_MAX}), "accepted");
    const std::string_view apart =
        "object: clock: counters overlap, touch, are not sorted or are 0";
    EXPECT_EQ(reason({1, 3, 4, 6}), apart);
    EXPECT_EQ(reason({1, 3, 3, 6}), apart);
    EXPECT_EQ(reason({5, 6, 1, 3}), apart);
    EXPECT_EQ(reason({0, 3}), apart);
    EXPECT_EQ(reason({1, UINT64_MAX, 0, 1}), apart);
    EXPECT_EQ(reason({3, 2}), "object: clock: an interval is empty");
    EXPECT_EQ(reason({}), "object: clock: an entry without whole intervals");
    EXPECT_EQ(reason({1, 2, 4}), "object: clock: an entry without whole intervals");
}

TEST(object_codec, refuses_actors_repeated_or_out_of_order) {
    const auto reason = [](std::uint8_t first, std::uint64_t birth, std::uint8_t second,
                           std::uint64_t other_birth) {
        return reason_of(decode_object(written([&](Writer& writer) {
            writer.array(3);
            writer.number(1);
            writer.array(2);
            for (const auto& [id, born] :
                 {std::pair{first, birth}, std::pair{second, other_birth}}) {
                writer.array(4);
                writer.bin(node(id).bytes());
                writer.number(born);
                writer.number(1);
                writer.number(1);
            }
            writer.array(0);
        })));
    };
    const std::string_view refused = "object: clock: entries are repeated or not sorted";
    EXPECT_EQ(reason(1, 5, 1, 6), "accepted");
    EXPECT_EQ(reason(1, 5, 2, 4), "accepted");
    EXPECT_EQ(reason(1, 5, 1, 5), refused);
    EXPECT_EQ(reason(1, 6, 1, 5), refused);
    EXPECT_EQ(reason(2, 5, 1, 6), refused);
}

void put_sibling(Writer& writer, std::uint64_t entry, std::uint64_t counter, bool tombstone,
                 std::string_view value) {
    writer.array(5);
    writer.number(entry);
    writer.number(counter);
    writer.boolean(tombstone);
    writer.signed_number(0);
    writer.bin(value);
}

TEST(object_codec, refuses_siblings_that_no_object_has) {
    const auto reason = [](auto&& siblings) {
        return reason_of(decode_object(object_of({1, 3}, siblings)));
    };
    EXPECT_EQ(reason([](Writer& writer) {
                  writer.array(2);
                  put_sibling(writer, 0, 1, false, "v");
                  put_sibling(writer, 0, 3, true, "");
              }),
              "accepted");
    EXPECT_EQ(reason([](Writer& writer) {
                  writer.array(2);
                  put_sibling(writer, 0, 3, false, "v");
                  put_sibling(writer, 0, 1, false, "v");
              }),
              "object: sibling 1: siblings are repeated or not sorted");
    EXPECT_EQ(reason([](Writer& writer) {
                  writer.array(2);
                  put_sibling(writer, 0, 1, false, "v");
                  put_sibling(writer, 0, 1, false, "v");
              }),
              "object: sibling 1: siblings are repeated or not sorted");
    EXPECT_EQ(reason([](Writer& writer) {
                  writer.array(1);
                  put_sibling(writer, 0, 4, false, "v");
              }),
              "object: sibling 0: the clock does not cover it");
    EXPECT_EQ(reason([](Writer& writer) {
                  writer.array(1);
                  put_sibling(writer, 0, 0, false, "v");
              }),
              "object: sibling 0: the clock does not cover it");
    EXPECT_EQ(reason([](Writer& writer) {
                  writer.array(1);
                  put_sibling(writer, 1, 1, false, "v");
              }),
              "object: sibling 0: its node is not in the clock");
    EXPECT_EQ(reason([](Writer& writer) {
                  writer.array(1);
                  put_sibling(writer, 0, 1, true, "v");
              }),
              "object: sibling 0: a tombstone with a value");
}

TEST(object_codec, refuses_a_number_that_could_be_shorter) {
    // The last octet of the clock is its last counter, 3, before an empty array.
    Bytes bytes = object_of({1, 3}, no_siblings);
    ASSERT_EQ(bytes.substr(bytes.size() - 2), "\x03\x90");
    bytes.replace(bytes.size() - 2, 1, "\xcc\x03");
    EXPECT_EQ(reason_of(decode_object(bytes)), "object: not in its shortest form");
}

TEST(object_codec, says_so_when_the_format_is_a_newer_one) {
    EXPECT_EQ(reason_of(decode_object("\x93\x02\x90\x90"s)), "object: format 2 is not known here");
    EXPECT_EQ(reason_of(decode_object("\x94\x01\x90\x90\x90"s)),
              "object: expected 3 elements, got 4");
}

TEST(object_codec, an_object_never_written_has_bytes_too) {
    EXPECT_EQ(encode(Object{}), "\x93\x01\x90\x90"s);
    EXPECT_TRUE(decode_object("\x93\x01\x90\x90"s)->empty());
}

// ---------------------------------------------------------------------------------------- contexts

RC_GTEST_PROP(context_codec, what_is_written_is_read, ()) {
    const Context context{sample_cluster(), position_of(*rc::gen::arbitrary<Bytes>()), any_clock(),
                          *rc::gen::element(NodeId{}, node(0x22))};
    const auto decoded = decode_context(encode(context), context.cluster, context.key);
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(*decoded == context);
}

TEST(context_codec, refuses_the_token_of_another_key_or_cluster) {
    const Bytes token = encode(sample_context());
    EXPECT_EQ(reason_of(decode_context(token, sample_cluster(), sample_position())), "accepted");
    const auto other_key = decode_context(token, sample_cluster(), position_of("cart:8"));
    EXPECT_EQ(reason_of(other_key), "the context token was made for another key");
    EXPECT_EQ(other_key.error().code, Code::bad_context);
    const auto other_cluster = decode_context(token, ClusterId{}, sample_position());
    EXPECT_EQ(reason_of(other_cluster), "the context token is of another cluster");
    EXPECT_EQ(other_cluster.error().code, Code::bad_context);
}

TEST(context_codec, refuses_what_is_no_token) {
    for (const Bytes& token :
         {""s, "\x01"s, "milk"s, Bytes(9, '\x01'), Bytes(100, '\0'), encode(sample_object())}) {
        const auto context = decode_context(token, sample_cluster(), sample_position());
        ASSERT_FALSE(context);
        EXPECT_EQ(context.error().code, Code::bad_context);
    }
}

TEST(context_codec, refuses_a_sound_checksum_over_nonsense) {
    for (const Bytes& content : {"\x80"s, "\x93\xc0\xc0\xc0"s, ""s}) {
        Bytes token = "\x01" + content;
        const std::uint64_t sum = checksum(token);
        for (int shift = 56; shift >= 0; shift -= 8) token += static_cast<char>(sum >> shift & 255);
        EXPECT_EQ(decode_context(token, sample_cluster(), sample_position()).error().code,
                  Code::bad_context);
    }
}

// --------------------------------------------------------------------------------------------
// rings

TEST(ring_codec, what_is_written_is_read) {
    const RingState state = sample_ring();
    const auto decoded = decode_ring(encode(state));
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(*decoded, state);
    const auto epoch = decode_epoch(encode(state.head()));
    ASSERT_TRUE(epoch) << epoch.error().message;
    EXPECT_EQ(*epoch, state.head());
}

TEST(ring_codec, refuses_an_epoch_whose_parent_is_another) {
    RingState state = sample_ring();
    state.epochs[1].parent[0] ^= 1;
    EXPECT_EQ(reason_of(decode_ring(encode(state))), "ring: epoch 2 names another parent");
    state = sample_ring();
    state.epochs[0].parent[31] = 1;
    state.epochs[1].parent = digest_of(state.epochs[0]);
    EXPECT_EQ(reason_of(decode_ring(encode(state))), "ring: epoch 1 names another parent");
}

TEST(ring_codec, a_change_of_an_old_epoch_is_seen) {
    RingState state = sample_ring();
    state.epochs[0].issued.wall_ms += 1;
    EXPECT_EQ(reason_of(decode_ring(encode(state))), "ring: epoch 2 names another parent");
}

TEST(ring_codec, refuses_a_state_that_is_not_valid) {
    RingState state = sample_ring();
    state.settings.write_quorum = 3;
    EXPECT_FALSE(decode_ring(encode(state)));
    state = sample_ring();
    state.epochs.clear();
    EXPECT_FALSE(decode_ring(encode(state)));
    state = sample_ring();
    state.history.begin()->second[1].seq = 3;
    EXPECT_FALSE(decode_ring(encode(state)));
}

TEST(ring_codec, refuses_an_epoch_that_could_not_be_used_as_it_is) {
    const auto reason = [](auto&& change) {
        Epoch epoch = sample_ring().head();
        change(epoch);
        return reason_of(decode_epoch(encode(epoch)));
    };
    EXPECT_EQ(reason([](Epoch& epoch) { epoch.table[3] = 2; }), "epoch: an owner who is no member");
    EXPECT_EQ(reason([](Epoch& epoch) { epoch.table[3] = Epoch::nobody; }), "accepted");
    EXPECT_EQ(reason([](Epoch& epoch) { epoch.table.pop_back(); }),
              "epoch: the table has not Q times N places");
    EXPECT_EQ(reason([](Epoch& epoch) { epoch.version.pop_back(); }),
              "epoch: expected a version for each partition");
    EXPECT_EQ(reason([](Epoch& epoch) { std::swap(epoch.members[0], epoch.members[1]); }),
              "epoch: members are repeated or not sorted");
    EXPECT_EQ(reason([](Epoch& epoch) { epoch.members[0] = epoch.members[1]; }),
              "epoch: members are repeated or not sorted");
    EXPECT_EQ(reason([](Epoch& epoch) { epoch.covers[node(0x11)] = 0; }),
              "epoch: covers: repeated, not sorted or 0");
}

TEST(ring_codec, an_issuer_who_has_issued_nothing_says_nothing) {
    RingState state = sample_ring();
    state.history[node(0x33)];
    EXPECT_EQ(digest_of(state), digest_of(sample_ring()));
    EXPECT_EQ(decode_ring(encode(state)), sample_ring());
}

TEST(ring_codec, equal_states_and_only_they_have_one_digest) {
    EXPECT_EQ(digest_of(sample_ring()), digest_of(sample_ring()));
    RingState other = sample_ring();
    other.history.begin()->second[1].note = "x";
    EXPECT_NE(digest_of(other), digest_of(sample_ring()));
    Epoch epoch = sample_ring().head();
    epoch.version[3] = 1;
    EXPECT_NE(digest_of(epoch), digest_of(sample_ring().head()));
}

TEST(ring_codec, a_plan_is_named_after_its_epochs_digest) {
    const Epoch epoch = sample_ring().head();
    const Sha256 digest = digest_of(epoch);
    const std::string hex = to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
    EXPECT_EQ(plan_id(epoch), "p-" + hex.substr(0, 8));
    EXPECT_EQ(plan_id(epoch).size(), 10u);
}

TEST(ring_codec, a_ring_of_the_largest_size_stays_within_the_limits) {
    Member founder{node(0x11), "n1", "", 100, "n1:7100", "n1:7101"};
    const RingState state =
        found(sample_cluster(), {"large", max_copies, max_partitions, 2, 2}, founder, 0);
    const Bytes bytes = encode(state);
    EXPECT_LT(bytes.size(), std::size_t{1} << 20);
    EXPECT_EQ(decode_ring(bytes), state);
}

}  // namespace
}  // namespace dynamo::wire
