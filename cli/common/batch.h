// A long list of requests, many in flight, in bounded memory.
//
// Items are started as they are read and finish in any order; what they print comes in the order
// of the input. Ctrl-C stops the reading, waits for what is in flight and says where it stopped;
// a second one ends the tool at once.
//
// Threads: one owner
// Errors:  a failed item is counted and printed; only a list that cannot be read ends the batch
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "cli/common/lines.h"
#include "cli/common/options.h"
#include "cli/common/progress.h"

namespace dynamo::cli {

/// How an item ended.
struct Outcome {
    std::optional<std::string> line = {};  ///< for stdout, without its line feed
    bool failed = false;
    bool absent = false;    ///< there was no such key
    bool conflict = false;  ///< several differing siblings
};

/// One JSON line for an item that failed. `key` may be empty when the item named none.
[[nodiscard]] Outcome failed_item(const Line& line, const std::string& key, const Error& error);

class Batch {
  public:
    struct Settings {
        std::string source;  ///< "-" or "@FILE"
        unsigned in_flight = 256;
        std::string verb;  ///< for the summary: "stored"
        bool resend_unknown = false;
    };
    using Finish = std::function<void(Outcome)>;
    /// Begins an item; `finish` is called once, now or from within the client.
    using Start = std::function<void(Client&, const Line&, Finish)>;

    Batch(const CommonOptions& common, Settings settings)
        : common_(common), settings_(std::move(settings)) {}

    /// Answers with the exit code: 0, or 7 when an item failed.
    [[nodiscard]] int run(const Start& start);

  private:
    struct Slot {
        std::size_t octets = 0;  ///< what it holds in memory, about
        std::optional<Outcome> outcome;
    };

    void begin(Client& client, const Line& line, const Start& start);
    void print_finished();
    [[nodiscard]] bool has_room() const;
    [[nodiscard]] Result<void> pump(Client& client, LineReader& reader, const Start& start);
    [[nodiscard]] int summarise(double seconds, bool stopped) const;

    const CommonOptions& common_;
    Settings settings_;
    std::deque<Slot> slots_;        ///< begun and not printed, in input order
    std::uint64_t first_slot_ = 0;  ///< the number of slots_.front()
    std::size_t running_ = 0;
    std::size_t octets_ = 0;
    std::uint64_t done_ = 0;
    std::uint64_t failed_ = 0;
    std::uint64_t absent_ = 0;
    std::uint64_t conflicts_ = 0;
    std::uint64_t last_line_ = 0;
};

}  // namespace dynamo::cli
