// dyn-put: stores a value under a key, or a whole list of them.
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/common/batch.h"
#include "cli/common/files.h"
#include "cli/common/options.h"
#include "cli/common/spec.h"
#include "cli/common/write_options.h"

namespace dynamo::cli {
namespace {

/// One item of a batch.
struct Item {
    std::string key;
    std::string value;
    std::optional<ContextToken> context;
};

/// An octet string of a JSON item: under its name, or in base64 under `name`_b64.
Result<std::string> octets_in(const nlohmann::json& object, const std::string& name) {
    if (const auto plain = object.find(name); plain != object.end() && plain->is_string()) {
        return plain->get<std::string>();
    }
    if (const auto coded = object.find(name + "_b64");
        coded != object.end() && coded->is_string()) {
        auto octets = from_base64_text(coded->get<std::string>());
        return octets ? octets : fail(Code::bad_request, name + "_b64 is no base64");
    }
    return fail(Code::bad_request, fmt::format("the item has no \"{0}\" or \"{0}_b64\"", name));
}

Result<Item> item_from_json(const std::string& text) {
    const auto object = nlohmann::json::parse(text, nullptr, false);
    if (!object.is_object()) {
        return fail(Code::bad_request, "the line is no JSON object in UTF-8");
    }
    auto key = octets_in(object, "key");
    if (!key) {
        return std::unexpected(key.error());
    }
    auto value = octets_in(object, "value");
    if (!value) {
        return std::unexpected(value.error());
    }
    Item item{std::move(*key), std::move(*value), std::nullopt};
    if (const auto context = object.find("context"); context != object.end()) {
        auto token = context->is_string() ? context_from_text(context->get<std::string>())
                                          : fail(Code::bad_context, "\"context\" is no string");
        if (!token) {
            return std::unexpected(token.error());
        }
        item.context = std::move(*token);
    }
    if (item.key.empty()) {
        return fail(Code::bad_request, "a key has at least one octet");
    }
    return item;
}

class PutTool {
  public:
    Spec spec();

  private:
    void build(App& app);
    int run();
    int run_batch();
    [[nodiscard]] Result<std::string> read_value() const;
    [[nodiscard]] Result<Item> item_from_line(const std::string& text) const;
    [[nodiscard]] PutOptions put_options() const;

    CommonOptions common_{"dyn-put"};
    WriteOptions write_;
    std::vector<Operand> operands_;
    bool create_ = false;
    bool blind_ = false;
    bool overwrite_ = false;
    bool allow_empty_ = false;
};

Spec PutTool::spec() {
    return {
        .name = "dyn-put",
        .brief = "store a value under a key",
        .about =
            "VALUE is the value itself, - for stdin (as when it is left out), or @FILE; after "
            "-- it is taken literally. Without --context, --create or --blind the key is "
            "observed first and what was seen is superseded, so a loop that puts the same "
            "key leaves one value; when several differing siblings are seen, nothing is "
            "written and the exit is 3.",
        .build = [this](App& app) { build(app); },
        .examples = {{"dyn-put cart:7 milk", "Store a value."},
                     {"dyn-put photo:1 @photo.jpg", "Store a file."},
                     {"dyn-get -C cart.ctx cart:7 | sed s/milk/tea/ | dyn-put -C cart.ctx cart:7 -",
                      "Change a value; when anything on the way fails, nothing is written."},
                     {"printf 'a\\tone\\nb\\ttwo\\n' | dyn-put --batch - --format tsv",
                      "Store many values, hundreds of requests in flight."},
                     {"dyn-put -- note -draft-", "Store a value that looks like an option."}},
        .exits = with_failures(
            {{exits::done, "stored: W replicas hold it durably"},
             {exits::conflict,
              "several siblings were seen, or --create found a value; nothing was "
              "written"},
             {exits::partial, "some items of a batch were not stored, each reported"}}),
    };
}

void PutTool::build(App& app) {
    app.operands({.name = "KEY [VALUE|-|@FILE]",
                  .help = "the key, and its value: itself, stdin or a file",
                  .least = 0,
                  .most = 2},
                 operands_);
    write_.declare(app);
    app.flag({.letter = "",
              .name = "--create",
              .help = "refuse when the key has a value. Best effort: of two that create at the "
                      "same moment both may succeed, as siblings"},
             create_)
        .excludes = {"--context"};
    app.flag({.letter = "",
              .name = "--blind",
              .help = "look at nothing first: an existing value becomes a sibling"},
             blind_)
        .excludes = {"--context", "--create"};
    app.flag({.letter = "",
              .name = "--overwrite",
              .help = "supersede several differing siblings too"},
             overwrite_)
        .excludes = {"--context", "--create", "--blind"};
    app.flag(
        {.letter = "", .name = "--allow-empty", .help = "store even if stdin or FILE is empty"},
        allow_empty_);
    write_.declare_batch(app,
                         "store a list from stdin (-) or a file: JSON lines {\"key\", \"value\", "
                         "\"context\"}, key_b64 and value_b64 for what is no UTF-8; with --format "
                         "tsv, key TAB value. Each failed item is printed as a JSON line",
                         {"--context", "--print-context"});
    common_.declare(app, {.formats = {"human", "json", "ndjson", "tsv"},
                          .format_help = "how to print, and how a batch is written",
                          .keys = true,
                          .lists = true});
    app.action([this] { return run(); });
}

PutOptions PutTool::put_options() const {
    PutOptions options;
    options.mode = blind_ ? PutMode::blind : PutMode::observe;
    options.w = write_.w();
    options.trace = write_.trace();
    options.overwrite = overwrite_;
    options.if_absent = create_;
    return options;
}

Result<std::string> PutTool::read_value() const {
    constexpr std::size_t most = 64u << 20;
    const Operand source = operands_.size() > 1 ? operands_[1] : Operand{"-", false};
    const bool from_stdin = !source.literal && source.text == "-";
    const bool from_file = !source.literal && source.text.starts_with("@");
    if (!from_stdin && !from_file) {
        return source.text;
    }
    if (operands_.size() == 1 && ::isatty(STDIN_FILENO) == 1) {
        return fail(Code::bad_request, "VALUE is missing; write - to type it");
    }
    auto value = from_stdin ? read_stdin(most) : read_file(source.text.substr(1), most);
    if (value && value->empty() && !allow_empty_) {
        return fail(Code::bad_request,
                    fmt::format("{} is empty, nothing was written; --allow-empty stores it anyway",
                                from_stdin ? "stdin" : source.text.substr(1)));
    }
    return value;
}

int PutTool::run() {
    const Reporter reporter = common_.reporter();
    if (write_.is_batch()) {
        return run_batch();
    }
    if (operands_.empty()) {
        return reporter.usage(Error{Code::bad_request, "KEY is missing"});
    }
    const auto key = common_.key_from_text(operands_[0].text);
    if (!key) {
        return reporter.error(key.error());
    }
    const auto value = read_value();
    if (!value) {
        return reporter.error(value.error(), *key);
    }
    if (const auto loaded = write_.load_context(); !loaded) {
        return reporter.error(loaded.error(), *key);
    }
    PutOptions options = put_options();
    if (write_.has_context()) {
        options.mode = PutMode::context;
        options.context = write_.context();
    }
    auto client = common_.open_client();
    if (!client) {
        return reporter.error(client.error());
    }
    const auto stored = client->put(*key, *value, options);
    if (!stored) {
        return reporter.error(stored.error(), *key);
    }
    return write_.finish(common_, *key, *stored);
}

Result<Item> PutTool::item_from_line(const std::string& text) const {
    if (common_.format() != Format::tsv) {
        return item_from_json(text);
    }
    const auto tab = text.find('\t');
    if (tab == std::string::npos) {
        return fail(Code::bad_request, "the line has no TAB between key and value");
    }
    auto key = common_.key_from_text(std::string_view(text).substr(0, tab));
    if (!key) {
        return std::unexpected(key.error());
    }
    return Item{std::move(*key), text.substr(tab + 1), std::nullopt};
}

int PutTool::run_batch() {
    if (!operands_.empty()) {
        return common_.reporter().usage(
            Error{Code::bad_request, "a batch takes its keys from the list only"});
    }
    Batch batch(common_, write_.batch_settings("stored"));
    return batch.run([this](Client& client, const Line& line, const Batch::Finish& finish) {
        auto item = item_from_line(line.text);
        if (!item) {
            finish(failed_item(line, "", item.error()));
            return;
        }
        PutOptions options = put_options();
        if (item->context) {
            options.mode = PutMode::context;
            options.context = *item->context;
        }
        client.put_async(item->key, std::move(item->value), options,
                         [line = Line{line.number, {}, false}, key = item->key,
                          finish](const Result<Stored>& stored) {
                             finish(stored ? Outcome{} : failed_item(line, key, stored.error()));
                         });
    });
}

}  // namespace
}  // namespace dynamo::cli

int main(int count, char** words) {
    dynamo::cli::PutTool tool;
    return dynamo::cli::run_tool(tool.spec(), count, words);
}
