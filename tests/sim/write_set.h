// A set of writes of one key, by their numbers in the ledger.
//
// Shape:   bits; two sets are equal whatever room they take
// Threads: a plain value
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace dynamo::sim {

class WriteSet {
  public:
    void add(std::size_t number) {
        if (number / 64 >= words_.size()) words_.resize(number / 64 + 1);
        words_[number / 64] |= std::uint64_t{1} << number % 64;
    }
    [[nodiscard]] bool has(std::size_t number) const {
        return number / 64 < words_.size() && (words_[number / 64] >> number % 64 & 1) != 0;
    }
    void add(const WriteSet& other) {
        if (other.words_.size() > words_.size()) words_.resize(other.words_.size());
        for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
    }
    void remove(const WriteSet& other) {
        for (std::size_t i = 0; i < words_.size() && i < other.words_.size(); ++i)
            words_[i] &= ~other.words_[i];
    }
    void remove(std::size_t number) {
        if (number / 64 < words_.size()) words_[number / 64] &= ~(std::uint64_t{1} << number % 64);
    }
    [[nodiscard]] std::size_t size() const {
        std::size_t count = 0;
        for (const std::uint64_t word : words_)
            count += static_cast<std::size_t>(std::popcount(word));
        return count;
    }
    [[nodiscard]] bool empty() const {
        for (const std::uint64_t word : words_)
            if (word != 0) return false;
        return true;
    }
    [[nodiscard]] bool includes(const WriteSet& other) const {
        for (std::size_t i = 0; i < other.words_.size(); ++i)
            if ((other.words_[i] & ~(i < words_.size() ? words_[i] : 0)) != 0) return false;
        return true;
    }
    [[nodiscard]] bool operator==(const WriteSet& other) const {
        return includes(other) && other.includes(*this);
    }
    /// The members, ascending.
    [[nodiscard]] std::vector<std::size_t> members() const {
        std::vector<std::size_t> out;
        for (std::size_t i = 0; i < words_.size(); ++i)
            for (std::uint64_t word = words_[i]; word != 0; word &= word - 1)
                out.push_back(i * 64 + static_cast<std::size_t>(std::countr_zero(word)));
        return out;
    }

  private:
    std::vector<std::uint64_t> words_;
};

}  // namespace dynamo::sim
