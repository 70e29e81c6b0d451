// Completion: what could stand where the last word is.
#include <algorithm>

#include "cli/common/spec.h"

namespace dynamo::cli {
namespace {

/// Where the words before the last have led.
struct Place {
    App* command = nullptr;
    const Option* wants_value = nullptr;
    bool literal = false;  ///< after `--`
};

void step(Place& place, const std::string& word) {
    if (place.wants_value) {
        place.wants_value = nullptr;
    } else if (place.literal) {
        return;
    } else if (word == "--") {
        place.literal = true;
    } else if (word.starts_with("-") && word.size() > 1) {
        const bool complete_word = word.find('=') != std::string::npos;
        const Option* option = complete_word ? nullptr : place.command->find_option(word);
        const bool wants = option && !option->text.value.empty() && option->text.implied.empty();
        place.wants_value = wants ? option : nullptr;
    } else if (App* verb = place.command->find_verb(word)) {
        place.command = verb;
    }
}

Candidates values_of(const Option& option) {
    if (option.text.complete) {
        return option.text.complete();
    }
    Candidates candidates;
    for (const std::string& choice : option.text.choices) {
        candidates.push_back({choice, ""});
    }
    return candidates;
}

Candidates options_of(const App& app) {
    Candidates candidates;
    for (const App* at = &app; at; at = at->parent()) {
        for (const auto& option : at->options()) {
            candidates.push_back({option->display(), option->text.help});
        }
    }
    return candidates;
}

Candidates verbs_or_operands_of(const App& app) {
    Candidates candidates;
    for (const auto& verb : app.verbs()) {
        candidates.push_back({verb->name(), verb->brief()});
    }
    if (app.operand_text() && app.operand_text()->complete) {
        return app.operand_text()->complete();
    }
    return candidates;
}

}  // namespace

Candidates complete(App& root, const std::vector<std::string>& words) {
    Place place{&root, nullptr, false};
    const std::string last = words.empty() ? "" : words.back();
    for (std::size_t at = 0; at + 1 < words.size(); ++at) {
        step(place, words[at]);
    }
    Candidates candidates;
    const auto equals = last.find('=');
    if (place.wants_value) {
        candidates = values_of(*place.wants_value);
    } else if (place.literal) {
        return {};
    } else if (last.starts_with("--") && equals != std::string::npos) {
        const Option* option = place.command->find_option(last.substr(0, equals));
        if (option) {
            candidates = values_of(*option);
            for (Candidate& candidate : candidates) {
                candidate.word.insert(0, last.substr(0, equals + 1));
            }
        }
    } else if (last.starts_with("-")) {
        candidates = options_of(*place.command);
    } else {
        candidates = verbs_or_operands_of(*place.command);
    }
    std::erase_if(candidates, [&last](const Candidate& candidate) {
        return !candidate.word.starts_with(last);
    });
    return candidates;
}

}  // namespace dynamo::cli
