// Mending keys: every owner of a key ends with the same state, the join of what they held.
//
// A read of all owners mends those that hold less (paper section 5, read repair); what they hold
// is then looked at, so that a key counts as mended only when all of them hold the same.
//
// Shape:   a part of the keys at a time, so that memory stays bounded
// Threads: one owner
// Errors:  of a key: told with it; the others go on
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dynamo/admin.h"

namespace dynamo::cli {

class Repair {
  public:
    struct Outcome {
        bool changed = false;      ///< the owners differed
        std::uint64_t octets = 0;  ///< of the values that they hold now
        std::optional<Error> failed;
    };
    using Told = std::function<void(const std::string& key, const Outcome&)>;

    Repair(Client& client, Admin& admin, const RingView& ring, std::chrono::milliseconds patience)
        : client_(client), admin_(admin), ring_(ring), patience_(patience) {}

    /// At once; `told` is called for each key in the order given.
    void mend(const std::vector<std::string>& keys, const Told& told);
    /// How the owners stand, and nothing else.
    [[nodiscard]] Outcome look(const std::string& key);

  private:
    [[nodiscard]] Outcome verified(const std::string& key, bool changed);

    Client& client_;
    Admin& admin_;
    const RingView& ring_;
    std::chrono::milliseconds patience_;
};

}  // namespace dynamo::cli
