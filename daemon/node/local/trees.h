// The Merkle trees of the partitions that this node owns.
//
// A tree is built when it is first wanted, in slices, so that no request waits for it, and kept
// from then on: whoever changes a record says what it was worth before and after. What makes one
// doubtful (a commit that was undone, a damaged record) has it built again.
//
//     rows before the cursor: in the tree, changes are applied │ rows after it: not looked at yet
//
// Parts of it that have been quiet for a while are stored, and a tree is built from those first
// (daemon/node/local/kept_trees.h); only what lies under the others is read.
//
// Shape:   2 to 8 records a leaf when it is built, which is at most 8 octets a record; it may grow
//          to 16
// Threads: one; the node's
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "daemon/node/desk.h"
#include "daemon/node/local/kept_trees.h"
#include "daemon/node/local/tree.h"

namespace dynamo {

class Trees {
  public:
    explicit Trees(Desk& desk)
        : desk_(desk), kept_(desk.storage), next_keeping_(desk.now.instant) {}

    /// The tree, when it is complete; otherwise it is going to be built.
    [[nodiscard]] const Tree* want(std::uint16_t partition);
    /// A record is going to change, in the present transaction. Before anything of it is written:
    /// when this fails, nothing is.
    [[nodiscard]] Result<void> changes(std::uint16_t partition, BytesView row);
    /// It has. Its bytes before and after; empty: there is none.
    void changed(std::uint16_t partition, BytesView row, BytesView before, BytesView after);
    /// A record was found damaged: no tree says what it is worth.
    void damaged(std::uint16_t partition, BytesView row);
    /// Makes the tree anew, from all its records.
    void distrust(std::uint16_t partition);
    void rolled_back();
    /// In the transaction that drops all records.
    [[nodiscard]] Result<void> drop_all();
    /// The partition is not held here any more.
    [[nodiscard]] Result<void> drop(std::uint16_t partition);

    /// What came of comparing the tree that is kept with one made from the records.
    struct Checked {
        bool right = true;
        std::size_t records = 0;
        Instant at;
    };
    /// Nothing while the other one is being built: ask again. Requests go on meanwhile, and both
    /// trees follow them. One that was wrong has been replaced.
    [[nodiscard]] std::optional<Checked> check(std::uint16_t partition);

    /// Builds on, or stores what is quiet; a slice at a time.
    void tick();
    [[nodiscard]] Instant wake_at() const;

    /// Whether a complete tree is the one that the stored records make; true when there is none, or
    /// a record is damaged.
    [[nodiscard]] Result<bool> is_right(std::uint16_t partition) const;
    /// Trees that are complete.
    [[nodiscard]] std::size_t complete() const;
    /// Bits of a position that say the partition.
    [[nodiscard]] unsigned partition_bits() const;
    /// Levels that a tree can have below its root.
    [[nodiscard]] unsigned most_depth() const;

  private:
    struct Growing {
        Tree tree;
        std::size_t records = 0;
        Bytes cursor;  ///< rows before it are in the tree
        bool complete = false;
        std::vector<std::uint32_t> counts{};  ///< records, by part
        std::vector<bool> touched{};          ///< parts that changed since keeping came by
    };
    [[nodiscard]] Growing growing_of(unsigned depth) const;
    [[nodiscard]] std::uint32_t part_of(const Growing& growing, BytesView row) const;
    /// The first row of a part; empty for the one after the last.
    [[nodiscard]] Bytes first_row(std::uint16_t partition, const Growing& growing,
                                  std::uint32_t part) const;
    void forget(std::uint16_t partition);
    /// Takes a change of a record into account; false when one of them is not whole.
    [[nodiscard]] bool apply(Growing& growing, BytesView row, BytesView before,
                             BytesView after) const;
    /// Reads rows up to `limit` (empty: the partition's end) into a tree that was begun, for about
    /// as much as is `left` of a slice, and adds what they cost to `cost`; false when some cannot
    /// be read.
    [[nodiscard]] bool read_into(std::uint16_t partition, Growing& growing, BytesView limit,
                                 std::size_t left, std::size_t& cost);
    /// Takes parts that are stored from the cursor on. Where the next one begins that is; empty
    /// when there is none.
    [[nodiscard]] Result<Bytes> take_kept(std::uint16_t partition, Growing& growing,
                                          std::size_t left, std::size_t& cost);
    [[nodiscard]] std::size_t go_on_checking(std::uint16_t partition, Growing& made,
                                             std::size_t left);
    [[nodiscard]] std::optional<TreeSum> worth(BytesView row, BytesView record) const;
    /// Reads rows for about as much as is `left` of a slice; answers with what they cost.
    [[nodiscard]] std::size_t build(std::uint16_t partition, Growing& growing, std::size_t left);
    /// Stores parts that have not changed since it last came by.
    void keep();
    /// Of one tree, from where the last slice ended; answers with how many were stored, fewer than
    /// `left` when it is through.
    [[nodiscard]] Result<std::size_t> keep_some(std::uint16_t partition, Growing& growing,
                                                std::size_t left);

    Desk& desk_;
    KeptTrees kept_;
    std::map<std::uint16_t, Growing> trees_;
    std::set<std::uint16_t> unfinished_;       ///< those of them that are not complete
    std::map<std::uint16_t, Growing> checks_;  ///< being made beside complete ones
    std::map<std::uint16_t, Checked> checked_;
    Instant next_slice_;
    Instant next_keeping_;
    /// Where keeping goes on.
    std::uint32_t keeping_partition_ = 0;
    std::uint32_t keeping_part_ = 0;
};

}  // namespace dynamo
