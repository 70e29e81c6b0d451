// The timeline: what happens when. Simulated time jumps from one event to the next.
//
// Threads: one
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "libdynamo/base/time.h"

namespace dynamo::sim {

class Timeline {
  public:
    using Event = std::function<void()>;

    [[nodiscard]] Instant now() const { return now_; }

    /// Events of one instant happen in the order in which they were added; one in the past happens
    /// next.
    void at(Instant when, Event event) {
        events_.push_back({std::max(when, now_), added_++, std::move(event)});
        std::ranges::push_heap(events_, later);
    }
    void after(Duration wait, Event event) { at(now_ + wait, std::move(event)); }

    /// Lets everything up to `until` happen, then stands at `until`; stops early when `stop` says
    /// so after an event.
    void run(Instant until, const std::function<bool()>& stop) {
        while (!events_.empty() && events_.front().when <= until && !stop()) {
            std::ranges::pop_heap(events_, later);
            Entry entry = std::move(events_.back());
            events_.pop_back();
            now_ = entry.when;
            ++happened_;
            entry.event();
        }
        if (!stop()) now_ = std::max(now_, until);
    }

    [[nodiscard]] std::uint64_t happened() const { return happened_; }

  private:
    struct Entry {
        Instant when;
        std::uint64_t order;
        Event event;
    };
    static bool later(const Entry& a, const Entry& b) {
        return a.when != b.when ? a.when > b.when : a.order > b.order;
    }

    Instant now_{std::chrono::seconds(1000)};
    std::uint64_t added_ = 0;
    std::uint64_t happened_ = 0;
    std::vector<Entry> events_;
};

}  // namespace dynamo::sim
