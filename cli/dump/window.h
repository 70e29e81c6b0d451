// Many requests in flight whose answers are taken in the order of asking, in bounded memory.
//
// What an answer will hold is not known when it is asked for, so the largest one of late says how
// many more may be on their way.
//
// Threads: one owner
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "dynamo/client.h"

namespace dynamo::cli {

template <typename Answer>
class Window {
  public:
    struct Slot {
        std::uint64_t number = 0;
        std::string key;
        KeyState given;  ///< kept for when the answer comes
        std::optional<Result<Answer>> answer;
    };

    /// Another may be asked for.
    [[nodiscard]] bool has_room() const {
        const std::size_t each = std::max(largest_, std::size_t{1});
        const auto most = std::clamp<std::size_t>(most_octets / each, 1, most_slots);
        return slots_.size() < most && octets_ < most_octets;
    }
    [[nodiscard]] bool empty() const { return slots_.empty(); }

    /// Opens a slot; what is returned takes its answer.
    [[nodiscard]] std::function<void(Result<Answer>)> open(Slot slot) {
        const std::uint64_t place = first_ + slots_.size();
        note(slot.given.octets.size());
        slots_.push_back(std::move(slot));
        return [this, place](Result<Answer> answer) {
            if constexpr (requires { answer->octets; }) {
                note(answer ? answer->octets.size() : 0);
            }
            slots_[place - first_].answer = std::move(answer);
        };
    }
    /// The oldest one, when it is answered.
    [[nodiscard]] std::optional<Slot> take() {
        if (slots_.empty() || !slots_.front().answer) {
            return std::nullopt;
        }
        Slot slot = std::move(slots_.front());
        slots_.pop_front();
        ++first_;
        octets_ -= slot.given.octets.size();
        if constexpr (requires { (*slot.answer)->octets; }) {
            octets_ -= *slot.answer ? (*slot.answer)->octets.size() : 0;
        }
        return slot;
    }

  private:
    static constexpr std::size_t most_slots = 128;
    static constexpr std::size_t most_octets = 64u << 20;

    void note(std::size_t octets) {
        octets_ += octets;
        largest_ = std::max(octets, largest_ - largest_ / 64);
    }

    std::deque<Slot> slots_;
    std::uint64_t first_ = 0;  ///< the place of slots_.front()
    std::size_t octets_ = 0;   ///< held in slots
    std::size_t largest_ = 0;  ///< of late
};

}  // namespace dynamo::cli
