// What dyn-merkle-diff prints of the keys that two sides hold differently.
//
// Threads: one owner
// Errors:  internal when nobody reads the output any more
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "cli/common/options.h"
#include "dynamo/diff.h"

namespace dynamo::cli {

class DiffReport {
  public:
    struct Style {
        bool summary = false;      ///< counts only
        bool keys = false;         ///< keys only, each once
        bool values = false;       ///< what both hold as well
        bool name_second = false;  ///< there are several second sides
    };
    explicit DiffReport(const CommonOptions& common) : common_(common) {}
    void set_style(const Style& style) { style_ = style; }

    /// One difference between the sides of these names.
    [[nodiscard]] Result<void> tell(const std::string& first, const std::string& second,
                                    const KeyDifference& difference);
    /// The counts by partition, if those were asked for.
    void print_summary() const;
    /// Different keys so far.
    [[nodiscard]] std::size_t keys() const { return keys_found_.size(); }

  private:
    struct Sides {
        const std::string& first;
        const std::string& second;
    };
    [[nodiscard]] std::string line_of(const Sides& sides, const KeyDifference& difference) const;
    [[nodiscard]] std::string json_of(const Sides& sides, const KeyDifference& difference) const;
    [[nodiscard]] std::string text_of(const Sides& sides, KeyDifference::Kind kind) const;

    const CommonOptions& common_;
    Style style_;
    std::set<std::string> keys_found_;
    std::map<unsigned, std::array<std::uint64_t, 7>> by_partition_;
};

}  // namespace dynamo::cli
