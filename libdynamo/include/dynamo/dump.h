// Dumps: a stream of keys and their states that says where it is damaged or cut off.
//
//     "DYNDUMP1"
//     H  number 0                the head: which cluster, when, what of it
//     R  number 1 .. n           a record: key and state
//     T  number n + 1            the tail: n, the root, and what could not be read
//
// Each part is a kind, its number, two lengths, its octets, and a checksum over all of that; the
// root is a hash chain over the records' checksums. dyn-dump(1) has the layout. Records come in
// order of their keys' positions, so that dumps of equal content have equal roots.
//
// Shape:   a part at a time, whatever the dump's length
// Threads: one owner
// Errors:  corrupt, naming the record
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "dynamo/types.h"

namespace dynamo {

struct Frame;

/// What a dump is of.
struct DumpHead {
    std::string cluster;
    std::string cluster_id;             ///< 32 hexadecimal digits
    std::int64_t wall_ms = 0;           ///< when it was begun
    unsigned partitions = 0;            ///< Q of that cluster
    std::optional<unsigned> partition;  ///< only this one of them
    std::string prefix;                 ///< only keys that begin so
};

struct DumpRecord {
    std::uint64_t number = 0;  ///< from 1
    std::string key;
    KeyState state;
};

/// How a dump ended.
struct DumpTail {
    std::uint64_t records = 0;
    std::string root;                     ///< 64 hexadecimal digits
    std::uint64_t unread_keys = 0;        ///< listed, but R nodes could not be asked
    std::uint64_t unread_partitions = 0;  ///< not listed, or not to their ends
    [[nodiscard]] bool complete() const { return unread_keys == 0 && unread_partitions == 0; }
};

/// The root of records, one after the other.
class DumpRoot {
  public:
    DumpRoot() : octets_(32, '\0') {}
    void add(std::string_view checksum);
    /// 64 hexadecimal digits.
    [[nodiscard]] std::string text() const;

  private:
    std::string octets_;
};

/// Makes the octets; head() first, tail() last.
class DumpWriter {
  public:
    [[nodiscard]] std::string head(const DumpHead& head);
    [[nodiscard]] std::string record(std::string_view key, const KeyState& state);
    [[nodiscard]] std::string tail(std::uint64_t unread_keys, std::uint64_t unread_partitions);
    [[nodiscard]] std::uint64_t records() const { return records_; }
    [[nodiscard]] std::string root() const { return root_.text(); }

  private:
    std::uint64_t records_ = 0;
    DumpRoot root_;
};

/// Takes the octets as they come.
class DumpReader {
  public:
    /// Nothing: more octets are needed, or all was read.
    using Part = std::variant<std::monostate, DumpHead, DumpRecord, DumpTail>;

    /// The part at the beginning of `here`; `taken` says how many octets it was. `ended`: no more
    /// will come.
    [[nodiscard]] Result<Part> next(std::string_view here, bool ended, std::size_t& taken);
    /// The tail was read, and was right.
    [[nodiscard]] bool complete() const { return stage_ == Stage::after_tail; }
    /// Of the records read so far.
    [[nodiscard]] std::uint64_t records() const { return records_; }
    [[nodiscard]] std::string root() const { return root_.text(); }

  private:
    enum class Stage : std::uint8_t { magic, head, records, after_tail };
    [[nodiscard]] Result<Part> cut_off(std::string_view here) const;
    [[nodiscard]] Result<Part> part_of(const Frame& frame);
    [[nodiscard]] std::unexpected<Error> damaged(const std::string& why) const;

    Stage stage_ = Stage::magic;
    std::uint64_t records_ = 0;
    DumpRoot root_;
};

}  // namespace dynamo
