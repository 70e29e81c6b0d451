// dyn-update: changes a value with a command, safely beside others that do the same.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/common/options.h"
#include "cli/common/spec.h"
#include "cli/update/update.h"

namespace dynamo::cli {
namespace {

class UpdateTool {
  public:
    Spec spec();

  private:
    void build(App& app);
    int run();
    [[nodiscard]] Result<void> take_command();
    [[nodiscard]] int print(const std::string& key, const Updated& updated) const;

    CommonOptions common_{"dyn-update"};
    std::vector<Operand> operands_;
    UpdateSettings settings_;
    bool print_ = false;
};

Spec UpdateTool::spec() {
    return {
        .name = "dyn-update",
        .brief = "change a value with a command",
        .about =
            "The value is read and given to CMD on its stdin; what CMD prints becomes the value. "
            "An absent key gives CMD nothing to read. Updates of one key wait for each other, so "
            "that none is lost; CMD is run again when the value has changed meanwhile. When CMD "
            "fails or prints nothing, nothing is written.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-update visits -- awk '{n=$1} END {print n+1}'",
                      "Count, from as many places as you like."},
                     {"dyn-update note -- sed s/milk/tea/", "Edit a text."},
                     {"dyn-update --if-present --print note -- tr a-z A-Z",
                      "Change a value that must be there, and see the new one."},
                     {"dyn-update --resolve 'cmd:sort -u' cart:7 -- sed '$a tea'",
                      "Add a line, settling siblings on the way."}},
        .exits = with_failures(
            {{exits::done, "the value was changed, and no other stands beside it"},
             {exits::no, "the key has no value (--if-present); CMD was not run"},
             {exits::usage, "the command line makes no sense, or CMD failed: nothing was written"},
             {exits::conflict,
              "siblings: there before, and nothing was written; or of a write at the same time, "
              "and the new value is one of them"}}),
    };
}

void UpdateTool::build(App& app) {
    app.operands({.name = "KEY -- CMD...",
                  .help = "the key, and the command with its arguments; no shell reads them",
                  .least = 1,
                  .most = 100'000},
                 operands_);
    app.flag({.letter = "",
              .name = "--if-present",
              .help = "exit 1 for a key that has no value, without running CMD"},
             settings_.if_present);
    app.option({.letter = "",
                .name = "--resolve",
                .help = "of several siblings give CMD the newest, or what cmd:CMD makes of their "
                        "files; the new value supersedes them all",
                .value = "newest|cmd:CMD"},
               settings_.resolve);
    app.option({.letter = "",
                .name = "--retries",
                .help = "how often to begin again while there are siblings or a node refuses; 5 "
                        "when not given",
                .value = "N"},
               settings_.retries);
    app.option({.letter = "",
                .name = "--patience",
                .help = "how long to wait for an update that began before and does not end: its "
                        "program may have; 2s when not given",
                .value = "TIME"},
               settings_.patience);
    app.flag({.letter = "", .name = "--print", .help = "print the new value"}, print_);
    app.flag({.letter = "", .name = "--allow-empty", .help = "store even if CMD prints nothing"},
             settings_.allow_empty);
    app.option({.letter = "-r",
                .name = "",
                .help = "how many replicas must answer a read; the cluster's R when not given",
                .value = "N"},
               settings_.r);
    app.option({.letter = "-w",
                .name = "",
                .help = "how many replicas must hold it durably; the cluster's W when not given",
                .value = "N"},
               settings_.w);
    common_.declare(app, {.formats = {"human", "json", "ndjson"}, .keys = true});
    app.action([this] { return run(); });
}

Result<void> UpdateTool::take_command() {
    for (std::size_t at = 1; at < operands_.size(); ++at) {
        if (!operands_[at].literal) {
            return fail(Code::bad_request,
                        fmt::format("'{}' stands before --; write dyn-update KEY -- CMD...",
                                    printable(operands_[at].text)));
        }
        settings_.command.push_back(operands_[at].text);
    }
    if (settings_.command.empty()) {
        return fail(Code::bad_request, "CMD is missing; write dyn-update KEY -- CMD...");
    }
    if (settings_.resolve && *settings_.resolve != "newest" &&
        !settings_.resolve->starts_with("cmd:")) {
        return fail(Code::bad_request, fmt::format("--resolve: write newest or cmd:CMD, not '{}'",
                                                   *settings_.resolve));
    }
    return {};
}

int UpdateTool::run() {
    const Reporter reporter = common_.reporter();
    if (const auto taken = take_command(); !taken) {
        return reporter.usage(taken.error());
    }
    const auto key = common_.key_from_text(operands_[0].text);
    if (!key) {
        return reporter.error(key.error());
    }
    Update update(common_.client_options(), settings_);
    const auto updated = update.run(*key);
    if (!updated) {
        const bool failed = updated.error().code == Code::bad_request;
        return reporter.error(updated.error(), *key, failed ? "nothing was written" : "");
    }
    if (updated->absent) {
        return reporter.no(fmt::format("{}: no such key", printable(*key)));
    }
    return print(*key, *updated);
}

int UpdateTool::print(const std::string& key, const Updated& updated) const {
    std::string out;
    if (common_.json()) {
        nlohmann::ordered_json object = {{"schema", common_.reporter().schema()}};
        put_octets(object, "key", key);
        put_octets(object, "value", updated.value);
        object["runs"] = updated.runs;
        object["context"] = to_text(updated.context);
        out = dumped(object) + "\n";
    } else if (print_) {
        out = updated.value;
    }
    return out.empty() || write_out(out) ? exits::done : exits::server;
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::UpdateTool tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
