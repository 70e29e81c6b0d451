#include "tests/sim/recording.h"

#include <array>
#include <charconv>
#include <istream>
#include <sstream>
#include <string_view>
#include <type_traits>
#include <utility>

#include "tests/sim/mutants.h"

namespace dynamo::sim {
namespace {

constexpr std::array<std::string_view, 5> kind_names = {"get", "put", "remove", "backup",
                                                        "restore"};
constexpr std::array<std::string_view, 3> mode_names = {"observe", "context", "blind"};

// Values in words, and back. Each `read` says whether the word is one.

template <typename Number>
std::string word_of(Number value)
    requires std::is_arithmetic_v<Number>
{
    std::array<char, 40> text{};
    return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}
std::string word_of(bool value) { return value ? "yes" : "no"; }
std::string word_of(const Bytes& value) { return value; }
std::string word_of(Duration value) { return word_of(value.count()) + "us"; }
std::string word_of(Durability value) { return value == Durability::os ? "os" : "sync"; }
std::string word_of(Mutant value) { return std::string(name_of(value)); }
std::string word_of(Fault value) { return std::string(name_of(value)); }
std::string word_of(Operation::Kind value) {
    return std::string(kind_names[static_cast<std::size_t>(value)]);
}
std::string word_of(PutMode value) {
    return std::string(mode_names[static_cast<std::size_t>(value)]);
}
std::string word_of(const std::optional<unsigned>& value) { return value ? word_of(*value) : ""; }

template <typename Number>
bool read(std::string_view word, Number& value)
    requires std::is_arithmetic_v<Number>
{
    const auto parsed = std::from_chars(word.data(), word.data() + word.size(), value);
    return parsed.ec == std::errc{} && parsed.ptr == word.data() + word.size();
}
bool read(std::string_view word, bool& value) {
    value = word == "yes";
    return value || word == "no";
}
bool read(std::string_view word, Bytes& value) {
    value = word;
    return true;
}
bool read(std::string_view word, Duration& value) {
    Duration::rep microseconds = 0;
    if (!word.ends_with("us") || !read(word.substr(0, word.size() - 2), microseconds)) return false;
    value = Duration(microseconds);
    return true;
}
bool read(std::string_view word, Durability& value) {
    value = word == "os" ? Durability::os : Durability::sync;
    return word == "os" || word == "sync";
}
bool read(std::string_view word, Mutant& value) {
    const auto named = mutant_named(word);
    value = named.value_or(Mutant::none);
    return named || word == "none";
}
bool read(std::string_view word, Fault& value) {
    for (std::size_t i = 0; i < fault_count; ++i)
        if (name_of(static_cast<Fault>(i)) == word) {
            value = static_cast<Fault>(i);
            return true;
        }
    return false;
}
template <typename Enum, std::size_t Count>
bool read_name(std::string_view word, const std::array<std::string_view, Count>& names,
               Enum& value) {
    for (std::size_t i = 0; i < names.size(); ++i)
        if (names[i] == word) {
            value = static_cast<Enum>(i);
            return true;
        }
    return false;
}
bool read(std::string_view word, Operation::Kind& value) {
    return read_name(word, kind_names, value);
}
bool read(std::string_view word, PutMode& value) { return read_name(word, mode_names, value); }
bool read(std::string_view word, std::optional<unsigned>& value) {
    return read(word, value.emplace());
}

// The fields of each kind of line: one list, for writing and for reading.

template <typename Visit>
void fields(Setup& setup, const Visit& visit) {
    NetworkOptions& network = setup.network;
    visit("seed", setup.seed), visit("planted", setup.mutant), visit("nodes", setup.nodes);
    visit("n", setup.copies), visit("q", setup.partitions), visit("r", setup.r);
    visit("w", setup.w), visit("zones", setup.zones);
    visit("last_write_wins", setup.last_write_wins);
    visit("sends_exactly_w", setup.sends_exactly_w), visit("hurried", setup.hurried);
    visit("exchange_every", setup.exchange_every), visit("one_compares", setup.one_compares);
    visit("scrub_every", setup.scrub_every), visit("purge_every", setup.purge_every);
    visit("keep_trees_every", setup.keep_trees_every), visit("jobs", setup.jobs);
    visit("ring_changes", setup.ring_changes), visit("first_members", setup.first_members);
    visit("slow_rings", setup.slow_rings), visit("kept_rings", setup.kept_rings);
    visit("durability", setup.durability), visit("sessions", setup.sessions);
    visit("chaos", setup.chaos), visit("keys", setup.keys);
    visit("commit_most", setup.commit_most), visit("least", network.least);
    visit("most", network.most), visit("drop", network.drop);
    visit("duplicate", network.duplicate), visit("slow", network.slow);
    visit("slowest", network.slowest), visit("late", network.late);
    visit("latest", network.latest), visit("reorder", network.reorder);
    visit("held_when_cut", network.held_when_cut);
}

template <typename Visit>
void fields(Operation& operation, const Visit& visit) {
    visit("number", operation.number), visit("at", operation.at);
    visit("session", operation.session), visit("key", operation.key);
    visit("kind", operation.kind), visit("mode", operation.mode);
    visit("overwrite", operation.overwrite), visit("r", operation.r), visit("w", operation.w);
    visit("observe_r", operation.observe_r), visit("via", operation.via);
    visit("node", operation.node), visit("any_node", operation.any_node);
    visit("resend", operation.resend), visit("padding", operation.padding);
    visit("timeout", operation.timeout);
}

template <typename Visit>
void fields(Strike& strike, const Visit& visit) {
    visit("number", strike.number), visit("at", strike.at), visit("fault", strike.fault);
    visit("node", strike.node), visit("lasts", strike.lasts), visit("detail", strike.detail);
}

/// What differs from the usual.
template <typename Line>
std::string written(std::string text, Line line) {
    Line usual;
    std::vector<std::string> usual_words;
    fields(usual, [&](const char*, const auto& value) { usual_words.push_back(word_of(value)); });
    auto word = usual_words.begin();
    fields(line, [&](const char* name, const auto& value) {
        const std::string now = word_of(value);
        if (now != *word++) text += std::string(" ") + name + "=" + now;
    });
    return text + "\n";
}

template <typename Line>
std::string taken(std::istream& words, Line& line) {
    for (std::string word; words >> word;) {
        const std::size_t equals = word.find('=');
        bool known = false;
        bool sound = false;
        fields(line, [&](std::string_view name, auto& value) {
            if (equals == std::string::npos || name != word.substr(0, equals)) return;
            known = true;
            sound = read(std::string_view(word).substr(equals + 1), value);
        });
        if (!known) return "there is no field " + word;
        if (!sound) return "not understood: " + word;
    }
    return {};
}

std::string take_faults(std::istream& words, Setup& setup) {
    std::string list;
    words >> list;
    std::istringstream names(list);
    for (std::string name; std::getline(names, name, ',');) {
        Fault fault{};
        if (!read(name, fault)) return "there is no fault " + name;
        setup.faults[static_cast<std::size_t>(fault)] = true;
    }
    return {};
}

}  // namespace

std::string to_text(const Recording& recording) {
    std::string text = written("run", recording.setup);
    std::string faults;
    for (std::size_t i = 0; i < fault_count; ++i)
        if (recording.setup.faults[i])
            faults += (faults.empty() ? "" : ",") + word_of(static_cast<Fault>(i));
    if (!faults.empty()) text += "faults " + faults + "\n";
    for (const Operation& operation : recording.plan.operations)
        text += written("operation", operation);
    for (const Strike& strike : recording.plan.strikes) text += written("strike", strike);
    if (!recording.violates.empty()) text += "violates " + recording.violates + "\n";
    return text;
}

std::string from_text(std::istream& in, Recording& recording) {
    unsigned number = 0;
    for (std::string line; std::getline(in, line);) {
        ++number;
        std::istringstream words(line.substr(0, line.find('#')));
        std::string first;
        if (!(words >> first)) continue;
        std::string wrong;
        if (first == "run") {
            wrong = taken(words, recording.setup);
        } else if (first == "faults") {
            wrong = take_faults(words, recording.setup);
        } else if (first == "operation") {
            wrong = taken(words, recording.plan.operations.emplace_back());
        } else if (first == "strike") {
            wrong = taken(words, recording.plan.strikes.emplace_back());
        } else if (first == "violates") {
            std::getline(words >> std::ws, recording.violates);
        } else {
            wrong = "not understood: " + first;
        }
        if (!wrong.empty()) return std::to_string(number) + ": " + wrong;
    }
    return {};
}

}  // namespace dynamo::sim
