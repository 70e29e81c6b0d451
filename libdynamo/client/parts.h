// What a Client is made of: the session, the channel, and the callers that wait.
//
// Threads: one owner
#pragma once

#include <deque>
#include <functional>
#include <unordered_map>

#include "dynamo/admin.h"
#include "dynamo/client.h"
#include "libdynamo/client/channel.h"
#include "libdynamo/client/session.h"

namespace dynamo {

struct Client::Parts {
    using Completion = Session::Completion;
    using Done = std::function<void(Completion)>;

    /// `options` are checked, and its seeds canonical.
    explicit Parts(ClientOptions options) : program(options.program), session(std::move(options)) {}

    void submit(wire::ClientRequest request, Done done);
    /// Completes at the next poll, without a request.
    void refuse(Error error, Done done);
    void poll(Duration wait);
    [[nodiscard]] std::size_t in_flight() const { return session.in_flight() + ready.size(); }

    /// Asks each exactly at its address; blocks until all have answered, or `enough` have given
    /// what was asked for and the others have had as long again. The answers that have come, in the
    /// order of their coming.
    [[nodiscard]] std::vector<Completion> ask_enough(const std::vector<std::string>& addresses,
                                                     const wire::ClientRequest& request,
                                                     std::size_t enough);
    /// Asks each exactly at its address; blocks until all have answered. In the addresses' order.
    [[nodiscard]] std::vector<Completion> ask_each(const std::vector<std::string>& addresses,
                                                   const wire::ClientRequest& request);
    /// As many requests at once; in their order.
    using Asked = std::pair<std::string, wire::ClientRequest>;
    [[nodiscard]] std::vector<Completion> ask_all(std::vector<Asked> requests);
    /// Blocks until the answer; at exactly `address`, or anywhere when it is empty.
    [[nodiscard]] Completion ask(wire::ClientRequest request, const std::string& address = {});

    /// Asks for the ring, for whoever needs it whatever the routing.
    [[nodiscard]] Result<void> learn_ring();
    [[nodiscard]] Result<KeyPage> to_page(const KeyQuery& query, unsigned partition,
                                          const std::vector<wire::KeysReply>& pages);
    /// Reads the keys at these places, on which owners differ, and corrects what is said of them.
    [[nodiscard]] Result<void> settle(std::vector<KeyInfo>& keys,
                                      const std::vector<std::size_t>& doubtful);

    void flush();
    void send_all(std::vector<Session::Send> sends);
    void handle(Channel::Event& event, Instant when);
    void on_closed(EndpointIndex endpoint, const std::string& reason, Instant when);
    void deliver();

    std::string program;  ///< named to daemons
    Session session;
    Channel channel;
    std::uint64_t octets = 0;       ///< of frames, sent and received
    std::optional<RingState> ring;  ///< what learn_ring() learned last
    Routes ring_routes;             ///< its head's
    std::unordered_map<Session::Ticket, Done> callers;
    /// What the channel would not take; the event that tells why is on its way.
    std::map<EndpointIndex, std::vector<std::uint64_t>> unsent;
    std::deque<std::pair<Done, Completion>> ready;  ///< to be told at the end of a poll
};

/// Octets that a request adds to a frame: an upper bound.
[[nodiscard]] std::size_t bytes_of(const wire::ClientRequest& request);

/// The member's name, or the first digits of its id.
[[nodiscard]] std::string name_of(const Routes& routes, BytesView node);
[[nodiscard]] Version to_version(wire::VersionReply&& reply, const Routes& routes);
[[nodiscard]] Held to_held(wire::PeekReply&& reply, const Routes& routes);

/// The one kind of reply that a request expects, or the error that came instead.
template <typename Reply>
[[nodiscard]] Result<Reply> reply_as(Session::Completion&& completion) {
    if (!completion.result) return std::unexpected(std::move(completion.result.error()));
    if (auto* reply = std::get_if<Reply>(&*completion.result)) return std::move(*reply);
    return std::unexpected(Error{Code::internal,
                                 completion.address + " answered with another kind of reply",
                                 completion.address, Applied::maybe});
}

}  // namespace dynamo
