// What became of every write, so that after the run each acknowledged one can be looked for.
//
//     w is accounted for   when it is readable, or a readable s began from what held w:
//         context put s    named w among what its get had shown, or one that did so in its turn
//         observing put s  ended after w began: earlier it cannot have seen it
//         blind put s      never: it supersedes nothing
//
// Of a write whose outcome is unknown both is right, that it is there and that it is not. What an
// acknowledged write makes certain is forgotten as soon as it ends, so that a key which is
// written for ever needs no more room than the writes that are under way together.
//
// Shape:   times are nanoseconds of one clock; writes are numbered uniquely, from 1
// Threads: any
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "dynamo/types.h"

namespace dynamo::cli {

enum class Ending : std::uint8_t {
    acknowledged,
    unknown,  ///< the answer did not say, or has not come yet
    refused,  ///< certainly not applied
};

struct Write {
    std::uint64_t number = 0;
    std::int64_t begin = 0;
    PutMode mode = PutMode::observe;
    std::vector<std::uint64_t> covered = {};  ///< with PutMode::context: what its get had shown
};

/// What is wrong with a key.
struct Verdict {
    /// Acknowledged, neither readable nor superseded. Where one is, others that were under way
    /// beside it may be named as well.
    std::vector<std::uint64_t> lost;
    std::vector<std::uint64_t> phantom;  ///< refused as not applied, and readable all the same
    [[nodiscard]] bool good() const { return lost.empty() && phantom.empty(); }
};

class Ledger {
  public:
    /// Before the write is sent: nobody can have seen it yet.
    void begin(std::uint64_t key, Write write);
    void end(std::uint64_t key, std::uint64_t number, Ending ending, std::int64_t when);

    /// Keys that were written to, ascending.
    [[nodiscard]] std::vector<std::uint64_t> keys() const;
    /// Acknowledged writes of all keys.
    [[nodiscard]] std::uint64_t acknowledged() const;
    /// How many writes of a key are remembered.
    [[nodiscard]] std::size_t remembered(std::uint64_t key) const;
    /// Of a key of which the writes with these numbers are readable. Numbers that are not
    /// remembered are of writes that something remembered supersedes.
    [[nodiscard]] Verdict judge(std::uint64_t key, std::span<const std::uint64_t> readable) const;

  private:
    struct Entry {
        Write write;
        Ending ending = Ending::unknown;
        std::int64_t end = std::numeric_limits<std::int64_t>::max();  ///< unless it is unknown
    };
    using Entries = std::vector<Entry>;
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<std::uint64_t, Entries> keys;
        std::uint64_t acknowledged = 0;
    };

    [[nodiscard]] Shard& shard_of(std::uint64_t key) { return shards_[key % shards_.size()]; }
    [[nodiscard]] Entries entries_of(std::uint64_t key) const;
    static void forget_older(Entries& entries, std::int64_t begin);
    static void forget_covered(Entries& entries, std::vector<std::uint64_t> covered);
    static void mark(const Entries& entries, std::size_t readable, std::vector<bool>& accounted);

    std::array<Shard, 64> shards_;
};

}  // namespace dynamo::cli
