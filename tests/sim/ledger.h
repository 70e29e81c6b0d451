// The ledger: every write of a run, the writes that each one supersedes, and who has held it.
//
// It knows what clients meant, not what the store made of it. A put with a context supersedes what
// its client had been shown; a blind one nothing. What an observing put or a delete has seen is
// known to its coordinator only: there the effect of its minting on the coordinator's own record is
// taken, and compared with what the answer claims later.
//
// With `past` so known, any state of a key is right exactly if its siblings are the maximal ones of
// the writes that its clock covers: no loss, no return, no false sibling, no false claim. That is
// checked on every record that any node commits.
//
// Shape:   writes of a key are numbered from 0 in the order in which they were minted; `past` is
//          transitively closed
// Threads: one
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libdynamo/version/siblings.h"
#include "tests/sim/verdict.h"
#include "tests/sim/write_set.h"

namespace dynamo::sim {

/// A put that was handed to the store, found again by its value, which no other put has.
struct Intent {
    Bytes key;
    Bytes value;
    bool once = false;      ///< its client does not send it again
    bool observes = false;  ///< what it supersedes, its coordinator decides
    WriteSet seen;          ///< otherwise: exactly these
};

struct Write {
    Dot dot;
    bool tombstone = false;
    Bytes value;
    WriteSet past;           ///< what it supersedes, without itself
    WriteSet beside;         ///< what its coordinator's record still showed when it was minted
    std::uint64_t held = 0;  ///< nodes that ever committed a state that covers it, as bits
    unsigned minted_by = 0;  ///< a node
    bool acknowledged = false;
    bool strict = false;  ///< and then W owners of each live list held it
    unsigned owners = 0;  ///< that held it for certain when it was acknowledged
    WallMs wall_ms = 0;
    Instant minted_at;
};

/// A state of a key, as the ledger reads it.
struct Seen {
    WriteSet covered;   ///< by its clock
    WriteSet siblings;  ///< shown by it
};

class Ledger {
  public:
    /// `now`: simulated time, where there is any.
    explicit Ledger(
        Verdict& verdict, std::function<Instant()> now = [] { return Instant{}; },
        bool last_write_wins = false)
        : verdict_(verdict), now_(std::move(now)), last_write_wins_(last_write_wins) {}

    void expect(Intent intent);
    /// What became of a put is now certain: it must never be found.
    void rule_out(const Bytes& value);

    /// A node has written `after` where it had `before` and will tell peers before it commits;
    /// notes what was minted.
    struct Where {
        unsigned node = 0;
        NodeId id;
        bool hint = false;  ///< kept for an owner, not its own record
    };
    void announced(const Where& where, const Bytes& key, const Object& before, const Object& after);
    /// A node committed `after` where it had `before`; notes what was minted and checks the state.
    void committed(unsigned node, const NodeId& id, const Bytes& key, const Object& before,
                   const Object& after, bool hint);

    /// Reads a state; a violation when it holds what nobody wrote.
    Seen read(const Bytes& key, const Object& object);
    /// The writes that a clock covers; a violation when it covers a dot that nobody minted.
    WriteSet covered(const Bytes& key, const Clock& clock);

    /// Writes that some node's record has dropped for good when it was reduced, with all that they
    /// supersede: no state need tell of them any more.
    [[nodiscard]] const WriteSet& purged(const Bytes& key) const;

    [[nodiscard]] const std::vector<Write>& writes(const Bytes& key) const;
    [[nodiscard]] std::vector<Write>& writes(const Bytes& key) { return keys_[key].writes; }
    [[nodiscard]] std::optional<std::size_t> find(const Bytes& key, const Dot& dot) const;
    /// Every minting of a put's value: more than one when it was sent again.
    [[nodiscard]] std::vector<std::size_t> find_value(const Bytes& key, const Bytes& value) const;
    [[nodiscard]] std::vector<Bytes> keys() const;

    /// The set with all that its members supersede.
    [[nodiscard]] WriteSet closure(const Bytes& key, WriteSet set) const;
    /// Its members that no other member supersedes.
    [[nodiscard]] WriteSet maximal(const Bytes& key, const WriteSet& set) const;
    /// The youngest of the set by wall clock, then by dot; the empty set of the empty set.
    [[nodiscard]] WriteSet youngest(const Bytes& key, const WriteSet& set) const;

    /// "{v17@n2/81:3 delete@n1/4711:1}": value, coordinator, birth and counter, for messages.
    [[nodiscard]] std::string show(const Bytes& key, const WriteSet& set) const;
    [[nodiscard]] std::string show(const Bytes& key, std::size_t number) const;

    /// Some states of the key that were met, for the laws of merging.
    [[nodiscard]] const std::vector<Object>& states(const Bytes& key) { return keys_[key].states; }

    /// Counted for the marks: mintings that went on with a new actor, on a hint, and so on.
    struct Counts {
        std::uint64_t minted = 0;
        std::uint64_t new_actor_after_restart = 0;
        std::uint64_t minted_by_stand_in = 0;
        std::uint64_t three_siblings = 0;
        std::uint64_t tombstones_purged = 0;
        std::uint64_t clocks_compacted = 0;
    };
    [[nodiscard]] const Counts& counts() const { return counts_; }

  private:
    struct Key {
        std::vector<Write> writes;
        std::map<Dot, std::size_t> by_dot;
        std::vector<Object> states;
        WriteSet purged;
        std::size_t commits = 0;
    };
    /// `effect`: what the minting was seen to supersede.
    void mint(unsigned node, const Bytes& key, const Sibling& sibling, WriteSet effect,
              WriteSet beside);
    /// Whether a record was reduced: what is left is its live siblings, and less of its clock.
    [[nodiscard]] bool is_reduction(const Object& before, const Object& after) const;
    void purge(const Bytes& key, const Seen& was, const Seen& seen, bool erased);
    void check_state(unsigned node, const Bytes& key, const Seen& was, const Seen& seen);
    [[nodiscard]] WriteSet read_siblings(const Bytes& key, const Object& object) const;
    [[nodiscard]] WriteSet superseded(const Bytes& key, const Object& object) const;
    [[nodiscard]] const Key* find_key(const Bytes& key) const;

    Verdict& verdict_;
    std::function<Instant()> now_;
    bool last_write_wins_;
    std::map<Bytes, Key> keys_;
    std::map<Bytes, Intent> intents_;
    std::map<Bytes, bool> ruled_out_;
    Counts counts_;
};

}  // namespace dynamo::sim
