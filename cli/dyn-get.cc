// dyn-get: prints the value of a key, octet for octet.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/common/batch.h"
#include "cli/common/files.h"
#include "cli/common/key_io.h"
#include "cli/common/options.h"
#include "cli/common/spec.h"
#include "cli/get/look.h"
#include "cli/get/wait.h"

namespace dynamo::cli {
namespace {

class GetTool {
  public:
    Spec spec();

  private:
    void build(App& app);
    void build_looks(App& app);
    int run();
    int run_batch();
    int get_keys(const std::vector<std::string>& keys);
    int get_one(Client& client, const std::string& key);
    int take(const std::string& key, const Got& got);
    int show(const std::string& key, const Got& got);
    int show_value(const std::string& key, const Got& got);
    int show_siblings(const std::vector<const Version*>& values);
    int show_resolved(const std::string& key, const std::vector<const Version*>& values);
    int show_stat(const std::string& key, const Got& got);
    int wait_for(const std::string& key);
    [[nodiscard]] Result<void> check_options() const;
    [[nodiscard]] Result<std::string> resolve(const std::vector<const Version*>& values) const;
    [[nodiscard]] int print(std::string_view octets) const;

    CommonOptions common_{"dyn-get"};
    std::vector<Operand> operands_;
    unsigned r_ = 0;
    std::optional<std::string> context_file_;
    bool all_ = false;
    std::optional<std::string> sibling_directory_;
    std::optional<std::string> resolve_;
    bool stat_ = false;
    bool replicas_ = false;
    bool where_ = false;
    bool trace_ = false;
    WaitFor wait_;
    std::optional<std::string> batch_;
    unsigned in_flight_ = 256;
};

Spec GetTool::spec() {
    return {
        .name = "dyn-get",
        .brief = "print the value of a key, exactly as it was stored",
        .about =
            "Several KEYs are printed one after the other, as cat(1) does. A key with several "
            "differing siblings prints nothing and exits 3: look at them with --all, let "
            "--resolve choose for this once, or settle them with dyn-merge(1).",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-get cart:7", "Print a value."},
                     {"dyn-get -C cart.ctx cart:7 | sed s/milk/tea/ | dyn-put -C cart.ctx cart:7 -",
                      "Change a value; when anything on the way fails, nothing is written."},
                     {"dyn-get --all cart:7", "Print every sibling, one a line."},
                     {"dyn-get --resolve newest cart:7", "Print the youngest sibling."},
                     {"printf 'cart:7\\ncart:8\\n' | dyn-get --batch -",
                      "Read many keys, one JSON object a line."},
                     {"dyn-get --replicas cart:7", "See what each replica holds."},
                     {"dyn-get --wait-until present --wait-for 10s cart:7",
                      "Wait for a value, and print it."}},
        .exits =
            with_failures({{exits::done, "the value was printed"},
                           {exits::no, "the key has no value; with --wait-for: the time is over"},
                           {exits::conflict, "several siblings; nothing was printed"},
                           {exits::partial,
                            "some keys of a batch could not be read; --replicas: some nodes "
                            "did not answer"}}),
    };
}

void GetTool::build(App& app) {
    app.operands({.name = "KEY...", .help = "the keys to read", .least = 0, .most = 1'000'000},
                 operands_);
    app.option({.letter = "-r",
                .name = "",
                .help = "how many replicas must answer; the cluster's R when not given",
                .value = "N"},
               r_);
    app.option({.letter = "-C",
                .name = "--context",
                .help = "write what was seen here, for the put that follows. The file is removed "
                        "first and written when the read succeeded, for an absent key as well",
                .value = "FILE"},
               context_file_);
    app.flag({.letter = "", .name = "--all", .help = "print every sibling, each on its line"},
             all_);
    app.option({.letter = "",
                .name = "--sibling-dir",
                .help = "write every sibling as DIR/1, DIR/2 and so on, and print the names",
                .value = "DIR"},
               sibling_directory_)
        .excludes = {"--all"};
    app.option({.letter = "",
                .name = "--resolve",
                .help = "of several siblings print the newest, or what cmd:CMD makes of their "
                        "files; nothing is written back",
                .value = "newest|cmd:CMD"},
               resolve_)
        .excludes = {"--all", "--sibling-dir"};
    app.flag({.letter = "",
              .name = "--stat",
              .help = "print what is known of each version instead of the value"},
             stat_);
    build_looks(app);
    app.option({.letter = "",
                .name = "--batch",
                .help = "read a list of keys from stdin (-) or a file and print one JSON object a "
                        "line, in that order",
                .value = "-|@FILE"},
               batch_)
        .excludes = {"--all",      "--sibling-dir", "--resolve", "--stat",      "--context",
                     "--replicas", "--where",       "--trace",   "--wait-until"};
    app.option({.letter = "",
                .name = "--in-flight",
                .help = "requests of a batch under way at a time; 256 when not given",
                .value = "N"},
               in_flight_);
    common_.declare(app,
                    {.formats = {"human", "json", "ndjson", "tsv"}, .keys = true, .lists = true});
    app.action([this] { return run(); });
}

/// Options that look at the key in another way than by its value, or look for long.
void GetTool::build_looks(App& app) {
    app.flag({.letter = "",
              .name = "--replicas",
              .help = "print what each replica holds, and each stand-in, asking them one by one"},
             replicas_)
        .excludes = {"--all", "--sibling-dir", "--resolve", "--stat", "--context"};
    app.flag({.letter = "",
              .name = "--where",
              .help = "print which nodes hold the key and who would coordinate, reading nothing"},
             where_)
        .excludes = {"--all", "--sibling-dir", "--resolve", "--stat", "--context", "--replicas"};
    app.flag({.letter = "",
              .name = "--trace",
              .help = "say on standard error who coordinated, who was asked and who answered when"},
             trace_);
    app.option({.letter = "",
                .name = "--wait-until",
                .help = "read the key again and again until it is so; changed: against what "
                        "--context FILE holds, else against what was seen first",
                .value = "WHAT",
                .choices = {"present", "absent", "changed"}},
               wait_.what)
        .excludes = {"--replicas", "--where"};
    app.option({.letter = "",
                .name = "--wait-for",
                .help = "the longest wait of --wait-until, then exit 1; without it there is none",
                .value = "TIME"},
               [this](const std::string& text) -> Result<void> {
                   const auto limit = duration_from_text(text);
                   if (!limit) {
                       return std::unexpected(limit.error());
                   }
                   wait_.limit = *limit;
                   return {};
               });
}

int GetTool::run() {
    const Reporter reporter = common_.reporter();
    if (batch_) {
        return run_batch();
    }
    if (const auto good = check_options(); !good) {
        return reporter.usage(good.error());
    }
    std::vector<std::string> keys;
    for (const Operand& operand : operands_) {
        auto key = common_.key_from_text(operand.text);
        if (!key) {
            return reporter.error(key.error());
        }
        keys.push_back(std::move(*key));
    }
    if (replicas_ || where_) {
        return replicas_ ? print_replicas(common_, keys) : print_places(common_, keys);
    }
    if (wait_.what == "changed" && context_file_) {
        std::error_code ignored;
        if (std::filesystem::exists(*context_file_, ignored)) {
            const auto before = read_context(*context_file_);
            if (!before) {
                return reporter.error(before.error());
            }
            wait_.since = before->token;
        }
    }
    if (context_file_) {
        // A file left from an earlier read must not stand for one that fails now.
        if (const auto removed = remove_file(*context_file_); !removed) {
            return reporter.error(removed.error());
        }
    }
    return wait_.what.empty() ? get_keys(keys) : wait_for(keys.front());
}

Result<void> GetTool::check_options() const {
    if (operands_.empty()) {
        return fail(Code::bad_request, "KEY is missing");
    }
    const bool several = operands_.size() > 1;
    if (several && (context_file_ || sibling_directory_)) {
        return fail(Code::bad_request, "--context and --sibling-dir go with one KEY");
    }
    if (several && !wait_.what.empty()) {
        return fail(Code::bad_request, "--wait-until goes with one KEY");
    }
    if (wait_.limit && wait_.what.empty()) {
        return fail(Code::bad_request, "--wait-for goes with --wait-until");
    }
    if (resolve_ && *resolve_ != "newest" && !resolve_->starts_with("cmd:")) {
        return fail(Code::bad_request,
                    fmt::format("--resolve: write newest or cmd:CMD, not '{}'", *resolve_));
    }
    return {};
}

int GetTool::get_keys(const std::vector<std::string>& keys) {
    auto client = common_.open_client();
    if (!client) {
        return common_.reporter().error(client.error());
    }
    // A failure counts more than a conflict, that more than an absent key.
    const auto weight = [](int exit) {
        return exit > exits::conflict || exit == exits::usage ? 4 + exit : exit;
    };
    int worst = exits::done;
    for (const std::string& key : keys) {
        worst = std::max(worst, get_one(*client, key),
                         [&weight](int a, int b) { return weight(a) < weight(b); });
    }
    return worst;
}

int GetTool::get_one(Client& client, const std::string& key) {
    const auto got = client.get(key, {.r = r_, .trace = trace_});
    return got ? take(key, *got) : common_.reporter().error(got.error(), key);
}

int GetTool::take(const std::string& key, const Got& got) {
    if (trace_ && !common_.json()) {
        write_error(trace_text(named_trace(common_, got.trace)));
    }
    const bool chosen = got.values().size() <= 1 || all_ || sibling_directory_ || resolve_ || stat_;
    // Before the value: whoever reads the value to its end finds the context there. Not for a
    // conflict that nobody looked at: the next put would supersede it unseen.
    if (context_file_ && chosen) {
        if (const auto written = write_context(*context_file_, got.context); !written) {
            return common_.reporter().error(written.error());
        }
    }
    return show(key, got);
}

int GetTool::show(const std::string& key, const Got& got) {
    if (stat_) {
        return show_stat(key, got);
    }
    if (common_.json()) {
        nlohmann::ordered_json object = {{"schema", "dyn.get/1"}};
        object.update(got_fields(key, got));
        if (trace_) {
            object["trace"] = trace_json(named_trace(common_, got.trace));
        }
        const std::size_t count = got.values().size();
        const int printed = print(dumped(object) + "\n");
        return printed != exits::done ? printed
               : count == 0           ? exits::no
               : count > 1 && !all_   ? exits::conflict
                                      : exits::done;
    }
    return show_value(key, got);
}

int GetTool::show_value(const std::string& key, const Got& got) {
    const auto values = got.values();
    if (values.empty()) {
        return common_.reporter().no(fmt::format("{}: no such key", printable(key)));
    }
    if (all_ || sibling_directory_) {
        return show_siblings(values);
    }
    if (values.size() > 1 && resolve_) {
        return show_resolved(key, values);
    }
    if (values.size() > 1) {
        return common_.reporter().error(
            Error{Code::conflict, fmt::format("{} siblings", values.size())}, key,
            "see them with --all, choose with --resolve, settle them with dyn-merge");
    }
    std::string octets = values.front()->value;
    if (common_.nul()) {
        octets += '\0';
    }
    return print(octets);
}

int GetTool::show_siblings(const std::vector<const Version*>& values) {
    std::string out;
    if (all_) {
        for (const Version* version : values) {
            out += version->value + common_.separator();
        }
        return print(out);
    }
    std::error_code ignored;
    if (std::filesystem::exists(*sibling_directory_, ignored) &&
        !std::filesystem::is_empty(*sibling_directory_, ignored)) {
        return common_.reporter().usage(Error{
            Code::bad_request, fmt::format("{} exists and is not empty", *sibling_directory_)});
    }
    const auto names = write_values(*sibling_directory_, octets_of(values));
    if (!names) {
        return common_.reporter().error(names.error());
    }
    for (const std::string& name : *names) {
        out += name + common_.separator();
    }
    return print(out);
}

int GetTool::show_resolved(const std::string& key, const std::vector<const Version*>& values) {
    const auto chosen = resolve(values);
    return chosen ? print(*chosen) : common_.reporter().error(chosen.error(), key);
}

Result<std::string> GetTool::resolve(const std::vector<const Version*>& values) const {
    if (*resolve_ == "newest") {
        return newest(values).value;
    }
    const auto scratch = ScratchDirectory::make();
    if (!scratch) {
        return std::unexpected(scratch.error());
    }
    const auto names = write_values(scratch->path(), octets_of(values));
    if (!names) {
        return std::unexpected(names.error());
    }
    return run_command(resolve_->substr(4), *names);
}

int GetTool::show_stat(const std::string& key, const Got& got) {
    const bool absent = got.values().empty();
    if (common_.json()) {
        nlohmann::ordered_json object = {{"schema", "dyn.get/1"}};
        put_octets(object, "key", key);
        object["siblings"] = got.values().size();
        object["clock_entries"] = got.clock_entries;
        object["answered_by"] = got.node;
        auto list = nlohmann::ordered_json::array();
        for (const Version& version : got.versions) {
            list.push_back({{"node", as_utf8(version.node)},
                            {"birth", std::to_string(version.birth)},
                            {"counter", std::to_string(version.counter)},
                            {"wall_ms", version.wall_ms},
                            {"bytes", version.value.size()},
                            {"tombstone", version.tombstone}});
        }
        object["versions"] = std::move(list);
        const int printed = print(dumped(object) + "\n");
        return printed == exits::done && absent ? exits::no : printed;
    }
    Table table({{"KEY"}, {"VERSION"}, {"KIND"}, {"BYTES", true}, {"CLOCK", true}, {"WRITTEN"}});
    for (const Version& version : got.versions) {
        table.add({printable(common_.key_text(key)),
                   fmt::format("{}:{}", version.node, version.counter),
                   version.tombstone ? "deleted" : "value", std::to_string(version.value.size()),
                   std::to_string(got.clock_entries), time_text(version.wall_ms)});
    }
    const int printed = got.versions.empty() ? exits::done : print(table.text());
    return printed == exits::done && absent
               ? common_.reporter().no(fmt::format("{}: no such key", printable(key)))
               : printed;
}

int GetTool::wait_for(const std::string& key) {
    const Reporter reporter = common_.reporter();
    const auto with = common_.open_with_ring();
    if (!with) {
        return reporter.error(with.error());
    }
    const RingView& ring = with->ring;
    auto client = common_.open_client();
    if (!client) {
        return reporter.error(client.error());
    }
    wait_.r = r_;
    const auto got = wait_for_key(*client, ring, key, wait_);
    if (!got) {
        return reporter.error(got.error(), key);
    }
    if (!*got) {
        return reporter.no(fmt::format("{}: not {} in that time", printable(key), wait_.what));
    }
    const int taken = take(key, **got);
    // What was waited for has come, though there is nothing to print.
    return taken == exits::no ? exits::done : taken;
}

int GetTool::print(std::string_view octets) const {
    if (write_out(octets)) {
        return exits::done;
    }
    return common_.reporter().error(Error{Code::storage, "stdout cannot be written"}, {},
                                    "is its disk full?");
}

int GetTool::run_batch() {
    const Reporter reporter = common_.reporter();
    if (!operands_.empty() || in_flight_ == 0) {
        return reporter.usage(Error{Code::bad_request,
                                    in_flight_ == 0 ? "--in-flight is at least 1"
                                                    : "a batch takes its keys from the list only"});
    }
    Batch batch(common_, {.source = *batch_, .in_flight = in_flight_, .verb = "read"});
    return batch.run([this](Client& client, const Line& line, const Batch::Finish& finish) {
        auto key = common_.key_from_text(line.text);
        if (!key) {
            finish(failed_item(line, "", key.error()));
            return;
        }
        client.get_async(*key, {.r = r_}, [line, key = *key, finish](const Result<Got>& got) {
            if (!got) {
                finish(failed_item(line, key, got.error()));
                return;
            }
            const std::size_t count = got->values().size();
            finish({dumped(got_fields(key, *got)), false, count == 0, count > 1});
        });
    });
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::GetTool tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
