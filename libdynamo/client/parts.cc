#include "libdynamo/client/parts.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

namespace dynamo {

namespace {

// Octets of values and keys that go into one frame: large enough to amortise a frame, small enough
// that the daemon starts on the first requests while the rest is still on its way.
constexpr std::size_t frame_bytes = 1u << 20;
// What a request's encoding adds to its key, value and context, generously.
constexpr std::size_t request_overhead = 1024;

// What those who are not needed any more have at least to answer as well.
constexpr Duration shortest_grace = std::chrono::milliseconds(50);

Instant now() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return Instant{std::chrono::duration_cast<Duration>(since)};
}

}  // namespace

std::size_t bytes_of(const wire::ClientRequest& request) {
    return std::visit(
        [](const auto& body) {
            std::size_t size = request_overhead;
            if constexpr (requires { body.key; }) size += body.key.size();
            if constexpr (requires { body.value; }) size += body.value.size();
            if constexpr (requires { body.context; }) size += body.context.size();
            if constexpr (requires { body.state; }) size += body.state.size();
            return size;
        },
        request);
}

std::string name_of(const Routes& routes, BytesView node) {
    const NodeId id = NodeId::from(node);
    const Member* member = routes.find(id);
    return member ? member->name : id.brief();
}

Version to_version(wire::VersionReply&& reply, const Routes& routes) {
    Version version;
    version.value = std::move(reply.value);
    version.tombstone = reply.tombstone;
    version.wall_ms = reply.wall_ms;
    version.node = name_of(routes, reply.node);
    std::from_chars(reply.birth.data(), reply.birth.data() + reply.birth.size(), version.birth);
    version.counter = reply.counter;
    return version;
}

Held to_held(wire::PeekReply&& reply, const Routes& routes) {
    Held held{reply.owner, reply.rebuilding, {}};
    for (auto& copy : reply.copies) {
        HeldCopy& shown = held.copies.emplace_back();
        if (!copy.hint_for.empty()) shown.hint_for = name_of(routes, copy.hint_for);
        shown.damaged = copy.damaged;
        for (auto& version : copy.versions)
            shown.versions.push_back(to_version(std::move(version), routes));
        shown.clock_entries = copy.clock_entries;
        shown.digest = to_hex(copy.digest);
        shown.seen = {std::move(copy.seen)};
    }
    return held;
}

void Client::Parts::submit(wire::ClientRequest request, Done done) {
    callers.emplace(session.submit(std::move(request), now()), std::move(done));
}

void Client::Parts::refuse(Error error, Done done) {
    ready.emplace_back(std::move(done), Completion{0, std::unexpected(std::move(error)), {}});
}

Session::Completion Client::Parts::ask(wire::ClientRequest request, const std::string& address) {
    std::optional<Completion> answer;
    const auto ticket = address.empty() ? session.submit(std::move(request), now())
                                        : session.submit_to(address, std::move(request), now());
    callers.emplace(ticket, [&answer](Completion completion) { answer = std::move(completion); });
    while (!answer) poll(std::chrono::hours(1));
    return std::move(*answer);
}

std::vector<Session::Completion> Client::Parts::ask_enough(
    const std::vector<std::string>& addresses, const wire::ClientRequest& request,
    std::size_t enough) {
    // Shared with the callbacks of those who answer when nobody waits for them any more.
    const auto answers = std::make_shared<std::vector<Completion>>();
    for (const auto& address : addresses)
        callers.emplace(
            session.submit_to(address, request, now()),
            [answers](Completion completion) { answers->push_back(std::move(completion)); });
    const auto good = [&] {
        return static_cast<std::size_t>(std::ranges::count_if(
            *answers, [](const Completion& answer) { return answer.result.has_value(); }));
    };
    const Instant began = now();
    while (answers->size() < addresses.size() && good() < enough) poll(std::chrono::hours(1));
    // The others have as long again.
    const Instant until = now() + (now() - began) + shortest_grace;
    while (answers->size() < addresses.size() && now() < until) poll(until - now());
    return std::exchange(*answers, {});
}

std::vector<Session::Completion> Client::Parts::ask_each(const std::vector<std::string>& addresses,
                                                         const wire::ClientRequest& request) {
    std::vector<Asked> requests;
    for (const std::string& address : addresses) requests.emplace_back(address, request);
    return ask_all(std::move(requests));
}

std::vector<Session::Completion> Client::Parts::ask_all(std::vector<Asked> requests) {
    std::vector<Completion> answers(requests.size());
    std::size_t left = requests.size();
    for (std::size_t i = 0; i < requests.size(); ++i)
        callers.emplace(session.submit_to(requests[i].first, std::move(requests[i].second), now()),
                        [&answer = answers[i], &left](Completion completion) {
                            answer = std::move(completion);
                            --left;
                        });
    while (left > 0) poll(std::chrono::hours(1));
    return answers;
}

void Client::Parts::poll(Duration wait) {
    flush();
    const Instant before = now();
    const Instant until = std::min(before + wait, session.wake_at());
    std::vector<Channel::Event> events;
    channel.wait(ready.empty() ? std::max(until - before, Duration{0}) : Duration{0}, events);
    const Instant after = now();
    for (auto& event : events) handle(event, after);
    session.tick(after);
    flush();
    deliver();
    // What the callbacks have submitted need not wait for the next poll.
    flush();
}

void Client::Parts::handle(Channel::Event& event, Instant when) {
    using Kind = Channel::Event::Kind;
    switch (event.kind) {
        case Kind::connected:
            return session.on_connected(event.endpoint, when);
        case Kind::refused:
            return session.on_refused(event.endpoint, event.text, when);
        case Kind::closed:
            return on_closed(event.endpoint, event.text, when);
        case Kind::message:
            break;
    }
    octets += event.frames.header.size() + event.frames.body.size();
    const auto op_of = [&](std::uint64_t id) { return session.op_of(event.endpoint, id); };
    auto replies = wire::decode_replies(event.frames.header, event.frames.body, op_of);
    if (!replies) {
        // Whose answer it was is not known, so nothing from this connection can be trusted.
        channel.close(event.endpoint);
        const std::string& why = replies.error().message;
        return on_closed(event.endpoint, "sent a malformed reply (" + why + ")", when);
    }
    for (auto& reply : *replies) session.on_reply(event.endpoint, std::move(reply), when);
}

void Client::Parts::on_closed(EndpointIndex endpoint, const std::string& reason, Instant when) {
    const auto kept = unsent.extract(endpoint);
    session.on_closed(endpoint, reason, kept ? kept.mapped() : std::vector<std::uint64_t>{}, when);
}

void Client::Parts::flush() {
    for (;;) {
        auto outbox = std::exchange(session.outbox(), {});
        for (auto& completion : outbox.completions)
            if (auto caller = callers.extract(completion.ticket))
                ready.emplace_back(std::move(caller.mapped()), std::move(completion));
        if (outbox.closes.empty() && outbox.connects.empty() && outbox.sends.empty()) return;
        for (const auto endpoint : outbox.closes) channel.close(endpoint);
        for (const auto endpoint : outbox.connects)
            channel.connect(endpoint, session.address_of(endpoint));
        send_all(std::move(outbox.sends));
    }
}

void Client::Parts::send_all(std::vector<Session::Send> sends) {
    std::map<EndpointIndex, std::vector<wire::Request>> by_endpoint;
    for (auto& send : sends) by_endpoint[send.endpoint].push_back(std::move(send.request));
    for (auto& [endpoint, requests] : by_endpoint) {
        bool is_open = true;
        for (std::size_t first = 0; first < requests.size();) {
            std::vector<wire::Request> batch;
            std::size_t bytes = 0;
            std::size_t next = first;
            for (; next < requests.size() && batch.size() < wire::max_batch; ++next) {
                bytes += bytes_of(requests[next].body);
                if (!batch.empty() && bytes > frame_bytes) break;
                batch.push_back(std::move(requests[next]));
            }
            const auto frames = wire::encode_requests(batch);
            octets += frames.header.size() + frames.body.size();
            is_open = is_open && channel.send(endpoint, frames);
            if (!is_open)
                for (const auto& request : batch) unsent[endpoint].push_back(request.id);
            first = next;
        }
        // The event of the end comes after the replies that had arrived before it.
        if (!is_open && !channel.has(endpoint)) on_closed(endpoint, "closed the connection", now());
    }
}

void Client::Parts::deliver() {
    // A callback may poll again, which delivers from the same queue.
    while (!ready.empty()) {
        auto [done, completion] = std::move(ready.front());
        ready.pop_front();
        done(std::move(completion));
    }
}

}  // namespace dynamo
