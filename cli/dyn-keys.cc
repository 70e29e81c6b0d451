// dyn-keys: lists the keys that are stored.
#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "cli/common/interrupt.h"
#include "cli/common/key_pages.h"
#include "cli/common/options.h"
#include "cli/common/spec.h"

namespace dynamo::cli {
namespace {

class KeysTool {
  public:
    Spec spec();

  private:
    void build(App& app);
    int run();
    [[nodiscard]] bool wanted(const KeyInfo& info) const;
    [[nodiscard]] std::string line_of(const KeyInfo& info) const;
    [[nodiscard]] int finish(const KeyPages& pages) const;

    CommonOptions common_{"dyn-keys"};
    std::string prefix_;
    std::optional<unsigned> partition_;
    bool conflicts_only_ = false;
    bool tombstones_ = false;
    std::string cursor_;
    std::optional<unsigned> limit_;
    unsigned rate_ = 0;
};

Spec KeysTool::spec() {
    return {
        .name = "dyn-keys",
        .brief = "list the keys that are stored",
        .about =
            "Keys come partition by partition as they are read, and the list is never held. Keys "
            "that were deleted are left out unless --tombstones asks for them. A key that is "
            "written or deleted meanwhile may or may not be listed.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-keys --prefix cart:", "List the keys that begin so."},
                     {"dyn-keys --conflicts-only -0 | dyn-merge --batch - -0 --with 'sort -u'",
                      "Settle every conflict there is."},
                     {"dyn-keys --limit 1000 --format ndjson >page.ndjson",
                      "Take a page; its last line holds the cursor of the next."},
                     {"dyn-keys -0 --rate 500 | dyn-get --batch - -0 >all.ndjson",
                      "Read everything, slowly."}},
        .exits = with_failures(
            {{exits::done, "listed, as far as --limit goes; perhaps nothing"},
             {exits::partial, "interrupted; --cursor goes on where standard error says"}}),
    };
}

void KeysTool::build(App& app) {
    app.option({.letter = "",
                .name = "--prefix",
                .help = "only keys that begin so, in the given encoding",
                .value = "P"},
               prefix_);
    app.option({.letter = "", .name = "--partition", .help = "only this one", .value = "N"},
               partition_);
    app.flag({.letter = "",
              .name = "--conflicts-only",
              .help = "only keys with several differing siblings"},
             conflicts_only_);
    app.flag({.letter = "",
              .name = "--tombstones",
              .help = "only keys that were deleted and are remembered as such"},
             tombstones_)
        .excludes = {"--conflicts-only"};
    app.option({.letter = "",
                .name = "--cursor",
                .help = "go on where an earlier listing of the same kind ended",
                .value = "CURSOR"},
               cursor_);
    app.option({.letter = "",
                .name = "--limit",
                .help = "stop after about so many keys and give the cursor",
                .value = "N"},
               limit_);
    app.option({.letter = "",
                .name = "--rate",
                .help = "keys to look at in a second, at most",
                .value = "N"},
               rate_);
    common_.declare(app,
                    {.formats = {"human", "json", "ndjson", "tsv"}, .keys = true, .lists = true});
    app.action([this] { return run(); });
}

bool KeysTool::wanted(const KeyInfo& info) const {
    return tombstones_       ? info.values == 0 && info.tombstone
           : conflicts_only_ ? info.values > 1
                             : info.values > 0;
}

std::string KeysTool::line_of(const KeyInfo& info) const {
    if (common_.json()) {
        nlohmann::ordered_json object;
        put_octets(object, "key", info.key);
        object["siblings"] = info.values;
        object["tombstone"] = info.tombstone;
        object["partition"] = info.partition;
        return dumped(object) + "\n";
    }
    std::string line = common_.key_text(info.key);
    if (common_.format() == Format::tsv) {
        line += fmt::format("\t{}\t{}\t{}", info.values, info.tombstone ? 1 : 0, info.partition);
    }
    return line + common_.separator();
}

int KeysTool::finish(const KeyPages& pages) const {
    if (pages.at_end()) {
        return exits::done;
    }
    if (common_.json()) {
        const nlohmann::ordered_json object = {{"schema", common_.reporter().schema()},
                                               {"cursor", pages.cursor()}};
        static_cast<void>(write_out(dumped(object) + "\n"));
    }
    common_.reporter().remark(fmt::format("there is more: --cursor {}", pages.cursor()));
    return interrupted() ? exits::partial : exits::done;
}

int KeysTool::run() {
    const Reporter reporter = common_.reporter();
    KeyQuery query;
    query.partition = partition_;
    query.cursor = cursor_;
    if (!prefix_.empty()) {
        auto prefix = common_.key_from_text(prefix_);
        if (!prefix) {
            return reporter.error(prefix.error());
        }
        query.prefix = std::move(*prefix);
    }
    if (limit_ && *limit_ == 0) {
        return reporter.usage(Error{Code::bad_request, "--limit is at least 1"});
    }
    auto client = common_.open_client();
    if (!client) {
        return reporter.error(client.error());
    }
    catch_interrupt();
    KeyPages pages(std::move(query), rate_);
    std::size_t left = limit_ ? *limit_ : std::numeric_limits<std::size_t>::max();
    while (!pages.at_end() && left > 0 && !interrupted()) {
        const auto page = pages.next(*client, left);
        if (!page) {
            return reporter.error(page.error(), {},
                                  pages.cursor().empty() || page.error().code == Code::bad_request
                                      ? ""
                                      : fmt::format("go on with --cursor {}", pages.cursor()));
        }
        std::string out;
        for (const KeyInfo& info : page->keys) {
            if (wanted(info)) {
                out += line_of(info);
                left -= left > 0 ? 1 : 0;
            }
        }
        if (!out.empty() && !write_out(out)) {
            return exits::server;
        }
    }
    return finish(pages);
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::KeysTool tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
