// Reading a command line into an App. The only door to CLI11.
//
// CLI11 splits `[a,b]`, takes `--node= k` as `--node k`, gives `-r=3` the value `=3`, and finds
// verbs among keys. So the words are first resolved against the tree, each operand and value is
// marked with one leading octet that CLI11 has no opinion of, and only then does CLI11 see them: it
// counts, checks what excludes what, and hands the values out.
//
// Threads: one owner
// Errors:  bad_request with the sentence that the user sees
#pragma once

#include <string>
#include <vector>

#include "cli/common/app.h"

namespace dynamo::cli {

/// The command that the words chose: the root or one of its verbs, its options and operands set.
struct Parsed {
    App* command = nullptr;
    bool help = false;
    bool version = false;
};

[[nodiscard]] Result<Parsed> parse(App& root, const std::vector<std::string>& words);

/// The candidate that is written most like `word`, or empty when none is near.
[[nodiscard]] std::string nearest(const std::string& word, const std::vector<std::string>& among);

}  // namespace dynamo::cli
