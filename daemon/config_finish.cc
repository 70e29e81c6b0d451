// What is left to be done when all options were read: what was not given is derived, and the
// options are held against each other.
#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "daemon/config_options.h"

namespace dynamo {

namespace {

bool is_loopback(const std::string& host) {
    in_addr v4{};
    if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
    in6_addr v6{};
    return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

bool is_every_interface(const std::string& host) {
    return host == "*" || host == "0.0.0.0" || host == "::";
}

/// Only addresses can be listened on: libzmq takes a name for that of an interface.
Result<void> finish_listening(std::string_view option, Address& address) {
    if (address.host == "localhost") address.host = "127.0.0.1";
    // What follows a % names the interface of a link-local address.
    const auto host = address.host.substr(0, address.host.find('%'));
    in_addr v4{};
    in6_addr v6{};
    if (address.host == "*" || inet_pton(AF_INET, host.c_str(), &v4) == 1 ||
        inet_pton(AF_INET6, host.c_str(), &v6) == 1)
        return {};
    return fail(Code::bad_request,
                fmt::format("--{}: '{}' is no address; give one of this machine's, such as "
                            "127.0.0.1 or [::1] (names are for --advertise)",
                            option, address.host));
}

/// Completes the four addresses.
Result<void> finish_addresses(Draft& draft) {
    auto& config = draft.config;
    config.listen = *parse_address(draft.listen, default_client_port);
    if (const auto done = finish_listening("listen", config.listen); !done) return done;
    if (config.listen.port == 65535 && draft.listen_peer.empty())
        return fail(Code::bad_request,
                    "--listen: no port follows 65535 for peers; give --listen-peer");
    const auto next =
        static_cast<std::uint16_t>(config.listen.port == 0 ? 0 : config.listen.port + 1);
    config.listen_peer = draft.listen_peer.empty() ? Address{config.listen.host, next}
                                                   : *parse_address(draft.listen_peer, next);
    if (const auto done = finish_listening("listen-peer", config.listen_peer); !done) return done;
    config.advertise = draft.advertise.empty()
                           ? config.listen
                           : *parse_address(draft.advertise, config.listen.port);
    const Address for_peers{
        draft.advertise.empty() ? config.listen_peer.host : config.advertise.host,
        config.listen_peer.port};
    config.advertise_peer = draft.advertise_peer.empty()
                                ? for_peers
                                : *parse_address(draft.advertise_peer, for_peers.port);

    if (config.listen == config.listen_peer && config.listen.port != 0)
        return fail(Code::bad_request,
                    fmt::format("--listen-peer: clients have {} already; peers need another port",
                                to_string(config.listen)));
    for (const auto* address : {&config.listen, &config.listen_peer})
        if (!is_loopback(address->host) && !config.allow_insecure)
            return fail(Code::bad_request,
                        fmt::format("--listen: {} can be reached from other machines, and there "
                                    "are no keys yet to tell friend from foe; listen on 127.0.0.1 "
                                    "or [::1], or say --allow-insecure on a network that you trust",
                                    to_string(*address)));
    if (is_every_interface(config.advertise.host) || is_every_interface(config.advertise_peer.host))
        return fail(Code::bad_request,
                    fmt::format("--advertise: nobody can connect to '{}'; give the address by "
                                "which others reach this machine",
                                config.advertise.host));
    return {};
}

/// Takes this node out of its own list of seeds, which is often the same for all nodes.
Result<void> finish_seeds(Config& config) {
    if (config.seeds.empty()) return {};
    std::erase(config.seeds, to_string(config.advertise_peer));
    if (config.seeds.empty())
        return fail(Code::bad_request,
                    fmt::format("--seeds: {} is this daemon itself; name a peer address of another "
                                "member, or give no seeds to found a cluster",
                                to_string(config.advertise_peer)));
    return {};
}

Result<void> finish_founding(Draft& draft) {
    auto& founding = draft.config.founding;
    if ((founding.partitions & (founding.partitions - 1)) != 0)
        return fail(Code::bad_request,
                    fmt::format("--partitions: {} is no power of two (128, 256, 512)",
                                founding.partitions));
    if (!draft.has("read-quorum"))
        founding.read_quorum = std::min(founding.read_quorum, founding.copies);
    if (!draft.has("write-quorum"))
        founding.write_quorum = std::min(founding.write_quorum, founding.copies);
    const auto too_many = [&](std::string_view option, unsigned quorum) {
        return fail(Code::bad_request,
                    fmt::format("--{}: {} copies cannot answer when --copies keeps only {}", option,
                                quorum, founding.copies));
    };
    if (founding.read_quorum > founding.copies)
        return too_many("read-quorum", founding.read_quorum);
    if (founding.write_quorum > founding.copies)
        return too_many("write-quorum", founding.write_quorum);
    for (const auto* name : {"copies", "partitions", "read-quorum", "write-quorum", "conflicts"})
        if (draft.has(name)) draft.config.founding_given.emplace_back(name);
    return {};
}

std::filesystem::path default_data_directory(const Environment& environment) {
    // The XDG rules ignore a relative path there.
    const auto data_home = environment.variable("XDG_DATA_HOME").value_or("");
    if (data_home.starts_with('/')) return std::filesystem::path(data_home) / "dynamo";
    const auto home = environment.variable("HOME").value_or("");
    if (home.starts_with('/')) return std::filesystem::path(home) / ".local/share/dynamo";
    return "/var/lib/dynamo";
}

}  // namespace

Result<Config> finish(Draft draft, const Environment& environment) {
    auto& config = draft.config;
    if (!std::has_single_bit(config.page_bytes))
        return fail(Code::bad_request,
                    fmt::format("--page-size: {} is no power of two", config.page_bytes));
    if (const auto done = finish_addresses(draft); !done) return std::unexpected(done.error());
    if (const auto done = finish_seeds(config); !done) return std::unexpected(done.error());
    if (const auto done = finish_founding(draft); !done) return std::unexpected(done.error());
    if (config.replica_timeout > config.request_timeout)
        return fail(Code::bad_request,
                    "--replica-timeout: is longer than --request-timeout, so that no stand-in "
                    "would ever be asked");
    if (config.data_directory.empty()) config.data_directory = default_data_directory(environment);
    config.host_name = environment.host_name;
    if (config.name.empty() && config.listen.port != 0)
        config.name = fmt::format("{}-{}", environment.host_name, config.listen.port);
    return std::move(config);
}

}  // namespace dynamo
