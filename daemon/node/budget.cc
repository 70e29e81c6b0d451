#include "daemon/node/budget.h"

#include <algorithm>

namespace dynamo {
namespace {

constexpr std::size_t octets_a_record = 1024;
/// Fewer requests than this in the window are nobody's load, and say nothing of a p99.
constexpr std::uint64_t least_requests = 50;
/// What is below is noise: no p99 is held to less.
constexpr Duration least_target = std::chrono::milliseconds(1);
/// Work that is paid for within this time need not wait: a wake-up would cost more.
constexpr Duration not_worth_waiting = std::chrono::milliseconds(10);
constexpr double microseconds = 1e6;

Duration p99_of(const Histogram& latencies) {
    return Duration(static_cast<Duration::rep>(latencies.at(0.99)));
}

}  // namespace

void Budget::answered(Instant now, Duration took) {
    advance(now);
    window_[present_].latencies.record(
        static_cast<std::uint64_t>(std::max<Duration::rep>(took.count(), 0)));
}

void Budget::spend(Kind kind, std::size_t records, std::size_t octets, Instant now) {
    advance(now);
    const auto cost = static_cast<double>(octets + records * octets_a_record);
    Account& account = accounts_[static_cast<std::size_t>(kind)];
    settle(account, now);
    account.debt += cost;
    account.last_spent = now;
    account.used = true;
    window_[present_].spent += cost;
}

Duration Budget::owed(Kind kind, Instant now) {
    advance(now);
    Account& account = accounts_[static_cast<std::size_t>(kind)];
    settle(account, now);
    const Duration wait(static_cast<Duration::rep>(account.debt * microseconds / share(now)));
    return wait <= not_worth_waiting ? Duration{0} : wait;
}

Instant Budget::ready(Kind kind, Instant now) { return now + std::min(owed(kind, now), slice); }

void Budget::settle(Account& account, Instant now) const {
    const auto passed = static_cast<double>((now - account.as_of).count());
    account.debt = std::max(0.0, account.debt - passed * share(now) / microseconds);
    account.as_of = now;
}

double Budget::share(Instant now) const {
    const auto working = std::ranges::count_if(accounts_, [&](const Account& account) {
        return account.used && (account.debt > 0 || account.last_spent + slice > now);
    });
    return static_cast<double>(rate()) / static_cast<double>(std::max<std::ptrdiff_t>(working, 1));
}

void Budget::fix(std::uint64_t rate, Instant now) {
    advance(now);
    for (Account& account : accounts_) settle(account, now);
    by_hand_ = rate;
}

std::uint64_t Budget::rate() const {
    if (by_hand_ > 0) return by_hand_;
    return idle_ ? most_rate : controlled_;
}

Duration Budget::target() const {
    if (fixed_target_ > Duration{0}) return fixed_target_;
    if (undisturbed_ == Duration{0}) return Duration{0};
    return std::max(undisturbed_ * 3 / 2, least_target);
}

void Budget::advance(Instant now) {
    // After a long silence there is no second to be looked at but the empty ones.
    if (now >= slice_ends_ + slice * static_cast<Duration::rep>(slices)) {
        window_.fill({});
        idle_ = true;
        p99_ = Duration{0};
        slice_ends_ = now + slice;
        return;
    }
    while (now >= slice_ends_) {
        decide();
        present_ = (present_ + 1) % slices;
        window_[present_] = {};
        slice_ends_ += slice;
    }
}

void Budget::decide() {
    Histogram all;
    Histogram calm;
    for (const Slice& one : window_) {
        all.add(one.latencies);
        if (one.spent <= static_cast<double>(least_rate)) calm.add(one.latencies);
    }
    idle_ = all.count() < least_requests;
    p99_ = p99_of(all);
    if (calm.count() >= least_requests) {
        const Duration seen = p99_of(calm);
        undisturbed_ =
            undisturbed_ == Duration{0} ? seen : undisturbed_ + (seen - undisturbed_) / 4;
    }
    if (idle_) return;
    const Duration limit = target();
    if (limit == Duration{0} || p99_ > limit)
        controlled_ = std::max(controlled_ / 2, least_rate);
    else if (p99_ <= limit * 4 / 5 &&
             window_[present_].spent >= static_cast<double>(controlled_) / 2)
        controlled_ = std::min(controlled_ + controlled_ / 4, most_rate);
}

wire::Pace Budget::pace(Instant now) {
    advance(now);
    return {rate(), by_hand_ > 0, idle_, static_cast<std::uint64_t>(p99_.count()),
            static_cast<std::uint64_t>(target().count())};
}

}  // namespace dynamo
