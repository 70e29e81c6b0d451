#include "cli/cluster/state.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/common/files.h"
#include "cli/common/output.h"

namespace dynamo::cli {
namespace {

constexpr std::string_view schema = "dyn.cluster/1";

/// "n1", "n2" and so on.
bool is_node_name(std::string_view name) {
    return name.size() > 1 && name.front() == 'n' &&
           name.find_first_not_of("0123456789", 1) == std::string_view::npos;
}

Result<ClusterState> state_from_json(const nlohmann::json& json) {
    // The file is ours, but a person may have had a hand in it.
    try {
        if (json.at("schema").get<std::string>() != schema) {
            return fail(Code::bad_request, "it is of another version");
        }
        ClusterState state;
        state.base_port = json.at("base_port").get<unsigned>();
        state.daemon_options = json.at("daemon_options").get<std::vector<std::string>>();
        state.formed = json.at("formed").get<bool>();
        for (const auto& node : json.at("nodes")) {
            state.nodes.push_back({node.at("name").get<std::string>(),
                                   node.at("port").get<unsigned>(), node.at("process").get<pid_t>(),
                                   node.at("joined").get<bool>()});
            // It becomes the name of a directory that is removed one day.
            if (const std::string& name = state.nodes.back().name; !is_node_name(name)) {
                return fail(Code::bad_request, fmt::format("'{}' is no node of ours", name));
            }
        }
        return state;
    } catch (const nlohmann::json::exception& error) {
        return fail(Code::bad_request, error.what());
    }
}

}  // namespace

std::string LocalNode::address() const { return fmt::format("127.0.0.1:{}", port); }

std::string LocalNode::peer_address() const { return fmt::format("127.0.0.1:{}", port + 1); }

std::filesystem::path ClusterDirectory::default_path() {
    if (const char* named = std::getenv("DYN_CLUSTER_DIR"); named && *named) {
        return named;
    }
    std::error_code ignored;
    const auto base = std::filesystem::temp_directory_path(ignored);
    return (base.empty() ? std::filesystem::path("/tmp") : base) /
           fmt::format("dyn-cluster-{}", ::getuid());
}

Result<ClusterDirectory> ClusterDirectory::open(const std::filesystem::path& path, Access access) {
    const auto whole = std::filesystem::absolute(path).lexically_normal();
    std::error_code error;
    if (access == Access::make) {
        std::filesystem::create_directories(whole.parent_path(), error);
        if (::mkdir(whole.c_str(), 0700) != 0 && errno != EEXIST) {
            return fail(Code::bad_request,
                        fmt::format("cannot make {}: {}", whole.string(), strerror(errno)));
        }
    }
    struct stat status{};
    if (::stat(whole.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
        return fail(
            Code::bad_request,
            fmt::format("there is no cluster in {}; dyn-cluster start makes one", whole.string()));
    }
    // The default lies where everybody may write.
    if (status.st_uid != ::geteuid() && ::geteuid() != 0) {
        return fail(Code::refused, fmt::format("{} belongs to another user; choose one with --dir",
                                               whole.string()));
    }
    if (access == Access::look) {
        return ClusterDirectory(whole, -1);
    }
    const int lock = ::open((whole / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock < 0 || ::flock(lock, LOCK_EX) != 0) {
        return fail(Code::bad_request,
                    fmt::format("cannot lock {}: {}", whole.string(), strerror(errno)));
    }
    return ClusterDirectory(whole, lock);
}

ClusterDirectory::ClusterDirectory(ClusterDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

ClusterDirectory::~ClusterDirectory() {
    if (lock_ >= 0) {
        ::close(lock_);
    }
}

bool ClusterDirectory::has_state() const {
    std::error_code ignored;
    return std::filesystem::exists(path_ / "cluster.json", ignored);
}

Result<ClusterState> ClusterDirectory::load() const {
    const std::string file = path_ / "cluster.json";
    if (!has_state()) {
        return fail(
            Code::bad_request,
            fmt::format("there is no cluster in {}; dyn-cluster start makes one", path_.string()));
    }
    constexpr std::size_t most = 16u << 20;
    const auto text = read_file(file, most);
    if (!text) {
        return std::unexpected(text.error());
    }
    auto state = state_from_json(nlohmann::json::parse(*text, nullptr, false));
    if (!state) {
        return fail(Code::bad_request, fmt::format("{}: {}", file, state.error().message));
    }
    return state;
}

Result<void> ClusterDirectory::save(const ClusterState& state) const {
    nlohmann::ordered_json json = {{"schema", schema},
                                   {"base_port", state.base_port},
                                   {"daemon_options", state.daemon_options},
                                   {"formed", state.formed}};
    auto nodes = nlohmann::ordered_json::array();
    for (const LocalNode& node : state.nodes) {
        nodes.push_back({{"name", node.name},
                         {"port", node.port},
                         {"process", node.process},
                         {"joined", node.joined}});
    }
    json["nodes"] = std::move(nodes);
    return write_file(path_ / "cluster.json", dumped(json) + "\n");
}

Result<void> ClusterDirectory::remove(const ClusterState& state) {
    std::error_code error;
    for (const LocalNode& node : state.nodes) {
        std::filesystem::remove_all(data_of(node), error);
        if (error) {
            return fail(Code::bad_request,
                        fmt::format("cannot remove {}: {}", data_of(node), error.message()));
        }
    }
    // Logs also of a start that failed, which left no state.
    std::vector<std::filesystem::path> doomed = {path_ / "cluster.json", path_ / "lock"};
    for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
        const auto& file = entry.path();
        if (file.extension() == ".log" && is_node_name(file.stem().string())) {
            doomed.push_back(file);
        }
    }
    for (const auto& file : doomed) {
        std::filesystem::remove(file, error);
    }
    // Left alone when it holds anything that is not ours.
    std::filesystem::remove(path_, error);
    return {};
}

std::string ClusterDirectory::data_of(const LocalNode& node) const { return path_ / node.name; }

std::string ClusterDirectory::log_of(const LocalNode& node) const {
    return path_ / (node.name + ".log");
}

}  // namespace dynamo::cli
