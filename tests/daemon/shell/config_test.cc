#include "daemon/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "daemon/config_options.h"
#include "tests/daemon/shell/temporary_directory.h"

namespace dynamo {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

Environment environment(std::map<std::string, std::string> variables = {}) {
    return {[variables](const std::string& name) -> std::optional<std::string> {
                const auto found = variables.find(name);
                return found == variables.end() ? std::nullopt : std::optional(found->second);
            },
            "host"};
}

CommandLine read(std::vector<std::string> arguments) {
    return read_command_line(arguments, environment({{"HOME", "/home/someone"}}));
}

Config good(std::vector<std::string> arguments) {
    auto line = read(std::move(arguments));
    EXPECT_EQ(line.err, "");
    return line.config.value_or(Config{});
}

std::string bad(std::vector<std::string> arguments) {
    const auto line = read(std::move(arguments));
    EXPECT_FALSE(line.config.has_value());
    EXPECT_EQ(line.exit, 2);
    EXPECT_EQ(line.out, "");
    return line.err;
}

// ------------------------------------------------------------------------------------ defaults

TEST(config, without_options_is_one_node_on_loopback) {
    const auto config = good({});
    EXPECT_EQ(to_string(config.listen), "127.0.0.1:7100");
    EXPECT_EQ(to_string(config.listen_peer), "127.0.0.1:7101");
    EXPECT_EQ(to_string(config.advertise), "127.0.0.1:7100");
    EXPECT_EQ(to_string(config.advertise_peer), "127.0.0.1:7101");
    EXPECT_EQ(config.data_directory, "/home/someone/.local/share/dynamo");
    EXPECT_EQ(config.name, "host-7100");
    EXPECT_EQ(config.founding, ClusterSettings{});
    EXPECT_FALSE(config.cluster_given);
    EXPECT_TRUE(config.founding_given.empty());
    EXPECT_EQ(config.durability, Durability::sync);
    EXPECT_EQ(config.request_timeout, NodeOptions{}.request_timeout);
}

TEST(config, default_data_directory_follows_the_environment) {
    const auto directory = [](std::map<std::string, std::string> variables) {
        return read_command_line({}, environment(std::move(variables))).config->data_directory;
    };
    EXPECT_EQ(directory({{"XDG_DATA_HOME", "/xdg"}, {"HOME", "/home/x"}}), "/xdg/dynamo");
    EXPECT_EQ(directory({{"XDG_DATA_HOME", "relative"}, {"HOME", "/home/x"}}),
              "/home/x/.local/share/dynamo");
    EXPECT_EQ(directory({}), "/var/lib/dynamo");
}

TEST(config, peers_use_the_port_after_the_clients) {
    const auto config = good({"--listen", "127.0.0.2:7200"});
    EXPECT_EQ(to_string(config.listen_peer), "127.0.0.2:7201");
    EXPECT_EQ(to_string(config.advertise_peer), "127.0.0.2:7201");
    EXPECT_EQ(config.name, "host-7200");
}

TEST(config, advertises_what_it_is_told_and_its_own_ports) {
    const auto config =
        good({"--listen", "0.0.0.0:7200", "--allow-insecure", "--advertise", "[2001:db8::1]"});
    EXPECT_EQ(to_string(config.advertise), "[2001:db8::1]:7200");
    EXPECT_EQ(to_string(config.advertise_peer), "[2001:db8::1]:7201");
}

TEST(config, an_ipv6_host_in_brackets_is_not_a_list) {
    EXPECT_EQ(to_string(good({"--listen", "[::1]"}).listen), "[::1]:7100");
    EXPECT_EQ(to_string(good({"--listen=[::1]:7300"}).listen_peer), "[::1]:7301");
}

TEST(config, localhost_is_an_address_to_listen_on) {
    const auto config = good({"--listen", "localhost:7300"});
    EXPECT_EQ(to_string(config.listen), "127.0.0.1:7300");
    EXPECT_EQ(to_string(config.advertise_peer), "127.0.0.1:7301");
}

TEST(config, conflicts_are_kept_as_siblings_unless_the_last_write_is_to_win) {
    EXPECT_FALSE(good({}).founding.last_write_wins);
    EXPECT_TRUE(good({"--conflicts", "last-write-wins"}).founding.last_write_wins);
}

TEST(config, quorums_shrink_with_the_copies_unless_they_are_given) {
    const auto config = good({"--copies", "1"});
    EXPECT_EQ(config.founding.read_quorum, 1);
    EXPECT_EQ(config.founding.write_quorum, 1);
    EXPECT_THAT(config.founding_given, testing::ElementsAre("copies"));
}

TEST(config, a_free_port_leaves_the_name_open) {
    EXPECT_EQ(good({"--listen", "127.0.0.1:0"}).name, "");
    EXPECT_EQ(good({"--listen", "127.0.0.1:0"}).listen_peer.port, 0);
}

TEST(config, seeds_are_peer_addresses_and_never_this_node) {
    const auto config =
        good({"--seeds", "127.0.0.1,127.0.0.1:7111,127.0.0.1:7101", "--listen", "127.0.0.1:7110"});
    EXPECT_THAT(config.seeds, testing::ElementsAre("127.0.0.1:7101", "127.0.0.1:7101"));
}

// ------------------------------------------------------------------------------------ bad flags

struct BadCase {
    const char* name;
    std::vector<std::string> arguments;
    std::vector<std::string> says;
};

class BadFlags : public testing::TestWithParam<BadCase> {};

TEST_P(BadFlags, are_refused_with_what_where_and_a_way_on) {
    const auto err = bad(GetParam().arguments);
    EXPECT_THAT(err, StartsWith("dynamod: "));
    EXPECT_THAT(err, EndsWith("Try 'dynamod --help'.\n"));
    for (const auto& part : GetParam().says) EXPECT_THAT(err, HasSubstr(part));
}

INSTANTIATE_TEST_SUITE_P(
    config, BadFlags,
    testing::Values(
        BadCase{"misspelt", {"--sedes", "x"}, {"'--sedes'", "did you mean --seeds?"}},
        BadCase{"misspelt_with_value", {"--nmae=x"}, {"did you mean --name?"}},
        BadCase{"misspelt_command", {"--hepl"}, {"did you mean --help?"}},
        BadCase{"far_off", {"--frobnicate"}, {"unknown option '--frobnicate'\n"}},
        BadCase{"single_dash", {"-x"}, {"unknown option '-x'"}},
        BadCase{"positional", {"start"}, {"unexpected argument 'start'"}},
        BadCase{"double_dash", {"--"}, {"unexpected argument '--'"}},
        BadCase{"empty_value", {"--name=", "x"}, {"--name= needs a value"}},
        BadCase{"no_value", {"--name"}, {"--name"}},
        BadCase{"twice", {"--name", "a", "--name", "b"}, {"--name: given 2 times"}},
        BadCase{"weight", {"--weight", "0"}, {"--weight: '0'", "1 to 10000"}},
        BadCase{"weight_text", {"--weight", "12x"}, {"--weight: '12x'"}},
        BadCase{"size", {"--cache-size", "64MB"}, {"--cache-size: '64MB'", "64MiB"}},
        BadCase{"small_cache", {"--cache-size", "1KiB"}, {"--cache-size", "1048576"}},
        BadCase{"page", {"--page-size", "5000"}, {"--page-size: 5000 is no power of two"}},
        BadCase{"duration", {"--request-timeout", "2"}, {"--request-timeout: '2'", "400ms"}},
        BadCase{"zero_duration", {"--gossip-interval", "0s"}, {"outside 1ms to 24h"}},
        BadCase{"timeouts", {"--replica-timeout", "3s"}, {"--replica-timeout", "longer"}},
        BadCase{"name", {"--name", "a b"}, {"--name: 'a b' is no name"}},
        BadCase{"durability", {"--durability", "full"}, {"'full'", "sync", "os"}},
        BadCase{"engine", {"--engine", "rocks"}, {"'rocks'", "bdb", "memory"}},
        BadCase{"level", {"--log-level", "loud"}, {"'loud'", "warning"}},
        BadCase{"partitions", {"--partitions", "100"}, {"100 is no power of two"}},
        BadCase{"many_partitions", {"--partitions", "32768"}, {"1 to 16384"}},
        BadCase{"read_quorum", {"--read-quorum", "4"}, {"--read-quorum", "only 3"}},
        BadCase{
            "write_quorum", {"--copies", "2", "--write-quorum", "3"}, {"--write-quorum", "only 2"}},
        BadCase{"big_value", {"--max-value", "9MiB"}, {"--max-value", "8388608"}},
        BadCase{"conflicts", {"--conflicts", "newest"}, {"'newest'", "last-write-wins"}},
        BadCase{"port", {"--listen", "127.0.0.1:99999"}, {"--listen", "99999"}},
        BadCase{"v6_without_end", {"--listen", "[::1"}, {"--listen"}},
        BadCase{"insecure", {"--listen", "192.0.2.1"}, {"192.0.2.1:7100", "--allow-insecure"}},
        BadCase{
            "listen_name", {"--listen", "example.org"}, {"--listen: 'example.org' is no address"}},
        BadCase{"insecure_peer",
                {"--listen-peer", "0.0.0.0:7101"},
                {"0.0.0.0:7101", "--allow-insecure"}},
        BadCase{"wildcard", {"--listen", "*", "--allow-insecure"}, {"--advertise", "'*'"}},
        BadCase{"same_port", {"--listen-peer", "127.0.0.1:7100"}, {"--listen-peer", "another"}},
        BadCase{"last_port", {"--listen", "127.0.0.1:65535"}, {"--listen-peer"}},
        BadCase{"seed", {"--seeds", "a:b"}, {"--seeds", "'a:b'", "peer addresses"}},
        BadCase{"empty_seed", {"--seeds", "a,,b"}, {"--seeds"}},
        BadCase{"seed_port_0", {"--seeds", "a:0"}, {"port 0"}},
        BadCase{"seed_self", {"--seeds", "127.0.0.1:7101"}, {"this daemon itself"}},
        BadCase{"no_file", {"--config", "/no/such/file"}, {"/no/such/file", "No such file"}},
        BadCase{"file_is_directory", {"--config", "/"}, {"--config", "/"}}),
    [](const auto& test) { return test.param.name; });

// ------------------------------------------------------------------------------------ the file

TEST(config_file, gives_every_option) {
    const TemporaryDirectory directory;
    const auto file = directory.write("c.toml", R"(
data-dir = "/data"        # a comment
listen = "127.0.0.1:7500"
seeds = ["127.0.0.1:7601", "[::1]"]
cache-size = "1GiB"
min-free = 4096
weight = 250
allow-insecure = true
gossip-interval = "50ms"
log-level = "debug"
)");
    const auto config = good({"--config", file});
    EXPECT_EQ(config.data_directory, "/data");
    EXPECT_EQ(config.listen.port, 7500);
    EXPECT_THAT(config.seeds, testing::ElementsAre("127.0.0.1:7601", "[::1]:7101"));
    EXPECT_EQ(config.cache_bytes, 1u << 30);
    EXPECT_EQ(config.min_free_bytes, 4096u);
    EXPECT_EQ(config.weight, 250u);
    EXPECT_TRUE(config.allow_insecure);
    EXPECT_EQ(config.gossip_interval, std::chrono::milliseconds(50));
    EXPECT_EQ(config.log_level, Severity::debug);
}

TEST(config_file, loses_against_flags) {
    const TemporaryDirectory directory;
    const auto file =
        directory.write("c.toml", "weight = 250\nname = 'file'\nseeds = ['a', 'b']\n");
    const auto config = good({"--weight", "7", "--config", file, "--seeds", "c"});
    EXPECT_EQ(config.weight, 7u);
    EXPECT_EQ(config.name, "file");
    EXPECT_THAT(config.seeds, testing::ElementsAre("c:7101"));
}

class BadFiles : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(BadFiles, are_refused_with_line_and_column) {
    const TemporaryDirectory directory;
    const auto file = directory.write("c.toml", GetParam().first).string();
    EXPECT_THAT(bad({"--config", file}), StartsWith("dynamod: " + file + GetParam().second));
}

INSTANTIATE_TEST_SUITE_P(
    config_file, BadFiles,
    testing::Values(std::pair("\n  wieght = 1\n",
                              ":2:3: unknown option 'wieght'; did you mean weight?"),
                    std::pair("weight = 0\n", ":1:10: weight: '0'"),
                    std::pair("name = \"open\n", ":1:"), std::pair("a = = b\n", ":1:"),
                    std::pair("weight = 1\nweight = 2\n", ":2:"),
                    std::pair("seeds = [1, 2]\n", ":1:9: seeds: a list may hold only strings"),
                    std::pair("weight = 1.5\n", ":1:10: weight: write a string"),
                    std::pair("[weight]\nx = 1\n", ":1:1: weight: write a string"),
                    std::pair("config = 'x'\n", ":1:1: unknown option 'config'"),
                    std::pair("allow-insecure = 'yes'\n", ":1:18: allow-insecure: 'yes'")));

TEST(config_file, is_what_check_config_prints) {
    const auto config =
        good({"--name", "n1", "--seeds", "a,[::1]:9", "--durability", "os", "--gossip-interval",
              "1500us", "--zone", "z", "--data-dir", "/a \"b\"\\c"});
    const TemporaryDirectory directory;
    const auto text = to_toml(config);
    const auto again = good({"--config", directory.write("c.toml", text)});
    EXPECT_EQ(to_toml(again), text);
    EXPECT_EQ(again.data_directory, config.data_directory);
    EXPECT_EQ(again.gossip_interval, std::chrono::microseconds(1500));
    EXPECT_EQ(again.durability, Durability::os);
}

// ------------------------------------------------------------------------------------ texts

TEST(help, says_what_it_is_and_gives_two_examples) {
    const auto line = read({"--help"});
    EXPECT_FALSE(line.config.has_value());
    EXPECT_EQ(line.exit, 0);
    EXPECT_THAT(line.out, StartsWith("dynamod - "));
    EXPECT_THAT(line.out, AllOf(HasSubstr("\n  dynamod\n"), HasSubstr("\n  dynamod --data-dir")));
    for (const auto& option : options())
        EXPECT_THAT(line.out, HasSubstr("\n  --" + std::string(option.name)));
    std::istringstream lines(line.out);
    for (std::string row; std::getline(lines, row);) EXPECT_LE(row.size(), 80u) << row;
}

TEST(version, is_one_line) {
    EXPECT_THAT(read({"--version"}).out, AllOf(StartsWith("dynamod "), EndsWith("\n")));
}

TEST(sizes, have_binary_units) {
    EXPECT_EQ(parse_size("0").value(), 0u);
    EXPECT_EQ(parse_size("64MiB").value(), 64u << 20);
    EXPECT_EQ(parse_size("3TiB").value(), 3ULL << 40);
    for (const auto* text : {"", "MiB", "-1", "1.5GiB", "64 MiB", "9999999999999TiB"})
        EXPECT_FALSE(parse_size(text).has_value()) << text;
}

TEST(durations, have_units) {
    EXPECT_EQ(parse_duration("2s").value(), std::chrono::seconds(2));
    EXPECT_EQ(parse_duration("5m").value(), std::chrono::minutes(5));
    for (const auto* text : {"", "s", "5", "-1s", "1h30m"})
        EXPECT_FALSE(parse_duration(text).has_value()) << text;
}

}  // namespace
}  // namespace dynamo
