// One client and its many operations under way.
//
// In the closed loop an operation begins when another ends. In the open loop each has its moment,
// set beforehand; one that begins late because the cluster is slow still counts from that moment,
// so that a stall is paid for by all that would have met it.
//
//     idle slot --start--> get --------------------------------> counted, slot is idle
//                      \-> put --------------------------------> counted
//                       \-> get, then put with its context ----> both counted   (PutMode::context)
//                        \-> put, then get ---------------------> both counted   (a canary)
//
// Threads: run() in a thread of its own; Board is shared between the workers and who watches them
// Errors:  of an operation: counted
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <optional>
#include <vector>

#include "cli/bench/ledger.h"
#include "cli/bench/settings.h"
#include "cli/bench/tally.h"

namespace dynamo::cli {

/// What a worker does until it is over.
struct Phase {
    enum class Kind : std::uint8_t {
        load,   ///< put each key of `first` to `last` once
        mix,    ///< gets and puts by chance
        canary  ///< put and get each key of `first` to `last` in turn, for ever
    };
    Kind kind = Kind::mix;
    std::uint64_t first = 0;
    std::uint64_t last = 0;                                           ///< one beyond
    std::uint64_t count = std::numeric_limits<std::uint64_t>::max();  ///< operations to begin
    std::int64_t begin = 0;
    std::int64_t measure_from = 0;  ///< what begins before is not counted
    std::int64_t until = std::numeric_limits<std::int64_t>::max();
    double interval = 0;  ///< nanoseconds between the moments of the open loop; 0: closed
};

/// Where workers leave what they have counted, and look whether to stop.
struct Board {
    std::atomic<bool> stop{false};
    std::atomic<unsigned> tick{0};          ///< when it changes, each worker hands over what it has
    std::atomic<std::uint64_t> backlog{0};  ///< due and not begun, of all workers
    std::atomic<std::uint64_t> most_backlog{0};  ///< of the worker that was furthest behind
    std::mutex mutex;
    std::condition_variable changed;
    Tally tally;          ///< since it was last taken
    unsigned active = 0;  ///< workers that are not over
    std::int64_t last_end = 0;
};

class Worker {
  public:
    /// `number` tells the workers of a run apart. `ledger` is null when nothing is verified.
    Worker(const Settings& settings, const Values& values, std::uint64_t run, unsigned number,
           Ledger* ledger, Board& board);
    [[nodiscard]] Result<void> open();
    void run(const Phase& phase);

  private:
    enum class Step : std::uint8_t { get, get_for_put, put, get_after_put };
    struct Slot {
        Step step = Step::get;
        bool counts = false;        ///< it began in the measured time
        std::int64_t intended = 0;  ///< what its latency counts from
        std::uint64_t key = 0;
        std::uint64_t number = 0;              ///< of the write under way, or just done
        std::vector<std::uint64_t> seen = {};  ///< writes of this run that its get has shown
    };

    /// The slot of an operation of the closed loop that failed.
    struct Resting {
        std::int64_t until = 0;
        unsigned slot = 0;
    };

    [[nodiscard]] bool over(std::int64_t now) const;
    [[nodiscard]] std::uint64_t due(std::int64_t now) const;
    void start_due();
    void wait();
    void hand_over(bool last);
    void start(unsigned slot, std::int64_t intended);
    void get(unsigned slot);
    void put(unsigned slot, PutMode mode, const ContextToken& context);
    void on_got(unsigned slot, const Result<Got>& got);
    void on_stored(unsigned slot, const Result<Stored>& stored);
    void look_at(Slot& slot, const Got& got);
    void check_versions(Slot& slot, const Got& got);
    void count(OpTally& ops, const Slot& slot, std::int64_t now);
    void fail(unsigned slot, OpTally& ops, const Error& error, std::int64_t now);
    void finish(unsigned slot, std::int64_t now);

    const Settings& settings_;
    const Values& values_;
    std::uint64_t run_;
    Ledger* ledger_;
    Board& board_;
    std::optional<Client> client_;
    Dice dice_;
    KeyChooser chooser_;
    std::vector<Slot> slots_;
    std::vector<unsigned> idle_;
    std::deque<Resting> resting_;  ///< sorted by `until`
    Phase phase_;
    std::uint64_t begun_ = 0;  ///< in this phase
    std::uint64_t last_number_;
    unsigned seen_tick_ = 0;
    std::uint64_t told_backlog_ = 0;
    std::int64_t last_end_ = 0;
    Tally tally_;
};

}  // namespace dynamo::cli
