// Trees as they are stored, so that a restart need not read all records to have them again.
//
//     table trees   row = 2 octets of partition                       value = the depth, see Header
//                   row = 2 octets of partition + 4 octets of part    value = see Part
//
// A part is the leaves under one node of the tree, side by side. It is stored only while it is what
// its records make: whoever changes one of them erases it, in the same transaction. What is missing
// is made from the records that lie under it. So the tree after any crash is the stored parts, and
// the records of those that had changed since.
//
// Threads: one; the node's
// Errors:  those of storage; a row that is damaged, or of another version, counts as missing
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "daemon/node/local/tree.h"
#include "daemon/storage/storage.h"

namespace dynamo {

/// A part has 2^part_levels leaves: 32 to 128 records when its tree is built.
inline constexpr unsigned part_levels = 4;
inline constexpr std::size_t part_leaves = std::size_t{1} << part_levels;

class KeptTrees {
  public:
    explicit KeptTrees(Storage& storage) : storage_(storage) {}

    struct Part {
        std::uint64_t records = 0;
        std::array<TreeSum, part_leaves> leaves{};
    };

    /// A record of the partition changes: its part is not what is stored any more.
    [[nodiscard]] Result<void> changes(std::uint16_t partition, unsigned partition_bits,
                                       BytesView row);
    /// A record cannot be read, or is damaged: until it changes its part counts as missing.
    void doubt(std::uint16_t partition, unsigned partition_bits, BytesView row);
    void doubt_all(std::uint16_t partition);

    /// Of the tree whose parts are stored; none when none is.
    [[nodiscard]] Result<std::optional<unsigned>> depth(std::uint16_t partition);
    /// Whether the part is known to be stored.
    [[nodiscard]] bool is_stored(std::uint16_t partition, std::uint32_t part) const;
    /// Parts that are stored, from `first` on in order, until `visit` says false; it must not
    /// write.
    using Visit = std::function<bool(std::uint32_t number, const Part& part)>;
    [[nodiscard]] Result<void> scan(std::uint16_t partition, std::uint32_t first,
                                    const Visit& visit);
    /// Only of a tree of the depth that begin() was told.
    [[nodiscard]] Result<void> store(std::uint16_t partition, std::uint32_t number,
                                     const Part& part);
    /// Drops what is stored of the partition; from now on parts of a tree of this depth are.
    [[nodiscard]] Result<void> begin(std::uint16_t partition, unsigned depth);
    [[nodiscard]] Result<void> drop_all();
    [[nodiscard]] Result<void> drop(std::uint16_t partition);

    /// After a rollback nothing is known of what is stored.
    void rolled_back() { known_.clear(); }

  private:
    enum class Place : std::uint8_t { unknown, missing, stored, doubtful };
    struct Known {
        std::optional<unsigned> depth;
        std::vector<Place> places;  ///< by part; empty without a depth
    };
    [[nodiscard]] Result<Known*> known(std::uint16_t partition);

    Storage& storage_;
    std::map<std::uint16_t, Known> known_;
};

}  // namespace dynamo
