#include "dynamo/client.h"

#include "libdynamo/base/address.h"
#include "libdynamo/client/parts.h"

namespace dynamo {

namespace {

/// What would be refused anyway, or worse: a frame that the daemon cuts the connection for.
Result<void> check(const wire::ClientRequest& request, std::string_view key) {
    if (key.empty()) return fail(Code::bad_request, "the key is empty; a key has 1 octet or more");
    if (bytes_of(request) > wire::max_frame_bytes)
        return fail(Code::too_large, "key, value and context together are over " +
                                         std::to_string(wire::max_frame_bytes >> 20) +
                                         " MiB, more than any daemon takes");
    return {};
}

Result<std::string> canonical_seed(const std::string& seed) {
    const auto address = parse_address(seed, default_client_port);
    if (!address) return std::unexpected(address.error());
    if (address->port == 0 || address->host == "*")
        return fail(Code::bad_request, "bad seed '" + seed +
                                           "': it names no one daemon; write the host and port "
                                           "that the daemon listens on");
    return to_string(*address);
}

Result<ClientOptions> checked(ClientOptions options) {
    if (options.seeds.empty())
        return fail(Code::bad_request, "no seed given; name one daemon's address at least");
    for (auto& seed : options.seeds) {
        auto canonical = canonical_seed(seed);
        if (!canonical) return std::unexpected(canonical.error());
        seed = std::move(*canonical);
    }
    if (options.timeout < std::chrono::milliseconds(1))
        return fail(Code::bad_request, "the timeout must be 1 ms or more");
    if (options.ring_refresh < std::chrono::milliseconds(1))
        return fail(Code::bad_request, "the ring's refresh must be 1 ms or more");
    return options;
}

Result<wire::PutRequest> request_of(std::string key, std::string value, const PutOptions& options) {
    if (options.mode != PutMode::context && !options.context.empty())
        return fail(Code::bad_request, "a context is given but the mode is not PutMode::context");
    return wire::PutRequest{.key = std::move(key),
                            .value = std::move(value),
                            .mode = options.mode,
                            .context = options.context.octets,
                            .w = options.w,
                            .observe_r = options.observe_r,
                            .overwrite = options.overwrite,
                            .if_absent = options.if_absent,
                            .trace = options.trace};
}

Result<wire::DelRequest> request_of(std::string key, const DelOptions& options) {
    if (options.mode != PutMode::context && !options.context.empty())
        return fail(Code::bad_request, "a context is given but the mode is not PutMode::context");
    return wire::DelRequest{.key = std::move(key),
                            .mode = options.mode,
                            .context = options.context.octets,
                            .w = options.w,
                            .observe_r = options.observe_r,
                            .trace = options.trace};
}

std::vector<TraceStep> to_trace(const std::vector<wire::TraceStep>& steps, const Routes& routes) {
    std::vector<TraceStep> trace;
    for (const auto& step : steps)
        trace.push_back(
            {std::chrono::microseconds(step.at_us), name_of(routes, step.node), step.what});
    return trace;
}

Result<Got> to_got(Session::Completion&& completion, const Routes& routes) {
    std::string address = completion.address;
    auto reply = reply_as<wire::GetReply>(std::move(completion));
    if (!reply) return std::unexpected(std::move(reply.error()));
    Got got;
    for (auto& version : reply->versions)
        got.versions.push_back(to_version(std::move(version), routes));
    got.context.octets = std::move(reply->context);
    got.clock_entries = reply->clock_entries;
    got.node = std::move(address);
    got.trace = to_trace(reply->trace, routes);
    return got;
}

template <typename Reply>
Result<Stored> to_stored(Session::Completion&& completion, const Routes& routes) {
    std::string address = completion.address;
    auto reply = reply_as<Reply>(std::move(completion));
    if (!reply) return std::unexpected(std::move(reply.error()));
    return Stored{{std::move(reply->context)},
                  reply->existed,
                  std::move(address),
                  to_trace(reply->trace, routes)};
}

/// Polls until a caller's answer has come. The session's deadline ends it.
template <typename T>
Result<T> wait_for(Client& client, const std::optional<Result<T>>& answer) {
    while (!answer) client.poll(std::chrono::hours(1));
    return *answer;
}

}  // namespace

Client::Client(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Result<Client> Client::open(ClientOptions options) {
    auto good = checked(std::move(options));
    if (!good) return std::unexpected(good.error());
    return Client(std::make_unique<Parts>(std::move(*good)));
}

void Client::get_async(std::string key, const GetOptions& options,
                       std::function<void(Result<Got>)> done) {
    Parts& parts = *parts_;
    auto finish = [done = std::move(done), &parts](Session::Completion completion) {
        done(to_got(std::move(completion), parts.session.routes()));
    };
    wire::ClientRequest request = wire::GetRequest{std::move(key), options.r, options.trace};
    const auto& sent_key = std::get<wire::GetRequest>(request).key;
    if (auto good = check(request, sent_key); !good)
        return parts.refuse(std::move(good.error()), std::move(finish));
    parts.submit(std::move(request), std::move(finish));
}

void Client::put_async(std::string key, std::string value, const PutOptions& options,
                       std::function<void(Result<Stored>)> done) {
    Parts& parts = *parts_;
    auto finish = [done = std::move(done), &parts](Session::Completion completion) {
        done(to_stored<wire::PutReply>(std::move(completion), parts.session.routes()));
    };
    auto put = request_of(std::move(key), std::move(value), options);
    if (!put) return parts_->refuse(std::move(put.error()), std::move(finish));
    wire::ClientRequest request = std::move(*put);
    const auto& sent_key = std::get<wire::PutRequest>(request).key;
    if (auto good = check(request, sent_key); !good)
        return parts_->refuse(std::move(good.error()), std::move(finish));
    parts_->submit(std::move(request), std::move(finish));
}

void Client::del_async(std::string key, const DelOptions& options,
                       std::function<void(Result<Stored>)> done) {
    Parts& parts = *parts_;
    auto finish = [done = std::move(done), &parts](Session::Completion completion) {
        done(to_stored<wire::DelReply>(std::move(completion), parts.session.routes()));
    };
    auto del = request_of(std::move(key), options);
    if (!del) return parts_->refuse(std::move(del.error()), std::move(finish));
    wire::ClientRequest request = std::move(*del);
    const auto& sent_key = std::get<wire::DelRequest>(request).key;
    if (auto good = check(request, sent_key); !good)
        return parts_->refuse(std::move(good.error()), std::move(finish));
    parts_->submit(std::move(request), std::move(finish));
}

void Client::state_async(std::string key, unsigned r, std::function<void(Result<KeyState>)> done) {
    auto finish = [done = std::move(done)](Session::Completion completion) {
        auto reply = reply_as<wire::StateReply>(std::move(completion));
        if (!reply) return done(std::unexpected(std::move(reply.error())));
        done(KeyState{std::move(reply->state)});
    };
    wire::ClientRequest request = wire::StateRequest{std::move(key), r};
    if (auto good = check(request, std::get<wire::StateRequest>(request).key); !good)
        return parts_->refuse(std::move(good.error()), std::move(finish));
    parts_->submit(std::move(request), std::move(finish));
}

void Client::merge_async(std::string key, KeyState state, unsigned w,
                         std::function<void(Result<Merged>)> done) {
    auto finish = [done = std::move(done)](Session::Completion completion) {
        std::string address = completion.address;
        auto reply = reply_as<wire::MergeReply>(std::move(completion));
        if (!reply) return done(std::unexpected(std::move(reply.error())));
        done(Merged{reply->changed, std::move(address)});
    };
    wire::ClientRequest request = wire::MergeRequest{std::move(key), std::move(state.octets), w};
    if (auto good = check(request, std::get<wire::MergeRequest>(request).key); !good)
        return parts_->refuse(std::move(good.error()), std::move(finish));
    parts_->submit(std::move(request), std::move(finish));
}

Result<Got> Client::get(std::string_view key, const GetOptions& options) {
    std::optional<Result<Got>> answer;
    get_async(std::string(key), options,
              [&answer](Result<Got> result) { answer = std::move(result); });
    return wait_for(*this, answer);
}

Result<Stored> Client::put(std::string_view key, std::string_view value,
                           const PutOptions& options) {
    std::optional<Result<Stored>> answer;
    put_async(std::string(key), std::string(value), options,
              [&answer](Result<Stored> result) { answer = std::move(result); });
    return wait_for(*this, answer);
}

Result<Stored> Client::del(std::string_view key, const DelOptions& options) {
    std::optional<Result<Stored>> answer;
    del_async(std::string(key), options,
              [&answer](Result<Stored> result) { answer = std::move(result); });
    return wait_for(*this, answer);
}

Result<KeyState> Client::state(std::string_view key, unsigned r) {
    std::optional<Result<KeyState>> answer;
    state_async(std::string(key), r,
                [&answer](Result<KeyState> result) { answer = std::move(result); });
    return wait_for(*this, answer);
}

Result<Merged> Client::merge(std::string_view key, const KeyState& state, unsigned w) {
    std::optional<Result<Merged>> answer;
    merge_async(std::string(key), state, w,
                [&answer](Result<Merged> result) { answer = std::move(result); });
    return wait_for(*this, answer);
}

std::size_t Client::in_flight() const { return parts_->in_flight(); }

void Client::poll(std::chrono::microseconds wait) { parts_->poll(wait); }

void Client::run() {
    while (in_flight() > 0) poll(std::chrono::hours(1));
}

}  // namespace dynamo
