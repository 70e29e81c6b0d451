// Comparing what two nodes hold of a partition that both own, by their Merkle trees (paper section
// 4.7), and naming the keys that differ.
//
//     Comparison comparison(*admin, "127.0.0.1:7100", "127.0.0.1:7110");
//     for (const unsigned partition : *comparison.different({0, 1, 2}, {}))
//         for (const auto& difference :
//              *comparison.look(*comparison.partition(partition, {}), false)) ...
//
// The trees are walked from the root, and only what lies under leaves that differ is listed, so a
// comparison costs in proportion to the differences. A key that is being written differs for a
// moment: look() reads a suspect again, and what has changed or is equal by then is in flight.
//
// Threads: one owner at a time; every call blocks
// Errors:  Result<T>, as client.h; `busy` from a node whose copy is being rebuilt
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dynamo/admin.h"

namespace dynamo {

struct CompareOptions {
    std::string prefix;  ///< only keys that begin so
    bool anew = false;   ///< have both trees built from the records again, first
    /// How long a tree may take to be built; after that the records are compared one by one.
    std::chrono::milliseconds patience{30000};
};

/// A key whose records differ when they are listed.
struct Suspect {
    std::string key;
    unsigned partition = 0;
    std::string first;  ///< digest of what the first node holds, octets; empty: nothing, or damaged
    std::string second;
};

struct KeyDifference {
    enum class Kind : std::uint8_t {
        only_first,
        only_second,
        first_newer,   ///< the first has seen all that the second has, and more
        second_newer,  ///< the other way round
        concurrent,    ///< each has seen a write that the other has not; or one is damaged
        tombstone,     ///< the same live values: they differ in what was deleted
        /// It lies under a leaf that differs, of a tree without keys: it may be what differs, and
        /// what the first holds is not known.
        under_changed_leaf,
    };
    std::string key;
    unsigned partition = 0;
    Kind kind = Kind::concurrent;
    HeldCopy first;  ///< without versions and digest where the node holds nothing
    HeldCopy second;
};

/// How two copies of a key that are not the same differ. `ring` is of the cluster that they were
/// read in.
[[nodiscard]] KeyDifference::Kind kind_of(const RingView& ring, std::string_view key,
                                          const HeldCopy& first, const HeldCopy& second);

class Comparison {
  public:
    /// `admin` must outlive it.
    Comparison(Admin& admin, std::string first, std::string second);

    /// Those of the partitions whose copies may differ: their roots do, or a tree is not there in
    /// time. The cheapest look at many partitions.
    [[nodiscard]] Result<std::vector<unsigned>> different(const std::vector<unsigned>& partitions,
                                                          const CompareOptions& options);
    /// The keys whose records differ now.
    [[nodiscard]] Result<std::vector<Suspect>> partition(unsigned partition,
                                                         const CompareOptions& options);
    /// How each of them differs. Nothing when they are equal by now or, with `settled`, when either
    /// node's record is not the one that was listed. What both hold of all of them is in memory at
    /// once: of many, look at some at a time.
    [[nodiscard]] Result<std::vector<std::optional<KeyDifference>>> look(
        std::span<const Suspect> suspects, bool settled);

    /// What was compared so far.
    struct Cost {
        std::uint64_t partitions = 0;        ///< that were walked
        std::uint64_t leaves = 0;            ///< of their trees, the shallower of two
        std::uint64_t leaves_different = 0;  ///< or inner nodes, where most below them differ
        std::uint64_t octets = 0;            ///< exchanged with both nodes, in both directions
    };
    [[nodiscard]] Cost cost() const;

  private:
    struct Walk;
    [[nodiscard]] std::optional<KeyDifference> judge(const Suspect& suspect,
                                                     KeyDifference difference, bool settled) const;
    Admin& admin_;
    std::vector<std::string> addresses_;
    Cost cost_;
    std::uint64_t octets_before_ = 0;
};

}  // namespace dynamo
