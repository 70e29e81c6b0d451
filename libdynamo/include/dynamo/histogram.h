// A log-linear histogram: every recorded value is known within 1 %, in constant space.
//
//     value  0..255        one bucket each
//     2^k .. 2^(k+1)-1     128 equal buckets
//
// Shape:   whole numbers from 0 to 2^40; larger ones count as 2^40
// Threads: one owner
#pragma once

#include <cstdint>
#include <vector>

namespace dynamo {

class Histogram {
  public:
    void record(std::uint64_t value);
    void add(const Histogram& other);
    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] std::uint64_t max() const { return max_; }
    /// The value that the given share (0 to 1) of all records does not exceed; 0 when empty.
    [[nodiscard]] std::uint64_t at(double share) const;
    /// Of all records, exactly; 0 when empty.
    [[nodiscard]] double mean() const;
    /// What was recorded, ascending: each bucket that is not empty as its largest value (never
    /// above max()) and its count.
    struct Bucket {
        std::uint64_t value = 0;
        std::uint64_t count = 0;
    };
    [[nodiscard]] std::vector<Bucket> buckets() const;

  private:
    std::vector<std::uint64_t> counts_;
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
    std::uint64_t max_ = 0;
};

}  // namespace dynamo
