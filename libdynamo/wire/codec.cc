#include "libdynamo/wire/codec.h"

#define MSGPACK_NO_BOOST
#include <algorithm>
#include <array>
#include <bit>
#include <msgpack.hpp>
#include <utility>

#include "libdynamo/base/check.h"

namespace dynamo::wire {
namespace {

/// What msgpack's packer writes to: the end of a string.
class Appender {
  public:
    explicit Appender(Bytes& out) : out_(out) {}
    void write(const char* octets, std::size_t count) { out_.append(octets, count); }

  private:
    Bytes& out_;
};

/// A packer holds no more than the reference to its buffer, so making one costs nothing.
template <typename Pack>
void pack(Bytes& out, Pack&& how) {
    Appender appender(out);
    msgpack::packer<Appender> packer(appender);
    std::forward<Pack>(how)(packer);
}

/// The length that msgpack can express; our own buffers never come near it.
std::uint32_t length_of(std::size_t count) {
    DYN_CHECK(count <= UINT32_MAX);
    return static_cast<std::uint32_t>(count);
}

std::string_view name_of(Token::Kind kind) {
    constexpr std::array<std::string_view, 9> names = {
        "nil", "a boolean", "a number", "a negative number", "a real number", "bin",
        "str", "an array",  "a map"};
    return names[static_cast<std::size_t>(kind)];
}

bool is_container(const Token& token) {
    return token.kind == Token::Kind::array || token.kind == Token::Kind::map;
}

/// The index after the element that starts at `at`, containers whole.
std::size_t after(const std::vector<Token>& tape, std::size_t at) {
    for (std::size_t open = 1; open > 0; ++at) {
        --open;
        const Token& token = tape[at];
        if (is_container(token))
            open += std::size_t{token.size} * (token.kind == Token::Kind::map ? 2 : 1);
    }
    return at;
}

bool same(const Token& a, const Token& b) {
    if (a.kind != b.kind || a.size != b.size) return false;
    return a.is_string() ? a.octets() == b.octets() : a.value == b.value;
}

bool before(const Token& a, const Token& b) {
    if (a.kind != b.kind) return a.kind < b.kind;
    return a.is_string() ? a.octets() < b.octets() : a.value < b.value;
}

/// The keys of one map. Few are compared pair by pair in place; many, which only a hostile sender
/// has, are sorted, so that no map costs more than n log n.
class Keys {
  public:
    /// False when the key is there already.
    bool add(const Token& key) {
        if (count_ < few_.size()) {
            // A key whose mark nobody has left yet is new; that spares most comparisons.
            const std::uint64_t mark = mark_of(key);
            if ((marks_ & mark) != 0)
                for (std::size_t i = 0; i < count_; ++i)
                    if (same(*few_[i], key)) return false;
            marks_ |= mark;
            few_[count_++] = &key;
        } else {
            many_.push_back(key);
        }
        return true;
    }
    /// Whether those that add() did not compare are distinct too.
    bool distinct() {
        if (many_.empty()) return true;
        for (const Token* key : few_) many_.push_back(*key);
        std::ranges::sort(many_, before);
        return std::ranges::adjacent_find(many_, same) == many_.end();
    }

  private:
    /// One bit of 64, the same for equal keys.
    static std::uint64_t mark_of(const Token& key) {
        std::uint64_t sum = key.value;
        if (key.is_string()) {
            const BytesView octets = key.octets();
            sum = octets.empty() ? 0
                                 : std::size_t{5} * octets.size() +
                                       std::size_t{3} * static_cast<unsigned char>(octets.front()) +
                                       static_cast<unsigned char>(octets.back());
        }
        return std::uint64_t{1} << (sum & 63);
    }

    std::array<const Token*, 24> few_;  ///< the first count_ are set
    std::size_t count_ = 0;
    std::uint64_t marks_ = 0;
    std::vector<Token> many_;
};

/// Appends to the tape what msgpack's parser finds, and stops it at the first thing that is not
/// allowed. The parser does not say where it is, but every element has an octet of its own: the
/// elements claimed so far and the octets of strings together can never pass the input's length.
class TapeBuilder : public msgpack::null_visitor {
  public:
    TapeBuilder(std::vector<Token>& tape, std::size_t size) : tape_(tape), left_(size) {}

    [[nodiscard]] std::string_view reason() const { return reason_; }
    /// Octets that the same elements take in their shortest form; 0 when one of them has a form
    /// that is as short and not the one.
    [[nodiscard]] std::size_t shortest() const { return is_odd_ ? 0 : shortest_; }
    [[nodiscard]] bool start() { return claim(1); }

    bool visit_nil() { return add({Token::Kind::nil, 0, 0}, 1); }
    bool visit_boolean(bool value) { return add({Token::Kind::boolean, 0, value ? 1U : 0U}, 1); }
    bool visit_positive_integer(std::uint64_t value) {
        const std::size_t octets = value < 128           ? 1
                                   : value <= UINT8_MAX  ? 2
                                   : value <= UINT16_MAX ? 3
                                   : value <= UINT32_MAX ? 5
                                                         : 9;
        return add({Token::Kind::number, 0, value}, octets);
    }
    bool visit_negative_integer(std::int64_t value) {
        // The signed forms may hold any number; the tape knows one form of each.
        if (value >= 0) {
            is_odd_ = true;
            return visit_positive_integer(static_cast<std::uint64_t>(value));
        }
        const std::size_t octets = value >= -32         ? 1
                                   : value >= INT8_MIN  ? 2
                                   : value >= INT16_MIN ? 3
                                   : value >= INT32_MIN ? 5
                                                        : 9;
        return add({Token::Kind::negative, 0, static_cast<std::uint64_t>(value)}, octets);
    }
    bool visit_float32(float value) { return visit_float64(static_cast<double>(value)); }
    bool visit_float64(double value) {
        return add({Token::Kind::real, 0, std::bit_cast<std::uint64_t>(value)}, 9);
    }
    bool visit_str(const char* octets, std::uint32_t size) {
        const std::size_t head = size < 32 ? 1 : size <= UINT8_MAX ? 2 : size <= UINT16_MAX ? 3 : 5;
        return add_string(Token::Kind::str, octets, size, head);
    }
    bool visit_bin(const char* octets, std::uint32_t size) {
        const std::size_t head = size <= UINT8_MAX ? 2 : size <= UINT16_MAX ? 3 : 5;
        return add_string(Token::Kind::bin, octets, size, head);
    }
    bool visit_ext(const char*, std::uint32_t) { return refuse("extension types are not used"); }

    bool start_array(std::uint32_t count) { return open(Token::Kind::array, count, count); }
    bool start_map(std::uint32_t count) {
        return open(Token::Kind::map, count, std::size_t{count} * 2);
    }
    bool end_array() {
        --depth_;
        return true;
    }
    bool end_map() {
        const std::size_t map = open_[--depth_];
        Keys keys;
        std::size_t at = map + 1;
        for (std::uint32_t i = 0; i < tape_[map].size; ++i) {
            if (is_container(tape_[at])) return refuse("a map's key is a container");
            if (!keys.add(tape_[at])) return refuse("a map has a key twice");
            at = is_container(tape_[at + 1]) ? after(tape_, at + 1) : at + 2;
        }
        return keys.distinct() || refuse("a map has a key twice");
    }

    void parse_error(std::size_t, std::size_t) { (void)refuse("not msgpack"); }
    void insufficient_bytes(std::size_t, std::size_t) { (void)refuse("cut short"); }

  private:
    bool refuse(std::string_view reason) {
        if (reason_.empty()) reason_ = reason;
        return false;
    }
    bool claim(std::size_t octets) {
        if (octets > left_) return refuse("a container claims more elements than there are octets");
        left_ -= octets;
        return true;
    }
    bool add(const Token& token, std::size_t octets) {
        if (tape_.size() == max_tokens) return refuse("more elements than allowed");
        tape_.push_back(token);
        shortest_ += octets;
        return true;
    }
    bool add_string(Token::Kind kind, const char* octets, std::uint32_t size, std::size_t head) {
        if (!claim(size)) return false;
        return add({kind, size, std::bit_cast<std::uint64_t>(size == 0 ? nullptr : octets)},
                   head + size);
    }
    bool open(Token::Kind kind, std::uint32_t count, std::size_t elements) {
        if (!claim(elements)) return false;
        if (depth_ == open_.size()) return refuse("nested too deeply");
        open_[depth_++] = tape_.size();
        return add({kind, count, 0}, count < 16 ? 1 : count <= UINT16_MAX ? 3 : 5);
    }

    std::vector<Token>& tape_;
    std::size_t left_;
    std::size_t shortest_ = 0;
    bool is_odd_ = false;
    std::size_t depth_ = 0;
    std::array<std::size_t, max_depth> open_{};  ///< where on the tape the open containers begin
    std::string_view reason_;
};

}  // namespace

void Writer::array(std::size_t count) {
    pack(out_, [&](auto& packer) { packer.pack_array(length_of(count)); });
}

void Writer::map(std::size_t count) {
    pack(out_, [&](auto& packer) { packer.pack_map(length_of(count)); });
}

void Writer::number(std::uint64_t value) {
    pack(out_, [&](auto& packer) { packer.pack_uint64(value); });
}

void Writer::signed_number(std::int64_t value) {
    pack(out_, [&](auto& packer) { packer.pack_int64(value); });
}

void Writer::real(double value) {
    // Not pack_double(): it writes whole numbers as integers, even those past max_client_number.
    const auto bits = std::bit_cast<std::uint64_t>(value);
    out_ += '\xcb';
    for (int shift = 56; shift >= 0; shift -= 8) out_ += static_cast<char>(bits >> shift & 255);
}

void Writer::boolean(bool value) {
    pack(out_, [&](auto& packer) { value ? packer.pack_true() : packer.pack_false(); });
}

void Writer::nil() {
    pack(out_, [](auto& packer) { packer.pack_nil(); });
}

void Writer::bin(BytesView value) {
    pack(out_, [&](auto& packer) { packer.pack_bin(length_of(value.size())); });
    out_.append(value);
}

void Writer::str(std::string_view value) {
    pack(out_, [&](auto& packer) { packer.pack_str(length_of(value.size())); });
    out_.append(value);
}

void Reader::reset(BytesView bytes) {
    tape_.clear();
    tape_.reserve(std::min<std::size_t>(bytes.size(), 32));
    at_ = 0;
    failed_ = false;
    shortest_ = false;
    reason_.clear();

    TapeBuilder builder(tape_, bytes.size());
    std::size_t end = 0;
    bool parsed = false;
    try {
        parsed = builder.start() && msgpack::parse(bytes.data(), bytes.size(), end, builder);
    } catch (const msgpack::unpack_error& error) {
        fail(error.what());
    }
    if (!parsed)
        fail(std::string(bytes.empty() ? "empty" : builder.reason()));
    else if (end != bytes.size())
        fail("octets after the end");
    shortest_ = !failed_ && builder.shortest() == bytes.size();
}

void Reader::fail(std::string reason) {
    if (failed_) return;
    failed_ = true;
    reason_ = std::move(reason);
}

void Reader::within(std::string_view name) {
    // "versions: value: expected bin" reads as a path.
    reason_.insert(0, std::string(name) + ": ");
}

const Token& Reader::refuse(Token::Kind expected) {
    if (failed_) return nothing;
    const std::string wanted = "expected " + std::string(name_of(expected));
    if (at_ == tape_.size())
        fail(wanted + ", and there is no more");
    else
        fail(wanted + ", got " + std::string(name_of(tape_[at_].kind)));
    return nothing;
}

std::uint64_t Reader::number(std::uint64_t last) {
    const std::uint64_t number = take(Token::Kind::number).value;
    if (number <= last) return number;
    fail("expected at most " + std::to_string(last) + ", got " + std::to_string(number));
    return 0;
}

std::int64_t Reader::signed_number() {
    if (peek().kind != Token::Kind::negative)
        return static_cast<std::int64_t>(number(static_cast<std::uint64_t>(INT64_MAX)));
    return static_cast<std::int64_t>(tape_[at_++].value);
}

double Reader::real() {
    if (peek().kind == Token::Kind::number) return static_cast<double>(tape_[at_++].value);
    if (peek().kind == Token::Kind::negative)
        return static_cast<double>(static_cast<std::int64_t>(tape_[at_++].value));
    return std::bit_cast<double>(take(Token::Kind::real).value);
}

void Reader::skip() {
    if (failed_) return;
    if (at_ == tape_.size()) return fail("expected an element, and there is no more");
    at_ = is_container(tape_[at_]) ? after(tape_, at_) : at_ + 1;
}

bool Reader::finish() {
    if (!at_end()) fail("elements are left over");
    return !failed_;
}

}  // namespace dynamo::wire
