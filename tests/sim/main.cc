// dyn-sim: whole clusters of the real node core, in simulated time, under every fault.
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include "tests/sim/mutants.h"
#include "tests/sim/nemesis.h"
#include "tests/sim/recording.h"
#include "tests/sim/runner.h"
#include "tests/sim/scenario.h"
#include "tests/sim/shrink.h"

namespace {

using namespace dynamo;
using namespace dynamo::sim;

struct Arguments {
    std::string replay;
    std::string shrink;
    std::string output;
    std::string seeds;
    unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
    bool trace = false;
    bool keep_going = false;
    bool check_determinism = false;
    bool require_marks = false;
    std::string plant;
    bool planted = false;
    bool list_planted = false;
    std::vector<std::string> scenarios;
};

unsigned long long long_of(std::uint64_t value) { return value; }

std::string with_plant(Mutant mutant) {
    return mutant == Mutant::none ? "" : " --plant " + std::string(name_of(mutant));
}

void print_violation(std::uint64_t seed, const Violation& violation) {
    std::printf("seed %llu violates: %s\n", long_of(seed), violation.rule.c_str());
    if (!violation.key.empty()) std::printf("  key   %s\n", violation.key.c_str());
    std::printf("  seen  %s\n", violation.text.c_str());
}

/// The smallest run that still fails, as a scenario.
std::string shrunk(const Setup& setup, const Violation& violation) {
    Recording small{setup, shrink(setup, violation, 600), violation.rule};
    const Outcome outcome = run(setup, small.plan);
    std::string text = "# Found by seed " + std::to_string(setup.seed) + ", made small.\n";
    if (outcome.violation) text += "# " + outcome.violation->text + "\n";
    for (const Strike& strike : small.plan.strikes) text += "#   " + describe(strike) + "\n";
    return text + to_text(small);
}

/// The whole recipe: what failed, how to see it again, and the smallest run that still does.
void print_recipe(std::uint64_t seed, Mutant mutant, const Violation& violation) {
    const Setup setup = setup_of(seed, mutant);
    print_violation(seed, violation);
    std::printf("  setup %s\n", describe(setup).c_str());
    std::printf("  again dyn-sim --replay %llu%s\n", long_of(seed), with_plant(mutant).c_str());
    std::printf("  small (dyn-sim --scenario FILE --trace):\n%s", shrunk(setup, violation).c_str());
}

void print_marks(const Marks& marks) {
    for (std::size_t i = 0; i < mark_names.size(); ++i)
        std::printf("  %10llu  %s\n", long_of(marks.of(static_cast<Mark>(i))),
                    std::string(mark_names[i]).c_str());
}

void print_outcome(const Outcome& outcome) {
    std::printf(
        "%llu events, %llu ok, %llu failed, %llu unknown, replicas identical after %.1f s, "
        "trace %016llx\n",
        long_of(outcome.events), long_of(outcome.ok), long_of(outcome.failed),
        long_of(outcome.unknown), std::chrono::duration<double>(outcome.convergence).count(),
        long_of(outcome.trace_hash));
}

int replay(std::uint64_t seed, Mutant mutant) {
    const Setup setup = setup_of(seed, mutant);
    std::printf("seed %llu: %s\n", long_of(seed), describe(setup).c_str());
    const Outcome outcome = run(setup, plan_of(setup), Trace::Mode::print);
    print_outcome(outcome);
    if (!outcome.violation) return 0;
    print_violation(seed, *outcome.violation);
    return 1;
}

int shrink_one(std::uint64_t seed, Mutant mutant, const std::string& output) {
    const Setup setup = setup_of(seed, mutant);
    const Outcome outcome = run(setup, plan_of(setup));
    if (!outcome.violation) {
        std::fprintf(stderr, "dyn-sim: seed %llu violates nothing\n", long_of(seed));
        return 2;
    }
    const std::string text = shrunk(setup, *outcome.violation);
    if (output.empty()) {
        std::fputs(text.c_str(), stdout);
        return 0;
    }
    std::ofstream file(output);
    if (file << text << std::flush) return 0;
    std::fprintf(stderr, "dyn-sim: cannot write %s\n", output.c_str());
    return 2;
}

/// A recording runs as it says; it fails when it does not violate what it names, or something else.
bool run_recording(const std::string& file, std::istream& in, Mutant mutant, bool trace) {
    Recording recording;
    if (const std::string wrong = from_text(in, recording); !wrong.empty()) {
        std::printf("%s:%s\n", file.c_str(), wrong.c_str());
        return false;
    }
    if (mutant != Mutant::none) recording.setup.mutant = mutant;
    const Outcome outcome =
        run(recording.setup, recording.plan, trace ? Trace::Mode::print : Trace::Mode::hash);
    const std::string violated = outcome.violation ? outcome.violation->rule : "";
    if (trace) print_outcome(outcome);
    if (violated == recording.violates) {
        std::printf("%s: as told\n", file.c_str());
        return true;
    }
    std::printf("%s: should violate %s\n", file.c_str(),
                recording.violates.empty() ? "nothing" : recording.violates.c_str());
    if (outcome.violation) print_violation(recording.setup.seed, *outcome.violation);
    return false;
}

/// Whether the first word of a scenario says that it is a recording.
bool is_recording(std::istream& in) {
    std::string word;
    while (in >> word && word.starts_with('#')) std::getline(in, word);
    in.clear();
    in.seekg(0);
    return word == "run";
}

int run_scenarios(const Arguments& arguments, Mutant mutant) {
    int failed = 0;
    for (const std::string& file : arguments.scenarios) {
        std::ifstream in(file);
        failed += is_recording(in) ? !run_recording(file, in, mutant, arguments.trace)
                                   : !run_scenario(file, mutant, arguments.trace);
    }
    return failed == 0 ? 0 : 1;
}

std::size_t marks_hit(const Marks& marks) {
    std::size_t hit = 0;
    for (std::size_t i = 0; i < mark_names.size(); ++i) hit += marks.of(static_cast<Mark>(i)) > 0;
    return hit;
}

void print_progress(const Summary& summary) {
    std::fprintf(stderr, "%llu runs, %.0f per second, %zu of %zu marks hit, %zu violations\n",
                 long_of(summary.runs), static_cast<double>(summary.runs) / summary.seconds,
                 marks_hit(summary.marks), mark_names.size(), summary.failures.size());
}

int run_many(const Arguments& arguments, Range seeds, Mutant mutant) {
    Batch batch{seeds, arguments.jobs, mutant, arguments.check_determinism,
                arguments.keep_going ? SIZE_MAX : 1};
    const Summary summary = run_all(batch, print_progress);
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
bool find_planted(const PlantedBug& bug, unsigned jobs) {
    const Summary summary = run_all({{1, mutant_seeds}, jobs, bug.mutant, false, 1});
    const bool found = !summary.failures.empty();
    std::printf("%-30s %6s  %s\n", std::string(bug.name).c_str(),
                found ? std::to_string(summary.failures.front().seed).c_str() : "-",
                found ? summary.failures.front().violation.rule.c_str() : "NOT FOUND");
    std::fflush(stdout);
    return found;
}

/// Each in a process of its own: some make the core's own checks fail, which ends the process.
int run_planted(const Arguments& arguments) {
    int missed = 0;
    std::printf("%-30s %6s  %s\n", "planted bug", "seed", "found as a violation of");
    std::fflush(stdout);
    for (const PlantedBug& bug : planted_bugs()) {
        std::fflush(stdout);
        const pid_t child = fork();
        if (child == 0) _exit(find_planted(bug, arguments.jobs) ? 0 : 1);
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
    if (!arguments.plant.empty()) {
        const auto named = mutant_named(arguments.plant);
        if (!named) {
            std::fprintf(stderr, "dyn-sim: no planted bug is called %s; see --list-planted\n",
                         arguments.plant.c_str());
            return 2;
        }
        mutant = *named;
    }
    if (arguments.list_planted) {
        for (const PlantedBug& bug : planted_bugs())
            std::printf("%-30s breaks: %s\n", std::string(bug.name).c_str(),
                        std::string(bug.breaks).c_str());
        return 0;
    }
    if (arguments.planted) return run_planted(arguments);
    if (!arguments.scenarios.empty()) return run_scenarios(arguments, mutant);
    if (!arguments.seeds.empty()) {
        Range range;
        if (!parse_range(arguments.seeds, range)) {
            std::fprintf(stderr, "dyn-sim: --seeds wants a range such as 1..500\n");
            return 2;
        }
        return run_many(arguments, range, mutant);
    }
    if (!arguments.shrink.empty())
        return shrink_one(std::stoull(arguments.shrink), mutant, arguments.output);
    return replay(std::stoull(arguments.replay), mutant);
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{"Simulates whole clusters of the real node core under every fault", "dyn-sim"};
    auto* seeds = app.add_option("--seeds", arguments.seeds, "run a range of seeds, A..B");
    app.add_option("--jobs", arguments.jobs, "threads for --seeds and --planted")
        ->check(CLI::Range(1u, 256u));
    app.add_flag("--keep-going", arguments.keep_going, "with --seeds: do not stop at the first");
    app.add_flag("--check-determinism", arguments.check_determinism,
                 "with --seeds: run one in twenty twice and compare the traces");
    app.add_flag("--require-marks", arguments.require_marks,
                 "with --seeds: fail when something that should happen sometimes never did");
    auto* replays =
        app.add_option("--replay", arguments.replay, "run one seed and print all that happens")
            ->check(CLI::NonNegativeNumber);
    auto* shrinks =
        app.add_option("--shrink", arguments.shrink, "make a seed that fails a small scenario")
            ->check(CLI::NonNegativeNumber);
    app.add_option("-o,--output", arguments.output, "with --shrink: the scenario's file");
    auto* scenario = app.add_option("--scenario", arguments.scenarios, "run scenario files")
                         ->check(CLI::ExistingFile);
    app.add_flag("--trace", arguments.trace, "with --scenario: print all that happens");
    auto* planted = app.add_flag("--planted", arguments.planted, "find every planted bug");
    auto* list = app.add_flag("--list-planted", arguments.list_planted, "list the planted bugs");
    app.add_option("--plant", arguments.plant, "run with this planted bug");
    try {
        app.parse(argc, argv);
        const auto modes = seeds->count() + replays->count() + shrinks->count() + planted->count() +
                           list->count() + std::min<std::size_t>(1, scenario->count());
        if (modes != 1)
            throw CLI::ValidationError(
                "give one of --seeds, --replay, --shrink, --scenario, --planted, --list-planted");
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    name_seed_on_abort();
    return dispatch(arguments);
}
