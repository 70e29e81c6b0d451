// The clients: sessions that get, put in all three ways, delete, back up and restore, over the real
// protocol, and the log of what they were told.
//
//     planned ──► sent ──► ok        the answer said so
//                     ├──► failed    certainly not applied: the answer said so, or nobody listened
//                     └──► unknown   no answer in time, or one that says "may be applied"
//
// A session remembers, per key, the last context that it was given, and what it was shown with it.
//
// Threads: one
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/cluster.h"

namespace dynamo::sim {

/// One thing that a client will do.
struct Operation {
    enum class Kind : std::uint8_t {
        get,
        put,
        remove,
        backup,   ///< reads all that is known of the key, and keeps it
        restore,  ///< merges what the session has kept, however old; backs up if that is nothing
    };
    std::uint64_t number = 0;  ///< from 1; also the request's id
    Duration at{0};            ///< after the clients begin
    unsigned session = 0;
    Bytes key;
    Kind kind = Kind::get;
    PutMode mode = PutMode::observe;
    bool overwrite = false;
    std::uint32_t r = 0;
    std::uint32_t w = 0;
    std::uint32_t observe_r = 0;
    unsigned via = 0;                             ///< which of the nodes that would do
    std::optional<unsigned> node = std::nullopt;  ///< exactly this one
    bool any_node = false;                        ///< not one of the owners on purpose
    bool resend = false;                          ///< once more when the outcome is unknown
    std::size_t padding = 0;                      ///< octets beyond the unique value
    Duration timeout{0};
};

enum class Status : std::uint8_t { planned, sent, ok, failed, unknown };
[[nodiscard]] std::string_view name_of(Status status);

struct LogEntry {
    Operation operation;
    Status status = Status::planned;
    Bytes value;
    Bytes token;                            ///< the context that it gave
    WriteSet seen;                          ///< what that covered
    Bytes state;                            ///< that it merges
    std::uint64_t fence = 0;                ///< at which that was read
    std::map<unsigned, WriteSet> required;  ///< acknowledged before it was sent, by how many
                                            ///< owners held them then
    WriteSet strict;                        ///< of those, the ones on W owners of each live list
    bool saw_every_list = false;            ///< no stand-in was asked in the place of an owner
    std::uint64_t answered_in = 0;          ///< the number of the coordinator's ring then
    unsigned asked = 0;                     ///< a node
    std::string told;                       ///< the error, or what a get showed
    WriteSet shown;                         ///< by a get
    WriteSet told_of;  ///< what the context of its answer covers: shown, or superseded
};

/// The operations of a run, by its seed.
[[nodiscard]] std::vector<Operation> plan_operations(const Setup& setup);

class Workload {
  public:
    Workload(World& world, Cluster& cluster);

    /// Arranges for the operation to happen.
    void schedule(const Operation& operation);
    /// Does it now. `value`: what to put; unique by itself when empty.
    void begin(const Operation& operation, const Bytes& value = {});

    [[nodiscard]] const LogEntry& entry(std::uint64_t number) const { return log_.at(number); }
    [[nodiscard]] const std::map<std::uint64_t, LogEntry>& log() const { return log_; }
    /// No operation is waiting for an answer.
    [[nodiscard]] bool idle() const { return in_flight_ == 0; }
    /// A number that no planned operation has.
    [[nodiscard]] std::uint64_t next_plain_number() { return ++last_plain_; }

  private:
    struct Memory {
        Bytes token;
        WriteSet seen;
        Bytes kept;                 ///< a state, by a backup
        std::uint64_t kept_at = 0;  ///< the fence then
    };
    [[nodiscard]] std::optional<unsigned> choose_node(const Operation& operation);
    [[nodiscard]] wire::ClientRequest request_of(LogEntry& entry);
    void leaves(unsigned node, ClientHandle client, const wire::Reply& reply);
    void arrives(unsigned client, const wire::Frames& frames);
    void refused(unsigned client, const wire::Frames& frames);
    void give_up(std::uint64_t number);
    void check_session(const LogEntry& entry, const wire::GetReply& reply);
    void check_across_change(const LogEntry& entry);
    [[nodiscard]] bool sees_every_list(const LogEntry& entry, const wire::GetReply& reply) const;
    void conclude(LogEntry& entry, Status status);

    World& world_;
    Cluster& cluster_;
    std::map<std::uint64_t, LogEntry> log_;
    std::map<std::pair<unsigned, Bytes>, Memory> memories_;
    std::size_t in_flight_ = 0;
    std::uint64_t last_plain_ = 10'000;
};

}  // namespace dynamo::sim
