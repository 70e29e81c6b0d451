#include "cli/common/parse.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

namespace dynamo::cli {
namespace {

constexpr char plain_mark = '\x1f';    // an operand or a value
constexpr char literal_mark = '\x1e';  // an operand after `--`

/// Words resolved against the tree, marked for CLI11.
struct Resolved {
    App* command = nullptr;
    std::vector<std::string> words;
    bool help = false;
    bool version = false;
};

std::vector<std::string> names_of_options(const App& app) {
    std::vector<std::string> names;
    for (const App* at = &app; at; at = at->parent()) {
        for (const auto& option : at->options()) {
            names.push_back(option->display());
        }
    }
    return names;
}

std::unexpected<Error> unknown_option(const App& app, const std::string& written) {
    const std::string near = nearest(written, names_of_options(app));
    if (near.empty()) {
        return fail(Code::bad_request, fmt::format("unknown option {}", written));
    }
    return fail(Code::bad_request,
                fmt::format("unknown option {}; did you mean {}?", written, near));
}

std::vector<std::string> names_of_verbs(const App& app) {
    std::vector<std::string> names;
    for (const auto& verb : app.verbs()) {
        names.push_back(verb->name());
    }
    return names;
}

/// Walks the words once; `next_` is the first that is not looked at yet.
class Resolver {
  public:
    Resolver(App& root, const std::vector<std::string>& words) : words_(words) {
        out_.command = &root;
    }

    Result<Resolved> run() {
        while (next_ < words_.size()) {
            const std::string& word = words_[next_++];
            Result<void> taken;
            if (literal_) {
                out_.words.push_back(literal_mark + word);
            } else if (word == "--") {
                literal_ = true;
            } else if (word.starts_with("--")) {
                taken = take_long(word);
            } else if (word.size() > 1 && word.starts_with("-")) {
                taken = take_letters(word);
            } else {
                taken = take_operand(word);
            }
            if (!taken) {
                return std::unexpected(taken.error());
            }
        }
        return std::move(out_);
    }

  private:
    Result<void> take_long(const std::string& word) {
        const auto equals = word.find('=');
        const std::string name = word.substr(0, equals);
        const Option* option = out_.command->find_option(name);
        if (!option) {
            return unknown_option(*out_.command, name);
        }
        const bool is_switch = option->text.value.empty();
        if (equals == std::string::npos) {
            return is_switch ? take_switch(*option) : take_next_word(*option);
        }
        if (is_switch) {
            return fail(Code::bad_request, fmt::format("{} takes no value", name));
        }
        // CLI11 would take the next word, a key perhaps, for the value.
        if (equals + 1 == word.size()) {
            return fail(Code::bad_request,
                        fmt::format("{0} has no value; write {0}={1}", name, option->text.value));
        }
        take_value(*option, word.substr(equals + 1));
        return {};
    }

    Result<void> take_letters(const std::string& word) {
        for (std::size_t at = 1; at < word.size(); ++at) {
            const std::string letter = {'-', word[at]};
            const Option* option = out_.command->find_option(letter);
            if (!option) {
                return unknown_option(*out_.command, at == 1 ? word : letter);
            }
            if (option->text.value.empty()) {
                if (const auto taken = take_switch(*option); !taken) {
                    return taken;
                }
                continue;
            }
            const std::string value = word.substr(at + 1);
            if (value.empty()) {
                return take_next_word(*option);
            }
            if (value.front() == '=') {
                return fail(Code::bad_request,
                            fmt::format("write {0} {1}, without '='", letter, value.substr(1)));
            }
            take_value(*option, value);
            return {};
        }
        return {};
    }

    Result<void> take_operand(const std::string& word) {
        if (out_.command->verbs().empty()) {
            if (!out_.command->operand_text()) {
                return fail(Code::bad_request, fmt::format("one word too many: '{}'", word));
            }
            out_.words.push_back(plain_mark + word);
            return {};
        }
        App* verb = out_.command->find_verb(word);
        if (!verb) {
            const std::string near = nearest(word, names_of_verbs(*out_.command));
            return fail(Code::bad_request,
                        near.empty()
                            ? fmt::format("unknown command '{}'; there are {}", word,
                                          fmt::join(names_of_verbs(*out_.command), ", "))
                            : fmt::format("unknown command '{}'; did you mean {}?", word, near));
        }
        out_.command = verb;
        out_.words.push_back(word);
        return {};
    }

    Result<void> take_switch(const Option& option) {
        out_.help = out_.help || option.display() == "--help";
        out_.version = out_.version || option.display() == "--version";
        out_.words.push_back(option.display());
        return {};
    }

    Result<void> take_next_word(const Option& option) {
        if (!option.text.implied.empty() &&
            (next_ == words_.size() || !option.text.fits(words_[next_]))) {
            take_value(option, option.text.implied);
            return {};
        }
        if (next_ == words_.size()) {
            return fail(Code::bad_request, fmt::format("{0} needs a value: {0} {1}",
                                                       option.display(), option.text.value));
        }
        take_value(option, words_[next_++]);
        return {};
    }

    void take_value(const Option& option, const std::string& value) {
        out_.words.push_back(option.display());
        out_.words.push_back(plain_mark + value);
    }

    const std::vector<std::string>& words_;
    std::size_t next_ = 0;
    bool literal_ = false;
    Resolved out_;
};

/// What CLI11 made of one command of the tree.
struct Mirror {
    App* app = nullptr;
    std::vector<std::pair<Option*, CLI::Option*>> options;
    CLI::Option* operands = nullptr;
};

void mirror(CLI::App& to, App& from, std::vector<Mirror>& mirrors) {
    Mirror made{&from, {}, nullptr};
    to.set_help_flag();
    std::map<std::string, CLI::Option*> by_name;
    for (const auto& option : from.options()) {
        CLI::Option* added = option->text.value.empty()
                                 ? to.add_flag(option->display())
                                 : to.add_option(option->display())->expected(1);
        if (!option->text.value.empty()) {
            option->text.repeated ? added->take_all() : added->take_last();
        }
        by_name[option->display()] = added;
        made.options.emplace_back(option.get(), added);
    }
    for (const auto& [option, added] : made.options) {
        for (const std::string& other : option->excludes) {
            added->excludes(by_name.at(other));
        }
    }
    if (from.operand_text()) {
        made.operands = to.add_option("operands")
                            ->expected(0, CLI::detail::expected_max_vector_size)
                            ->allow_extra_args();
    }
    mirrors.push_back(std::move(made));
    for (const auto& verb : from.verbs()) {
        mirror(*to.add_subcommand(verb->name())->fallthrough(), *verb, mirrors);
    }
}

/// Errors name `source`: the option, or the variable that stands in for it.
Result<void> set_option(const Option& option, const std::string& value, const std::string& source) {
    const auto& choices = option.text.choices;
    if (!choices.empty() && std::ranges::find(choices, value) == choices.end()) {
        return fail(Code::bad_request,
                    fmt::format("{}: '{}' is none of {}", source, value, fmt::join(choices, ", ")));
    }
    if (const auto set = option.set(value); !set) {
        return fail(set.error().code, fmt::format("{}: {}", source, set.error().message));
    }
    return {};
}

Result<void> set_from_environment(const Option& option) {
    const std::string& variable = option.text.environment;
    const char* value = variable.empty() ? nullptr : std::getenv(variable.c_str());
    if (value == nullptr || *value == '\0') {
        return {};
    }
    return set_option(option, value, "$" + variable);
}

Result<void> hand_out(const Mirror& made) {
    for (const auto& [option, parsed] : made.options) {
        if (parsed->count() == 0) {
            if (const auto set = set_from_environment(*option); !set) {
                return set;
            }
            continue;
        }
        auto values = parsed->results();
        if (!option->text.repeated) {
            values = {values.back()};
        }
        for (const std::string& value : values) {
            const bool is_flag = option->text.value.empty();
            const auto set = set_option(*option, is_flag ? "" : value.substr(1), option->display());
            if (!set) {
                return set;
            }
        }
    }
    return {};
}

Result<void> hand_out_operands(const Mirror& made) {
    std::vector<Operand> operands;
    if (made.operands && made.operands->count() > 0) {
        for (const std::string& word : made.operands->results()) {
            operands.push_back({word.substr(1), word.front() == literal_mark});
        }
    }
    if (const auto& text = made.app->operand_text()) {
        if (operands.size() < text->least) {
            return fail(Code::bad_request, fmt::format("{} is missing", text->name));
        }
        if (operands.size() > text->most) {
            return fail(Code::bad_request,
                        fmt::format("one word too many: '{}'", operands[text->most].text));
        }
    }
    made.app->take_operands(std::move(operands));
    return {};
}

/// CLI11's own sentence, its marks taken out.
std::string sentence_of(const CLI::ParseError& error) {
    std::string text = error.what();
    std::erase(text, plain_mark);
    std::erase(text, literal_mark);
    std::ranges::replace(text, '\n', ' ');
    return text;
}

}  // namespace

std::string nearest(const std::string& word, const std::vector<std::string>& among) {
    // Edit distance with a swap of neighbours counted once; a prefix counts as near.
    const auto distance = [](const std::string& a, const std::string& b) {
        std::vector<std::vector<std::size_t>> rows(a.size() + 1,
                                                   std::vector<std::size_t>(b.size() + 1));
        for (std::size_t i = 0; i <= a.size(); ++i) {
            for (std::size_t j = 0; j <= b.size(); ++j) {
                if (i == 0 || j == 0) {
                    rows[i][j] = i + j;
                    continue;
                }
                const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
                rows[i][j] =
                    std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + change});
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                    rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
                }
            }
        }
        return rows[a.size()][b.size()];
    };
    // Any letter is near any other.
    if (word.size() < 3) {
        return {};
    }
    std::string best;
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const std::string& candidate : among) {
        const bool begins = word.size() > 3 && candidate.starts_with(word);
        const std::size_t away = begins ? 1 : distance(word, candidate);
        if (away < best_distance) {
            best_distance = away;
            best = candidate;
        }
    }
    return best;
}

Result<Parsed> parse(App& root, const std::vector<std::string>& words) {
    const auto resolved = Resolver(root, words).run();
    if (!resolved) {
        return std::unexpected(resolved.error());
    }
    const Parsed parsed{resolved->command, resolved->help, resolved->version};
    if (parsed.help || parsed.version) {
        return parsed;
    }
    if (!resolved->command->verbs().empty()) {
        return fail(Code::bad_request, fmt::format("a command is missing; there are {}",
                                                   fmt::join(names_of_verbs(root), ", ")));
    }
    CLI::App cli;
    std::vector<Mirror> mirrors;
    mirror(cli, root, mirrors);
    try {
        std::vector<std::string> reversed(resolved->words.rbegin(), resolved->words.rend());
        cli.parse(std::move(reversed));
    } catch (const CLI::ParseError& error) {
        return fail(Code::bad_request, sentence_of(error));
    }
    for (const Mirror& made : mirrors) {
        const bool chosen = made.app == resolved->command || made.app == &root;
        if (!chosen) {
            continue;
        }
        if (const auto given = hand_out(made); !given) {
            return std::unexpected(given.error());
        }
        if (made.app == resolved->command) {
            if (const auto given = hand_out_operands(made); !given) {
                return std::unexpected(given.error());
            }
        }
    }
    return parsed;
}

}  // namespace dynamo::cli
