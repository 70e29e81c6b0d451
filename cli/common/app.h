// The command line of a tool, declared once: the parser, --help, the manual page's options and the
// shells' completions are all read from this tree.
//
//     App& where = app.verb("where", "show where a key lives");
//     where.operands({"KEY", "the key", 1, 1}, keys_);
//     where.flag({"-v", "--verbose", "say more"}, verbose_);
//
// Shape:   a tree one or two levels deep; an option of the root is understood after a verb as well
// Threads: one owner
// Errors:  a setter answers with the sentence that the user sees; the caller exits with 2
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dynamo/error.h"

namespace dynamo::cli {

/// What a completion offers: the word, and what it means.
struct Candidate {
    std::string word;
    std::string meaning;
};
using Candidates = std::vector<Candidate>;

/// A word of the command line that is no option. `literal`: it came after `--`.
struct Operand {
    std::string text;
    bool literal = false;
};

/// How an option is written and what is said of it.
struct OptionText {
    std::string letter;                         ///< "-r", or empty
    std::string name;                           ///< "--seed", or empty
    std::string help;                           ///< a sentence without its capital and full stop
    std::string value = {};                     ///< "HOST:PORT"; empty for a switch
    std::vector<std::string> choices = {};      ///< the only values, when there are few
    std::function<Candidates()> complete = {};  ///< candidates that are known only when asked
    std::string environment = {};               ///< the variable that stands in for it, or empty
    bool shared = false;                        ///< of every tool: listed last
    bool repeated = false;                      ///< each value given is set, not the last only
    /// The value of an option that may stand without one: a word after it is taken for its value
    /// only if it `fits`.
    std::string implied = {};
    std::function<bool(const std::string&)> fits = {};
};

struct Option {
    OptionText text;
    /// Takes what was written; answers with what is wrong with it.
    std::function<Result<void>(const std::string&)> set;
    std::vector<std::string> excludes;  ///< display names of the options that contradict it
    /// "--seed", or "-r" when there is no long one.
    [[nodiscard]] const std::string& display() const;
};

struct OperandText {
    std::string name;  ///< as the synopsis shows it: "KEY..."
    std::string help;
    std::size_t least = 0;
    std::size_t most = 0;
    std::function<Candidates()> complete = {};
};

class App {
  public:
    App(std::string name, std::string brief);

    /// A switch.
    Option& flag(OptionText text, bool& target);
    // Options with a value.
    Option& option(OptionText text, std::string& target);
    Option& option(OptionText text, std::optional<std::string>& target);
    Option& option(OptionText text, unsigned& target);
    Option& option(OptionText text, std::optional<unsigned>& target);
    Option& option(OptionText text, std::chrono::milliseconds& target);
    /// One whose value is read by `set`.
    Option& option(OptionText text, std::function<Result<void>(const std::string&)> set);

    /// The words that are no options; at most one declaration a command.
    void operands(OperandText text, std::vector<Operand>& target);

    /// A subcommand. A command has verbs or operands, never both.
    App& verb(std::string name, std::string brief);

    /// What is done once everything is read; answers with the exit code.
    void action(std::function<int()> run);

    // What the readers of the tree see.
    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] const std::string& brief() const { return brief_; }
    [[nodiscard]] const std::vector<std::unique_ptr<Option>>& options() const { return options_; }
    [[nodiscard]] const std::vector<std::unique_ptr<App>>& verbs() const { return verbs_; }
    [[nodiscard]] const std::optional<OperandText>& operand_text() const { return operands_; }
    [[nodiscard]] const App* parent() const { return parent_; }
    /// The verb of that name, or none.
    [[nodiscard]] App* find_verb(const std::string& name) const;
    /// The option written so, here or in a parent; none when there is no such one.
    [[nodiscard]] Option* find_option(const std::string& written) const;
    /// "dyn-ring where".
    [[nodiscard]] std::string path() const;

    void take_operands(std::vector<Operand> operands);
    [[nodiscard]] int run() const;

  private:
    Option& add(OptionText text, std::function<Result<void>(const std::string&)> set);

    std::string name_;
    std::string brief_;
    const App* parent_ = nullptr;
    std::vector<std::unique_ptr<Option>> options_;
    std::vector<std::unique_ptr<App>> verbs_;
    std::optional<OperandText> operands_;
    std::vector<Operand>* operand_target_ = nullptr;
    std::function<int()> run_;
};

/// "500ms", "2s", "1m", "1h"; a bare number is seconds, with a fraction if need be.
[[nodiscard]] Result<std::chrono::milliseconds> duration_from_text(const std::string& text);

/// Decimal digits only, at most `most`.
[[nodiscard]] Result<std::uint64_t> number_from_text(const std::string& text, std::uint64_t most);

}  // namespace dynamo::cli
