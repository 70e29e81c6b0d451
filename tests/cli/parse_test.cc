#include "cli/common/parse.h"

#include <gtest/gtest.h>

#include "cli/common/spec.h"

namespace dynamo::cli {
namespace {

/// A tool with one of everything.
struct Tool {
    App app{"dyn-try", "try things"};
    std::vector<Operand> keys;
    std::string node;
    unsigned r = 0;
    bool all = false;
    bool stat = false;
    bool help = false;
    std::chrono::milliseconds timeout{0};
    std::string format;

    Tool() {
        app.operands({.name = "KEY...", .help = "keys", .least = 1, .most = 3}, keys);
        app.option({.letter = "-n", .name = "--node", .help = "a node", .value = "NODE"}, node);
        app.option({.letter = "-r", .name = "", .help = "a number", .value = "N"}, r);
        app.flag({.letter = "-a", .name = "--all", .help = "everything"}, all);
        app.flag({.letter = "", .name = "--stat", .help = "numbers"}, stat).excludes = {"--all"};
        app.flag({.letter = "-h", .name = "--help", .help = "help"}, help);
        app.option({.letter = "", .name = "--timeout", .help = "a time", .value = "TIME"}, timeout);
        app.option({.letter = "",
                    .name = "--format",
                    .help = "a format",
                    .value = "FORMAT",
                    .choices = {"human", "json"}},
                   format);
    }

    std::string error_of(const std::vector<std::string>& words) {
        const auto parsed = parse(app, words);
        return parsed ? "" : parsed.error().message;
    }
    std::vector<std::string> texts() const {
        std::vector<std::string> out;
        for (const Operand& key : keys) out.push_back(key.text);
        return out;
    }
};

using Words = std::vector<std::string>;

TEST(parse, reads_options_before_between_and_after_keys) {
    Tool tool;
    EXPECT_EQ(tool.error_of({"-r", "2", "a", "--node=n1", "b", "--all"}), "");
    EXPECT_EQ(tool.texts(), (Words{"a", "b"}));
    EXPECT_EQ(tool.node, "n1");
    EXPECT_EQ(tool.r, 2u);
    EXPECT_TRUE(tool.all);
}

TEST(parse, takes_a_value_that_is_glued_to_its_letter) {
    Tool tool;
    EXPECT_EQ(tool.error_of({"-ar3", "k"}), "");
    EXPECT_EQ(tool.r, 3u);
    EXPECT_TRUE(tool.all);
}

TEST(parse, keeps_brackets_commas_and_empty_words_of_keys) {
    Tool tool;
    EXPECT_EQ(tool.error_of({"[a,b]", "", "{}"}), "");
    EXPECT_EQ(tool.texts(), (Words{"[a,b]", "", "{}"}));
}

TEST(parse, keeps_a_key_that_is_a_control_character) {
    Tool tool;
    EXPECT_EQ(tool.error_of({"\x1f", "\x1e\x1f", "-"}), "");
    EXPECT_EQ(tool.texts(), (Words{"\x1f", "\x1e\x1f", "-"}));
}

TEST(parse, takes_everything_after_two_dashes_literally) {
    Tool tool;
    EXPECT_EQ(tool.error_of({"k", "--", "--all", "-"}), "");
    EXPECT_EQ(tool.texts(), (Words{"k", "--all", "-"}));
    EXPECT_FALSE(tool.keys[0].literal);
    EXPECT_TRUE(tool.keys[1].literal);
    EXPECT_TRUE(tool.keys[2].literal);
    EXPECT_FALSE(tool.all);
}

TEST(parse, refuses_an_empty_value_instead_of_swallowing_the_key) {
    Tool tool;
    EXPECT_EQ(tool.error_of({"--node=", "k"}), "--node has no value; write --node=NODE");
}

TEST(parse, refuses_an_equals_sign_after_a_letter) {
    Tool tool;
    EXPECT_EQ(tool.error_of({"-r=3", "k"}), "write -r 3, without '='");
}

TEST(parse, refuses_a_value_for_a_switch) {
    Tool tool;
    EXPECT_EQ(tool.error_of({"--all=yes", "k"}), "--all takes no value");
}

TEST(parse, says_which_value_is_missing) {
    Tool tool;
    EXPECT_EQ(tool.error_of({"k", "--node"}), "--node needs a value: --node NODE");
    EXPECT_EQ(tool.error_of({"k", "-r"}), "-r needs a value: -r N");
}

TEST(parse, takes_the_last_of_a_repeated_option) {
    Tool tool;
    EXPECT_EQ(tool.error_of({"k", "--node", "n1", "--node", "n2"}), "");
    EXPECT_EQ(tool.node, "n2");
}

TEST(parse, takes_a_value_that_looks_like_an_option) {
    Tool tool;
    EXPECT_EQ(tool.error_of({"k", "--node", "--all"}), "");
    EXPECT_EQ(tool.node, "--all");
    EXPECT_FALSE(tool.all);
}

TEST(parse, names_the_option_that_was_meant) {
    Tool tool;
    EXPECT_EQ(tool.error_of({"--nod", "x"}), "unknown option --nod; did you mean --node?");
    EXPECT_EQ(tool.error_of({"--sta"}), "unknown option --sta; did you mean --stat?");
    EXPECT_EQ(tool.error_of({"--zzzzzz"}), "unknown option --zzzzzz");
    EXPECT_EQ(tool.error_of({"-q"}), "unknown option -q");
}

TEST(parse, refuses_options_that_exclude_each_other) {
    Tool tool;
    EXPECT_NE(tool.error_of({"k", "--all", "--stat"}).find("--all"), std::string::npos);
}

TEST(parse, refuses_too_few_and_too_many_keys) {
    Tool tool;
    EXPECT_EQ(tool.error_of({}), "KEY... is missing");
    EXPECT_EQ(tool.error_of({"a", "b", "c", "d"}), "one word too many: 'd'");
}

TEST(parse, refuses_a_value_outside_the_choices) {
    Tool tool;
    EXPECT_EQ(tool.error_of({"k", "--format", "xml"}), "--format: 'xml' is none of human, json");
}

TEST(parse, lets_an_option_stand_without_its_value_when_the_next_word_is_none) {
    const auto watch_of = [](const std::vector<std::string>& words) {
        Tool tool;
        std::string watch = "none";
        tool.app.option({.letter = "",
                         .name = "--watch",
                         .help = "again",
                         .value = "[TIME]",
                         .implied = "1s",
                         .fits = [](const std::string& word) { return word.ends_with("s"); }},
                        watch);
        EXPECT_TRUE(parse(tool.app, words));
        return watch + " " + std::to_string(tool.keys.size());
    };
    EXPECT_EQ(watch_of({"k"}), "none 1");
    EXPECT_EQ(watch_of({"k", "--watch"}), "1s 1");
    EXPECT_EQ(watch_of({"--watch", "k"}), "1s 1");
    EXPECT_EQ(watch_of({"--watch", "5s", "k"}), "5s 1");
    EXPECT_EQ(watch_of({"--watch=7", "k"}), "7 1");
    EXPECT_EQ(watch_of({"--watch", "--all", "k"}), "1s 1");
}

TEST(parse, refuses_numbers_that_are_none) {
    Tool tool;
    EXPECT_EQ(tool.error_of({"k", "-r", "-1"}), "-r: '-1' is not a number");
    EXPECT_EQ(tool.error_of({"k", "-r", "4294967296"}), "-r: 4294967296 is more than 4294967295");
    EXPECT_EQ(tool.error_of({"k", "-r", ""}), "-r: '' is not a number");
}

TEST(parse, finds_help_whatever_else_is_missing) {
    Tool tool;
    const auto parsed = parse(tool.app, {"--help"});
    ASSERT_TRUE(parsed);
    EXPECT_TRUE(parsed->help);
}

TEST(duration, is_a_number_with_a_unit) {
    EXPECT_EQ(duration_from_text("500ms")->count(), 500);
    EXPECT_EQ(duration_from_text("2")->count(), 2000);
    EXPECT_EQ(duration_from_text("1.5s")->count(), 1500);
    EXPECT_EQ(duration_from_text("1m")->count(), 60'000);
    for (const char* wrong : {"", "s", ".", "5x", "1..2", "0", "-1s", "25h", "1e3"}) {
        EXPECT_FALSE(duration_from_text(wrong)) << wrong;
    }
}

/// A tool with verbs.
struct Verbs {
    App app{"dyn-try", "try things"};
    std::vector<Operand> keys;
    std::string seed;
    bool wait = false;

    Verbs() {
        app.option({.letter = "-s", .name = "--seed", .help = "a seed", .value = "SEED"}, seed);
        app.verb("status", "show");
        App& where = app.verb("where", "find");
        where.operands({.name = "KEY...", .help = "keys", .least = 1, .most = 9}, keys);
        App& commit = app.verb("commit", "do");
        commit.flag({.letter = "", .name = "--wait", .help = "wait"}, wait);
    }
};

TEST(parse_verbs, takes_a_key_that_is_called_like_a_verb) {
    Verbs tool;
    const auto parsed = parse(tool.app, {"where", "status", "where"});
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->command->name(), "where");
    ASSERT_EQ(tool.keys.size(), 2u);
    EXPECT_EQ(tool.keys[0].text, "status");
}

TEST(parse_verbs, understands_options_of_the_tool_before_and_after_the_verb) {
    for (const Words& words :
         {Words{"-s", "a:1", "commit", "--wait"}, Words{"commit", "--wait", "--seed=a:1"},
          Words{"commit", "-sa:1", "--wait"}}) {
        Verbs tool;
        const auto parsed = parse(tool.app, words);
        ASSERT_TRUE(parsed) << parsed.error().message;
        EXPECT_EQ(tool.seed, "a:1");
        EXPECT_TRUE(tool.wait);
    }
}

TEST(parse_verbs, names_the_verb_that_was_meant) {
    Verbs tool;
    EXPECT_EQ(parse(tool.app, {"statsu"}).error().message,
              "unknown command 'statsu'; did you mean status?");
    EXPECT_EQ(parse(tool.app, {"xyz"}).error().message,
              "unknown command 'xyz'; there are status, where, commit");
    EXPECT_EQ(parse(tool.app, {}).error().message,
              "a command is missing; there are status, where, commit");
}

TEST(parse_verbs, refuses_an_option_of_another_verb_and_words_that_nobody_takes) {
    Verbs tool;
    EXPECT_EQ(parse(tool.app, {"status", "--wait"}).error().message, "unknown option --wait");
    EXPECT_EQ(parse(tool.app, {"status", "x"}).error().message, "one word too many: 'x'");
}

Words words_of(const Candidates& candidates) {
    Words words;
    for (const Candidate& candidate : candidates) words.push_back(candidate.word);
    return words;
}

TEST(complete, offers_verbs_then_what_the_verb_takes) {
    Verbs tool;
    EXPECT_EQ(words_of(complete(tool.app, {""})), (Words{"status", "where", "commit"}));
    EXPECT_EQ(words_of(complete(tool.app, {"st"})), (Words{"status"}));
    EXPECT_EQ(words_of(complete(tool.app, {"commit", "--"})), (Words{"--wait", "--seed"}));
    EXPECT_EQ(words_of(complete(tool.app, {"--seed", "x", "wh"})), (Words{"where"}));
}

TEST(complete, offers_the_values_of_an_option) {
    Tool tool;
    EXPECT_EQ(words_of(complete(tool.app, {"--format", ""})), (Words{"human", "json"}));
    EXPECT_EQ(words_of(complete(tool.app, {"--format=j"})), (Words{"--format=json"}));
    EXPECT_TRUE(complete(tool.app, {"--node", ""}).empty());
}

TEST(complete, offers_nothing_after_two_dashes) {
    Tool tool;
    EXPECT_TRUE(complete(tool.app, {"--", "-"}).empty());
}

}  // namespace
}  // namespace dynamo::cli
