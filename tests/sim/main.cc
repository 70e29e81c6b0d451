// dyn-sim: whole clusters of the real node core, in simulated time, under every fault.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>

#include "tests/sim/mutants.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/runner.h"
#include "tests/sim/scenario.h"
#include "tests/sim/shrink.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

struct Arguments {
    std::string seed;
    std::string seeds;
    unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
    bool trace = false;
    bool keep_going = false;
    bool check_determinism = false;
    bool require_marks = false;
    std::string mutant;
    bool mutants = false;
    bool list_mutants = false;
    std::vector<std::string> scenarios;
    std::string without_operations;
    std::string without_strikes;
};

unsigned long long long_of(std::uint64_t value) { return value; }

std::string command(std::uint64_t seed, Mutant mutant, const LeftOut& left_out) {
    std::string out = "dyn-sim --seed " + std::to_string(seed);
    if (mutant != Mutant::none) out += " --mutant " + std::string(name_of(mutant));
    if (!left_out.strikes.empty()) out += " --without-strikes " + to_ranges(left_out.strikes);
    if (!left_out.operations.empty())
        out += " --without-operations " + to_ranges(left_out.operations);
    return out + " --trace";
}

void print_violation(std::uint64_t seed, const Violation& violation) {
    std::printf("seed %llu violates: %s\n", long_of(seed), violation.rule.c_str());
    if (!violation.key.empty()) std::printf("  key   %s\n", violation.key.c_str());
    std::printf("  seen  %s\n", violation.text.c_str());
}

/// The whole recipe: what failed, how to see it again, and the smallest run that still does.
void print_recipe(std::uint64_t seed, Mutant mutant, const Violation& violation) {
    const Setup setup = setup_of(seed, mutant);
    print_violation(seed, violation);
    std::printf("  setup %s\n", describe(setup).c_str());
    std::printf("  again %s\n", command(seed, mutant, {}).c_str());
    const LeftOut left_out = shrink(setup, violation, 600);
    const Outcome small = run(setup, left_out, Trace::Mode::keep);
    std::printf("  small %s\n", command(seed, mutant, left_out).c_str());
    for (const Strike& strike : plan_strikes(setup))
        if (!left_out.strikes.contains(strike.number))
            std::printf("        strike %u: %s\n", strike.number, describe(strike).c_str());
    std::printf("  the last that happened in the small run:\n");
    const std::size_t shown = std::min<std::size_t>(small.lines.size(), 40);
    for (std::size_t i = small.lines.size() - shown; i < small.lines.size(); ++i)
        std::printf("    %s\n", small.lines[i].c_str());
    if (small.violation) print_violation(seed, *small.violation);
}

void print_marks(const Marks& marks) {
    for (std::size_t i = 0; i < mark_names.size(); ++i)
        std::printf("  %10llu  %s\n", long_of(marks.of(static_cast<Mark>(i))),
                    std::string(mark_names[i]).c_str());
}

int run_one(const Arguments& arguments, std::uint64_t seed, Mutant mutant) {
    LeftOut left_out;
    if (!from_ranges(arguments.without_operations, left_out.operations) ||
        !from_ranges(arguments.without_strikes, left_out.strikes)) {
        std::fprintf(stderr, "dyn-sim: a list of numbers looks like 1-4,7\n");
        return 2;
    }
    const Setup setup = setup_of(seed, mutant);
    std::printf("seed %llu: %s\n", long_of(seed), describe(setup).c_str());
    const bool whole = left_out.operations.empty() && left_out.strikes.empty();
    const Outcome outcome =
        run(setup, left_out, arguments.trace ? Trace::Mode::print : Trace::Mode::hash);
    std::printf(
        "%llu events, %llu ok, %llu failed, %llu unknown, replicas identical after %.1f s, "
        "trace %016llx\n",
        long_of(outcome.events), long_of(outcome.ok), long_of(outcome.failed),
        long_of(outcome.unknown), std::chrono::duration<double>(outcome.convergence).count(),
        long_of(outcome.trace_hash));
    if (!outcome.violation) return 0;
    if (whole && !arguments.trace)
        print_recipe(seed, mutant, *outcome.violation);
    else
        print_violation(seed, *outcome.violation);
    return 1;
}

int run_many(const Arguments& arguments, Range seeds, Mutant mutant) {
    Batch batch{seeds, arguments.jobs, mutant, arguments.check_determinism,
                arguments.keep_going ? SIZE_MAX : 1};
    const Summary summary = run_all(batch);
    std::printf("%llu runs in %.1f s (%.0f per second), %llu events\n", long_of(summary.runs),
                summary.seconds, static_cast<double>(summary.runs) / summary.seconds,
                long_of(summary.events));
    std::printf("operations: %llu ok, %llu failed, %llu unknown; slowest convergence %.1f s\n",
                long_of(summary.ok), long_of(summary.failed), long_of(summary.unknown),
                std::chrono::duration<double>(summary.slowest_convergence).count());
    print_marks(summary.marks);
    for (const std::uint64_t seed : summary.differing)
        std::printf("seed %llu: two runs, two traces\n", long_of(seed));
    if (summary.failures.size() > 1)
        for (const Failure& failure : summary.failures)
            print_violation(failure.seed, failure.violation);
    if (!summary.failures.empty())
        print_recipe(summary.failures.front().seed, mutant, summary.failures.front().violation);
    int result = summary.failures.empty() && summary.differing.empty() ? 0 : 1;
    for (std::size_t i = 0; arguments.require_marks && i < mark_names.size(); ++i) {
        if (summary.marks.of(static_cast<Mark>(i)) > 0) continue;
        std::printf("never hit: %s\n", std::string(mark_names[i]).c_str());
        result = 1;
    }
    return result;
}

/// True when the planted bug is found.
bool find_mutant(const PlantedBug& bug, unsigned jobs) {
    const Summary summary = run_all({{1, mutant_seeds}, jobs, bug.mutant, false, 1});
    const bool found = !summary.failures.empty();
    std::printf("%-30s %6s  %s\n", std::string(bug.name).c_str(),
                found ? std::to_string(summary.failures.front().seed).c_str() : "-",
                found ? summary.failures.front().violation.rule.c_str() : "NOT FOUND");
    std::fflush(stdout);
    return found;
}

/// Each in a process of its own: some make the core's own checks fail, which ends the process.
int run_mutants(const Arguments& arguments) {
    int missed = 0;
    std::printf("%-30s %6s  %s\n", "planted bug", "seed", "found as a violation of");
    std::fflush(stdout);
    for (const PlantedBug& bug : planted_bugs()) {
        std::fflush(stdout);
        const pid_t child = fork();
        if (child == 0) _exit(find_mutant(bug, arguments.jobs) ? 0 : 1);
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) != child) return 1;
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
            std::printf("%-30s %6s  %s\n", std::string(bug.name).c_str(), "above",
                        "a check of the core");
        else
            missed += status != 0;
    }
    return missed == 0 ? 0 : 1;
}

bool parse_range(const std::string& text, Range& range) {
    const std::size_t dots = text.find("..");
    if (dots == std::string::npos) return false;
    try {
        range = {std::stoull(text.substr(0, dots)), std::stoull(text.substr(dots + 2))};
    } catch (const std::exception&) {
        return false;
    }
    return range.first <= range.last;
}

int dispatch(const Arguments& arguments) {
    Mutant mutant = Mutant::none;
    if (!arguments.mutant.empty()) {
        const auto named = mutant_named(arguments.mutant);
        if (!named) {
            std::fprintf(stderr, "dyn-sim: no planted bug is called %s; see --list-mutants\n",
                         arguments.mutant.c_str());
            return 2;
        }
        mutant = *named;
    }
    if (arguments.list_mutants) {
        for (const PlantedBug& bug : planted_bugs())
            std::printf("%-30s breaks: %s\n", std::string(bug.name).c_str(),
                        std::string(bug.breaks).c_str());
        return 0;
    }
    if (arguments.mutants) return run_mutants(arguments);
    if (!arguments.scenarios.empty()) {
        int failed = 0;
        for (const std::string& file : arguments.scenarios)
            failed += !run_scenario(file, mutant, arguments.trace);
        return failed == 0 ? 0 : 1;
    }
    if (!arguments.seeds.empty()) {
        Range range;
        if (!parse_range(arguments.seeds, range)) {
            std::fprintf(stderr, "dyn-sim: --seeds wants a range such as 1..500\n");
            return 2;
        }
        return run_many(arguments, range, mutant);
    }
    return run_one(arguments, std::stoull(arguments.seed), mutant);
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"Simulates whole clusters of the real node core under every fault", "dyn-sim"};
    auto* seed =
        app.add_option("--seed", arguments.seed, "run one seed")->check(CLI::NonNegativeNumber);
    auto* seeds = app.add_option("--seeds", arguments.seeds, "run a range of seeds, A..B");
    app.add_option("--jobs", arguments.jobs, "threads for --seeds and --mutants")
        ->check(CLI::Range(1u, 256u));
    app.add_flag("--trace", arguments.trace, "print everything that happens");
    app.add_flag("--keep-going", arguments.keep_going, "with --seeds: do not stop at the first");
    app.add_flag("--check-determinism", arguments.check_determinism,
                 "run one seed in twenty twice and compare the traces");
    app.add_flag("--require-marks", arguments.require_marks,
                 "fail when something that should happen sometimes never did");
    app.add_option("--mutant", arguments.mutant, "run with a planted bug");
    auto* mutants = app.add_flag("--mutants", arguments.mutants, "find every planted bug");
    auto* list = app.add_flag("--list-mutants", arguments.list_mutants, "list the planted bugs");
    auto* scenario = app.add_option("--scenario", arguments.scenarios, "run scenario files")
                         ->check(CLI::ExistingFile);
    app.add_option("--without-operations", arguments.without_operations,
                   "with --seed: leave these client operations out (1-4,7)");
    app.add_option("--without-strikes", arguments.without_strikes,
                   "with --seed: leave these faults out");
    try {
        app.parse(argc, argv);
        const auto modes = seed->count() + seeds->count() + mutants->count() + list->count() +
                           std::min<std::size_t>(1, scenario->count());
        if (modes != 1)
            throw CLI::ValidationError(
                "give one of --seed, --seeds, --scenario, --mutants, --list-mutants");
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    name_seed_on_abort();
    return dispatch(arguments);
}
