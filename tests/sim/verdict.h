// The verdict: the first violation of a run, in words.
//
// Threads: one
#pragma once

#include <optional>
#include <string>

namespace dynamo::sim {

struct Violation {
    std::string rule;  ///< the invariant: "1 no acknowledged write is lost"
    std::string key;   ///< none when it is not about one
    std::string text;  ///< what was seen: values, nodes
};

class Verdict {
  public:
    /// Keeps the first; what follows from it is of no interest.
    void fail(std::string rule, std::string key, std::string text) {
        if (!first_) first_ = {std::move(rule), std::move(key), std::move(text)};
    }
    [[nodiscard]] bool failed() const { return first_.has_value(); }
    [[nodiscard]] const std::optional<Violation>& first() const { return first_; }

  private:
    std::optional<Violation> first_;
};

/// The invariants, as they are named in messages.
namespace rule {
inline constexpr const char* lost = "1 no acknowledged write is lost";
inline constexpr const char* durable = "1 an acknowledged write is on W durable images";
inline constexpr const char* returned = "2 nothing superseded or deleted comes back";
inline constexpr const char* invented = "3 nothing is invented";
inline constexpr const char* applied = "3 what is reported as not applied is not applied";
inline constexpr const char* once = "3 one request is one write";
inline constexpr const char* explosion = "4 no more siblings than concurrent writes";
inline constexpr const char* converge = "5 replicas converge";
inline constexpr const char* exact = "6 contexts are exact";
inline constexpr const char* session = "7 an acknowledged write is seen by the next read";
inline constexpr const char* hints = "8 hints drain and none is dropped";
inline constexpr const char* ring = "9 one digest per epoch";
inline constexpr const char* tree = "10 a Merkle tree equals the records that it is of";
inline constexpr const char* available = "11 a put succeeds when W healthy nodes are reachable";
inline constexpr const char* merge = "12 merge is commutative, associative and idempotent";
inline constexpr const char* job = "13 an owner that is done with a job has what the others held";
inline constexpr const char* moves = "14 every change of the ring comes to its end";
inline constexpr const char* answered = "every request to a living node is answered";
inline constexpr const char* forms = "the ring forms";
}  // namespace rule

}  // namespace dynamo::sim
