// The options that every tool understands, and what they turn into.
//
// A flag beats the environment ($DYN_SEEDS, $DYN_CLUSTER, $DYN_TIMEOUT), the environment the
// default.
//
// Threads: one owner
// Errors:  bad_request with the sentence that the user sees
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "cli/common/app.h"
#include "cli/common/exit.h"
#include "cli/common/output.h"
#include "dynamo/admin.h"
#include "dynamo/client.h"

namespace dynamo::cli {

/// How keys are written in arguments and lists.
enum class KeyEncoding : std::uint8_t { raw, hex, base64 };

/// Which of the shared options a tool understands.
struct Wants {
    std::vector<std::string> formats;
    std::string format_help = "how to print";
    bool keys = false;    ///< --key-encoding
    bool lists = false;   ///< -0
    bool network = true;  ///< --seed, --cluster, --timeout
};

class CommonOptions {
  public:
    explicit CommonOptions(std::string program) : program_(std::move(program)) {}

    void declare(App& app, const Wants& wants);

    [[nodiscard]] Format format() const { return format_; }
    /// True when --format was given.
    [[nodiscard]] bool format_given() const { return format_given_; }
    [[nodiscard]] bool json() const { return format_ == Format::json || format_ == Format::ndjson; }
    /// What ends an item of a list: NUL with -0, else a line feed.
    [[nodiscard]] char separator() const { return nul_ ? '\0' : '\n'; }
    [[nodiscard]] bool nul() const { return nul_; }
    [[nodiscard]] std::chrono::milliseconds timeout() const { return timeout_; }
    [[nodiscard]] Reporter reporter() const { return Reporter(program_, json()); }

    /// The key that was written.
    [[nodiscard]] Result<std::string> key_from_text(std::string_view text) const;
    /// The key as --key-encoding writes it.
    [[nodiscard]] std::string key_text(std::string_view key) const;

    [[nodiscard]] ClientOptions client_options() const;
    [[nodiscard]] Result<Client> open_client() const { return Client::open(client_options()); }
    [[nodiscard]] Result<Admin> open_admin() const { return Admin::open(client_options()); }
    /// An administrator, and the ring that the first seed told it.
    struct Operator {
        Admin admin;
        RingView ring;
    };
    [[nodiscard]] Result<Operator> open_with_ring() const;
    [[nodiscard]] std::vector<std::string> seeds() const;

    /// The same for completion: asked of the environment's seeds, quickly.
    [[nodiscard]] static Result<Operator> open_for_completion();
    /// Names of the cluster's nodes, for completion.
    [[nodiscard]] static Candidates live_nodes();

  private:
    void declare_network(App& app);

    std::string program_;
    std::string seeds_;
    std::string cluster_;
    std::chrono::milliseconds timeout_{2000};
    Format format_ = Format::human;
    bool format_given_ = false;
    KeyEncoding encoding_ = KeyEncoding::raw;
    bool nul_ = false;
};

}  // namespace dynamo::cli
