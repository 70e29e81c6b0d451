// dynamod: puts the parts together, in the order in which each may refuse to start.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "daemon/config.h"
#include "daemon/shell/data_directory.h"
#include "daemon/shell/log.h"
#include "daemon/shell/loop.h"
#include "daemon/shell/process.h"
#include "daemon/shell/shard.h"
#include "daemon/shell/transport.h"
#include "daemon/storage/open.h"

namespace dynamo {
namespace {

/// What the options say of a cluster that exists already. Its own settings stay; another name is
/// refused, because a data directory in the wrong place would mix two clusters up.
Result<void> compare_with_ring(const Config& config, const RingState& ring, Log& log) {
    const auto& settings = ring.settings;
    if (config.cluster_given && config.founding.name != settings.name)
        return fail(
            Code::refused,
            fmt::format("{} belongs to cluster '{}', and --cluster says '{}'; give the "
                        "other name, or another --data-dir",
                        config.data_directory.string(), settings.name, config.founding.name));
    const auto compare = [&](std::string_view option, const auto& given, const auto& present) {
        if (std::ranges::find(config.founding_given, option) != config.founding_given.end() &&
            given != present)
            log.write(Severity::warning,
                      fmt::format("--{} {} has no effect: cluster '{}' was founded with {}", option,
                                  given, settings.name, present));
    };
    compare("copies", config.founding.copies, settings.copies);
    compare("partitions", config.founding.partitions, settings.partitions);
    compare("read-quorum", config.founding.read_quorum, settings.read_quorum);
    compare("write-quorum", config.founding.write_quorum, settings.write_quorum);
    const auto how = [](bool last_wins) { return last_wins ? "last-write-wins" : "siblings"; };
    compare("conflicts", how(config.founding.last_write_wins), how(settings.last_write_wins));
    return {};
}

StorageOptions storage_options(const Config& config, const Shard& shard, std::uint16_t partitions,
                               Log& log) {
    StorageOptions options;
    options.engine = config.engine;
    options.directory = shard.path();
    options.cache_bytes = config.cache_bytes;
    options.page_bytes = static_cast<std::uint32_t>(config.page_bytes);
    options.partitions = partitions;
    options.log = [&log](StorageNotice notice, const std::string& text) {
        const auto severity = notice == StorageNotice::info      ? Severity::info
                              : notice == StorageNotice::warning ? Severity::warning
                                                                 : Severity::error;
        log.write(severity, text);
    };
    return options;
}

NodeOptions node_options(const Config& config, const NodeId& id, const Transport& transport) {
    const auto complete = [](Address advertised, const Address& bound) {
        if (advertised.port == 0) advertised.port = bound.port;
        return to_string(advertised);
    };
    NodeOptions options;
    options.self.id = id;
    options.self.name = config.name.empty() ? fmt::format("{}-{}", config.host_name,
                                                          transport.client_address().port)
                                            : config.name;
    options.self.zone = config.zone;
    options.self.weight = config.weight;
    options.self.client_address = complete(config.advertise, transport.client_address());
    options.self.peer_address = complete(config.advertise_peer, transport.peer_address());
    options.seeds = config.seeds;
    options.founding = config.founding;
    options.refuse_other_name = config.cluster_given;
    options.limits = config.limits;
    options.request_timeout = config.request_timeout;
    options.replica_timeout = config.replica_timeout;
    options.gossip_interval = config.gossip_interval;
    options.probe_interval = config.probe_interval;
    options.handback_interval = config.handback_interval;
    options.exchange_interval = config.exchange_interval;
    options.exchange_pass = config.exchange_pass;
    options.purge_interval = config.purge_interval;
    options.background_p99 = config.background_p99;
    options.version = DYNAMO_VERSION;
    options.durability = config.durability == Durability::sync ? "sync" : "os";
    return options;
}

std::uint64_t random_seed() {
    std::uint64_t seed = 0;
    const auto octets = system_random(sizeof seed);
    std::memcpy(&seed, octets.data(), sizeof seed);
    return seed;
}

/// The first line: who starts here. What follows may be a long recovery.
void announce(const Config& config, const DataDirectory& directory,
              const std::optional<RingState>& ring, Log& log) {
    const auto cluster =
        ring ? fmt::format("cluster '{}' {}", ring->settings.name, ring->cluster.brief())
        : config.seeds.empty()
            ? fmt::format("founds cluster '{}'", config.founding.name)
            : fmt::format("waits to join a cluster, seeds {}", fmt::join(config.seeds, ", "));
    log.announce(fmt::format("dynamod {}: node '{}' {}, {}, data in {}", DYNAMO_VERSION,
                             config.name, directory.node().brief(), cluster,
                             config.data_directory.string()));
    if (config.allow_insecure)
        log.write(Severity::warning,
                  "listens without keys (--allow-insecure): everybody who can connect can read "
                  "and write everything");
}

Result<void> serve(const Config& config, int signals, Log& log) {
    auto directory = DataDirectory::open(config.data_directory);
    if (!directory) return std::unexpected(directory.error());
    auto ring = directory->load_ring();
    if (!ring) return std::unexpected(ring.error());
    auto vote = directory->load_vote();
    if (!vote) return std::unexpected(vote.error());
    if (ring->has_value())
        if (const auto fits = compare_with_ring(config, **ring, log); !fits) return fits;

    announce(config, *directory, *ring, log);

    const auto partitions =
        ring->has_value() ? (*ring)->settings.partitions : config.founding.partitions;
    Shard shard(config.data_directory, {open_storage, check_storage}, log);
    auto storage = shard.open(storage_options(config, shard, partitions, log),
                              replicas_of(*ring, directory->node()), config.set_aside_limit,
                              now_of_system().wall_ms);
    if (!storage) return std::unexpected(storage.error());

    auto transport = Transport::open({.listen = config.listen,
                                      .listen_peer = config.listen_peer,
                                      .max_clients = config.max_clients,
                                      .client_memory = config.client_memory},
                                     log);
    if (!transport) return std::unexpected(transport.error());

    const auto options = node_options(config, directory->node(), **transport);
    Node node(options, std::move(*ring), **storage, Random(random_seed()), now_of_system());
    node.recall(std::move(*vote));
    Loop loop(node, **storage, *directory, **transport, log,
              {.durability = config.durability,
               .limits = config.limits,
               .min_free_bytes = config.min_free_bytes,
               .shards_set_aside = shard.set_aside(),
               .still_runs = [&shard](Instant now) { shard.still_runs(now); }});
    auto ended = loop.begin();
    if (ended) {
        log.announce(fmt::format("ready: clients at {}, peers at {}", options.self.client_address,
                                 options.self.peer_address));
        notify_ready();
        ended = loop.run(signals);
    }
    if (!ended && ended.error().code == Code::corrupt)
        return std::unexpected(shard.suspect(ended.error(), now_of_system().wall_ms));
    return ended;
}

int run(const std::vector<std::string>& arguments) {
    const auto line = read_command_line(arguments, Environment::of_process());
    std::fputs(line.out.c_str(), stdout);
    std::fputs(line.err.c_str(), stderr);
    if (!line.config) return line.exit;
    if (line.config->check_only) {
        std::fputs(to_toml(*line.config).c_str(), stdout);
        return 0;
    }
    umask(077);
    raise_descriptor_limit();
    const auto signals = take_signals();
    Log log(line.config->log_level);
    if (const auto served = serve(*line.config, signals.get(), log); !served) {
        log.write(Severity::error, served.error().message);
        return exit_code_of(served.error().code);
    }
    log.write(Severity::info, "stopped");
    return 0;
}

}  // namespace
}  // namespace dynamo

int main(int argc, char** argv) {
    return dynamo::run(std::vector<std::string>(argv + 1, argv + argc));
}
