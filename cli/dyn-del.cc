// dyn-del: deletes keys.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/common/batch.h"
#include "cli/common/interrupt.h"
#include "cli/common/key_pages.h"
#include "cli/common/options.h"
#include "cli/common/spec.h"
#include "cli/common/write_options.h"

namespace dynamo::cli {
namespace {

class DelTool {
  public:
    Spec spec();

  private:
    void build(App& app);
    int run();
    int run_batch();
    int delete_one(Client& client, const std::string& key);
    int delete_prefix();
    int delete_pages(Client& client, const std::string& prefix);
    bool delete_page(Client& client, const KeyPage& page);

    CommonOptions common_{"dyn-del"};
    WriteOptions write_;
    std::vector<Operand> operands_;
    bool if_present_ = false;
    std::optional<std::string> prefix_;
    bool dry_run_ = false;
    bool yes_ = false;
    std::uint64_t deleted_ = 0;
    std::uint64_t failed_ = 0;
};

Spec DelTool::spec() {
    return {
        .name = "dyn-del",
        .brief = "delete keys",
        .about =
            "A delete supersedes what it has seen: every sibling that is there, or with "
            "--context exactly those that were read. A write that it has not seen survives "
            "it.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-del cart:7", "Delete a key."},
                     {"dyn-del --if-present cart:7 cart:8", "Make sure that keys are gone."},
                     {"dyn-get -C cart.ctx cart:7 && dyn-del -C cart.ctx cart:7",
                      "Delete exactly the value that was read."},
                     {"printf 'cart:7\\ncart:8\\n' | dyn-del --batch -", "Delete many keys."},
                     {"dyn-del --prefix cart: --dry-run",
                      "See which keys would go; with --yes instead they do."}},
        .exits = with_failures(
            {{exits::done, "deleted"},
             {exits::no, "a key had no value"},
             {exits::refused, "refused by a safety rule, which is named: --prefix needs --yes"},
             {exits::partial, "some keys of a batch or a prefix were not deleted"}}),
    };
}

void DelTool::build(App& app) {
    app.operands({.name = "KEY...", .help = "the keys to delete", .least = 0, .most = 1'000'000},
                 operands_);
    write_.declare(app);
    app.flag({.letter = "", .name = "--if-present", .help = "exit 0 for a key that has no value"},
             if_present_);
    write_.declare_batch(app,
                         "delete a list of keys from stdin (-) or a file, one a line. Each failed "
                         "item is printed as a JSON line",
                         {"--context", "--print-context"});
    app.option({.letter = "",
                .name = "--prefix",
                .help = "delete every key that begins so; each failed one is printed as a JSON "
                        "line",
                .value = "P"},
               prefix_)
        .excludes = {"--batch", "--context", "--print-context", "--if-present"};
    app.flag({.letter = "",
              .name = "--dry-run",
              .help = "with --prefix: print the keys and delete nothing"},
             dry_run_);
    app.flag({.letter = "", .name = "--yes", .help = "with --prefix: do it"}, yes_).excludes = {
        "--dry-run"};
    common_.declare(app, {.formats = {"human", "json", "ndjson"}, .keys = true, .lists = true});
    app.action([this] { return run(); });
}

int DelTool::run() {
    const Reporter reporter = common_.reporter();
    if (write_.is_batch()) {
        return run_batch();
    }
    if (prefix_) {
        return delete_prefix();
    }
    if (dry_run_ || yes_) {
        return reporter.usage(Error{Code::bad_request, "--dry-run and --yes go with --prefix"});
    }
    if (operands_.empty()) {
        return reporter.usage(Error{Code::bad_request, "KEY is missing"});
    }
    if (operands_.size() > 1 && write_.names_context()) {
        return reporter.usage(Error{Code::bad_request, "--context goes with one KEY"});
    }
    std::vector<std::string> keys;
    for (const Operand& operand : operands_) {
        auto key = common_.key_from_text(operand.text);
        if (!key) {
            return reporter.error(key.error());
        }
        keys.push_back(std::move(*key));
    }
    if (const auto loaded = write_.load_context(); !loaded) {
        return reporter.error(loaded.error());
    }
    auto client = common_.open_client();
    if (!client) {
        return reporter.error(client.error());
    }
    int worst = exits::done;
    for (const std::string& key : keys) {
        worst = std::max(worst, delete_one(*client, key));
    }
    return worst;
}

int DelTool::delete_one(Client& client, const std::string& key) {
    DelOptions options;
    options.w = write_.w();
    options.trace = write_.trace();
    if (write_.has_context()) {
        options.mode = PutMode::context;
        options.context = write_.context();
    }
    const auto stored = client.del(key, options);
    if (!stored) {
        return common_.reporter().error(stored.error(), key);
    }
    const int finished = write_.finish(common_, key, *stored);
    if (finished == exits::done && !stored->existed && !if_present_) {
        return common_.reporter().no(fmt::format("{}: no such key", printable(key)));
    }
    return finished;
}

int DelTool::run_batch() {
    if (!operands_.empty()) {
        return common_.reporter().usage(
            Error{Code::bad_request, "a batch takes its keys from the list only"});
    }
    Batch batch(common_, write_.batch_settings("deleted"));
    return batch.run([this](Client& client, const Line& line, const Batch::Finish& finish) {
        const auto key = common_.key_from_text(line.text);
        if (!key) {
            finish(failed_item(line, "", key.error()));
            return;
        }
        DelOptions options;
        options.w = write_.w();
        client.del_async(*key, options, [line, key = *key, finish](const Result<Stored>& stored) {
            finish(stored ? Outcome{.absent = !stored->existed}
                          : failed_item(line, key, stored.error()));
        });
    });
}

int DelTool::delete_prefix() {
    const Reporter reporter = common_.reporter();
    if (!operands_.empty()) {
        return reporter.usage(Error{Code::bad_request, "--prefix takes no KEY beside it"});
    }
    if (prefix_->empty()) {
        return reporter.usage(Error{Code::bad_request,
                                    "an empty prefix is every key; for that write dyn-keys -0 | "
                                    "dyn-del --batch - -0"});
    }
    const auto prefix = common_.key_from_text(*prefix_);
    if (!prefix) {
        return reporter.error(prefix.error());
    }
    if (!dry_run_ && !yes_) {
        return reporter.error(
            Error{Code::refused, "it deletes every key that begins so; nothing was deleted"},
            *prefix_, "look with --dry-run, then say --yes");
    }
    auto client = common_.open_client();
    if (!client) {
        return reporter.error(client.error());
    }
    return delete_pages(*client, *prefix);
}

int DelTool::delete_pages(Client& client, const std::string& prefix) {
    const Reporter reporter = common_.reporter();
    catch_interrupt();
    constexpr std::size_t page_keys = 1000;
    KeyQuery query;
    query.prefix = prefix;
    KeyPages pages(std::move(query), 0);
    while (!pages.at_end() && !interrupted()) {
        const auto page = pages.next(client, page_keys);
        if (!page) {
            reporter.error(
                page.error(), *prefix_,
                fmt::format("{} keys were deleted; run it again for the rest", deleted_));
            return deleted_ > 0 ? exits::partial : exit_code_of(page.error().code);
        }
        if (!delete_page(client, *page)) {
            return exits::server;
        }
    }
    if (!dry_run_) {
        reporter.remark(fmt::format("{} deleted, {} failed{}", deleted_, failed_,
                                    interrupted() ? "; interrupted, run it again" : ""));
    }
    return failed_ > 0 || interrupted() ? exits::partial : exits::done;
}

/// False when stdout is gone.
bool DelTool::delete_page(Client& client, const KeyPage& page) {
    std::string out;
    for (const KeyInfo& info : page.keys) {
        if (info.values == 0) {
            continue;
        }
        if (dry_run_) {
            out += common_.key_text(info.key) + common_.separator();
            continue;
        }
        DelOptions options;
        options.w = write_.w();
        client.del_async(info.key, options, [&, key = info.key](const Result<Stored>& stored) {
            deleted_ += stored ? 1 : 0;
            failed_ += stored ? 0 : 1;
            if (!stored) {
                out += *failed_item({}, key, stored.error()).line + "\n";
            }
        });
        // A page is all in flight at most; its answers are here before the next one is asked for.
        client.poll(std::chrono::milliseconds(0));
    }
    client.run();
    return out.empty() || write_out(out);
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::DelTool tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
