// What this node holds: objects of its partitions, and hints kept for others. One way to merge, one
// way to mint, for both (paper sections 4.4, 4.6).
//
//     table objects/P   row = 8 octets of position + key
//     table hints       row = 16 octets of the owner's id + 8 octets of position + key
//
// A stand-in's hint for an owner is a record like any other, in its own table, under the owner's
// name; when an owner cannot be reached by anybody it is also where a stand-in mints.
//
// Threads: one; the node's
// Errors:  storage, storage_full, corrupt: passed on, never read as "absent"
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "daemon/node/desk.h"
#include "daemon/node/local/record.h"
#include "daemon/node/local/reducible.h"
#include "daemon/node/local/trees.h"
#include "libdynamo/base/hash.h"

namespace dynamo {

/// Where a record lies: in the main table of its partition, or among the hints for an owner.
struct Slot {
    std::uint16_t partition = 0;
    NodeId hint_for;  ///< none: the main table
    Bytes row;        ///< 8 octets of position, then the key

    [[nodiscard]] static Slot of(const Routes& routes, BytesView key, const NodeId& hint_for = {});
    /// The same for whoever knows the key's position: hashing costs as much as all the rest.
    [[nodiscard]] static Slot of(const Routes& routes, const Position& position, BytesView key,
                                 const NodeId& hint_for = {});
    [[nodiscard]] Table table() const;
    [[nodiscard]] Bytes storage_key() const;
    [[nodiscard]] BytesView key() const { return BytesView(row).substr(8); }
};

class Objects {
  public:
    explicit Objects(Desk& desk);

    /// The record; an empty one when nothing is stored. corrupt when it is damaged.
    [[nodiscard]] Result<Record> read(const Slot& slot);
    /// The object's canonical encoding; empty when nothing is stored. corrupt when the record is
    /// damaged or partial: what it says of the key is not all that was stored here.
    [[nodiscard]] Result<Bytes> read_bytes(const Slot& slot);

    /// Merges a state that another node sent. In place of a damaged record a partial one begins.
    /// True when something changed; busy when the state is too old (daemon/node/fence.h).
    /// `encoded` is the object's canonical encoding, which is what a message or a record holds;
    /// `stamp` is the fence's number where and when it was read.
    [[nodiscard]] Result<bool> merge_in(const Slot& slot, const Object& object, BytesView encoded,
                                        std::uint64_t stamp);

    /// The same for a state that a client gives. object_full when the record would pass the limits
    /// of options and grows; refused when one dot names different values here and there.
    [[nodiscard]] Result<bool> merge_given(const Slot& slot, const Object& object,
                                           BytesView encoded, std::uint64_t stamp);

    struct Written {
        Object object;  ///< as stored
        Bytes encoded;
        Dot dot;  ///< that was minted
    };
    /// Mints a dot for `sibling`, supersedes what `context` covers, and stores. Where the last
    /// write wins it supersedes all that is stored here, and is never older than that. object_full
    /// when it would pass the limits of options and grows.
    [[nodiscard]] Result<Written> write(const Slot& slot, const Clock& context, Sibling sibling);

    /// Takes away what no record needs any more: tombstones, and entries of the clock. Only what
    /// reduced() leaves stays of a record whose object's digest is still `expected`; true when it
    /// was.
    [[nodiscard]] Result<bool> reduce(const Slot& slot, const Digest& expected);
    [[nodiscard]] const Reducible& reducible() const { return reducible_; }

    /// Removes all objects and hints, in the present transaction.
    [[nodiscard]] Result<void> drop_all();
    /// Removes the objects of a partition, likewise.
    [[nodiscard]] Result<void> drop_partition(std::uint16_t partition);

    /// Merges what enough other owners hold into a damaged or partial record, which is whole with
    /// it.
    [[nodiscard]] Result<void> mend(const Slot& slot, const Object& object);
    /// Notes that a record of the main tables was found damaged or partial, to be mended.
    void note_damage(const Slot& slot);
    void forget_damage(const Slot& slot) { damaged_.erase(slot.row); }
    /// What has been found since the last call; of very many, some: the others are found again.
    [[nodiscard]] std::vector<Slot> take_damaged();
    [[nodiscard]] bool has_damage_noted() const { return !damaged_.empty(); }

    /// Erases a hint if it is still exactly `expected`; true when it was.
    [[nodiscard]] Result<bool> erase_hint(const Slot& slot, const Digest& expected);

    /// Hints held, and those held for one owner.
    [[nodiscard]] std::uint64_t hints_held() const;
    [[nodiscard]] std::uint64_t hints_held_for(const NodeId& owner) const;
    /// The owners for whom hints are held, ascending.
    [[nodiscard]] std::vector<NodeId> hint_owners() const;
    /// Hints for `owner` from `first_row` on (rows as in Slot), in order, until `visit` says false.
    /// `visit` must not write.
    using VisitRow = std::function<bool(BytesView row, BytesView record_bytes)>;
    [[nodiscard]] Result<void> scan_hints(const NodeId& owner, BytesView first_row,
                                          const VisitRow& visit);
    /// Rows of a partition's main table, likewise.
    [[nodiscard]] Result<void> scan_objects(std::uint16_t partition, BytesView first_row,
                                            const VisitRow& visit);

    /// What this node can say of a key, whose own slot is given: its own copy where it is an owner,
    /// otherwise what it keeps of it for the owners. As canonical encoding; empty when nothing is
    /// stored.
    [[nodiscard]] Result<Bytes> state_of(const Slot& own);

    /// Whether any object or hint is stored here at all.
    [[nodiscard]] Result<bool> holds_data();

    /// Counts the hints that are stored; called at start and after a rollback. When it fails it has
    /// to be called again: a hint that is not counted is not handed back.
    [[nodiscard]] Result<void> count_hints();
    [[nodiscard]] bool hints_counted() const { return hints_counted_; }

    /// Of the main tables; every change of a record is told to them.
    [[nodiscard]] Trees& trees() { return trees_; }
    [[nodiscard]] const Trees& trees() const { return trees_; }

    /// A partition whose stored copy was lost and is not complete again: it takes writes and
    /// answers no read. Exchange decides which; of a node that is out of date it is all of them.
    [[nodiscard]] bool rebuilding(std::uint16_t partition) const {
        return rebuilding_.contains(partition) || desk_.fence.out_of_date();
    }
    [[nodiscard]] std::set<std::uint16_t>& rebuilding() { return rebuilding_; }
    [[nodiscard]] const std::set<std::uint16_t>& rebuilding() const { return rebuilding_; }

  private:
    struct Changing {
        Record record;
        bool is_new = false;     ///< no row was there
        bool reducible = false;  ///< it may be among those that Reducible notes
        Bytes before;            ///< the row as it was
    };
    /// The same, and the row's bytes; empty when there is none.
    [[nodiscard]] Result<Record> read(const Slot& slot, Bytes& bytes);
    /// The record to change: a damaged one gives way to a partial one.
    [[nodiscard]] Result<Changing> read_to_change(const Slot& slot);
    [[nodiscard]] Result<void> store(const Slot& slot, const Changing& changing, BytesView encoded);
    [[nodiscard]] Result<void> erase(const Slot& slot, const Changing& changing);
    [[nodiscard]] Result<void> note_reducible(const Slot& slot, const Changing& changing);

    Desk& desk_;
    std::map<NodeId, std::uint64_t> hints_;  ///< held, by owner
    bool hints_counted_ = false;
    std::set<std::uint16_t> rebuilding_;
    std::map<Bytes, Slot> damaged_;  ///< by row
    Trees trees_;
    Reducible reducible_;
};

}  // namespace dynamo
