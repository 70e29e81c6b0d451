// The codec: bytes ⇄ values, with limits. The only door for bytes from outside.
//
// Encoding is msgpack (man/dynamo-wire.7). A message is one struct with one field list
// (messages.h); both encodings of it come from that list: a map with short names for clients, who
// may add keys that are ignored, and an array in list order between peers.
//
//     bytes → msgpack's parser → tape of tokens → Reader → struct
//
// The parser only ever appends to the tape, and each container may claim no more elements than
// octets are left, so what a message can make us allocate is bounded by its own length.
//
// Threads: plain values
// Errors:  bad_request with the field's name; too_large past a limit. Never a crash, never a throw.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "dynamo/error.h"
#include "libdynamo/base/bytes.h"
#include "libdynamo/base/hash.h"
#include "libdynamo/base/id.h"

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
    std::uint64_t number = 0;  ///< the number, the count of elements, or a double's bits
    BytesView bytes;           ///< points into the input
};

/// Walks over parsed msgpack. After the first failure every call returns a harmless default and
/// failed() stays true, so a decoder checks once, at its end.
class Reader {
  public:
    /// Parses exactly one element that spans `bytes` whole; trailing octets, a map's key given
    /// twice, depth over max_depth and tokens over max_tokens fail. `bytes` outlives the reader.
    explicit Reader(BytesView bytes);

    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] const std::string& reason() const { return reason_; }
    void fail(std::string reason);

    [[nodiscard]] bool at_end() const { return at_ == tape_.size(); }
    /// The next token without taking it; nil when failed or at the end.
    [[nodiscard]] const Token& peek() const;

    std::size_t array();
    std::size_t map();
    std::uint64_t number();
    std::int64_t signed_number();
    double real();
    bool boolean();
    BytesView bin();
    BytesView str();
    /// Takes the next element, containers whole.
    void skip();

  private:
    const Token* take(Token::Kind kind, const char* expected);

    std::vector<Token> tape_;
    std::size_t at_ = 0;
    bool failed_ = false;
    std::string reason_;
};

}  // namespace dynamo::wire
