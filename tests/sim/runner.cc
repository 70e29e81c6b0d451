#include "tests/sim/runner.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <thread>

namespace dynamo::sim {
namespace {

constexpr double seconds_between_progress = 5;

thread_local std::uint64_t present_seed = 0;

extern "C" void say_seed(int signal_number) {
    char text[80];
    const int size = std::snprintf(text, sizeof text, "the check failed in seed %llu\n",
                                   static_cast<unsigned long long>(present_seed));
    if (size > 0 && write(STDERR_FILENO, text, static_cast<std::size_t>(size)) < 0) _exit(1);
    std::signal(signal_number, SIG_DFL);
    std::raise(signal_number);
}

void add(Summary& summary, const Outcome& outcome, std::uint64_t seed) {
    ++summary.runs;
    summary.marks.add(outcome.marks);
    summary.ok += outcome.ok;
    summary.failed += outcome.failed;
    summary.unknown += outcome.unknown;
    summary.events += outcome.events;
    summary.slowest_convergence = std::max(summary.slowest_convergence, outcome.convergence);
    if (outcome.violation) summary.failures.push_back({seed, *outcome.violation});
}

}  // namespace

void name_seed_on_abort() {
    std::signal(SIGABRT, say_seed);
    std::signal(SIGSEGV, say_seed);
}

Setup setup_of(std::uint64_t seed, Mutant mutant) {
    Setup setup = draw_setup(seed);
    setup.mutant = mutant;
    return setup;
}

Summary run_all(const Batch& batch, const Progress& progress) {
    using Clock = std::chrono::steady_clock;
    const auto began = Clock::now();
    const auto seconds = [&] {
        return std::chrono::duration<double>(Clock::now() - began).count();
    };
    double told = 0;
    Summary summary;
    std::mutex mutex;
    std::atomic<std::uint64_t> next = batch.seeds.first;
    std::atomic<bool> enough = false;
    const auto work = [&] {
        for (std::uint64_t seed = next++; seed <= batch.seeds.last && !enough; seed = next++) {
            present_seed = seed;
            const Setup setup = setup_of(seed, batch.mutant);
            const Plan plan = plan_of(setup);
            const Outcome outcome = run(setup, plan);
            const bool differs = batch.check_determinism && seed % 20 == 0 &&
                                 run(setup, plan).trace_hash != outcome.trace_hash;
            const std::lock_guard lock(mutex);
            add(summary, outcome, seed);
            if (differs) summary.differing.push_back(seed);
            if (summary.failures.size() + summary.differing.size() >= batch.stop_after)
                enough = true;
            if (progress && seconds() >= told + seconds_between_progress) {
                summary.seconds = told = seconds();
                progress(summary);
            }
        }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < batch.jobs; ++i) threads.emplace_back(work);
    work();
    for (std::thread& thread : threads) thread.join();
    std::ranges::sort(summary.failures, {}, &Failure::seed);
    summary.seconds = seconds();
    return summary;
}

}  // namespace dynamo::sim
