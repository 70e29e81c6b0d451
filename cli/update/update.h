// One update of one key: read, pipe through a command, put; in turn with other updates of it.
//
//     read ─► run CMD ─► take a ticket ─► read ─► my turn? ─► put with what was read ─► read
//               ▲                           │ no: wait                                   │
//               └── the value has changed ◄─┘                     another value beside? ─┴─►
//               conflict
//
// Threads: one owner; blocks
// Errors:  see run(): what it answers with says whether the value was written
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cli/update/queue.h"

namespace dynamo::cli {

struct UpdateSettings {
    std::vector<std::string> command;
    unsigned r = 0;
    unsigned w = 0;
    unsigned retries = 5;
    std::chrono::milliseconds patience{2000};
    bool if_present = false;
    bool allow_empty = false;
    std::optional<std::string> resolve;  ///< "newest" or "cmd:CMD"
};

struct Updated {
    bool absent = false;  ///< there was no value, and with `if_present` nothing was done
    std::string value;
    ContextToken context;
    unsigned runs = 0;  ///< of the command
};

class Update {
  public:
    Update(ClientOptions options, UpdateSettings settings)
        : options_(std::move(options)), settings_(std::move(settings)) {}

    /// conflict: siblings that nobody settled, nothing written (Applied::no), or a value that was
    /// written at the same time stands beside the new one (Applied::yes). bad_request: the command
    /// failed, nothing was written.
    [[nodiscard]] Result<Updated> run(const std::string& key);

  private:
    /// What a read showed, as the command gets it.
    struct Base {
        std::vector<UpdateQueue::Ticket> dots;  ///< of the live versions
        std::string value;
        bool absent = false;
    };

    [[nodiscard]] Result<Client> open_coordinator(const RingView& ring, const std::string& key);
    [[nodiscard]] Result<Got> read();
    [[nodiscard]] Result<Got> read_settled();
    [[nodiscard]] Result<Base> base_of(const Got& got) const;
    [[nodiscard]] Result<void> run_command_on(const Base& base);
    [[nodiscard]] Result<ContextToken> write(const ContextToken* context);
    [[nodiscard]] Result<Updated> in_turn(const RingView& ring);
    [[nodiscard]] Result<Updated> commit(const RingView& ring, const Got& got);
    [[nodiscard]] bool may_retry(const Error& error);
    void pause() const;

    ClientOptions options_;
    UpdateSettings settings_;
    std::string key_;
    std::optional<Client> client_;
    std::optional<Base> computed_;  ///< what `result_` was made of
    std::string result_;
    unsigned runs_ = 0;
    unsigned retried_ = 0;
};

}  // namespace dynamo::cli
