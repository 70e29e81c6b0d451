#include "daemon/config_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ranges>

#include "daemon/shell/log.h"

namespace dynamo {

namespace {

Result<std::uint64_t> parse_number(const std::string& text, std::uint64_t least,
                                   std::uint64_t most) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = end == text.data() + text.size() && !text.empty();
    if (error != std::errc{} || !whole || number < least || number > most)
        return fail(Code::bad_request,
                    fmt::format("'{}' is no whole number from {} to {}", text, least, most));
    return number;
}

/// Sets a member of the configuration from a number within bounds.
template <auto member, std::uint64_t least, std::uint64_t most>
Result<void> set_number(Draft& draft, const std::string& text) {
    const auto number = parse_number(text, least, most);
    if (!number) return std::unexpected(number.error());
    auto& target = draft.config.*member;
    target = static_cast<std::remove_reference_t<decltype(target)>>(*number);
    return {};
}

template <auto member, std::uint64_t least, std::uint64_t most>
Result<void> set_founding(Draft& draft, const std::string& text) {
    const auto number = parse_number(text, least, most);
    if (!number) return std::unexpected(number.error());
    draft.config.founding.*member = static_cast<std::uint16_t>(*number);
    return {};
}

template <auto member, std::uint64_t least, std::uint64_t most>
Result<void> set_size(Draft& draft, const std::string& text) {
    const auto size = parse_size(text);
    if (!size) return std::unexpected(size.error());
    if (*size < least || *size > most)
        return fail(Code::bad_request,
                    fmt::format("{} is outside {} to {} octets", text, least, most));
    draft.config.*member = *size;
    return {};
}

template <auto member, int most_hours = 24>
Result<void> set_duration(Draft& draft, const std::string& text) {
    const auto duration = parse_duration(text);
    if (!duration) return std::unexpected(duration.error());
    if (*duration < std::chrono::milliseconds(1) || *duration > std::chrono::hours(most_hours))
        return fail(Code::bad_request, fmt::format("{} is outside 1ms to {}h", text, most_hours));
    draft.config.*member = *duration;
    return {};
}

template <auto member>
Result<void> set_address(Draft& draft, const std::string& text) {
    if (const auto address = parse_address(text, default_client_port); !address)
        return std::unexpected(address.error());
    draft.*member = text;
    return {};
}

/// Names are shown in tables and typed in commands: letters, digits and a few signs.
template <auto member>
Result<void> set_word(Draft& draft, const std::string& text) {
    const auto is_fit = [](char octet) {
        return (octet >= 'a' && octet <= 'z') || (octet >= 'A' && octet <= 'Z') ||
               (octet >= '0' && octet <= '9') || octet == '-' || octet == '_' || octet == '.';
    };
    if (text.empty() || text.size() > 64 || !std::ranges::all_of(text, is_fit))
        return fail(
            Code::bad_request,
            fmt::format("'{}' is no name: write 1 to 64 letters, digits, '-', '_' or '.'", text));
    if constexpr (std::is_same_v<decltype(member), std::string ClusterSettings::*>)
        draft.config.founding.*member = text;
    else
        draft.config.*member = text;
    return {};
}

Result<void> set_data_directory(Draft& draft, const std::string& text) {
    if (text.empty()) return fail(Code::bad_request, "a directory is needed");
    draft.config.data_directory = text;
    return {};
}

Result<void> set_cluster(Draft& draft, const std::string& text) {
    draft.config.cluster_given = true;
    return set_word<&ClusterSettings::name>(draft, text);
}

Result<void> set_seeds(Draft& draft, const std::string& text) {
    for (const auto part : std::views::split(text, ',')) {
        const std::string_view seed(part.begin(), part.end());
        const auto address = parse_address(seed, default_peer_port);
        if (!address)
            return fail(Code::bad_request,
                        address.error().message + "; seeds are peer addresses (default port 7101)");
        if (address->port == 0)
            return fail(Code::bad_request, fmt::format("seed '{}' has port 0", seed));
        draft.config.seeds.push_back(to_string(*address));
    }
    return {};
}

Result<void> set_durability(Draft& draft, const std::string& text) {
    if (text == "sync")
        draft.config.durability = Durability::sync;
    else if (text == "os")
        draft.config.durability = Durability::os;
    else
        return fail(Code::bad_request,
                    fmt::format("'{}' is no durability: write sync (safe from power loss) or os "
                                "(safe from kill -9 only)",
                                text));
    return {};
}

Result<void> set_conflicts(Draft& draft, const std::string& text) {
    if (text != "siblings" && text != "last-write-wins")
        return fail(Code::bad_request,
                    fmt::format("'{}' is no way to end a conflict: write siblings (readers are "
                                "shown all concurrent values) or last-write-wins (by wall clock; "
                                "the others are lost)",
                                text));
    draft.config.founding.last_write_wins = text == "last-write-wins";
    return {};
}

Result<void> set_engine(Draft& draft, const std::string& text) {
    if (text != "bdb" && text != "memory")
        return fail(
            Code::bad_request,
            fmt::format("'{}' is no engine: write bdb, or memory (which forgets at its end)",
                        text));
    draft.config.engine = text;
    return {};
}

Result<void> set_log_level(Draft& draft, const std::string& text) {
    const auto severity = severity_from(text);
    if (!severity) return std::unexpected(severity.error());
    draft.config.log_level = *severity;
    return {};
}

Result<void> set_max_value(Draft& draft, const std::string& text) {
    const auto size = parse_size(text);
    if (!size) return std::unexpected(size.error());
    if (*size < 1 || *size > (8u << 20))
        return fail(Code::bad_request, fmt::format("{} is outside 1 to 8388608 octets", text));
    draft.config.limits.value_bytes = *size;
    return {};
}

Result<void> set_switch(const std::string& text, bool& target) {
    if (text != "true" && text != "false")
        return fail(Code::bad_request, fmt::format("'{}' is neither true nor false", text));
    target = text == "true";
    return {};
}

Result<void> set_allow_insecure(Draft& draft, const std::string& text) {
    return set_switch(text, draft.config.allow_insecure);
}

/// A TOML basic string.
std::string toml_string(std::string_view text) {
    std::string out = "\"";
    for (const char octet : text) {
        if (octet == '"' || octet == '\\')
            out += fmt::format("\\{}", octet);
        else if (static_cast<unsigned char>(octet) < 0x20)
            out += fmt::format("\\u{:04x}", static_cast<unsigned char>(octet));
        else
            out += octet;
    }
    return out + '"';
}

template <auto member>
std::string show_number(const Config& config) {
    return fmt::format("{}", config.*member);
}
template <auto member>
std::string show_founding(const Config& config) {
    return fmt::format("{}", config.founding.*member);
}
template <auto member>
std::string show_text(const Config& config) {
    return toml_string(config.*member);
}
template <auto member>
std::string show_address(const Config& config) {
    return toml_string(to_string(config.*member));
}
template <auto member>
std::string show_duration(const Config& config) {
    const auto duration = config.*member;
    if (duration.count() % 1000 != 0) return fmt::format("\"{}us\"", duration.count());
    return fmt::format("\"{}ms\"", duration.count() / 1000);
}

Result<void> set_background_p99(Draft& draft, const std::string& text) {
    draft.config.background_p99 = Duration{0};
    return text == "auto" ? Result<void>{} : set_duration<&Config::background_p99>(draft, text);
}
std::string show_background_p99(const Config& config) {
    return config.background_p99 == Duration{0} ? toml_string("auto")
                                                : show_duration<&Config::background_p99>(config);
}
std::string show_seeds(const Config& config) {
    std::string out;
    for (const auto& seed : config.seeds) out += (out.empty() ? "" : ", ") + toml_string(seed);
    return "[" + out + "]";
}

constexpr std::uint64_t mebi = 1u << 20;
constexpr std::uint64_t tebi = 1ULL << 40;

// A table, one row an option.
// NOLINTNEXTLINE(readability-function-size)
std::vector<Option> make_options() {
    return {
        {"Where it keeps its data", "data-dir", "DIR",
         "Directory of this node's identity, ring and data, made when missing; default "
         "$XDG_DATA_HOME/dynamo, else ~/.local/share/dynamo, else /var/lib/dynamo",
         set_data_directory,
         [](const Config& config) { return toml_string(config.data_directory.native()); }},
        {"", "engine", "NAME", "Storage engine: bdb, or memory, which forgets; default bdb",
         set_engine, show_text<&Config::engine>},
        {"", "durability", "MODE",
         "What an acknowledged write survives: sync, power loss; os, kill -9 only; default sync",
         set_durability,
         [](const Config& config) {
             return toml_string(config.durability == Durability::sync ? "sync" : "os");
         }},
        {"", "cache-size", "SIZE", "Memory for the storage engine's cache; default 64MiB",
         set_size<&Config::cache_bytes, mebi, tebi>, show_number<&Config::cache_bytes>},
        {"", "page-size", "SIZE",
         "Size of a page of a table made from now on, a power of two from 4KiB to 64KiB; default "
         "8KiB",
         set_size<&Config::page_bytes, 4096, 65536>, show_number<&Config::page_bytes>},
        {"", "min-free", "SIZE",
         "Refuse writes while the disk has less room than this; default 64MiB",
         set_size<&Config::min_free_bytes, 0, 1024 * tebi>, show_number<&Config::min_free_bytes>},
        {"", "set-aside-limit", "NUMBER",
         "Damaged shards that are set aside within an hour and pulled from the other replicas "
         "anew; "
         "0: none, the daemon ends; default 2",
         set_number<&Config::set_aside_limit, 0, 1'000'000>, show_number<&Config::set_aside_limit>},

        {"Where it listens", "listen", "HOST[:PORT]",
         "Address for clients; default 127.0.0.1:7100; port 0 takes a free one",
         set_address<&Draft::listen>, show_address<&Config::listen>},
        {"", "listen-peer", "HOST[:PORT]",
         "Address for peers; default the host of --listen and the port after it",
         set_address<&Draft::listen_peer>, show_address<&Config::listen_peer>},
        {"", "advertise", "HOST[:PORT]",
         "Address that clients are told to use; default that of --listen",
         set_address<&Draft::advertise>, show_address<&Config::advertise>},
        {"", "advertise-peer", "HOST[:PORT]",
         "Address that peers are told to use; default the host of --advertise and the port of "
         "--listen-peer",
         set_address<&Draft::advertise_peer>, show_address<&Config::advertise_peer>},
        {"", "allow-insecure", "",
         "Listen beyond loopback although nobody is authenticated and nothing is encrypted",
         set_allow_insecure,
         [](const Config& config) -> std::string {
             return config.allow_insecure ? "true" : "false";
         }},

        {"Who it is", "name", "NAME",
         "Name of this node, unique in its ring; default this machine's name and the client port",
         set_word<&Config::name>, show_text<&Config::name>},
        {"", "zone", "NAME",
         "Failure domain (rack, room): copies of a key go to different ones; default none",
         set_word<&Config::zone>, show_text<&Config::zone>},
        {"", "weight", "NUMBER",
         "Share of the data relative to other nodes, 1 to 10000; default 100",
         set_number<&Config::weight, 1, 10000>, show_number<&Config::weight>},

        {"The cluster", "seeds", "HOST[:PORT],...",
         "Peer addresses (default port 7101) of a cluster to wait for; without seeds a new data "
         "directory founds a cluster",
         set_seeds, show_seeds},
        {"", "cluster", "NAME",
         "Name of the cluster to found; with seeds, or once a member: refuse any other; default "
         "dynamo",
         set_cluster, [](const Config& config) { return toml_string(config.founding.name); }},
        {"", "partitions", "Q",
         "Founding: partitions of the key space, a power of two up to 16384; default 256",
         set_founding<&ClusterSettings::partitions, 1, 16384>,
         show_founding<&ClusterSettings::partitions>},
        {"", "copies", "N", "Founding: nodes that hold each key, 1 to 16; default 3",
         set_founding<&ClusterSettings::copies, 1, max_copies>,
         show_founding<&ClusterSettings::copies>},
        {"", "read-quorum", "R",
         "Founding: copies a read waits for when it names no number; default 2, or N if less",
         set_founding<&ClusterSettings::read_quorum, 1, max_copies>,
         show_founding<&ClusterSettings::read_quorum>},
        {"", "write-quorum", "W",
         "Founding: durable copies a write waits for when it names no number; default 2, or N if "
         "less",
         set_founding<&ClusterSettings::write_quorum, 1, max_copies>,
         show_founding<&ClusterSettings::write_quorum>},
        {"", "conflicts", "HOW",
         "Founding: what becomes of concurrent writes of a key: siblings, all are kept until a "
         "writer merges them; last-write-wins, the youngest by wall clock is; default siblings",
         set_conflicts,
         [](const Config& config) {
             return toml_string(config.founding.last_write_wins ? "last-write-wins" : "siblings");
         }},

        {"Limits", "max-value", "SIZE", "Largest value, up to 8MiB; default 1MiB", set_max_value,
         [](const Config& config) { return fmt::format("{}", config.limits.value_bytes); }},
        {"", "max-clients", "NUMBER", "Connections of clients at one time; default 4096",
         set_number<&Config::max_clients, 1, 1'000'000>, show_number<&Config::max_clients>},
        {"", "client-memory", "SIZE",
         "Memory for what clients have sent in part or do not fetch; connections over it are "
         "closed; default 256MiB",
         set_size<&Config::client_memory, 32 * mebi, tebi>, show_number<&Config::client_memory>},

        {"Timing", "request-timeout", "TIME", "Time for a request that names none; default 2s",
         set_duration<&Config::request_timeout>, show_duration<&Config::request_timeout>},
        {"", "replica-timeout", "TIME",
         "Silence of a replica before a stand-in is asked; default 400ms",
         set_duration<&Config::replica_timeout>, show_duration<&Config::replica_timeout>},
        {"", "gossip-interval", "TIME", "Between two talks with a random peer; default 1s",
         set_duration<&Config::gossip_interval>, show_duration<&Config::gossip_interval>},
        {"", "probe-interval", "TIME", "Between two probes of a suspected peer; default 500ms",
         set_duration<&Config::probe_interval>, show_duration<&Config::probe_interval>},
        {"", "handback-interval", "TIME", "Between two looks at the hints held; default 500ms",
         set_duration<&Config::handback_interval>, show_duration<&Config::handback_interval>},
        {"", "exchange-interval", "TIME", "Between two comparisons with a replica; default 1s",
         set_duration<&Config::exchange_interval>, show_duration<&Config::exchange_interval>},
        {"", "exchange-pass", "TIME",
         "Within which all of them are made, if need be closer together; default 1h",
         set_duration<&Config::exchange_pass, 8760>, show_duration<&Config::exchange_pass>},
        {"", "purge-interval", "TIME",
         "Between two steps towards forgetting deletes, made by all members; default 60s",
         set_duration<&Config::purge_interval, 8760>, show_duration<&Config::purge_interval>},
        {"", "background-p99", "TIME|auto",
         "99th percentile of requests' latency above which background work slows down; default "
         "auto, one and a half times the undisturbed one",
         set_background_p99, show_background_p99},

        {"Saying what it does", "log-level", "LEVEL",
         "Least level that is logged: debug, info, warning or error; default info", set_log_level,
         [](const Config& config) { return toml_string(name_of(config.log_level)); }},
    };
}

}  // namespace

bool Draft::has(std::string_view name) const {
    return std::ranges::find(given, name) != given.end();
}

const std::vector<Option>& options() {
    static const std::vector<Option> table = make_options();
    return table;
}

}  // namespace dynamo
