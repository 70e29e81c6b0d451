// The codec: bytes ⇄ values, with limits. The only door for bytes from outside.
//
// Encoding is msgpack (man/dynamo-wire.7). A message is one struct with one field list; its bytes
// come from that list (struct_codec.h): a map with short names for clients (client_messages.h),
// who may add keys that are ignored, and an array in list order between peers (peer_messages.h).
//
//     bytes → msgpack's parser → tape of tokens → Reader → struct
//
// The parser only ever appends to the tape, and each container may claim no more elements than
// octets are left, so what a message can make us allocate is bounded by its own length.
//
// Threads: plain values
// Errors:  bad_request with the field's name; too_large past a limit. Never a crash, never a throw.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "dynamo/error.h"
#include "libdynamo/base/bytes.h"

namespace dynamo::wire {

/// How a field of type std::string travels: octets as `bin`, words as `str`.
enum class As : std::uint8_t { value, bin, str };

/// One entry of a field list: its name for maps, and the member.
template <typename Owner, typename T>
struct Field {
    std::string_view name;
    T Owner::* member;
    As as;
};

template <typename Owner, typename T>
constexpr Field<Owner, T> field(std::string_view name, T Owner::* member) {
    return {name, member, As::value};
}
template <typename Owner, typename T>
constexpr Field<Owner, T> bin(std::string_view name, T Owner::* member) {
    return {name, member, As::bin};
}
template <typename Owner, typename T>
constexpr Field<Owner, T> str(std::string_view name, T Owner::* member) {
    return {name, member, As::str};
}

/// A struct that carries its field list: `static constexpr auto fields() { return std::tuple{…};
/// }`.
template <typename T>
concept Fielded = requires { T::fields(); };

/// The last enumerator of an enum that travels as its number. Enumerators count from 0; a larger
/// number is refused.
template <typename Enum>
struct LastOf;

/// Integers towards clients stay within what a double holds exactly, since that is all that some
/// languages have. Larger ones are sent as this.
inline constexpr std::uint64_t max_client_number = std::uint64_t{1} << 53;

/// Maps for clients, arrays between peers and on disk.
enum class Style : std::uint8_t { map, array };

inline constexpr std::size_t max_depth = 16;
inline constexpr std::size_t max_tokens = 1 << 19;

/// Writes msgpack to the end of a buffer that somebody else owns.
class Writer {
  public:
    explicit Writer(Bytes& out) : out_(out) {}
    void array(std::size_t count);
    void map(std::size_t count);
    void number(std::uint64_t value);
    void signed_number(std::int64_t value);
    void real(double value);
    void boolean(bool value);
    void nil();
    void bin(BytesView value);
    void str(std::string_view value);
    /// Appends octets that are msgpack already.
    void raw(BytesView encoded) { out_.append(encoded); }

  private:
    Bytes& out_;
};

/// One parsed element. Containers are followed by their elements.
struct Token {
    enum class Kind : std::uint8_t { nil, boolean, number, negative, real, bin, str, array, map };
    Kind kind = Kind::nil;
    std::uint32_t size = 0;  ///< octets of a string, elements of an array, pairs of a map
    /// The number, the bits of a negative number or a double, or where in the input a string is.
    std::uint64_t value = 0;

    [[nodiscard]] bool is_string() const { return kind == Kind::bin || kind == Kind::str; }
    /// The octets of a string.
    [[nodiscard]] BytesView octets() const { return {std::bit_cast<const char*>(value), size}; }
    /// The octets of a str; empty for everything else.
    [[nodiscard]] std::string_view word() const {
        return kind == Kind::str ? octets() : std::string_view{};
    }
};

/// Walks over parsed msgpack. After the first failure every call returns a harmless default and
/// failed() stays true, so a decoder checks once, at its end.
class Reader {
  public:
    /// Parses exactly one element that spans `bytes` whole; trailing octets, a map's key given
    /// twice, depth over max_depth and tokens over max_tokens fail. `bytes` outlives the reader.
    explicit Reader(BytesView bytes) { reset(bytes); }
    Reader() = default;
    /// Starts anew on other bytes; keeps the memory of the tape.
    void reset(BytesView bytes);

    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] const std::string& reason() const { return reason_; }
    /// Only the first reason is kept.
    void fail(std::string reason);
    /// Puts the name of the field that was being read before the reason of the failure.
    void within(std::string_view name);
    /// Whether every element came in its shortest form, as Writer writes it.
    [[nodiscard]] bool shortest() const { return shortest_; }

    [[nodiscard]] bool at_end() const { return at_ == tape_.size(); }
    /// The next token without taking it; nil when failed or at the end.
    [[nodiscard]] const Token& peek() const {
        return failed_ || at_ == tape_.size() ? nothing : tape_[at_];
    }

    std::size_t array() { return take(Token::Kind::array).size; }
    std::size_t map() { return take(Token::Kind::map).size; }
    /// A number from 0 to `last`.
    std::uint64_t number(std::uint64_t last = UINT64_MAX);
    std::int64_t signed_number();
    double real();  ///< whole numbers too: some languages write 2.0 as 2
    bool boolean() { return take(Token::Kind::boolean).value != 0; }
    BytesView bin() { return string(take(Token::Kind::bin)); }
    BytesView str() { return string(take(Token::Kind::str)); }
    /// Takes the next element, containers whole.
    void skip();
    /// True when nothing failed and all was read; else fails for what is left.
    bool finish();

  private:
    static constexpr Token nothing{};

    /// The next token, which has to be of that kind; else fails and gives nothing.
    const Token& take(Token::Kind kind) {
        if (!failed_ && at_ < tape_.size() && tape_[at_].kind == kind) return tape_[at_++];
        return refuse(kind);
    }
    const Token& refuse(Token::Kind expected);
    static BytesView string(const Token& token) {
        return token.is_string() ? token.octets() : BytesView{};
    }

    std::vector<Token> tape_;
    std::size_t at_ = 0;
    bool failed_ = false;
    bool shortest_ = false;
    std::string reason_;
};

}  // namespace dynamo::wire
