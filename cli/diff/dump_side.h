// A dump against the cluster, or against what one node holds, key by key.
//
// Both come in the same order, by position, so they are walked side by side; a key is read only
// where the digests of its states differ.
//
// Threads: one owner
// Errors:  Result<T>; corrupt for a damaged dump, which is read to its end in any case
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cli/common/progress.h"
#include "cli/dump/input.h"
#include "dynamo/admin.h"
#include "dynamo/diff.h"

namespace dynamo::cli {

class DumpSide {
  public:
    struct Scope {
        std::optional<NodeInfo> node;  ///< none: the cluster, as R nodes tell
        std::optional<unsigned> partition;
        std::string prefix;
    };
    /// The dump is the first side.
    using Told = std::function<Result<void>(const KeyDifference&)>;

    DumpSide(Client& client, Admin& admin, const RingView& ring, Scope scope)
        : client_(client), admin_(admin), ring_(ring), scope_(std::move(scope)) {}

    [[nodiscard]] Result<void> compare(DumpInput& input, const Told& told);
    /// Keys of either side that were compared.
    [[nodiscard]] std::uint64_t compared() const { return compared_; }

  private:
    /// Where a key stands in both listings.
    using Place = std::pair<std::string, std::string>;
    [[nodiscard]] static Place place_of(const std::string& key);

    [[nodiscard]] Result<void> narrow(const DumpInput& input);
    [[nodiscard]] bool covers(unsigned partition) const;
    [[nodiscard]] Result<void> advance(DumpInput& input);
    [[nodiscard]] Result<void> compare_partition(DumpInput& input, unsigned partition,
                                                 const Told& told);
    [[nodiscard]] Result<void> compare_page(DumpInput& input, const KeyPage& page,
                                            const Told& told);
    [[nodiscard]] Result<void> take_record(DumpInput& input, const Told& told);
    [[nodiscard]] Result<void> look(const std::string& key, const KeyState& dumped,
                                    const Told& told);
    [[nodiscard]] Result<HeldCopy> held(const std::string& key);

    Client& client_;
    Admin& admin_;
    const RingView& ring_;
    Scope scope_;
    std::optional<DumpRecord> record_;  ///< the next one of the dump; none at its end
    std::uint64_t compared_ = 0;
    Progress progress_;
};

}  // namespace dynamo::cli
