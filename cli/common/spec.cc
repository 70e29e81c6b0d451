#include "cli/common/spec.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "cli/common/exit.h"
#include "cli/common/output.h"
#include "cli/common/parse.h"

namespace dynamo::cli {
namespace {

void add_own_options(App& app, bool& help, bool& version) {
    app.flag({.letter = "-h", .name = "--help", .help = "print this text", .shared = true}, help);
    app.flag({.letter = "", .name = "--version", .help = "print the version", .shared = true},
             version);
}

/// Looked for before anything is parsed, so that a usage error is in the wanted format as well.
bool wants_json(const std::vector<std::string>& words) {
    for (std::size_t at = 0; at < words.size() && words[at] != "--"; ++at) {
        std::string format;
        if (words[at].starts_with("--format=")) {
            format = words[at].substr(9);
        } else if (words[at] == "--format" && at + 1 < words.size()) {
            format = words[at + 1];
        }
        if (format == "json" || format == "ndjson") {
            return true;
        }
    }
    return false;
}

int print(const std::string& text) { return write_out(text) ? 0 : 1; }

int print_candidates(App& app, const std::vector<std::string>& words) {
    std::string text;
    for (const Candidate& candidate : complete(app, words)) {
        text += candidate.word + "\t" + candidate.meaning + "\n";
    }
    return print(text);
}

}  // namespace

std::vector<ExitRow> with_failures(std::vector<ExitRow> own) {
    const std::vector<ExitRow> failures = {
        {exits::usage, "the command line makes no sense, or input is outside the limits"},
        {exits::maybe_applied, "too few nodes answered in time: a write may have been applied"},
        {exits::not_applied, "no node could be reached: nothing was written"},
        {exits::refused, "refused by a safety rule, which is named"},
        {exits::server, "a node's storage or a checksum failed"},
    };
    for (const ExitRow& row : failures) {
        if (std::ranges::find(own, row.code, &ExitRow::code) == own.end()) {
            own.push_back(row);
        }
    }
    std::ranges::sort(own, {}, &ExitRow::code);
    return own;
}

int run_tool(const Spec& spec, int count, char** words) {
    // A reader that has gone ends a tool quietly, whatever the caller did with the signal.
    std::signal(SIGPIPE, SIG_DFL);
    const std::vector<std::string> arguments(words + (count > 0 ? 1 : 0), words + count);
    App app(spec.name, spec.brief);
    spec.build(app);
    bool help = false;
    bool version = false;
    add_own_options(app, help, version);

    if (std::getenv("DYN_COMPLETE")) {
        return print_candidates(app, arguments);
    }
    if (const char* part = std::getenv("DYN_DOC")) {
        return print(manual_of(spec, app, part));
    }
    const auto parsed = parse(app, arguments);
    if (!parsed) {
        return Reporter(spec.name, wants_json(arguments))
            .usage(parsed.error(), fmt::format("see {} --help", spec.name));
    }
    if (parsed->help) {
        return print(help_of(spec, *parsed->command));
    }
    if (parsed->version) {
        return print(fmt::format("{} {}\n", spec.name, DYNAMO_VERSION));
    }
    return parsed->command->run();
}

}  // namespace dynamo::cli
