// Configuration: the command line over a TOML file over defaults, checked before anything starts.
//
// An option has one name, on the command line as --name and in the file as a key; one table
// (config.cc) holds what each means, and help, file and checks come from it.
//
// Shape:   addresses are complete, sizes are octets, durations microseconds
// Threads: plain values
// Errors:  one line that says what, where (option, or file:line:column) and what to do; exit code 2
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/node/options.h"
#include "daemon/node/outbox.h"
#include "daemon/storage/storage.h"
#include "libdynamo/base/address.h"

namespace dynamo {

struct Config {
    std::filesystem::path data_directory;
    Address listen;          ///< for clients
    Address listen_peer;     ///< for peers
    Address advertise;       ///< what clients are told; port 0: the one listened on
    Address advertise_peer;  ///< what peers are told; port 0: the one listened on
    bool allow_insecure = false;

    std::string host_name;  ///< this machine's
    std::string name;       ///< empty: host_name and the port, once that is known
    std::string zone;
    std::uint32_t weight = 100;
    std::vector<std::string> seeds;
    ClusterSettings founding;
    bool cluster_given = false;
    /// Which of copies, partitions, read-quorum, write-quorum and conflicts were given, to be held
    /// against a cluster that exists.
    std::vector<std::string> founding_given;

    Durability durability = Durability::sync;
    std::string engine = "bdb";
    std::uint64_t cache_bytes = 64u << 20;
    std::uint64_t page_bytes = 8192;
    std::uint64_t min_free_bytes = 64u << 20;
    std::uint64_t set_aside_limit = 2;  ///< damaged shards within an hour

    wire::Limits limits;
    std::uint64_t max_clients = 4096;
    std::uint64_t client_memory = 256u << 20;
    Duration request_timeout{};
    Duration replica_timeout{};
    Duration gossip_interval{};
    Duration probe_interval{};
    Duration handback_interval{};
    Duration exchange_interval{};
    Duration exchange_pass{};
    Duration purge_interval{};
    Duration background_p99{};  ///< 0: learnt

    Severity log_level = Severity::info;
    bool check_only = false;
};

/// What is read besides the arguments; tests give their own.
struct Environment {
    std::function<std::optional<std::string>(const std::string& name)> variable;
    std::string host_name;

    /// This process's.
    [[nodiscard]] static Environment of_process();
};

/// What the command line came to: a configuration, or a text to print and an end.
struct CommandLine {
    std::optional<Config> config;
    std::string out;  ///< for standard output
    std::string err;  ///< for standard error
    int exit = 0;     ///< when there is no configuration
};

/// `arguments` without the program's name.
[[nodiscard]] CommandLine read_command_line(std::span<const std::string> arguments,
                                            const Environment& environment);

/// The configuration as a file that would give the same again (--check-config).
[[nodiscard]] std::string to_toml(const Config& config);

/// "64MiB", "1GiB", "512KiB", "4096": octets.
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);
/// "2s", "400ms", "5m".
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);

/// The option that was probably meant, or nothing.
[[nodiscard]] std::optional<std::string> closest_name(std::string_view name,
                                                      std::span<const std::string> names);

}  // namespace dynamo
