// The session: which request goes where, when it is sent again, and how it ends.
//
// SANS-IO: it is told what the channel saw and what time it is, and fills an outbox. No socket, no
// clock. A request lives through
//
//     submit -> [held until the cluster's name is checked] -> an endpoint is chosen
//            -> [waiting: the endpoint is not connected yet; nothing has been sent]
//            -> sent -> reply | closed | silence -> completed, or another endpoint is chosen
//
// Another one: always while it was only waiting; when the daemon says that it did nothing (`busy`,
// `not_joined`, `too_few_nodes`); after a closed connection or silence only if the request changes
// nothing or the caller allows it (`resend_unknown`). A write that was sent and whose answer is
// lost ends as timed_out, Applied::maybe.
//
// Threads: one owner
// Errors:  every ticket completes exactly once, with a reply or an error that names the endpoint
#pragma once

#include <optional>
#include <queue>
#include <unordered_map>

#include "libdynamo/client/router.h"
#include "libdynamo/wire/frames.h"

namespace dynamo {

class Session {
  public:
    using Ticket = std::uint64_t;

    struct Send {
        EndpointIndex endpoint = 0;
        wire::Request request;
    };
    struct Completion {
        Ticket ticket = 0;
        Result<wire::ClientReply> result;
        std::string address;  ///< who answered; empty when nobody did
    };
    /// What the session wants done, in this order. The owner takes it all.
    struct Outbox {
        std::vector<EndpointIndex> closes;    ///< give up the connection
        std::vector<EndpointIndex> connects;  ///< on_connected or on_refused answers each
        std::vector<Send> sends;              ///< to connected endpoints only
        std::vector<Completion> completions;
    };

    /// `options.seeds` are canonical addresses ("host:port"), at least one.
    explicit Session(ClientOptions options);

    Ticket submit(wire::ClientRequest request, Instant now);
    /// To exactly this address and no other.
    Ticket submit_to(const std::string& address, wire::ClientRequest request, Instant now);

    void on_connected(EndpointIndex index, Instant now);
    /// It never was connected: what waited for it has not been sent. `reason` reads after the
    /// address: "refused the connection".
    void on_refused(EndpointIndex index, const std::string& reason, Instant now);
    /// It was connected: what was sent may have arrived, but for the ids in `unsent`, which the
    /// channel could not hand over any more.
    void on_closed(EndpointIndex index, const std::string& reason,
                   const std::vector<std::uint64_t>& unsent, Instant now);
    /// A reply to an id that is not (or no longer) expected from this endpoint is ignored.
    void on_reply(EndpointIndex index, wire::Reply reply, Instant now);
    void tick(Instant now);
    /// When tick() has something to do; Instant::max() when nothing is due.
    [[nodiscard]] Instant wake_at() const;

    [[nodiscard]] Outbox& outbox() { return outbox_; }
    /// The operation that a reply with this id answers; empty when none is expected.
    [[nodiscard]] std::string_view op_of(EndpointIndex index, std::uint64_t id) const;
    [[nodiscard]] const std::string& address_of(EndpointIndex index) const;
    /// Submitted and not completed.
    [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
    /// The cached ring; of no members before the first has come.
    [[nodiscard]] const Routes& routes() const { return router_.routes(); }

  private:
    /// Who asked: the caller, or the session itself.
    enum class Purpose : std::uint8_t { caller, hello, ring, probe };
    struct Failure {
        EndpointIndex endpoint = 0;
        std::string what;
    };
    struct Request {
        Purpose purpose = Purpose::caller;
        wire::ClientRequest body;
        std::optional<EndpointIndex> pinned;
        Instant deadline;
        Instant wake;         ///< its next timer
        bool held = false;    ///< until the cluster's name is checked
        bool paused = false;  ///< between two rounds
        std::optional<EndpointIndex> waiting_on;
        std::vector<std::uint64_t> sent;   ///< attempts that may still be answered
        bool unknown = false;              ///< an attempt was sent and its answer is lost
        std::vector<EndpointIndex> tried;  ///< in this round
        bool again = false;                ///< what failed in this round may pass: try another
        Duration pause{0};                 ///< before the last round
        std::vector<Failure> failures;     ///< the latest of each endpoint
        std::optional<Error> answer;       ///< the latest error that a daemon gave
    };
    struct Attempt {
        Ticket ticket = 0;
        EndpointIndex endpoint = 0;
        Instant sent_at;
        std::string_view op;
    };
    using Timer = std::pair<Instant, Ticket>;

    Ticket start(Purpose purpose, wire::ClientRequest body, std::optional<EndpointIndex> pinned,
                 Instant now);
    std::optional<EndpointIndex> next_for(const Request& request, Instant now);
    void dispatch(Ticket ticket, Instant now);
    void send(Ticket ticket, EndpointIndex index, Instant now);
    void wait_for(Ticket ticket, EndpointIndex index, Instant now);
    void set_wake(Ticket ticket, Request& request, Instant at);

    void on_woken(Ticket ticket, Request& request, Instant now);
    void on_slow_connect(Ticket ticket, Request& request, Instant now);
    void on_silence(Ticket ticket, Request& request, Instant now);
    void on_exhausted(Ticket ticket, Request& request, Instant now);
    void on_deadline(Ticket ticket, Request& request, Instant now);
    void release_waiting(EndpointIndex index, const std::string& reason, Instant now);
    void on_lost(std::uint64_t id, const std::string& reason, Instant now);
    void on_error(Ticket ticket, Request& request, EndpointIndex index, Error error, Instant now);

    void complete(Ticket ticket, Result<wire::ClientReply> result, std::string address,
                  Instant now);
    void on_hello(Result<wire::ClientReply> result, const std::string& address, Instant now);
    void on_ring(const Result<wire::ClientReply>& result, Instant now);
    void keep_ring_fresh(Instant now);
    void probe_silent(Instant now);

    static void note(Request& request, EndpointIndex index, std::string what);
    [[nodiscard]] bool may_repeat(const Request& request) const;
    [[nodiscard]] Error unanswered(const Request& request, bool deadline) const;

    ClientOptions options_;
    Duration timeout_;
    Router router_;
    Endpoints& endpoints_;  ///< the router's
    Outbox outbox_;

    std::unordered_map<Ticket, Request> requests_;
    std::unordered_map<std::uint64_t, Attempt> attempts_;
    std::uint64_t last_ticket_ = 0;
    std::uint64_t last_id_ = 0;
    std::size_t in_flight_ = 0;
    /// Holds timers that their request has outlived or moved, too; they do nothing.
    std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;

    Bytes cluster_;             ///< 16 octets, sent with every request once it is known
    bool checking_ = false;     ///< a hello is on its way
    std::vector<Ticket> held_;  ///< in order of submission

    std::uint64_t submitted_ = 0;
    bool refreshing_ = false;
    Instant refresh_due_;            ///< when the cached ring is old
    Instant refresh_not_before_;     ///< however stale it is
    std::uint64_t newest_seen_ = 0;  ///< largest ring number that a reply has shown,
    EndpointIndex newest_at_ = 0;    ///< and who showed it
};

}  // namespace dynamo
