#include "cli/bench/runner.h"

#include <sys/resource.h>

#include <algorithm>
#include <thread>
#include <tuple>
#include <utility>

#include "cli/common/interrupt.h"

namespace dynamo::cli {
namespace {

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::int64_t nanoseconds(std::chrono::milliseconds time) {
    return std::chrono::nanoseconds(time).count();
}

double seconds_between(std::int64_t from, std::int64_t to) {
    return static_cast<double>(std::max<std::int64_t>(to - from, 0)) / nanoseconds_of_second;
}

}  // namespace

Runner::Runner(const Settings& settings, const Values& values, std::uint64_t run, Ledger* ledger)
    : settings_(settings) {
    for (unsigned number = 0; number < settings.clients; ++number) {
        workers_.push_back(std::make_unique<Worker>(settings, values, run, number, ledger, board_));
    }
}

Result<void> Runner::open() {
    for (const auto& worker : workers_) {
        if (const auto opened = worker->open(); !opened) {
            return opened;
        }
    }
    return {};
}

Phase Runner::phase_of(const Plan& plan, unsigned worker, std::int64_t begin) const {
    const std::uint64_t workers = workers_.size();
    const auto share = [&](std::uint64_t whole) {
        return std::pair{whole * worker / workers, whole * (worker + 1) / workers};
    };
    Phase phase;
    phase.kind = plan.kind;
    std::tie(phase.first, phase.last) = share(settings_.keys);
    phase.begin = begin;
    phase.measure_from = begin + nanoseconds(plan.warm_up);
    if (plan.length) {
        phase.until = phase.measure_from + nanoseconds(*plan.length);
    }
    if (plan.kind == Phase::Kind::load) {
        phase.count = phase.last - phase.first;
    } else if (plan.count) {
        const auto [first, last] = share(*plan.count);
        phase.count = last - first;
    }
    if (settings_.rate && plan.kind != Phase::Kind::load) {
        // The moments of the workers lie evenly between each other's.
        const double apart = nanoseconds_of_second / *settings_.rate;
        phase.interval = apart * static_cast<double>(workers);
        phase.begin += static_cast<std::int64_t>(apart * worker);
    }
    return phase;
}

Measured Runner::run(const Plan& plan, const Watch& watch) {
    board_.active = static_cast<unsigned>(workers_.size());
    board_.last_end = 0;
    const std::int64_t begin = clock_now();
    Measured measured;
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < workers_.size(); ++i) {
        threads.emplace_back(
            [worker = workers_[i].get(), phase = phase_of(plan, i, begin)] { worker->run(phase); });
    }
    watch_until_over(plan, begin, watch, measured);
    threads.clear();
    take(measured, nullptr, begin);
    const std::int64_t from = begin + nanoseconds(plan.warm_up);
    std::int64_t until = board_.last_end;
    if (plan.length && !interrupted()) {
        until = std::min(until, from + nanoseconds(*plan.length));
    }
    measured.seconds = seconds_between(from, until);
    measured.backlog = board_.backlog;
    measured.most_backlog = board_.most_backlog;
    return measured;
}

void Runner::watch_until_over(const Plan& plan, std::int64_t begin, const Watch& watch,
                              Measured& measured) {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::time_point(std::chrono::nanoseconds(begin));
    const auto measure_from = start + plan.warm_up;
    auto next = start + plan.watch_every;
    double cpu_before = cpu_seconds();
    bool measuring = plan.warm_up.count() == 0;
    std::unique_lock lock(board_.mutex);
    while (board_.active > 0) {
        // A signal handler cannot wake the wait, so it is looked for.
        auto wake = std::min(next, Clock::now() + std::chrono::milliseconds(50));
        wake = measuring ? wake : std::min(wake, std::max(measure_from, Clock::now()));
        board_.changed.wait_until(lock, wake);
        if (interrupted()) {
            board_.stop = true;
        }
        if (!measuring && Clock::now() >= measure_from) {
            measuring = true;
            cpu_before = cpu_seconds();
        }
        if (Clock::now() >= next) {
            next += plan.watch_every;
            ++board_.tick;
            lock.unlock();
            take(measured, watch, begin);
            lock.lock();
        }
    }
    measured.cpu_seconds = cpu_seconds() - cpu_before;
}

void Runner::take(Measured& measured, const Watch& watch, std::int64_t begin) {
    Tally since;
    {
        const std::lock_guard lock(board_.mutex);
        since = std::exchange(board_.tally, {});
    }
    measured.tally.add(since);
    if (watch) {
        watch(since, seconds_between(begin, clock_now()));
    }
}

}  // namespace dynamo::cli
