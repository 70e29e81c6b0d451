// What a tool says of itself, and the one main() of all tools.
//
// --help, --version, the generated parts of the manual page (DYN_DOC=options|exits|examples) and
// the candidates of a completion (DYN_COMPLETE=1 tool words...) all come from one Spec.
//
// Threads: one owner
// Errors:  every one ends as an exit code
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/common/app.h"

namespace dynamo::cli {

struct Example {
    std::string command;
    std::string what;
};

struct ExitRow {
    int code = 0;
    std::string meaning;
};

struct Spec {
    std::string name;   ///< "dyn-get"
    std::string brief;  ///< "print the value of a key", without capital and full stop
    std::string about;  ///< a paragraph or two for --help
    std::function<void(App&)> build;
    std::vector<Example> examples;  ///< --help shows the first two before anything else
    std::vector<ExitRow> exits;
};

/// `own` together with the failures that every tool shares, by code; one of `own` wins.
[[nodiscard]] std::vector<ExitRow> with_failures(std::vector<ExitRow> own);

/// Runs the tool: answers with its exit code.
[[nodiscard]] int run_tool(const Spec& spec, int count, char** words);

/// The whole text of --help for a command of the tree.
[[nodiscard]] std::string help_of(const Spec& spec, const App& app);

/// One generated part of the manual page, in mdoc: "options", "exits" or "examples". Empty for a
/// part that does not exist.
[[nodiscard]] std::string manual_of(const Spec& spec, const App& app, const std::string& part);

/// What could stand where the last of `words` is; it may be empty.
[[nodiscard]] Candidates complete(App& root, const std::vector<std::string>& words);

}  // namespace dynamo::cli
