// dyn-merge: settles the siblings of a key with a command (paper section 4.4: the client merges).
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/common/batch.h"
#include "cli/common/files.h"
#include "cli/common/key_io.h"
#include "cli/common/options.h"
#include "cli/common/spec.h"

namespace dynamo::cli {
namespace {

class MergeTool {
  public:
    Spec spec();

  private:
    void build(App& app);
    int run();
    int run_batch();
    void merge_item(Client& client, const Line& line, const std::string& key, const Got& got,
                    const Batch::Finish& finish);
    int merge(Client& client, const std::string& key, const Got& got);
    int finish(Client& client, const std::string& key, std::size_t siblings, std::size_t octets);
    [[nodiscard]] Result<std::string> merged(const Got& got) const;
    [[nodiscard]] int print(const std::string& key, std::size_t siblings, std::size_t left) const;

    CommonOptions common_{"dyn-merge"};
    std::vector<Operand> operands_;
    std::string command_;
    unsigned r_ = 0;
    unsigned w_ = 0;
    bool allow_empty_ = false;
    std::optional<std::string> batch_;
};

Spec MergeTool::spec() {
    return {
        .name = "dyn-merge",
        .brief = "settle the siblings of a key with a command",
        .about =
            "CMD is run by sh(1) with one file per sibling after it, or as its \"$@\" where "
            "it names that itself. What it prints becomes the value that supersedes all of "
            "them. When it fails or prints nothing, nothing is written. A write that arrives "
            "meanwhile survives as a sibling: the exit is then 3, and another run settles it.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-merge cart:7 --with 'sort -u'", "Keep each line of any sibling once."},
                     {"dyn-merge cart:7 --with 'jq -s add'", "Merge JSON objects or arrays."},
                     {"dyn-merge note --with 'cat \"$1\"; :'",
                      "Keep the first sibling alone, naming its file."},
                     {"dyn-keys --conflicts-only | dyn-merge --batch - --with 'sort -u'",
                      "Settle every conflict that there is."}},
        .exits = with_failures({{exits::done, "one value is left, merged now or before"},
                                {exits::no, "the key has no value"},
                                {exits::usage,
                                 "the command line makes no sense, or CMD failed: "
                                 "nothing was written"},
                                {exits::conflict, "merged, but new siblings have arrived"},
                                {exits::partial, "some keys of a batch were not settled"}}),
    };
}

void MergeTool::build(App& app) {
    app.operands({.name = "KEY", .help = "the key to settle", .least = 0, .most = 1}, operands_);
    app.option({.letter = "",
                .name = "--with",
                .help = "the command that merges; its stdout becomes the value",
                .value = "CMD"},
               command_);
    app.option({.letter = "-r",
                .name = "",
                .help = "how many replicas must answer the read; the cluster's R when not given",
                .value = "N"},
               r_);
    app.option({.letter = "-w",
                .name = "",
                .help = "how many replicas must hold it durably; the cluster's W when not given",
                .value = "N"},
               w_);
    app.flag({.letter = "", .name = "--allow-empty", .help = "store even if CMD prints nothing"},
             allow_empty_);
    app.option({.letter = "",
                .name = "--batch",
                .help = "settle a list of keys from stdin (-) or a file, one a line. Each failed "
                        "one is printed as a JSON line",
                .value = "-|@FILE"},
               batch_);
    common_.declare(app, {.formats = {"human", "json", "ndjson"}, .keys = true, .lists = true});
    app.action([this] { return run(); });
}

int MergeTool::run() {
    const Reporter reporter = common_.reporter();
    if (command_.empty()) {
        return reporter.usage(Error{Code::bad_request, "--with CMD is missing"});
    }
    if (batch_) {
        return operands_.empty()
                   ? run_batch()
                   : reporter.usage(
                         Error{Code::bad_request, "a batch takes its keys from the list only"});
    }
    if (operands_.empty()) {
        return reporter.usage(Error{Code::bad_request, "KEY is missing"});
    }
    const auto key = common_.key_from_text(operands_[0].text);
    if (!key) {
        return reporter.error(key.error());
    }
    auto client = common_.open_client();
    if (!client) {
        return reporter.error(client.error());
    }
    const auto got = client->get(*key, {.r = r_});
    if (!got) {
        return reporter.error(got.error(), *key);
    }
    const std::size_t siblings = got->values().size();
    if (siblings == 0) {
        return reporter.no(fmt::format("{}: no such key", printable(*key)));
    }
    if (siblings == 1) {
        reporter.remark(fmt::format("{}: one value, nothing to merge", printable(*key)));
        return print(*key, 1, 1);
    }
    return merge(*client, *key, *got);
}

int MergeTool::merge(Client& client, const std::string& key, const Got& got) {
    const Reporter reporter = common_.reporter();
    const auto value = merged(got);
    if (!value) {
        return reporter.error(value.error(), key, "nothing was written");
    }
    PutOptions options;
    options.mode = PutMode::context;
    options.context = got.context;
    options.w = w_;
    const auto stored = client.put(key, *value, options);
    if (!stored) {
        return reporter.error(stored.error(), key);
    }
    return finish(client, key, got.values().size(), value->size());
}

Result<std::string> MergeTool::merged(const Got& got) const {
    const auto scratch = ScratchDirectory::make();
    if (!scratch) {
        return std::unexpected(scratch.error());
    }
    const auto names = write_values(scratch->path(), octets_of(got.values()));
    if (!names) {
        return std::unexpected(names.error());
    }
    // A list of keys on stdin is not for the command to read.
    auto value = run_command(command_, *names, batch_ ? CommandInput::nothing : CommandInput::ours);
    if (value && value->empty() && !allow_empty_) {
        return fail(Code::bad_request,
                    fmt::format("'{}' printed nothing (see --allow-empty)", command_));
    }
    return value;
}

int MergeTool::finish(Client& client, const std::string& key, std::size_t siblings,
                      std::size_t octets) {
    const Reporter reporter = common_.reporter();
    const auto after = client.get(key, {.r = r_});
    if (!after) {
        Error error = after.error();
        error.applied = Applied::yes;
        return reporter.error(error, key, "the merge itself is done; read the key again");
    }
    const std::size_t left = after->values().size();
    if (left > 1) {
        static_cast<void>(print(key, siblings, left));
        return reporter.error(Error{Code::conflict,
                                    fmt::format("merged, but {} siblings are there again", left),
                                    {},
                                    Applied::yes},
                              key, "run dyn-merge once more");
    }
    reporter.remark(
        fmt::format("{}: merged {} siblings into {} octets", printable(key), siblings, octets));
    return print(key, siblings, left);
}

int MergeTool::run_batch() {
    // Few at a time: the commands run one after the other, and what was read should be fresh.
    Batch batch(common_, {.source = *batch_, .in_flight = 16, .verb = "settled"});
    return batch.run([this](Client& client, const Line& line, const Batch::Finish& finish) {
        const auto key = common_.key_from_text(line.text);
        if (!key) {
            finish(failed_item(line, "", key.error()));
            return;
        }
        client.get_async(*key, {.r = r_},
                         [this, &client, line, key = *key, finish](const Result<Got>& got) {
                             if (!got) {
                                 finish(failed_item(line, key, got.error()));
                             } else if (got->values().size() <= 1) {
                                 finish({.absent = got->values().empty()});
                             } else {
                                 merge_item(client, line, key, *got, finish);
                             }
                         });
    });
}

void MergeTool::merge_item(Client& client, const Line& line, const std::string& key, const Got& got,
                           const Batch::Finish& finish) {
    const auto value = merged(got);
    if (!value) {
        finish(failed_item(line, key, value.error()));
        return;
    }
    PutOptions options;
    options.mode = PutMode::context;
    options.context = got.context;
    options.w = w_;
    client.put_async(
        key, *value, options, [this, &client, line, key, finish](const Result<Stored>& stored) {
            if (!stored) {
                finish(failed_item(line, key, stored.error()));
                return;
            }
            client.get_async(key, {.r = r_}, [line, key, finish](const Result<Got>& after) {
                Error error = after ? Error{Code::conflict, "merged, but siblings are there again"}
                                    : after.error();
                error.applied = Applied::yes;
                const bool settled = after && after->values().size() <= 1;
                finish(settled ? Outcome{} : failed_item(line, key, error));
            });
        });
}

int MergeTool::print(const std::string& key, std::size_t siblings, std::size_t left) const {
    if (!common_.json()) {
        return exits::done;
    }
    nlohmann::ordered_json object = {{"schema", common_.reporter().schema()}};
    put_octets(object, "key", key);
    object["siblings_before"] = siblings;
    object["siblings_after"] = left;
    return write_out(dumped(object) + "\n") ? exits::done : exits::server;
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::MergeTool tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
