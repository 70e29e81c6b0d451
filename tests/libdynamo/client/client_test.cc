#include "dynamo/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <zmq.hpp>

#include "fake_daemon.h"
#include "libdynamo/client/channel.h"
#include "libdynamo/wire/state_codec.h"
#include "session_fixture.h"

namespace dynamo {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

// Long enough that a test which waits for it has failed.
constexpr milliseconds generous{20000};

Client client_of(std::vector<std::string> seeds, milliseconds timeout = generous) {
    ClientOptions options;
    options.seeds = std::move(seeds);
    options.timeout = timeout;
    auto client = Client::open(options);
    if (!client) throw std::runtime_error(client.error().message);
    return std::move(*client);
}

/// Keeps what is put and gives it back.
class Store {
  public:
    wire::ClientReply operator()(const wire::Request& request) {
        const std::scoped_lock lock(*mutex_);
        if (const auto* put = std::get_if<wire::PutRequest>(&request.body)) {
            const bool existed = values_->contains(put->key);
            (*values_)[put->key] = put->value;
            return wire::PutReply{"context of " + put->key, existed};
        }
        if (const auto* del = std::get_if<wire::DelRequest>(&request.body))
            return wire::DelReply{"context", values_->erase(del->key) > 0};
        if (const auto* get = std::get_if<wire::GetRequest>(&request.body)) {
            wire::GetReply reply;
            if (const auto found = values_->find(get->key); found != values_->end())
                reply.versions.push_back(
                    {found->second, false, 1234, Bytes(16, 'n'), "18446744073709551615", 9});
            reply.context = "context of " + get->key;
            return reply;
        }
        return wire::to_reply({Code::unknown_op, "not here", "n1"});
    }

  private:
    std::shared_ptr<std::mutex> mutex_ = std::make_shared<std::mutex>();
    std::shared_ptr<std::map<Bytes, Bytes>> values_ = std::make_shared<std::map<Bytes, Bytes>>();
};

TEST(client, puts_gets_and_deletes) {
    FakeDaemon daemon(one_by_one(Store()));
    auto client = client_of({daemon.address()});
    const std::string key("k\0y", 3);
    const std::string value("\0\xff\n", 3);
    const auto stored = client.put(key, value);
    ASSERT_TRUE(stored) << stored.error().message;
    EXPECT_FALSE(stored->existed);
    EXPECT_EQ(stored->node, daemon.address());
    EXPECT_EQ(stored->context.octets, "context of " + key);

    const auto got = client.get(key);
    ASSERT_TRUE(got) << got.error().message;
    ASSERT_EQ(got->values().size(), 1u);
    const auto& version = *got->values().front();
    EXPECT_EQ(version.value, value);
    EXPECT_EQ(version.node, "6e6e6e6e");
    EXPECT_EQ(version.birth, 18446744073709551615u);
    EXPECT_EQ(version.counter, 9u);
    EXPECT_EQ(version.wall_ms, 1234);

    EXPECT_TRUE(client.del(key)->existed);
    EXPECT_TRUE(client.get(key)->values().empty());
}

TEST(client, makes_one_round_trip_for_one_get) {
    FakeDaemon daemon(one_by_one(Store()));
    auto client = client_of({daemon.address()});
    ASSERT_TRUE(client.get("k"));
    EXPECT_EQ(daemon.requests(), 1u);
    EXPECT_EQ(daemon.messages(), 1u);
}

TEST(client, knows_at_once_that_nobody_listens) {
    auto client = client_of({nobody()});
    const auto begun = steady_clock::now();
    const auto stored = client.put("k", "v");
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code, Code::unreachable);
    EXPECT_EQ(stored.error().applied, Applied::no);
    EXPECT_THAT(stored.error().message, HasSubstr("refused the connection"));
    // Not by its timeout, which is far longer.
    EXPECT_LT(steady_clock::now() - begun, generous / 2);
}

TEST(client, goes_to_the_next_seed_when_nobody_listens_at_the_first) {
    FakeDaemon daemon(one_by_one(Store()));
    auto client = client_of({nobody(), daemon.address()});
    const auto stored = client.put("k", "v");
    ASSERT_TRUE(stored) << stored.error().message;
    EXPECT_EQ(stored->node, daemon.address());
}

TEST(client, says_so_when_a_host_is_unknown) {
    auto client = client_of({"no-such-host.invalid:7199"});
    const auto got = client.get("k");
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::unreachable);
    EXPECT_THAT(got.error().message,
                HasSubstr("no-such-host.invalid:7199 is unknown or cannot be routed to"));
}

TEST(client, reaches_a_daemon_by_ipv6) {
    std::unique_ptr<FakeDaemon> daemon;
    try {
        daemon = std::make_unique<FakeDaemon>(one_by_one(Store()), "[::1]:*");
    } catch (const std::exception&) {
        GTEST_SKIP() << "this machine has no IPv6 loopback";
    }
    auto client = client_of({daemon->address()});
    const auto stored = client.put("k", "v");
    ASSERT_TRUE(stored) << stored.error().message;
}

TEST(client, reaches_a_daemon_by_name) {
    FakeDaemon daemon(one_by_one(Store()));
    const auto port = daemon.address().substr(daemon.address().rfind(':'));
    auto client = client_of({"localhost" + port});
    const auto stored = client.put("k", "v");
    ASSERT_TRUE(stored) << stored.error().message;
}

TEST(client, has_thousands_in_flight_and_coalesces_them) {
    FakeDaemon daemon(one_by_one(Store()));
    auto client = client_of({daemon.address()});
    constexpr int count = 10000;
    int stored = 0;
    for (int i = 0; i < count; ++i)
        client.put_async("k" + std::to_string(i), "v" + std::to_string(i), {},
                         [&stored](Result<Stored> result) { stored += result ? 1 : 0; });
    EXPECT_EQ(client.in_flight(), static_cast<std::size_t>(count));
    client.run();
    EXPECT_EQ(stored, count);
    EXPECT_EQ(client.in_flight(), 0u);
    EXPECT_LT(daemon.messages(), 100u);

    int right = 0;
    for (int i = 0; i < count; ++i)
        client.get_async("k" + std::to_string(i), {}, [&right, i](Result<Got> got) {
            right += got && got->values().size() == 1 &&
                             got->values()[0]->value == "v" + std::to_string(i)
                         ? 1
                         : 0;
        });
    client.run();
    EXPECT_EQ(right, count);
}

TEST(client, sends_large_values_in_frames_that_a_daemon_takes) {
    FakeDaemon daemon(one_by_one(Store()));
    auto client = client_of({daemon.address()});
    const std::string value(900 * 1024, 'x');
    int stored = 0;
    for (int i = 0; i < 40; ++i)
        client.put_async("k" + std::to_string(i), value, {},
                         [&stored](Result<Stored> result) { stored += result ? 1 : 0; });
    client.run();
    EXPECT_EQ(stored, 40);
}

TEST(client, lets_a_callback_submit_more_and_even_block) {
    FakeDaemon daemon(one_by_one(Store()));
    auto client = client_of({daemon.address()});
    int done = 0;
    std::function<void(int)> next = [&](int left) {
        client.put_async("k" + std::to_string(left), "v", {}, [&, left](Result<Stored> stored) {
            ASSERT_TRUE(stored);
            ++done;
            if (left == 5) {
                EXPECT_TRUE(client.get("k5"));
            }
            if (left > 0) next(left - 1);
        });
    };
    next(10);
    client.run();
    EXPECT_EQ(done, 11);
}

TEST(client, does_not_know_what_became_of_a_put_when_the_daemon_dies) {
    std::atomic<bool> taken = false;
    FakeDaemon daemon([&taken](const std::vector<wire::Request>&) {
        taken = true;
        return std::vector<wire::Reply>{};
    });
    auto client = client_of({daemon.address(), nobody()});
    std::optional<Result<Stored>> answer;
    client.put_async("k", "v", {}, [&answer](Result<Stored> result) { answer = result; });
    while (!taken) client.poll(milliseconds(5));
    const auto begun = steady_clock::now();
    daemon.stop();
    client.run();
    ASSERT_TRUE(answer && !*answer);
    EXPECT_EQ(answer->error().code, Code::timed_out);
    EXPECT_EQ(answer->error().applied, Applied::maybe);
    EXPECT_THAT(answer->error().message, HasSubstr("closed the connection before it answered"));
    EXPECT_LT(steady_clock::now() - begun, generous / 2) << "the closed connection says so";
}

TEST(client, reads_elsewhere_when_the_daemon_dies) {
    std::atomic<bool> taken = false;
    FakeDaemon dying([&taken](const std::vector<wire::Request>&) {
        taken = true;
        return std::vector<wire::Reply>{};
    });
    FakeDaemon daemon(one_by_one(Store()));
    auto client = client_of({dying.address(), daemon.address()});
    std::optional<Result<Got>> answer;
    client.get_async("k", {}, [&answer](Result<Got> result) { answer = result; });
    while (!taken) client.poll(milliseconds(5));
    dying.stop();
    client.run();
    ASSERT_TRUE(answer && *answer);
    EXPECT_EQ((*answer)->node, daemon.address());
}

TEST(client, puts_to_a_daemon_that_came_back) {
    auto daemon = std::make_unique<FakeDaemon>(one_by_one(Store()));
    const std::string address = daemon->address();
    auto client = client_of({address});
    ASSERT_TRUE(client.put("k", "v"));
    daemon.reset();
    // Seen while it idles, so that the next put is not lost with the old connection.
    client.poll(generous);
    daemon = std::make_unique<FakeDaemon>(one_by_one(Store()), address);
    const auto stored = client.put("k", "v");
    ASSERT_TRUE(stored) << stored.error().message;
}

TEST(client, keeps_a_wait_shorter_than_a_millisecond) {
    FakeDaemon daemon(one_by_one(Store()));
    auto client = client_of({daemon.address()});
    ASSERT_TRUE(client.put("k", "v"));
    // On a busy machine most take longer.
    bool kept = false;
    const auto end = steady_clock::now() + generous;
    while (!kept && steady_clock::now() < end) {
        const auto begun = steady_clock::now();
        client.poll(std::chrono::microseconds(600));
        const auto took = steady_clock::now() - begun;
        kept = took >= std::chrono::microseconds(600) && took < milliseconds(1);
    }
    EXPECT_TRUE(kept);
}

TEST(channel, sends_nothing_on_a_connection_that_nobody_was_told_of) {
    auto daemon = std::make_unique<FakeDaemon>(one_by_one(Store()));
    const std::string address = daemon->address();
    Channel channel;
    channel.connect(0, address);
    std::vector<Channel::Event> events;
    while (events.empty()) channel.wait(generous, events);
    ASSERT_EQ(events.front().kind, Channel::Event::Kind::connected);
    const auto frames = wire::encode_requests(
        {{.id = 1, .timeout = {}, .cluster = {}, .body = wire::GetRequest{"k"}}});
    EXPECT_TRUE(channel.send(0, frames));

    daemon.reset();
    daemon = std::make_unique<FakeDaemon>(one_by_one(Store()), address);
    while (channel.send(0, frames)) std::this_thread::yield();
    // libzmq's own reconnection would have come within these.
    const auto end = steady_clock::now() + milliseconds(400);
    while (steady_clock::now() < end) {
        ASSERT_FALSE(channel.send(0, frames));
        std::this_thread::sleep_for(milliseconds(5));
    }
    EXPECT_EQ(daemon->requests(), 0u);
    events.clear();
    while (events.empty() || events.back().kind == Channel::Event::Kind::message)
        channel.wait(generous, events);
    EXPECT_EQ(events.back().kind, Channel::Event::Kind::closed);
    EXPECT_FALSE(channel.has(0));
}

TEST(channel, gives_every_reply_that_had_come_before_the_end) {
    FakeDaemon daemon(one_by_one(Store()));
    Channel channel;
    channel.connect(0, daemon.address());
    std::vector<Channel::Event> events;
    while (events.empty()) channel.wait(generous, events);
    ASSERT_EQ(events.front().kind, Channel::Event::Kind::connected);
    const auto frames = wire::encode_requests(
        {{.id = 1, .timeout = {}, .cluster = {}, .body = wire::GetRequest{"k"}}});
    constexpr unsigned count = 200;
    for (unsigned i = 0; i < count; ++i) ASSERT_TRUE(channel.send(0, frames));
    while (daemon.requests() < count) std::this_thread::yield();
    daemon.finish();
    while (channel.send(0, frames)) std::this_thread::yield();

    events.clear();
    while (events.empty() || events.back().kind == Channel::Event::Kind::message)
        channel.wait(generous, events);
    EXPECT_EQ(events.size(), count + 1);
    EXPECT_EQ(events.back().kind, Channel::Event::Kind::closed);
}

TEST(client, ends_a_put_that_stays_unanswered_at_its_deadline) {
    FakeDaemon daemon([](const std::vector<wire::Request>&) { return std::vector<wire::Reply>{}; });
    auto client = client_of({daemon.address()}, milliseconds(200));
    const auto begun = steady_clock::now();
    const auto stored = client.put("k", "v");
    ASSERT_FALSE(stored);
    EXPECT_GE(steady_clock::now() - begun, milliseconds(200));
    EXPECT_EQ(stored.error().code, Code::timed_out);
    EXPECT_EQ(stored.error().applied, Applied::maybe);
    EXPECT_EQ(stored.error().node, daemon.address());
    EXPECT_EQ(daemon.requests(), 1u);
}

TEST(client, passes_on_what_a_daemon_refuses) {
    FakeDaemon daemon(one_by_one([](const wire::Request&) {
        return wire::to_reply({Code::conflict, "2 siblings; merge them", "n2"});
    }));
    auto client = client_of({daemon.address()});
    const auto stored = client.put("k", "v");
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code, Code::conflict);
    EXPECT_EQ(stored.error().message, "2 siblings; merge them");
    EXPECT_EQ(stored.error().node, "n2");
}

class client_survives : public testing::TestWithParam<std::vector<std::string>> {};

TEST_P(client_survives, a_reply_that_makes_no_sense) {
    FakeDaemon daemon([](const std::vector<wire::Request>&) { return GetParam(); });
    auto client = client_of({daemon.address()});
    const auto stored = client.put("k", "v");
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code, Code::timed_out);
    EXPECT_EQ(stored.error().applied, Applied::maybe) << "the daemon may have done it";
    EXPECT_EQ(stored.error().node, daemon.address());
}

INSTANTIATE_TEST_SUITE_P(
    frames, client_survives,
    testing::Values(std::vector<std::string>{"DYN1", "not msgpack", "neither"},
                    std::vector<std::string>{"DYN1", "\x94\x01"}, std::vector<std::string>{""},
                    std::vector<std::string>{"DYN9", "\x94\x01\x01\xc0\x80", "\x80"},
                    std::vector<std::string>{"DYN1", "", ""},
                    std::vector<std::string>{"a", "b", "c", "d", "e"},
                    std::vector<std::string>{"DYN1", "\xdd\xff\xff\xff\xff", "\x80"}));

TEST(client, tells_another_kind_of_server_from_a_daemon) {
    // A plain listener that answers with a line, as many services do.
    zmq::context_t context;
    zmq::socket_t stream(context, zmq::socket_type::stream);
    stream.set(zmq::sockopt::linger, 0);
    stream.bind("tcp://127.0.0.1:*");
    const auto address = stream.get(zmq::sockopt::last_endpoint).substr(6);
    std::jthread server([&stream](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            zmq_pollitem_t item{stream.handle(), 0, ZMQ_POLLIN, 0};
            if (zmq_poll(&item, 1, 5) <= 0) continue;
            zmq::message_t id;
            zmq::message_t data;
            std::ignore = stream.recv(id);
            std::ignore = stream.recv(data);
            if (data.empty()) continue;
            try {
                stream.send(id, zmq::send_flags::sndmore);
                stream.send(zmq::str_buffer("HTTP/1.1 400 Bad Request\r\n\r\n"),
                            zmq::send_flags::none);
            } catch (const zmq::error_t&) {
                // It has hung up meanwhile.
            }
        }
    });
    auto client = client_of({address}, milliseconds(3000));
    const auto stored = client.put("k", "v");
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code, Code::unreachable);
    EXPECT_EQ(stored.error().applied, Applied::no);
    EXPECT_THAT(stored.error().message, HasSubstr(address));
    server.request_stop();
    server.join();
}

TEST(client, refuses_another_cluster_than_it_was_told) {
    FakeDaemon daemon(one_by_one([](const wire::Request& request) -> wire::ClientReply {
        EXPECT_TRUE(std::holds_alternative<wire::HelloRequest>(request.body));
        wire::HelloReply hello;
        hello.node = "n1";
        hello.cluster = "books";
        hello.cluster_id = Bytes(16, 'b');
        hello.state = "member";
        return hello;
    }));
    ClientOptions options;
    options.seeds = {daemon.address()};
    options.cluster = "shop";
    options.timeout = generous;
    auto client = Client::open(options);
    ASSERT_TRUE(client);
    const auto stored = client->put("k", "v");
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code, Code::wrong_cluster);
    EXPECT_EQ(daemon.requests(), 1u);
}

TEST(client, learns_the_ring_and_goes_to_the_owner) {
    Store store;
    FakeDaemon owner(one_by_one(store));
    RingState ring = ring_of(1);
    ring.epochs.back().members[0].client_address = owner.address();
    FakeDaemon seed(one_by_one([&](const wire::Request& request) -> wire::ClientReply {
        if (std::holds_alternative<wire::RingRequest>(request.body))
            return wire::RingReply{wire::encode(ring)};
        return store(request);
    }));
    auto client = client_of({seed.address()});
    std::string last;
    for (int i = 0; i < 1000 && last != owner.address(); ++i) {
        const auto stored = client.put("k", "v");
        ASSERT_TRUE(stored) << stored.error().message;
        last = stored->node;
    }
    EXPECT_EQ(last, owner.address());
}

TEST(client, asks_nobody_what_it_can_tell_itself) {
    auto client = client_of({nobody()});
    EXPECT_EQ(client.get("").error().code, Code::bad_request);
    EXPECT_EQ(client.put("", "v").error().code, Code::bad_request);
    EXPECT_EQ(client.del("").error().code, Code::bad_request);
    EXPECT_EQ(client.put("k", std::string(17u << 20, 'x')).error().code, Code::too_large);
    EXPECT_EQ(client.put("k", "v", {.context = {"token"}}).error().code, Code::bad_request);
    EXPECT_EQ(client.in_flight(), 0u);
}

TEST(client, refuses_options_that_cannot_work) {
    const auto code_of = [](const ClientOptions& options) {
        const auto client = Client::open(options);
        return client ? Code::ok : client.error().code;
    };
    EXPECT_EQ(code_of({.seeds = {}, .cluster = {}}), Code::bad_request);
    EXPECT_EQ(code_of({.seeds = {"host:0"}, .cluster = {}}), Code::bad_request);
    EXPECT_EQ(code_of({.seeds = {"*:7100"}, .cluster = {}}), Code::bad_request);
    EXPECT_EQ(code_of({.seeds = {"good", "bad:port"}, .cluster = {}}), Code::bad_request);
    EXPECT_EQ(code_of({.cluster = {}, .timeout = milliseconds(0)}), Code::bad_request);
    EXPECT_EQ(code_of({.cluster = {}}), Code::ok);
}

}  // namespace
}  // namespace dynamo
