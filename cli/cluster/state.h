// What dyn-cluster remembers of a cluster between two runs: DIR/cluster.json.
//
//     DIR/cluster.json   who there is, on which ports, as which process
//     DIR/lock           held while one dyn-cluster changes something
//     DIR/n1/            the data directory of n1
//     DIR/n1.log         what n1 has said since the beginning
//
// Threads: one owner
// Errors:  bad_request for a directory that holds no cluster or a file that is no state of ours;
//          refused for a directory that is somebody else's
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "dynamo/error.h"

namespace dynamo::cli {

struct LocalNode {
    std::string name;
    unsigned port = 0;  ///< for clients; peers use the next one
    pid_t process = 0;  ///< 0: never started
    bool joined = false;

    [[nodiscard]] std::string address() const;
    [[nodiscard]] std::string peer_address() const;
};

struct ClusterState {
    unsigned base_port = 7100;
    std::vector<std::string> daemon_options;
    std::vector<LocalNode> nodes;
    bool formed = false;  ///< the ring was committed
};

class ClusterDirectory {
  public:
    enum class Access : std::uint8_t {
        look,    ///< without the lock
        change,  ///< waits for the lock
        make,    ///< as `change`; the directory is made when it is missing
    };
    [[nodiscard]] static Result<ClusterDirectory> open(const std::filesystem::path& path,
                                                       Access access);
    /// $DYN_CLUSTER_DIR, else one of this user's under $TMPDIR.
    [[nodiscard]] static std::filesystem::path default_path();

    ClusterDirectory(ClusterDirectory&& other) noexcept;
    ClusterDirectory& operator=(ClusterDirectory&&) = delete;
    ~ClusterDirectory();

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] bool has_state() const;
    [[nodiscard]] Result<ClusterState> load() const;
    [[nodiscard]] Result<void> save(const ClusterState& state) const;
    /// Removes the state and every file of the nodes, and the directory if nothing else is in it.
    [[nodiscard]] Result<void> remove(const ClusterState& state);

    [[nodiscard]] std::string data_of(const LocalNode& node) const;
    [[nodiscard]] std::string log_of(const LocalNode& node) const;

  private:
    ClusterDirectory(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}

    std::filesystem::path path_;
    int lock_;
};

}  // namespace dynamo::cli
