#include "cli/bench/report.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/common/output.h"

namespace dynamo::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Share {
    const char* title;
    const char* field;
    double share;
};
constexpr Share shares[] = {{"p50", "p50_us", 0.5},
                            {"p90", "p90_us", 0.9},
                            {"p99", "p99_us", 0.99},
                            {"p99.9", "p99_9_us", 0.999},
                            {"p99.99", "p99_99_us", 0.9999}};

double rounded(double number, double digits) {
    const double scale = std::pow(10.0, digits);
    return std::round(number * scale) / scale;
}

double microseconds(double nanoseconds) { return rounded(nanoseconds / 1000, 3); }

void add_latency(Json& object, const Histogram& latency) {
    for (const Share& share : shares) {
        object[share.field] = microseconds(static_cast<double>(latency.at(share.share)));
    }
    object["max_us"] = microseconds(static_cast<double>(latency.max()));
    object["mean_us"] = microseconds(latency.mean());
}

Json by_code(const std::map<Code, std::uint64_t>& errors) {
    Json object = Json::object();
    for (const auto& [code, count] : errors) {
        object[std::string(name_of(code))] = count;
    }
    return object;
}

Json json_of_ops(const OpTally& ops, double seconds) {
    const auto count = static_cast<double>(ops.latency.count());
    Json object = {{"count", ops.latency.count()},
                   {"ops_per_s", seconds > 0 ? rounded(count / seconds, 1) : 0}};
    add_latency(object, ops.latency);
    object["errors"] = ops.failed;
    object["errors_by_code"] = by_code(ops.errors);
    object["unknown"] = ops.unknown;
    return object;
}

const char* name_of_mode(PutMode mode) {
    return mode == PutMode::blind ? "blind" : mode == PutMode::context ? "context" : "observe";
}

Json json_of_settings(const Settings& settings) {
    return {{"clients", settings.clients},
            {"in_flight", settings.in_flight},
            {"prefix", as_utf8(settings.prefix)},
            {"keys", settings.keys},
            {"distribution", settings.zipf ? "zipf" : "uniform"},
            {"theta", settings.zipf ? Json(settings.theta) : Json()},
            {"value_bytes_least", settings.sizes.least},
            {"value_bytes_most", settings.sizes.most},
            {"reads_percent", settings.reads_percent},
            {"put_mode", name_of_mode(settings.put_mode)},
            {"observe_r", settings.observe_r},
            {"r", settings.r},
            {"w", settings.w},
            {"routing", settings.client.routing == Routing::any ? "any" : "coordinator"},
            {"seed_number", settings.random_seed}};
}

Json key_list(const std::vector<std::uint64_t>& numbers, const Settings& settings) {
    constexpr std::size_t most = 1000;
    Json list = Json::array();
    for (const std::uint64_t number : numbers) {
        if (list.size() == most) {
            break;
        }
        list.push_back(as_utf8(key_of(settings, number)));
    }
    return list;
}

Json json_of_verification(const Verification& found, const Settings& settings) {
    return {{"keys", found.keys},
            {"acknowledged", found.acknowledged},
            {"late", found.late},
            {"lost", found.lost.size()},
            {"lost_keys", key_list(found.lost, settings)},
            {"phantom", found.phantom.size()},
            {"phantom_keys", key_list(found.phantom, settings)},
            {"damaged", found.damaged.size()},
            {"damaged_keys", key_list(found.damaged, settings)},
            {"unread", found.unread.size()}};
}

double cpu_per_million(const Measured& measured) {
    const auto done = static_cast<double>(measured.tally.done());
    return done > 0 ? measured.cpu_seconds / done * 1e6 : 0;
}

std::string error_text(const std::map<Code, std::uint64_t>& errors) {
    std::string text;
    for (const auto& [code, count] : errors) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name_of(code));
    }
    return text;
}

void add_row(Table& table, const std::string& name, const OpTally& ops, double seconds) {
    const auto count = static_cast<double>(ops.latency.count());
    std::vector<std::string> row = {name, std::to_string(ops.latency.count()),
                                    fmt::format("{:.0f}", seconds > 0 ? count / seconds : 0),
                                    std::to_string(ops.failed)};
    const bool any = ops.latency.count() > 0;
    for (const Share& share : shares) {
        row.push_back(any ? latency_text(static_cast<double>(ops.latency.at(share.share))) : "-");
    }
    row.push_back(any ? latency_text(static_cast<double>(ops.latency.max())) : "-");
    row.push_back(any ? latency_text(ops.latency.mean()) : "-");
    table.add(std::move(row));
}

}  // namespace

std::string latency_text(double nanoseconds) {
    const bool seconds = nanoseconds >= 1e9;
    const double value = nanoseconds / (seconds ? 1e9 : 1e6);
    const int digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
    return fmt::format("{:.{}f} {}", value, digits, seconds ? "s" : "ms");
}

std::string text_of(const Report& report) {
    const Measured& measured = report.measured;
    const Tally& tally = measured.tally;
    Table table({{"OP"},
                 {"COUNT", true},
                 {"OPS/S", true},
                 {"ERRORS", true},
                 {"P50", true},
                 {"P90", true},
                 {"P99", true},
                 {"P99.9", true},
                 {"P99.99", true},
                 {"MAX", true},
                 {"MEAN", true}});
    add_row(table, "get", tally.gets, measured.seconds);
    add_row(table, "put", tally.puts, measured.seconds);
    const OpTally all{tally.latency(), tally.errors(), tally.failed(),
                      tally.gets.unknown + tally.puts.unknown};
    add_row(table, "all", all, measured.seconds);
    std::string text = table.text();
    text += fmt::format("{:.0f} ops/s in {:.2f} s", measured.per_second(), measured.seconds);
    if (report.settings.rate && report.verb != "load") {
        text += fmt::format(" of {:.0f} wanted; backlog {} at the end, {} at most",
                            *report.settings.rate, measured.backlog, measured.most_backlog);
    }
    text += fmt::format("\ngenerator: {:.2f} s of CPU, {:.2f} s per million operations\n",
                        measured.cpu_seconds, cpu_per_million(measured));
    if (tally.failed() > 0) {
        text += fmt::format("errors: {}; {} may have been applied\n", error_text(all.errors),
                            all.unknown);
    }
    if (tally.absent > 0) {
        text +=
            fmt::format("{} gets found no value; dyn-bench load stores all keys\n", tally.absent);
    }
    if (tally.with_siblings > 0) {
        text += fmt::format("{} gets found siblings, {} at most\n", tally.with_siblings,
                            tally.most_siblings);
    }
    if (report.verification) {
        const Verification& found = *report.verification;
        text += fmt::format(
            "verified: {} acknowledged writes of {} keys; keys with lost writes {}, late {}, "
            "damaged {}, phantoms {}, unread {}\n",
            found.acknowledged, found.keys, found.lost.size(), found.late, found.damaged.size(),
            found.phantom.size(), found.unread.size());
    }
    return text;
}

std::string json_of(const Report& report, const std::string& schema) {
    const Measured& measured = report.measured;
    const Tally& tally = measured.tally;
    const bool open = report.settings.rate && report.verb != "load";
    Json object = {{"schema", schema},
                   {"verb", report.verb},
                   {"loop", open ? "open" : "closed"},
                   {"seconds", rounded(measured.seconds, 3)},
                   {"ops", tally.done()},
                   {"ops_per_s", rounded(measured.per_second(), 1)}};
    add_latency(object, tally.latency());
    object["errors"] = tally.failed();
    object["errors_by_code"] = by_code(tally.errors());
    object["gets"] = json_of_ops(tally.gets, measured.seconds);
    object["gets"]["absent"] = tally.absent;
    object["gets"]["with_siblings"] = tally.with_siblings;
    object["gets"]["most_siblings"] = tally.most_siblings;
    object["puts"] = json_of_ops(tally.puts, measured.seconds);
    object["rate_wanted"] = open ? Json(*report.settings.rate) : Json();
    object["backlog"] = measured.backlog;
    object["most_backlog"] = measured.most_backlog;
    object["cpu_s"] = rounded(measured.cpu_seconds, 3);
    object["cpu_s_per_million"] = rounded(cpu_per_million(measured), 3);
    object["damaged"] = tally.damaged;
    object["stale"] = tally.stale;
    object["interrupted"] = report.interrupted;
    Json targets = Json::array();
    for (const Slo& slo : report.targets) {
        targets.push_back({{"target", slo.text()}, {"met", slo.met(tally, measured.seconds)}});
    }
    object["slo"] = std::move(targets);
    object["verify"] =
        report.verification ? json_of_verification(*report.verification, report.settings) : Json();
    object["settings"] = json_of_settings(report.settings);
    return dumped(object) + "\n";
}

std::string hgrm_of(const Histogram& latency) {
    // As HdrHistogram does it: so many steps to each halving of what is left up to 100 %.
    constexpr double steps_to_half = 5;
    const auto buckets = latency.buckets();
    const auto total = static_cast<double>(latency.count());
    std::string text = "       Value     Percentile TotalCount 1/(1-Percentile)\n\n";
    double squares = 0;
    for (const auto& bucket : buckets) {
        const double apart = static_cast<double>(bucket.value) - latency.mean();
        squares += apart * apart * static_cast<double>(bucket.count);
    }
    std::uint64_t seen = 0;
    double level = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
        seen += buckets[i].count;
        const double value = static_cast<double>(buckets[i].value) / 1e6;
        const bool last = i + 1 == buckets.size();
        while (!last && level <= static_cast<double>(seen) / total) {
            text += fmt::format("{:12.3f} {:1.12f} {:10} {:14.2f}\n", value, level, seen,
                                1 / (1 - level));
            const double halvings = std::floor(std::log2(1 / (1 - level))) + 1;
            level += 1 / (steps_to_half * std::pow(2.0, halvings));
        }
        if (last) {
            text += fmt::format("{:12.3f} {:1.12f} {:10}\n", value, 1.0, seen);
        }
    }
    text += fmt::format("#[Mean    = {:12.3f}, StdDeviation   = {:12.3f}]\n", latency.mean() / 1e6,
                        total > 0 ? std::sqrt(squares / total) / 1e6 : 0);
    text += fmt::format("#[Max     = {:12.3f}, Total count    = {:12}]\n",
                        static_cast<double>(latency.max()) / 1e6, latency.count());
    text += "#[Buckets =           32, SubBuckets     =          256]\n";
    return text;
}

std::string live_line(const Tally& since, double interval, double seconds) {
    const Histogram latency = since.latency();
    return fmt::format("{:.0f}s  {:.0f} ops/s  p50 {}  p99 {}  {} errors", seconds,
                       static_cast<double>(since.done()) / interval,
                       latency_text(static_cast<double>(latency.at(0.5))),
                       latency_text(static_cast<double>(latency.at(0.99))), since.failed());
}

std::string canary_line(const Tally& since, double interval, double seconds) {
    std::string line = fmt::format(
        "{}  max {}  {} stale  {} damaged", live_line(since, interval, seconds),
        latency_text(static_cast<double>(since.latency().max())), since.stale, since.damaged);
    const auto errors = since.errors();
    return errors.empty() ? line : line + fmt::format("  ({})", error_text(errors));
}

std::string live_json(const Tally& since, double interval, const std::string& schema) {
    Json object = {{"schema", schema},
                   {"verb", "canary"},
                   {"seconds", interval},
                   {"ops_per_s", rounded(static_cast<double>(since.done()) / interval, 1)}};
    add_latency(object, since.latency());
    object["gets"] = since.gets.latency.count();
    object["puts"] = since.puts.latency.count();
    object["errors"] = since.failed();
    object["errors_by_code"] = by_code(since.errors());
    object["stale"] = since.stale;
    object["damaged"] = since.damaged;
    return dumped(object) + "\n";
}

}  // namespace dynamo::cli
