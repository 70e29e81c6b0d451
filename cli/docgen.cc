// dyn-docgen: keeps the manual pages and the completions at what the tools say of themselves.
//
//     dyn-docgen [--check] BIN MAN COMPLETIONS TOOL...
//
// In MAN/TOOL.1 each region between `.\" BEGIN PART` and `.\" END PART` becomes what the tool
// prints for DYN_DOC=PART; in COMPLETIONS the list of tools is written where each shell wants it.
// With --check nothing is written; the exit is 1 when anything would have been.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

namespace {

struct Run {
    bool check = false;
    std::string bin;
    std::string man;
    std::string completions;
    std::vector<std::string> tools;
    bool stale = false;
    bool failed = false;
};

std::optional<std::string> read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return std::nullopt;
    }
    return std::string{std::istreambuf_iterator<char>(file), {}};
}

std::string said_by(const std::string& tool, const std::string& part) {
    const std::string command = fmt::format("DYN_DOC={} '{}'", part, tool);
    std::string text;
    FILE* pipe = ::popen(command.c_str(), "r");
    if (!pipe) {
        return text;
    }
    char chunk[4096];
    for (std::size_t count = 0; (count = std::fread(chunk, 1, sizeof chunk, pipe)) > 0;) {
        text.append(chunk, count);
    }
    return ::pclose(pipe) == 0 ? text : "";
}

void put_back(Run& run, const std::string& path, const std::string& before,
              const std::string& after) {
    if (before == after) {
        return;
    }
    run.stale = true;
    if (run.check) {
        fmt::print(stderr, "dyn-docgen: {} is out of date; build the target docs\n", path);
        return;
    }
    std::ofstream(path, std::ios::binary) << after;
    fmt::print("{}\n", path);
}

void fail(Run& run, const std::string& why) {
    fmt::print(stderr, "dyn-docgen: {}\n", why);
    run.failed = true;
}

void update_page(Run& run, const std::string& tool) {
    const std::string path = run.man + "/" + tool + ".1";
    const auto before = read(path);
    if (!before) {
        fail(run, path + " is missing");
        return;
    }
    std::string after = *before;
    for (const std::string part : {"options", "exits", "examples"}) {
        const std::string begin = ".\\\" BEGIN " + part + "\n";
        const std::string end = ".\\\" END " + part + "\n";
        const auto from = after.find(begin);
        const auto to = after.find(end);
        const std::string said = said_by(run.bin + "/" + tool, part);
        if (from == std::string::npos || to == std::string::npos || to < from || said.empty()) {
            fail(run, fmt::format("{}: no region or no text for {}", path, part));
            return;
        }
        after.replace(from + begin.size(), to - from - begin.size(), said);
    }
    put_back(run, path, *before, after);
}

/// The one line of `file` that begins with `prefix` becomes that and the list of tools.
void update_list(Run& run, const std::string& file, const std::string& prefix) {
    const std::string path = run.completions + "/" + file;
    const auto before = read(path);
    if (!before) {
        fail(run, path + " is missing");
        return;
    }
    const auto at = before->starts_with(prefix) ? 0 : before->find("\n" + prefix);
    if (at == std::string::npos) {
        fail(run, fmt::format("{}: no line begins with '{}'", path, prefix));
        return;
    }
    const auto from = at == 0 ? 0 : at + 1;
    std::string after = *before;
    after.replace(from, after.find('\n', from) - from,
                  fmt::format("{}{}", prefix, fmt::join(run.tools, " ")));
    put_back(run, path, *before, after);
}

}  // namespace

int main(int count, char** words) {
    std::vector<std::string> arguments(words + 1, words + count);
    Run run;
    if (!arguments.empty() && arguments.front() == "--check") {
        run.check = true;
        arguments.erase(arguments.begin());
    }
    if (arguments.size() < 4) {
        fmt::print(stderr, "usage: dyn-docgen [--check] BIN MAN COMPLETIONS TOOL...\n");
        return 2;
    }
    run.bin = arguments[0];
    run.man = arguments[1];
    run.completions = arguments[2];
    run.tools.assign(arguments.begin() + 3, arguments.end());
    for (const std::string& tool : run.tools) {
        update_page(run, tool);
    }
    update_list(run, "dyn.bash", "complete -o default -o nosort -F _dyn ");
    update_list(run, "_dyn", "#compdef ");
    update_list(run, "dyn.fish", "for tool in ");
    return run.failed ? 2 : run.check && run.stale ? 1 : 0;
}
