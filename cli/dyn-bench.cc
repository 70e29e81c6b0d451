// dyn-bench: loads a cluster with operations, and measures and checks what comes back.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "cli/bench/live.h"
#include "cli/bench/options.h"
#include "cli/bench/report.h"
#include "cli/bench/runner.h"
#include "cli/bench/verification.h"
#include "cli/common/interrupt.h"
#include "cli/common/options.h"
#include "cli/common/spec.h"

namespace dynamo::cli {
namespace {

using std::chrono::milliseconds;

/// What is set up once the options are known to make sense.
struct Bench {
    Bench(const Settings& its_settings, std::uint64_t its_run)
        : settings(its_settings),
          values(settings.sizes),
          run(its_run),
          runner(settings, values, run, settings.verify ? &ledger : nullptr) {}

    const Settings settings;
    const Values values;
    const std::uint64_t run;
    Ledger ledger;
    Runner runner;
};

class BenchTool {
  public:
    Spec spec();

  private:
    void build(App& app);
    int run();
    int load();
    int canary();

    [[nodiscard]] Result<std::unique_ptr<Bench>> prepare(const Settings& settings);
    [[nodiscard]] Result<void> check_limits(const Settings& settings);
    [[nodiscard]] Measured measure(Bench& bench, const Plan& plan) const;
    [[nodiscard]] Result<Verification> verify_all(Bench& bench) const;
    [[nodiscard]] int conclude(const Report& report) const;
    [[nodiscard]] int judge_verification(const Report& report) const;
    [[nodiscard]] Result<void> write_hgrm(const Tally& tally) const;
    [[nodiscard]] Reporter reporter() const { return common_.reporter(); }

    CommonOptions common_{"dyn-bench"};
    BenchOptions options_;
};

Spec BenchTool::spec() {
    return {
        .name = "dyn-bench",
        .brief = "measure a cluster, and check that it keeps what it acknowledges",
        .about =
            "A closed loop keeps --in-flight operations under way; an open loop begins --rate "
            "operations a second, whatever the cluster does, and counts latency from the moment "
            "when each should have begun. Keys are --prefix and a number. Puts observe their key "
            "first, as dyn-put does, so that a value replaces the one before it: blind puts pile "
            "up siblings and measure that.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-bench run --load --keys 10000 --for 10s",
                      "Store 10,000 keys, then get and put them for ten seconds."},
                     {"dyn-bench run --rate 2000 --reads 95 --distribution zipf --for 30s --slo "
                      "'p99.9<300ms' --slo 'errors<0.1%'",
                      "Offer 2,000 operations a second; exit 1 when a target is missed."},
                     {"dyn-bench run --verify --put-mode context --for 10s",
                      "Then read everything back; exit 8 when an acknowledged write is gone."},
                     {"dyn-bench run --for 10s --format json --hgrm latency.hgrm",
                      "Keep the figures for a script and the percentiles for a plot."},
                     {"dyn-bench canary --rate 5 --every 1m",
                      "Watch a cluster, for ever, at little cost."}},
        .exits = with_failures(
            {{exits::done, "done, every target was met, nothing was lost"},
             {exits::no, "a target of --slo was missed"},
             {exits::maybe_applied, "too few nodes answered in time"},
             {exits::not_applied, "no node could be reached"},
             {exits::partial, "load: some keys were not stored"},
             {exits::server,
              "an acknowledged write is lost, or a value damaged; or a node's storage or a "
              "checksum failed"}}),
    };
}

void BenchTool::build(App& app) {
    App& run = app.verb("run", "get and put by chance, and report");
    options_.declare_mix(run);
    options_.declare_length(run);
    options_.declare_outcome(run);
    run.action([this] { return this->run(); });
    app.verb("load", "put every key once").action([this] { return load(); });
    App& canary = app.verb("canary", "put, get and check at a low rate until interrupted");
    options_.declare_canary(canary);
    canary.action([this] { return this->canary(); });
    options_.declare_keys(app);
    options_.declare_requests(app);
    common_.declare(app, {.formats = {"human", "json"}});
}

Result<void> BenchTool::check_limits(const Settings& settings) {
    if (settings.verify && settings.sizes.least < Values::header_bytes) {
        return fail(Code::bad_request,
                    fmt::format("--value-size is at least {} where values are verified",
                                Values::header_bytes));
    }
    auto admin = common_.open_admin();
    if (!admin) {
        return std::unexpected(admin.error());
    }
    const auto hello = admin->hello();
    if (!hello) {
        return std::unexpected(hello.error());
    }
    if (settings.sizes.most > hello->max_value) {
        return fail(Code::too_large, fmt::format("--value-size: the cluster takes values of up to "
                                                 "{} octets, not {}",
                                                 hello->max_value, settings.sizes.most));
    }
    if (key_of(settings, settings.keys - 1).size() > hello->max_key) {
        return fail(Code::too_large, fmt::format("--prefix: the cluster takes keys of up to {} "
                                                 "octets",
                                                 hello->max_key));
    }
    return {};
}

Result<std::unique_ptr<Bench>> BenchTool::prepare(const Settings& settings) {
    if (const auto checked = check_limits(settings); !checked) {
        return std::unexpected(checked.error());
    }
    std::random_device device;
    const std::uint64_t run = (std::uint64_t{device()} << 32) | device();
    auto bench = std::make_unique<Bench>(settings, run);
    if (const auto opened = bench->runner.open(); !opened) {
        return std::unexpected(opened.error());
    }
    catch_interrupt();
    return bench;
}

Measured BenchTool::measure(Bench& bench, const Plan& plan) const {
    LiveLine live(options_.quiet);
    return bench.runner.run(plan, [&](const Tally& since, double seconds) {
        const double interval = std::chrono::duration<double>(plan.watch_every).count();
        live.show(live_line(since, interval, seconds));
    });
}

int BenchTool::run() {
    const Settings settings = options_.settled(common_.client_options(), false);
    auto bench = prepare(settings);
    if (!bench) {
        return reporter().error(bench.error());
    }
    if (options_.load_first) {
        const Measured loaded = measure(**bench, {.kind = Phase::Kind::load});
        if (loaded.tally.failed() > 0) {
            reporter().remark(fmt::format("{} keys were not loaded", loaded.tally.failed()));
        }
    }
    Plan plan{.warm_up = options_.warm_up, .length = options_.length, .count = options_.count};
    if (!plan.length && !plan.count) {
        plan.length = milliseconds(10000);
    }
    Report report{"run", settings, measure(**bench, plan), options_.targets};
    report.interrupted = interrupted();
    if (settings.verify) {
        auto verification = verify_all(**bench);
        if (!verification) {
            return reporter().error(verification.error());
        }
        report.verification = std::move(*verification);
    }
    return conclude(report);
}

int BenchTool::load() {
    const Settings settings = options_.settled(common_.client_options(), false);
    auto bench = prepare(settings);
    if (!bench) {
        return reporter().error(bench.error());
    }
    Report report{"load", settings, measure(**bench, {.kind = Phase::Kind::load})};
    report.interrupted = interrupted();
    const int exit = conclude(report);
    const bool all = report.measured.tally.puts.latency.count() == settings.keys;
    return exit == exits::done && !all ? exits::partial : exit;
}

int BenchTool::canary() {
    const Settings settings = options_.settled(common_.client_options(), true);
    auto bench = prepare(settings);
    if (!bench) {
        return reporter().error(bench.error());
    }
    const Plan plan{.kind = Phase::Kind::canary, .watch_every = options_.interval};
    const double interval = std::chrono::duration<double>(plan.watch_every).count();
    const auto print = [&](const Tally& since, double seconds) {
        write_out(common_.json() ? live_json(since, interval, reporter().schema())
                                 : canary_line(since, interval, seconds) + "\n");
    };
    Report report{"canary", settings, (*bench)->runner.run(plan, print)};
    report.interrupted = true;
    auto verification = verify_all(**bench);
    if (!verification) {
        return reporter().error(verification.error());
    }
    report.verification = std::move(*verification);
    return conclude(report);
}

Result<Verification> BenchTool::verify_all(Bench& bench) const {
    auto client = Client::open(bench.settings.client);
    if (!client) {
        return std::unexpected(client.error());
    }
    return verify(bench.ledger, bench.values, bench.run, reader_of(*client, bench.settings),
                  options_.patience);
}

Result<void> BenchTool::write_hgrm(const Tally& tally) const {
    std::ofstream file(*options_.hgrm, std::ios::trunc);
    file << hgrm_of(tally.latency());
    file.close();
    return file ? Result<void>{} : fail(Code::bad_request, "cannot be written");
}

int BenchTool::conclude(const Report& report) const {
    const Tally& tally = report.measured.tally;
    if (options_.hgrm) {
        if (const auto written = write_hgrm(tally); !written) {
            return reporter().error(written.error(), *options_.hgrm);
        }
    }
    if (!write_out(common_.json() ? json_of(report, reporter().schema()) : text_of(report))) {
        return exits::server;
    }
    int exit = exits::done;
    for (const Slo& slo : report.targets) {
        if (!slo.met(tally, report.measured.seconds)) {
            exit = reporter().no("missed " + slo.missed_text(tally, report.measured.seconds));
        }
    }
    if (tally.done() == 0 && tally.failed() > 0) {
        const auto errors = tally.errors();
        const auto most =
            std::ranges::max_element(errors, {}, [](const auto& error) { return error.second; });
        exit = reporter().error(Error{most->first, "no operation succeeded"});
    }
    const int verified = judge_verification(report);
    return verified != exits::done ? verified : exit;
}

int BenchTool::judge_verification(const Report& report) const {
    if (!report.verification) {
        return exits::done;
    }
    const Verification& found = *report.verification;
    const auto keys = [&report](const std::vector<std::uint64_t>& numbers) {
        constexpr std::size_t most = 20;
        std::string text;
        for (std::size_t i = 0; i < std::min(numbers.size(), most); ++i) {
            text += (i == 0 ? "" : " ") + key_of(report.settings, numbers[i]);
        }
        return text + (numbers.size() > most ? " ..." : "");
    };
    int exit = exits::done;
    const auto broken = [&](const std::vector<std::uint64_t>& numbers, const std::string& what) {
        if (!numbers.empty()) {
            exit = reporter().error(
                Error{Code::internal,
                      fmt::format("{} keys {}: {}", numbers.size(), what, keys(numbers))},
                {}, "look at them with dyn-get --stat, and at the nodes' logs");
        }
    };
    if (!found.unread.empty()) {
        exit = reporter().error(*found.unread_error,
                                fmt::format("{} keys could not be verified", found.unread.size()));
    }
    broken(found.damaged, "hold a value that nobody wrote so");
    broken(found.phantom, "show a write that was refused");
    broken(found.lost, "have lost a write that was acknowledged");
    if (exit == exits::done && report.measured.tally.damaged > 0) {
        exit = reporter().error(
            Error{Code::internal, fmt::format("{} gets showed a value that nobody wrote so",
                                              report.measured.tally.damaged)});
    }
    return exit;
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::BenchTool tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
