#include "libdynamo/client/session.h"

#include <algorithm>
#include <utility>

#include "libdynamo/base/check.h"
#include "libdynamo/wire/state_codec.h"

namespace dynamo {

namespace {

// A process that makes a few requests and ends is served faster by its seed than by a ring that it
// first has to fetch.
constexpr std::uint64_t requests_before_ring = 4;

// Between two refreshes that were asked for by replies, and after one that failed.
constexpr Duration refresh_pause = std::chrono::milliseconds(100);
constexpr Duration refresh_failed_pause = std::chrono::milliseconds(1000);

// Between two rounds over all endpoints, when a daemon was busy or closed the connection.
constexpr Duration first_pause = std::chrono::milliseconds(20);
constexpr Duration longest_pause = std::chrono::milliseconds(500);

/// How long an attempt may be silent before another endpoint is asked as well: half of what is
/// left, so that each further endpoint still gets a share.
Instant patience(Instant now, Instant deadline) { return now + (deadline - now) / 2; }

/// What the daemon is told. It gives up a little earlier than the caller, so that its answer, which
/// says who was silent, arrives before the caller's own deadline.
Duration daemon_timeout(Duration left) {
    const Duration earlier = std::min<Duration>(left / 8, std::chrono::milliseconds(100));
    // None at all would mean the daemon's default.
    return std::max<Duration>(left - earlier, std::chrono::milliseconds(1));
}

bool changes_something(const wire::ClientRequest& request) {
    return std::visit(
        []<typename Body>(const Body&) {
            using B = std::remove_cvref_t<Body>;
            return std::is_same_v<B, wire::PutRequest> || std::is_same_v<B, wire::DelRequest> ||
                   std::is_same_v<B, wire::MergeRequest> || std::is_same_v<B, wire::StageRequest> ||
                   std::is_same_v<B, wire::CommitRequest>;
        },
        request);
}

/// Errors with which a daemon says that it did nothing, and that another may fare better.
bool did_nothing(const Error& error) {
    return error.applied == Applied::no &&
           (error.code == Code::busy || error.code == Code::not_joined ||
            error.code == Code::too_few_nodes);
}

std::string milliseconds(Duration duration) {
    return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(duration).count()) + " ms";
}

std::chrono::milliseconds at_least_1ms(std::chrono::milliseconds timeout) {
    return std::max(timeout, std::chrono::milliseconds(1));
}

}  // namespace

Session::Session(ClientOptions options)
    : options_(std::move(options)),
      timeout_(at_least_1ms(options_.timeout)),
      router_(options_.routing, options_.seeds),
      endpoints_(router_.endpoints()) {
    DYN_CHECK(!options_.seeds.empty());
}

Session::Ticket Session::submit(wire::ClientRequest request, Instant now) {
    ++submitted_;
    ++in_flight_;
    const Ticket ticket = start(Purpose::caller, std::move(request), {}, now);
    keep_ring_fresh(now);
    probe_silent(now);
    return ticket;
}

Session::Ticket Session::submit_to(const std::string& address, wire::ClientRequest request,
                                   Instant now) {
    ++in_flight_;
    return start(Purpose::caller, std::move(request), endpoints_.intern(address), now);
}

Session::Ticket Session::start(Purpose purpose, wire::ClientRequest body,
                               std::optional<EndpointIndex> pinned, Instant now) {
    const Ticket ticket = ++last_ticket_;
    Request& request = requests_[ticket];
    request.purpose = purpose;
    request.body = std::move(body);
    request.pinned = pinned;
    request.deadline = now + timeout_;
    const bool is_hello = std::holds_alternative<wire::HelloRequest>(request.body);
    if (options_.cluster.empty() || !cluster_.empty() || is_hello) {
        dispatch(ticket, now);
        return ticket;
    }
    // The header carries the cluster's id, and only a hello says which id the name has.
    request.held = true;
    held_.push_back(ticket);
    set_wake(ticket, request, request.deadline);
    if (!checking_) {
        checking_ = true;
        start(Purpose::hello, wire::HelloRequest{options_.program}, {}, now);
    }
    return ticket;
}

std::optional<EndpointIndex> Session::next_for(const Request& request, Instant now) {
    if (!request.pinned) return router_.choose(request.body, request.tried, now);
    if (request.tried.empty()) return request.pinned;
    return std::nullopt;
}

void Session::dispatch(Ticket ticket, Instant now) {
    Request& request = requests_.at(ticket);
    const auto index = next_for(request, now);
    if (!index) return on_exhausted(ticket, request, now);
    request.tried.push_back(*index);
    if (endpoints_[*index].state == Endpoint::State::connected)
        send(ticket, *index, now);
    else
        wait_for(ticket, *index, now);
}

void Session::send(Ticket ticket, EndpointIndex index, Instant now) {
    Request& request = requests_.at(ticket);
    const std::uint64_t id = ++last_id_;
    attempts_[id] = {ticket, index, now, wire::op_of(request.body)};
    request.sent.push_back(id);
    request.waiting_on.reset();
    const bool is_hello = std::holds_alternative<wire::HelloRequest>(request.body);
    outbox_.sends.push_back({index,
                             {id, daemon_timeout(request.deadline - now),
                              is_hello ? Bytes{} : cluster_, request.body}});
    set_wake(ticket, request, patience(now, request.deadline));
}

void Session::wait_for(Ticket ticket, EndpointIndex index, Instant now) {
    Request& request = requests_.at(ticket);
    Endpoint& endpoint = endpoints_[index];
    request.waiting_on = index;
    endpoint.waiting.push_back(ticket);
    if (endpoint.state == Endpoint::State::idle) {
        endpoint.state = Endpoint::State::connecting;
        endpoint.connecting_since = now;
        outbox_.connects.push_back(index);
    }
    set_wake(ticket, request, patience(now, patience(now, request.deadline)));
}

void Session::set_wake(Ticket ticket, Request& request, Instant at) {
    request.wake = std::min(at, request.deadline);
    timers_.emplace(request.wake, ticket);
}

// ------------------------------------------------------------------------- what the channel saw

void Session::on_connected(EndpointIndex index, Instant now) {
    Endpoint& endpoint = endpoints_[index];
    endpoint.state = Endpoint::State::connected;
    for (const Ticket ticket : std::exchange(endpoint.waiting, {}))
        if (const auto found = requests_.find(ticket);
            found != requests_.end() && found->second.waiting_on == index)
            send(ticket, index, now);
}

void Session::on_refused(EndpointIndex index, const std::string& reason, Instant now) {
    endpoints_.avoid(index, now);
    release_waiting(index, reason, now);
}

void Session::release_waiting(EndpointIndex index, const std::string& reason, Instant now) {
    Endpoint& endpoint = endpoints_[index];
    endpoint.state = Endpoint::State::idle;
    for (const Ticket ticket : std::exchange(endpoint.waiting, {})) {
        const auto found = requests_.find(ticket);
        if (found == requests_.end() || found->second.waiting_on != index) continue;
        found->second.waiting_on.reset();
        note(found->second, index, reason);
        dispatch(ticket, now);
    }
}

void Session::on_closed(EndpointIndex index, const std::string& reason,
                        const std::vector<std::uint64_t>& unsent, Instant now) {
    endpoints_.avoid(index, now);
    Endpoint& endpoint = endpoints_[index];
    for (const auto id : unsent) {
        const auto found = attempts_.find(id);
        if (found == attempts_.end() || found->second.endpoint != index) continue;
        const Ticket ticket = found->second.ticket;
        attempts_.erase(found);
        Request& request = requests_.at(ticket);
        std::erase(request.sent, id);
        request.waiting_on = index;
        // The daemon may have come back meanwhile.
        request.again = true;
        endpoint.waiting.push_back(ticket);
    }
    std::vector<std::uint64_t> lost;
    for (const auto& [id, attempt] : attempts_)
        if (attempt.endpoint == index) lost.push_back(id);
    // In order of sending: the map has none of its own.
    std::ranges::sort(lost);
    release_waiting(index, reason, now);
    for (const auto id : lost) on_lost(id, reason, now);
}

void Session::on_lost(std::uint64_t id, const std::string& reason, Instant now) {
    const auto found = attempts_.find(id);
    if (found == attempts_.end()) return;
    const auto [ticket, index, sent_at, op] = found->second;
    attempts_.erase(found);
    Request& request = requests_.at(ticket);
    std::erase(request.sent, id);
    request.unknown = true;
    note(request, index, reason + " before it answered");
    if (!request.sent.empty() || request.waiting_on) return;
    if (!may_repeat(request))
        return complete(ticket, std::unexpected(unanswered(request, false)), {}, now);
    request.again = true;
    dispatch(ticket, now);
}

void Session::on_reply(EndpointIndex index, wire::Reply reply, Instant now) {
    endpoints_.hear(index, now);
    if (reply.ring > newest_seen_) {
        newest_seen_ = reply.ring;
        newest_at_ = index;
    }
    const auto found = attempts_.find(reply.id);
    if (found == attempts_.end() || found->second.endpoint != index) return;
    const Ticket ticket = found->second.ticket;
    attempts_.erase(found);
    Request& request = requests_.at(ticket);
    std::erase(request.sent, reply.id);

    const auto* failure = std::get_if<wire::ErrorReply>(&reply.body);
    const auto* hello = std::get_if<wire::HelloReply>(&reply.body);
    if (failure)
        on_error(ticket, request, index, wire::to_error(*failure), now);
    else if (hello && hello->cluster.empty() && request.purpose == Purpose::hello)
        on_error(ticket, request, index,
                 {Code::not_joined, hello->node + " at " + endpoints_[index].address +
                                        " belongs to no cluster yet; join it with dyn-ring"},
                 now);
    else
        complete(ticket, std::move(reply.body), endpoints_[index].address, now);
    keep_ring_fresh(now);
}

void Session::on_error(Ticket ticket, Request& request, EndpointIndex index, Error error,
                       Instant now) {
    if (error.node.empty()) error.node = endpoints_[index].address;
    if (!did_nothing(error) || request.purpose == Purpose::probe)
        return complete(ticket, std::unexpected(std::move(error)), endpoints_[index].address, now);
    if (error.code == Code::busy) request.again = true;
    if (error.code == Code::not_joined) endpoints_.avoid(index, now);
    request.answer = std::move(error);
    // Another attempt of a read may be on its way.
    if (request.sent.empty() && !request.waiting_on) dispatch(ticket, now);
}

// ---------------------------------------------------------------------------------------- time

Instant Session::wake_at() const { return timers_.empty() ? Instant::max() : timers_.top().first; }

void Session::tick(Instant now) {
    while (!timers_.empty() && timers_.top().first <= now) {
        const auto [at, ticket] = timers_.top();
        timers_.pop();
        const auto found = requests_.find(ticket);
        // A request that has ended or moved its timer has another entry, or needs none.
        if (found != requests_.end() && found->second.wake == at)
            on_woken(ticket, found->second, now);
    }
    keep_ring_fresh(now);
}

void Session::on_woken(Ticket ticket, Request& request, Instant now) {
    if (now >= request.deadline) return on_deadline(ticket, request, now);
    if (request.paused) {
        request.paused = false;
        return dispatch(ticket, now);
    }
    if (request.waiting_on) return on_slow_connect(ticket, request, now);
    on_silence(ticket, request, now);
}

void Session::on_slow_connect(Ticket ticket, Request& request, Instant now) {
    const EndpointIndex index = *request.waiting_on;
    // Nothing was sent, so going elsewhere is always right, if there is an elsewhere.
    if (!next_for(request, now)) return set_wake(ticket, request, request.deadline);
    const Duration spent = now - endpoints_[index].connecting_since;
    endpoints_.suspect(index, now);
    outbox_.closes.push_back(index);
    release_waiting(index, "did not take the connection within " + milliseconds(spent), now);
}

void Session::on_silence(Ticket ticket, Request& request, Instant now) {
    for (const auto id : request.sent) {
        const Attempt& attempt = attempts_.at(id);
        if (endpoints_[attempt.endpoint].heard < attempt.sent_at)
            endpoints_.suspect(attempt.endpoint, now);
    }
    // The attempts stay open: whoever answers first ends the request.
    if (may_repeat(request) && next_for(request, now)) return dispatch(ticket, now);
    set_wake(ticket, request, request.deadline);
}

void Session::on_exhausted(Ticket ticket, Request& request, Instant now) {
    if (!request.sent.empty()) return set_wake(ticket, request, request.deadline);
    const auto pause = std::min(std::max(request.pause * 2, first_pause), longest_pause);
    if (request.again && now + pause < request.deadline) {
        request.again = false;
        request.paused = true;
        request.pause = pause;
        request.tried.clear();
        return set_wake(ticket, request, now + pause);
    }
    complete(ticket, std::unexpected(unanswered(request, false)), {}, now);
}

void Session::on_deadline(Ticket ticket, Request& request, Instant now) {
    for (const auto id : request.sent) {
        const Attempt attempt = attempts_.at(id);
        if (endpoints_[attempt.endpoint].heard < attempt.sent_at)
            endpoints_.suspect(attempt.endpoint, now);
        note(request, attempt.endpoint, "did not answer");
    }
    if (request.waiting_on) {
        // A connection that took this long is given up, or later requests would wait for it too.
        const EndpointIndex index = *request.waiting_on;
        const Duration spent = now - endpoints_[index].connecting_since;
        note(request, index, "did not take the connection");
        if (spent >= timeout_) {
            request.waiting_on.reset();
            endpoints_.suspect(index, now);
            outbox_.closes.push_back(index);
            release_waiting(index, "did not take the connection within " + milliseconds(spent),
                            now);
        }
    }
    complete(ticket, std::unexpected(unanswered(request, true)), {}, now);
}

// ----------------------------------------------------------------------------------- the end

void Session::complete(Ticket ticket, Result<wire::ClientReply> result, std::string address,
                       Instant now) {
    const auto found = requests_.find(ticket);
    Request request = std::move(found->second);
    requests_.erase(found);
    // With resend_unknown an earlier attempt may have done what the last one did not.
    const bool maybe = request.unknown || !request.sent.empty();
    if (!result && !changes_something(request.body))
        result.error().applied = Applied::no;
    else if (!result && maybe)
        result.error().applied = Applied::maybe;
    // Late answers to these find nobody.
    for (const auto id : request.sent) attempts_.erase(id);

    switch (request.purpose) {
        case Purpose::caller:
            --in_flight_;
            outbox_.completions.push_back({ticket, std::move(result), std::move(address)});
            return;
        case Purpose::hello:
            return on_hello(std::move(result), address, now);
        case Purpose::ring:
            return on_ring(result, now);
        case Purpose::probe:
            endpoints_[*request.pinned].probing = false;
            return;
    }
}

void Session::on_hello(Result<wire::ClientReply> result, const std::string& address, Instant now) {
    checking_ = false;
    std::optional<Error> error;
    const auto* hello = result ? std::get_if<wire::HelloReply>(&*result) : nullptr;
    if (!result) {
        error = std::move(result.error());
    } else if (!hello) {
        error = Error{Code::internal, address + " did not answer who it is", address};
    } else if (hello->cluster != options_.cluster) {
        error = Error{Code::wrong_cluster,
                      hello->node + " at " + address + " belongs to cluster '" + hello->cluster +
                          "', not '" + options_.cluster + "'; check the seeds or the name",
                      address};
    } else {
        cluster_ = hello->cluster_id;
    }
    // What was held has not been sent, whatever became of the hello.
    if (error && error->code == Code::timed_out) error->code = Code::unreachable;
    for (const Ticket ticket : std::exchange(held_, {})) {
        const auto found = requests_.find(ticket);
        if (found == requests_.end()) continue;
        found->second.held = false;
        if (error)
            complete(ticket, std::unexpected(*error), {}, now);
        else
            dispatch(ticket, now);
    }
}

void Session::note(Request& request, EndpointIndex index, std::string what) {
    std::erase_if(request.failures, [index](const Failure& old) { return old.endpoint == index; });
    request.failures.push_back({index, std::move(what)});
}

bool Session::may_repeat(const Request& request) const {
    // The second time a merge changes nothing.
    return options_.resend_unknown || !changes_something(request.body) ||
           std::holds_alternative<wire::MergeRequest>(request.body);
}

Error Session::unanswered(const Request& request, bool deadline) const {
    const bool maybe =
        changes_something(request.body) && (request.unknown || !request.sent.empty());
    if (request.answer && !maybe) return *request.answer;

    std::string who;
    std::string node;
    for (const auto& failure : request.failures) {
        node = endpoints_[failure.endpoint].address;
        who += (who.empty() ? "" : "; ") + node + " " + failure.what;
    }
    if (request.held) who = "no seed has said which cluster it belongs to";
    if (request.answer) who += (who.empty() ? "" : "; ") + request.answer->message;
    if (deadline) who += " within " + milliseconds(timeout_);
    if (maybe)
        return {Code::timed_out,
                who + "; the write may have been applied: read the key before writing it again",
                node, Applied::maybe};
    if (deadline && !request.sent.empty())
        return {Code::timed_out, who + "; try again, or give it more time", node};
    return {Code::unreachable, who + "; is dynamod running there?", node};
}

// ----------------------------------------------------------------- what the session asks itself

void Session::keep_ring_fresh(Instant now) {
    if (options_.routing != Routing::coordinator || refreshing_ || in_flight_ == 0) return;
    if (now < refresh_not_before_ || (!options_.cluster.empty() && cluster_.empty())) return;
    const bool is_behind = router_.has_ring() && newest_seen_ > routes().number();
    const bool is_due = submitted_ > requests_before_ring && now >= refresh_due_;
    if (!is_behind && !is_due) return;
    refreshing_ = true;
    // Whoever showed the newer number has the ring that goes with it.
    const auto from = is_behind ? std::optional(newest_at_) : std::nullopt;
    start(Purpose::ring, wire::RingRequest{}, from, now);
}

void Session::on_ring(const Result<wire::ClientReply>& result, Instant now) {
    refreshing_ = false;
    refresh_not_before_ = now + refresh_failed_pause;
    const auto* reply = result ? std::get_if<wire::RingReply>(&*result) : nullptr;
    if (!reply) return;
    const auto state = wire::decode_ring(reply->state);
    if (!state || state->epochs.empty()) return;
    // A seed of another cluster must not lead the others' requests astray.
    if (!cluster_.empty() && state->cluster.bytes() != cluster_) return;
    cluster_ = state->cluster.bytes();
    router_.adopt(*state);
    newest_seen_ = routes().number();
    refresh_not_before_ = now + refresh_pause;
    refresh_due_ = now + options_.ring_refresh;
}

void Session::probe_silent(Instant now) {
    const EndpointIndex index = endpoints_.to_probe(now);
    if (index == endpoints_.count()) return;
    endpoints_[index].probing = true;
    start(Purpose::probe, wire::HelloRequest{options_.program}, index, now);
}

// ------------------------------------------------------------------------------------- lookups

std::string_view Session::op_of(EndpointIndex index, std::uint64_t id) const {
    const auto found = attempts_.find(id);
    if (found == attempts_.end() || found->second.endpoint != index) return {};
    return found->second.op;
}

const std::string& Session::address_of(EndpointIndex index) const {
    return endpoints_[index].address;
}

}  // namespace dynamo
