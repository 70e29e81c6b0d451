#include "dynamo/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace dynamo {
namespace {

constexpr std::uint64_t largest = 1ULL << 40;
constexpr int half_bits = 7;           // 128 buckets for each power of two
constexpr std::uint64_t linear = 256;  // one bucket a value below this, the first such power

std::size_t bucket_of(std::uint64_t value) {
    if (value < linear) return value;
    const int power = static_cast<int>(std::bit_width(value)) - 1;
    const std::uint64_t within = (value >> (power - half_bits)) - (1U << half_bits);
    return linear + static_cast<std::size_t>(power - half_bits - 1) * (1U << half_bits) + within;
}

/// The largest value that falls into the bucket.
std::uint64_t top_of(std::size_t bucket) {
    if (bucket < linear) return bucket;
    const std::size_t power = (bucket - linear) / (1U << half_bits) + half_bits + 1;
    const std::uint64_t within = (bucket - linear) % (1U << half_bits) + (1U << half_bits);
    return ((within + 1) << (power - half_bits)) - 1;
}

}  // namespace

void Histogram::record(std::uint64_t value) {
    value = std::min(value, largest);
    const std::size_t bucket = bucket_of(value);
    if (bucket >= counts_.size()) counts_.resize(bucket + 1);
    ++counts_[bucket];
    ++count_;
    sum_ += value;
    max_ = std::max(max_, value);
}

void Histogram::add(const Histogram& other) {
    counts_.resize(std::max(counts_.size(), other.counts_.size()));
    for (std::size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
    count_ += other.count_;
    sum_ += other.sum_;
    max_ = std::max(max_, other.max_);
}

std::uint64_t Histogram::at(double share) const {
    const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket) {
        seen += counts_[bucket];
        if (seen >= std::max<std::uint64_t>(wanted, 1)) return std::min(top_of(bucket), max_);
    }
    return 0;
}

double Histogram::mean() const {
    return count_ == 0 ? 0 : static_cast<double>(sum_) / static_cast<double>(count_);
}

std::vector<Histogram::Bucket> Histogram::buckets() const {
    std::vector<Bucket> found;
    for (std::size_t bucket = 0; bucket < counts_.size(); ++bucket)
        if (counts_[bucket] > 0) found.push_back({std::min(top_of(bucket), max_), counts_[bucket]});
    return found;
}

}  // namespace dynamo
