// The texts that come from the tree: --help and the generated parts of the manual pages.
#include <fmt/format.h>

#include <algorithm>

#include "cli/common/output.h"
#include "cli/common/spec.h"

namespace dynamo::cli {
namespace {

constexpr std::size_t columns = 88;

/// Breaks `text` at spaces; every line begins with `indent` spaces.
std::string wrapped(const std::string& text, std::size_t indent) {
    std::string out;
    std::string line;
    const auto end_line = [&] {
        out += std::string(indent, ' ') + line + "\n";
        line.clear();
    };
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t end = std::min(text.find_first_of(" \n", at), text.size());
        const std::string word = text.substr(at, end - at);
        if (!line.empty() && indent + width_of(line) + 1 + width_of(word) > columns) {
            end_line();
        }
        line += (line.empty() ? "" : " ") + word;
        if (end < text.size() && text[end] == '\n') {
            end_line();
        }
        at = end + 1;
    }
    if (!line.empty()) {
        end_line();
    }
    return out;
}

std::string written(const Option& option) {
    const OptionText& text = option.text;
    std::string names = text.letter;
    if (!text.name.empty()) {
        names += (names.empty() ? "    " : ", ") + text.name;
    }
    return names + (text.value.empty() ? "" : " " + text.value);
}

/// The help with its closed set of values.
std::string meaning(const Option& option) {
    const auto& choices = option.text.choices;
    return choices.empty() ? option.text.help
                           : fmt::format("{}: {}", option.text.help, fmt::join(choices, ", "));
}

std::string synopsis(const App& app) {
    std::string line = app.path() + " [OPTION]...";
    if (!app.verbs().empty()) {
        return line + " COMMAND";
    }
    if (app.operand_text()) {
        const OperandText& operand = *app.operand_text();
        line += operand.least > 0 ? " " + operand.name : " [" + operand.name + "]";
    }
    return line;
}

std::string rows_of(const std::vector<std::pair<std::string, std::string>>& rows) {
    constexpr std::size_t meaning_column = 28;
    std::string out;
    for (const auto& [name, help] : rows) {
        const std::string text = wrapped(help, meaning_column);
        const std::string head = "  " + name;
        if (width_of(head) + 2 > meaning_column) {
            out += head;
            out += '\n';
            out += text;
        } else {
            out += padded(head, meaning_column);
            out += text.substr(meaning_column);
        }
    }
    return out;
}

std::string option_rows(const App& app, bool shared) {
    std::vector<std::pair<std::string, std::string>> rows;
    for (const auto& option : app.options()) {
        if (option->text.shared == shared) {
            rows.emplace_back(written(*option), meaning(*option));
        }
    }
    return rows_of(rows);
}

// -------------------------------------------------------------------------------------- mdoc

/// Text as mdoc takes it: a leading dot or quote would be a macro, a backslash an escape.
std::string escaped(const std::string& text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const bool line_start = at == 0 || text[at - 1] == '\n';
        if (line_start && (text[at] == '.' || text[at] == '\'')) {
            out += "\\&";
        }
        if (text[at] == '\\') {
            out += "\\e";
        } else if (text[at] == '-') {
            out += "\\-";
        } else {
            out += text[at];
        }
    }
    return out;
}

/// Prose: each sentence on a line of its own, with a capital and a full stop.
std::string sentence(std::string text) {
    if (text.empty()) {
        return text;
    }
    if (text.front() >= 'a' && text.front() <= 'z') {
        text.front() = static_cast<char>(text.front() - 'a' + 'A');
    }
    if (text.back() != '.') {
        text += '.';
    }
    std::string out = wrapped(text, 0);
    for (std::size_t at = out.find(". "); at != std::string::npos; at = out.find(". ", at + 1)) {
        out[at + 1] = '\n';
    }
    return escaped(out);
}

/// A word as an argument of a macro: quoted when mdoc would split it or take it for a macro.
std::string argument(const std::string& word) { return "\"" + escaped(word) + "\""; }

std::string mdoc_option(const Option& option) {
    const OptionText& text = option.text;
    std::string head = ".It";
    if (!text.letter.empty()) {
        head += " Fl " + text.letter.substr(1);
    }
    if (!text.name.empty()) {
        head +=
            std::string(text.letter.empty() ? "" : " ,") + " Fl " + escaped(text.name.substr(1));
    }
    if (!text.value.empty()) {
        head += " Ar " + argument(text.value);
    }
    return head + "\n" + sentence(meaning(option));
}

std::string mdoc_options(const App& app, bool shared) {
    std::string items;
    for (const auto& option : app.options()) {
        if (option->text.shared == shared) {
            items += mdoc_option(*option);
        }
    }
    return items.empty() ? "" : ".Bl -tag -width Ds\n" + items + ".El\n";
}

std::string mdoc_verb(const App& verb) {
    std::string out = ".It Cm " + verb.name();
    if (verb.operand_text()) {
        const OperandText& operand = *verb.operand_text();
        out += operand.least > 0 ? " Ar " + argument(operand.name)
                                 : " Op Ar " + argument(operand.name);
    }
    out += "\n" + sentence(verb.brief());
    if (verb.operand_text()) {
        out += sentence(verb.operand_text()->name + ": " + verb.operand_text()->help);
    }
    return out + mdoc_options(verb, false);
}

std::string mdoc_examples(const Spec& spec) {
    std::string out;
    for (const Example& example : spec.examples) {
        out += sentence(example.what) + ".Bd -literal -offset indent\n" + escaped(example.command) +
               "\n.Ed\n" + (&example == &spec.examples.back() ? "" : ".Pp\n");
    }
    return out;
}

std::string mdoc_exits(const Spec& spec) {
    std::string out = ".Bl -tag -width Ds\n";
    for (const ExitRow& row : spec.exits) {
        out += fmt::format(".It {}\n{}", row.code, sentence(row.meaning));
    }
    return out + ".El\n";
}

}  // namespace

std::string help_of(const Spec& spec, const App& app) {
    std::string out = fmt::format("{}: {}\n\n", app.path(), app.brief());
    const bool whole = app.parent() == nullptr;
    int shown = 0;
    for (const Example& example : spec.examples) {
        if (shown < 2 && (whole || example.command.find(app.path()) != std::string::npos)) {
            out += fmt::format("  {}\n", example.command);
            ++shown;
        }
    }
    out += fmt::format("{}Usage: {}\n", shown > 0 ? "\n" : "", synopsis(app));
    if (whole && !spec.about.empty()) {
        out += "\n" + wrapped(spec.about, 0);
    }
    if (app.operand_text()) {
        out += "\n" + rows_of({{app.operand_text()->name, app.operand_text()->help}});
    }
    std::vector<std::pair<std::string, std::string>> verbs;
    for (const auto& verb : app.verbs()) {
        verbs.emplace_back(verb->name(), verb->brief());
    }
    if (!verbs.empty()) {
        out += "\nCommands:\n" + rows_of(verbs);
    }
    const std::string own = option_rows(app, false);
    out += own.empty() ? "" : "\nOptions:\n" + own;
    const App& root = whole ? app : *app.parent();
    out += fmt::format("\nOptions of every {}:\n", root.verbs().empty() ? "tool" : "command") +
           option_rows(root, true);
    out += "\nExit status:\n";
    std::vector<std::pair<std::string, std::string>> exits;
    for (const ExitRow& row : spec.exits) {
        exits.emplace_back(fmt::format("{}", row.code), row.meaning);
    }
    return out + rows_of(exits) + fmt::format("\nMore: man {}\n", spec.name);
}

std::string manual_of(const Spec& spec, const App& app, const std::string& part) {
    if (part == "examples") {
        return mdoc_examples(spec);
    }
    if (part == "exits") {
        return mdoc_exits(spec);
    }
    // One example a line, for the test that runs them.
    if (part == "commands") {
        std::string out;
        for (const Example& example : spec.examples) {
            out += example.command + "\n";
        }
        return out;
    }
    if (part != "options") {
        return "";
    }
    std::string out;
    if (!app.verbs().empty()) {
        out += "The commands are:\n.Bl -tag -width Ds\n";
        for (const auto& verb : app.verbs()) {
            out += mdoc_verb(*verb);
        }
        out += ".El\n.Pp\n";
    }
    const std::string own = mdoc_options(app, false);
    out += own.empty() ? "" : "The options are:\n" + own + ".Pp\n";
    return out +
           fmt::format("The options of every {} are:\n", app.verbs().empty() ? "tool" : "command") +
           mdoc_options(app, true);
}

}  // namespace dynamo::cli
