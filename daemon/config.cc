// CLI11 and toml++ end here. Both only split what was given into names and texts; what a text means
// is the table's affair (config_options.cc), so that a flag and a key of the file cannot differ.
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include "daemon/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "daemon/config_options.h"

namespace dynamo {

namespace {

constexpr int exit_usage = 2;

/// What was given, by option: texts in order.
using Given = std::map<std::string, std::vector<std::string>>;

/// Options that are not settings.
struct Command {
    std::string_view name;
    std::string_view value;
    std::string_view help;
};
constexpr std::array<Command, 4> commands = {
    {{"config", "FILE", "Read options from this file (dynamod.conf(5)); flags win over it"},
     {"check-config", "", "Print the options that would be in force, as such a file, and end"},
     {"help", "", "Print this and end"},
     {"version", "", "Print the version and end"}}};

std::vector<std::string> option_names() {
    std::vector<std::string> names;
    for (const auto& option : options()) names.emplace_back(option.name);
    return names;
}

std::vector<std::string> flag_names() {
    auto names = option_names();
    for (const auto& command : commands) names.emplace_back(command.name);
    return names;
}

// ------------------------------------------------------------------------------- the command line

std::string did_you_mean(std::string_view name, std::span<const std::string> names,
                         std::string_view prefix) {
    const auto closest = closest_name(name, names);
    return closest ? fmt::format("; did you mean {}{}?", prefix, *closest) : std::string();
}

/// What CLI11 would get wrong: `--name= x` takes x for the value, and a repeated option is an error
/// that does not name it.
Result<void> scan(std::span<const std::string> arguments) {
    for (const auto& argument : arguments) {
        if (argument == "--" || argument == "-")
            return fail(Code::bad_request, fmt::format("unexpected argument '{}'", argument));
        if (argument.starts_with("--") && argument.ends_with('='))
            return fail(Code::bad_request, fmt::format("{} needs a value after '='", argument));
    }
    return {};
}

Result<Given> split_arguments(std::span<const std::string> arguments) {
    if (const auto scanned = scan(arguments); !scanned) return std::unexpected(scanned.error());
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    std::map<std::string, std::vector<std::string>> values;
    const auto add = [&](std::string_view name, std::string_view value) {
        auto& texts = values[std::string(name)];
        const auto flag = "--" + std::string(name);
        if (value.empty())
            app.add_flag_callback(flag, [&texts] { texts.emplace_back("true"); });
        else
            app.add_option(flag, texts)->expected(1)->take_all()->allow_extra_args(false);
    };
    for (const auto& option : options()) add(option.name, option.value);
    for (const auto& command : commands) add(command.name, command.value);

    try {
        // CLI11 wants them last first.
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
        app.parse(reversed);
    } catch (const CLI::ParseError& error) {
        return fail(Code::bad_request, error.what());
    }
    if (const auto extras = app.remaining(); !extras.empty()) {
        const auto& extra = extras.front();
        if (!extra.starts_with("-"))
            return fail(Code::bad_request, fmt::format("unexpected argument '{}'", extra));
        const auto name = extra.substr(extra.find_first_not_of('-'),
                                       extra.find('=') - extra.find_first_not_of('-'));
        return fail(Code::bad_request, fmt::format("unknown option '{}'{}", extra,
                                                   did_you_mean(name, flag_names(), "--")));
    }
    std::erase_if(values, [](const auto& entry) { return entry.second.empty(); });
    return values;
}

// --------------------------------------------------------------------------------------- the file

std::string place(const std::string& file, const toml::source_region& region) {
    return fmt::format("{}:{}:{}", file, region.begin.line, region.begin.column);
}

/// A value as the text that the same option would have on the command line.
Result<std::string> text_of(const toml::node& node) {
    if (const auto* text = node.as_string()) return text->get();
    if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
    if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
    if (const auto* list = node.as_array()) {
        std::string joined;
        for (const auto& element : *list) {
            if (!element.is_string())
                return fail(Code::bad_request, "a list may hold only strings");
            joined += (joined.empty() ? "" : ",") + element.as_string()->get();
        }
        return joined;
    }
    return fail(Code::bad_request, "write a string, a whole number, true or false");
}

Result<void> apply_file(Draft& draft, const std::string& file, std::string_view text) {
    const auto parsed = toml::parse(text, file);
    if (!parsed)
        return fail(Code::bad_request, fmt::format("{}: {}", place(file, parsed.error().source()),
                                                   parsed.error().description()));
    const auto names = option_names();
    for (const auto& [key, node] : parsed.table()) {
        const auto option = std::ranges::find(options(), key.str(), &Option::name);
        if (option == options().end())
            return fail(Code::bad_request,
                        fmt::format("{}: unknown option '{}'{}", place(file, key.source()),
                                    key.str(), did_you_mean(key.str(), names, "")));
        const auto where = fmt::format("{}: {}", place(file, node.source()), key.str());
        const auto value = text_of(node);
        if (!value)
            return fail(Code::bad_request, fmt::format("{}: {}", where, value.error().message));
        // An empty list of seeds says the same as none.
        if (value->empty() && node.is_array()) continue;
        if (const auto set = option->set(draft, *value); !set)
            return fail(Code::bad_request, fmt::format("{}: {}", where, set.error().message));
        draft.given.emplace_back(key.str());
    }
    return {};
}

Result<std::string> read_file(const std::string& file) {
    std::ifstream stream(file, std::ios::binary);
    std::ostringstream text;
    // A directory opens, and fails only when it is read.
    if (stream) text << stream.rdbuf();
    if (!stream || text.fail())
        return fail(Code::bad_request,
                    fmt::format("--config: {} cannot be read: {}", file, std::strerror(errno)));
    return text.str();
}

// ---------------------------------------------------------------------------------------- together

Result<void> apply_flags(Draft& draft, const Given& given) {
    for (const auto& option : options()) {
        const auto found = given.find(std::string(option.name));
        if (found == given.end()) continue;
        const bool repeatable = option.name == "seeds" || option.value.empty();
        if (found->second.size() > 1 && !repeatable)
            return fail(Code::bad_request,
                        fmt::format("--{}: given {} times", option.name, found->second.size()));
        if (option.name == "seeds") draft.config.seeds.clear();
        for (const auto& text : found->second)
            if (const auto set = option.set(draft, text); !set)
                return fail(Code::bad_request,
                            fmt::format("--{}: {}", option.name, set.error().message));
        draft.given.emplace_back(option.name);
    }
    return {};
}

Result<Config> make_config(const Given& given, const Environment& environment) {
    Draft draft;
    const NodeOptions defaults;
    draft.config.request_timeout = defaults.request_timeout;
    draft.config.replica_timeout = defaults.replica_timeout;
    draft.config.gossip_interval = defaults.gossip_interval;
    draft.config.probe_interval = defaults.probe_interval;
    draft.config.handback_interval = defaults.handback_interval;
    draft.config.exchange_interval = defaults.exchange_interval;

    if (const auto file = given.find("config"); file != given.end()) {
        if (file->second.size() > 1)
            return fail(Code::bad_request, "--config: given more than once");
        const auto text = read_file(file->second.front());
        if (!text) return std::unexpected(text.error());
        if (const auto applied = apply_file(draft, file->second.front(), *text); !applied)
            return std::unexpected(applied.error());
    }
    if (const auto applied = apply_flags(draft, given); !applied)
        return std::unexpected(applied.error());
    draft.config.check_only = given.contains("check-config");
    return finish(std::move(draft), environment);
}

/// Two columns; the second is wrapped.
void append_row(std::string& out, const std::string& left, std::string_view right) {
    constexpr std::size_t indent = 29;
    constexpr std::size_t width = 79;
    out += fmt::format("  {:<{}}", left, indent - 2);
    if (left.size() + 4 > indent) out += fmt::format("\n{:{}}", "", indent);
    std::size_t column = indent;
    std::istringstream words{std::string(right)};
    for (std::string word; words >> word;) {
        if (column + word.size() + 1 > width && column > indent) {
            out += fmt::format("\n{:{}}", "", indent);
            column = indent;
        }
        out += (column > indent ? " " : "") + word;
        column += word.size() + 1;
    }
    out += '\n';
}

std::string flag_text(std::string_view name, std::string_view value) {
    return fmt::format("--{}{}{}", name, value.empty() ? "" : " ", value);
}

std::string help_text() {
    std::string out =
        "dynamod - a node of a Dynamo cluster: keeps keys and their values, replicates\n"
        "them to other nodes, answers clients.\n"
        "\n"
        "Usage: dynamod [OPTION]...\n"
        "\n"
        "Examples:\n"
        "  dynamod\n"
        "      A cluster of one node on this machine, clients on 127.0.0.1:7100.\n"
        "  dynamod --data-dir /tmp/n2 --listen 127.0.0.1:7110 --seeds 127.0.0.1:7101\n"
        "      A second node, which waits for 'dyn-ring join 127.0.0.1:7110'.\n";
    for (const auto& option : options()) {
        if (!option.group.empty()) out += fmt::format("\n{}:\n", option.group);
        append_row(out, flag_text(option.name, option.value), option.help);
    }
    out += "\nAnd:\n";
    for (const auto& command : commands)
        append_row(out, flag_text(command.name, command.value), command.help);
    out +=
        "\nSIZE is octets, or has KiB, MiB, GiB or TiB; TIME has us, ms, s or m.\n"
        "Exit: 0 stopped as asked, 2 usage or configuration, 6 refused by a safety rule,\n"
        "8 storage or system error. More: dynamod(8), dynamod.conf(5).\n";
    return out;
}

CommandLine usage_error(const Error& error) {
    CommandLine line;
    line.err = fmt::format("dynamod: {}\nTry 'dynamod --help'.\n", error.message);
    line.exit = exit_usage;
    return line;
}

}  // namespace

Environment Environment::of_process() {
    Environment environment;
    environment.variable = [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
    std::array<char, 65> name{};
    if (gethostname(name.data(), name.size() - 1) == 0) environment.host_name = name.data();
    // The first label, as far as a node's name may hold it.
    environment.host_name = environment.host_name.substr(0, environment.host_name.find('.'));
    std::erase_if(environment.host_name, [](unsigned char octet) {
        return std::isalnum(octet) == 0 && octet != '-' && octet != '_';
    });
    if (environment.host_name.empty()) environment.host_name = "node";
    environment.host_name.resize(std::min<std::size_t>(environment.host_name.size(), 50));
    return environment;
}

CommandLine read_command_line(std::span<const std::string> arguments,
                              const Environment& environment) {
    CommandLine line;
    const auto given = split_arguments(arguments);
    if (!given) return usage_error(given.error());
    if (given->contains("help")) {
        line.out = help_text();
        return line;
    }
    if (given->contains("version")) {
        line.out = "dynamod " DYNAMO_VERSION "\n";
        return line;
    }
    auto config = make_config(*given, environment);
    if (!config) return usage_error(config.error());
    line.config = std::move(*config);
    return line;
}

std::string to_toml(const Config& config) {
    std::string out;
    for (const auto& option : options()) {
        const auto value = option.show(config);
        // An empty text says "none", which is said by leaving the option out.
        if (value == "\"\"" || value == "[]") continue;
        out += fmt::format("{} = {}\n", option.name, value);
    }
    return out;
}

}  // namespace dynamo
