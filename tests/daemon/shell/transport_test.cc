#include "daemon/shell/transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <zmq.hpp>

#include "daemon/shell/process.h"
#include "daemon/shell/transport_listener.h"
#include "tests/daemon/shell/raw_client.h"

namespace dynamo {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

constexpr auto patience = 60s;
constexpr std::uint64_t mebi = 1u << 20;
const Address any_port{"127.0.0.1", 0};
const NodeId some_node = NodeId::from("0123456789abcdef");

/// A transport, its log thrown away, and what came.
struct Rig {
    explicit Rig(TransportOptions options = {}) : log(Severity::error) {
        options.listen = any_port;
        options.listen_peer = any_port;
        auto opened = Transport::open(options, log);
        EXPECT_TRUE(opened.has_value()) << opened.error().message;
        transport = std::move(*opened);
    }

    /// Lets the transport work until the condition holds; false when it does not in time.
    template <typename Condition>
    bool until(Condition&& condition) {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            transport->wait(5ms, -1);
            transport->receive_clients(64, mebi, [&](Received message) {
                if (answer) transport->send_client(message.sender, *answer);
                clients.push_back(std::move(message));
            });
            transport->receive_peers(
                64, mebi, [&](Received message) { peers.push_back(std::move(message)); });
            const auto noticed = transport->take_noticed();
            gone.insert(gone.end(), noticed.gone.begin(), noticed.gone.end());
            unreachable.insert(unreachable.end(), noticed.unreachable.begin(),
                               noticed.unreachable.end());
        }
        return true;
    }
    [[nodiscard]] std::uint16_t client_port() const { return transport->client_address().port; }
    [[nodiscard]] std::string peer_address() const { return to_string(transport->peer_address()); }

    Log log;
    std::unique_ptr<Transport> transport;
    std::optional<wire::Frames> answer;  ///< to whatever a client says
    std::vector<Received> clients;
    std::vector<Received> peers;
    std::vector<ClientHandle> gone;
    std::vector<NodeId> unreachable;
};

/// A client through libzmq.
struct Client {
    Client(std::uint16_t port, zmq::socket_type type) : socket(context, type) {
        socket.set(zmq::sockopt::linger, 0);
        socket.connect("tcp://127.0.0.1:" + std::to_string(port));
    }
    void send(const std::vector<std::string>& frames) {
        for (std::size_t i = 0; i < frames.size(); ++i)
            socket.send(zmq::buffer(frames[i]),
                        i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
    /// The frames of what has come; none when nothing has.
    std::vector<std::string> receive() {
        std::vector<std::string> frames;
        zmq::message_t frame;
        while (socket.recv(frame, zmq::recv_flags::dontwait)) {
            frames.push_back(frame.to_string());
            if (!frame.more()) break;
        }
        return frames;
    }

    zmq::context_t context;
    zmq::socket_t socket;
};

// ------------------------------------------------------------------------------------ framing

TEST(transport, answers_the_client_that_asked) {
    Rig rig;
    Client one(rig.client_port(), zmq::socket_type::dealer);
    Client two(rig.client_port(), zmq::socket_type::dealer);
    one.send({"DYN1", "h1", "b1"});
    two.send({"DYN1", "h2", "b2"});
    ASSERT_TRUE(rig.until([&] { return rig.clients.size() == 2; }));
    for (const auto& message : rig.clients) {
        EXPECT_EQ(message.fault, nullptr);
        EXPECT_TRUE(
            rig.transport->send_client(message.sender, {message.header + "!", message.body + "!"}));
    }
    std::vector<std::string> first;
    std::vector<std::string> second;
    ASSERT_TRUE(rig.until([&] {
        if (first.empty()) first = one.receive();
        if (second.empty()) second = two.receive();
        return !first.empty() && !second.empty();
    }));
    EXPECT_THAT(first, ElementsAre("DYN1", "h1!", "b1!"));
    EXPECT_THAT(second, ElementsAre("DYN1", "h2!", "b2!"));
}

TEST(transport, gives_the_delimiter_back_that_a_req_socket_sends) {
    Rig rig;
    rig.answer = wire::Frames{"H", "B"};
    Client client(rig.client_port(), zmq::socket_type::req);
    for (int round = 0; round < 3; ++round) {
        client.send({"DYN1", "h", "b"});
        std::vector<std::string> answer;
        ASSERT_TRUE(rig.until([&] {
            answer = client.receive();
            return !answer.empty();
        }));
        EXPECT_THAT(answer, ElementsAre("DYN1", "H", "B"));
    }
}

TEST(transport, marks_what_is_not_three_frames_with_the_magic) {
    Rig rig;
    Client client(rig.client_port(), zmq::socket_type::dealer);
    const std::vector<std::vector<std::string>> malformed = {
        {""},
        {"DYN1"},
        {"DYN1", "h"},
        {"DYN2", "h", "b"},
        {"", ""},
        {"DYN1", "h", "b", "more"},
        {"h"},
        {"DYN1", "h", "b", "more", "and more", "and more"},
        {"", "", "DYN1", "h", "b"}};
    for (const auto& frames : malformed) client.send(frames);
    client.send({"", "DYN1", "h", "b"});
    ASSERT_TRUE(rig.until([&] { return rig.clients.size() == malformed.size() + 1; }));
    EXPECT_EQ(rig.clients.back().fault, nullptr);
    EXPECT_EQ(rig.clients.back().header, "h");
    rig.clients.pop_back();
    for (const auto& message : rig.clients) EXPECT_NE(message.fault, nullptr);
    EXPECT_EQ(rig.transport->client_counters().malformed, malformed.size());
}

TEST(transport, stops_a_drain_at_its_bounds) {
    Rig rig;
    Client client(rig.client_port(), zmq::socket_type::dealer);
    for (int i = 0; i < 20; ++i) client.send({"DYN1", "h", std::string(1000, 'x')});
    // In one pipe, so the first drain that finds something finds all that fit.
    std::size_t taken = 0;
    const auto take = [&](const Received&) { ++taken; };
    ASSERT_TRUE(rig.until([&] { return rig.transport->client_counters().messages_in >= 1; }));
    std::this_thread::yield();
    taken = rig.clients.size();
    while (taken < 20) {
        const auto before = taken;
        const bool all = rig.transport->receive_clients(3, mebi, take);
        EXPECT_LE(taken - before, 3u);
        EXPECT_FALSE(all && taken - before == 3);
    }
    client.send({"DYN1", "h", std::string(5000, 'x')});
    client.send({"DYN1", "h", std::string(5000, 'x')});
    while (taken < 22) {
        const auto before = taken;
        rig.transport->receive_clients(64, 1000, take);
        EXPECT_LE(taken - before, 1u);
    }
}

TEST(transport, tells_who_has_gone) {
    Rig rig;
    {
        Client client(rig.client_port(), zmq::socket_type::dealer);
        client.send({"DYN1", "h", "b"});
        ASSERT_TRUE(rig.until([&] { return !rig.clients.empty(); }));
    }
    ASSERT_TRUE(rig.until([&] { return !rig.gone.empty(); }));
    EXPECT_THAT(rig.gone, ElementsAre(rig.clients[0].sender));
    EXPECT_FALSE(rig.transport->send_client(rig.clients[0].sender, {"h", "b"}));
    EXPECT_EQ(rig.transport->client_connections(), 0u);
}

TEST(transport, refuses_an_address_in_use) {
    Rig rig;
    Log log(Severity::error);
    const auto second =
        Transport::open({.listen = rig.transport->client_address(), .listen_peer = any_port}, log);
    ASSERT_FALSE(second.has_value());
    EXPECT_THAT(second.error().message,
                testing::AllOf(testing::HasSubstr(to_string(rig.transport->client_address())),
                               testing::HasSubstr("another daemon")));
    EXPECT_EQ(exit_code_of(second.error().code), 8);
}

// ------------------------------------------------------------------------------------ bad clients

TEST(transport, survives_garbage) {
    Rig rig;
    const std::string garbage("GET / HTTP/1.1\r\nHost: here\r\n\r\n");
    RawClient browser(rig.client_port());
    browser.send(garbage + std::string(1000, '\0'));
    RawClient greeter(rig.client_port());
    greeter.greet();
    greeter.send(std::string(4096, '\xee'));
    Client client(rig.client_port(), zmq::socket_type::dealer);
    client.send({"DYN1", "h", "b"});
    EXPECT_TRUE(rig.until([&] { return rig.clients.size() == 1; }));
}

TEST(transport, closes_the_connection_of_an_oversized_frame) {
    Rig rig;
    RawClient client(rig.client_port());
    client.greet();
    client.send(RawClient::frame("DYN1", true));
    // A frame of a terabyte, announced.
    client.send(std::string("\x03\0\0\x01\0\0\0\0\0", 9) + std::string(1000, 'x'));
    bool closed = false;
    EXPECT_TRUE(rig.until([&] { return closed = closed || client.is_closed_within(1); }));
    EXPECT_TRUE(rig.clients.empty());
}

/// Sends one message without an end from a thread of its own, until it is cut.
class Endless {
  public:
    Endless(std::uint16_t port, std::string piece)
        : client_(port), thread_([this, piece = std::move(piece)] {
              client_.greet();
              // A defect ends the test instead of the machine.
              while (client_.send(piece) && client_.sent() < 2048 * mebi) {
              }
              done_ = true;
          }) {}
    ~Endless() { thread_.join(); }
    Endless(const Endless&) = delete;
    Endless& operator=(const Endless&) = delete;
    [[nodiscard]] bool is_done() const { return done_; }
    [[nodiscard]] std::uint64_t sent() const { return client_.sent(); }

  private:
    RawClient client_;
    std::atomic<bool> done_ = false;
    std::thread thread_;
};

TEST(transport, cuts_a_message_without_an_end) {
    Rig rig;
    Client honest(rig.client_port(), zmq::socket_type::dealer);
    rig.answer = wire::Frames{"H", "B"};
    const auto before = resident_bytes();
    std::uint64_t most = 0;
    {
        const Endless endless(rig.client_port(), RawClient::frame(std::string(mebi, 'x'), true));
        std::size_t asked = 0;
        ASSERT_TRUE(rig.until([&] {
            // The honest one is served all the time.
            if (rig.clients.size() == asked) {
                honest.send({"DYN1", "h", "b"});
                ++asked;
            }
            most = std::max(most, resident_bytes());
            return endless.is_done();
        }));
        EXPECT_LT(endless.sent(), 1024 * mebi);
        EXPECT_GT(asked, 1u);
    }
    EXPECT_EQ(rig.transport->client_counters().cut, 1u);
    EXPECT_EQ(rig.transport->client_counters().rebinds, 0u);
    EXPECT_LT(most, before + 1024 * mebi);
    EXPECT_TRUE(rig.gone.empty());
}

TEST(transport, cuts_empty_frames_without_an_end) {
    // Two octets on the wire are 64 in memory, so the process's growth must give it away.
    Rig rig({.listen = {}, .listen_peer = {}, .client_memory = 32 * mebi});
    std::string piece;
    for (int i = 0; i < 4096; ++i) piece += RawClient::frame("", true);
    rig.until([&, rounds = 0]() mutable { return ++rounds > 30; });
    const auto before = resident_bytes();
    std::uint64_t most = 0;
    {
        const Endless endless(rig.client_port(), piece);
        ASSERT_TRUE(rig.until([&] {
            most = std::max(most, resident_bytes());
            return endless.is_done();
        }));
        EXPECT_LT(endless.sent(), 17 * mebi);
    }
    EXPECT_EQ(rig.transport->client_counters().cut, 1u);
    EXPECT_LT(most, before + 512 * mebi);
}

TEST(transport, cuts_a_client_that_does_not_fetch_its_answers) {
    Rig rig({.listen = {}, .listen_peer = {}, .client_memory = 32 * mebi});
    Client honest(rig.client_port(), zmq::socket_type::dealer);
    honest.send({"DYN1", "h", "b"});
    ASSERT_TRUE(rig.until([&] { return rig.clients.size() == 1; }));

    rig.answer = wire::Frames{"H", std::string(mebi, 'x')};
    RawClient slow(rig.client_port());
    slow.greet();
    const auto request =
        RawClient::frame("DYN1", true) + RawClient::frame("h", true) + RawClient::frame("b", false);
    for (int i = 0; i < 64; ++i) slow.send(request);
    ASSERT_TRUE(rig.until([&] { return rig.transport->client_counters().cut == 1; }));
    ASSERT_TRUE(rig.until([&] { return !rig.gone.empty(); }));
    EXPECT_TRUE(rig.transport->send_client(rig.clients[0].sender, {"H", "B"}));
}

TEST(transport, keeps_large_messages_of_honest_clients) {
    // Sixteen times the budget passes through, in messages of half of it.
    Rig rig({.listen = {}, .listen_peer = {}, .client_memory = 32 * mebi});
    Client client(rig.client_port(), zmq::socket_type::dealer);
    const std::string body(16 * mebi, 'x');
    std::size_t octets = 0;
    for (int i = 0; i < 32; ++i) {
        client.send({"DYN1", "h", body});
        ASSERT_TRUE(rig.until([&] { return !rig.clients.empty(); }));
        octets += rig.clients.back().body.size();
        rig.clients.clear();
    }
    EXPECT_EQ(octets, 32 * body.size());
    EXPECT_EQ(rig.transport->client_counters().cut, 0u);
}

TEST(transport, closes_connections_beyond_the_most) {
    Rig rig({.listen = {}, .listen_peer = {}, .max_clients = 2});
    RawClient first(rig.client_port());
    RawClient second(rig.client_port());
    ASSERT_TRUE(rig.until([&] { return rig.transport->client_connections() == 2; }));
    RawClient third(rig.client_port());
    bool closed = false;
    EXPECT_TRUE(rig.until([&] { return closed = closed || third.is_closed_within(1); }));
    EXPECT_FALSE(first.is_closed_within(1));
}

TEST(listener, is_bound_anew_where_the_kernel_does_not_count) {
    zmq::context_t context;
    Log log(Severity::error);
    Listener listener(
        context, {.who = "client", .address = any_port, .memory = 32 * mebi, .can_measure = false},
        log);
    ASSERT_TRUE(listener.bind().has_value());
    const auto port = listener.address().port;
    std::size_t received = 0;
    const auto work = [&](const auto& condition) {
        const auto deadline = std::chrono::steady_clock::now() + patience;
        while (!condition() && std::chrono::steady_clock::now() < deadline) {
            listener.receive(64, mebi, [&](const Received&) { ++received; });
            listener.guard(resident_bytes());
            std::this_thread::sleep_for(5ms);
        }
        return condition();
    };
    {
        const Endless endless(port, RawClient::frame(std::string(mebi, 'x'), true));
        ASSERT_TRUE(work([&] { return endless.is_done(); }));
        EXPECT_LT(endless.sent(), 1024 * mebi);
    }
    EXPECT_GE(listener.counters().rebinds, 1u);
    Client client(port, zmq::socket_type::dealer);
    client.send({"DYN1", "h", "b"});
    EXPECT_TRUE(work([&] { return received == 1; }));
}

// ------------------------------------------------------------------------------------ peers

TEST(links, carry_what_was_said_before_they_stood) {
    Rig one;
    Rig two;
    for (int i = 0; i < 5; ++i)
        EXPECT_TRUE(one.transport->send_peer(two.peer_address(), some_node,
                                             {"h" + std::to_string(i), "b"}));
    ASSERT_TRUE(one.until([&] {
        two.until([&, once = false]() mutable { return std::exchange(once, true); });
        return two.peers.size() == 5;
    }));
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(two.peers[i].header, "h" + std::to_string(i));
    EXPECT_TRUE(one.unreachable.empty());
}

TEST(links, tell_at_once_that_nobody_listens) {
    std::string address;
    {
        Rig past;
        address = past.peer_address();
    }
    Rig rig;
    const auto began = std::chrono::steady_clock::now();
    rig.transport->send_peer(address, some_node, {"h", "b"});
    ASSERT_TRUE(rig.until([&] { return !rig.unreachable.empty(); }));
    EXPECT_EQ(rig.unreachable.front(), some_node);
    // Far below any time-out, far above what a busy machine needs.
    EXPECT_LT(std::chrono::steady_clock::now() - began, 20s);
    EXPECT_GE(rig.transport->link_counters().dropped, 1u);
}

TEST(links, tell_that_a_peer_has_ended_and_find_it_again) {
    Rig one;
    auto two = std::make_unique<Rig>();
    const auto address = two->transport->peer_address();
    const auto both = [&] {
        two->until([&, once = false]() mutable { return std::exchange(once, true); });
    };
    one.transport->send_peer(to_string(address), some_node, {"h", "b"});
    ASSERT_TRUE(one.until([&] {
        both();
        return !two->peers.empty();
    }));
    two.reset();
    ASSERT_TRUE(one.until([&] { return !one.unreachable.empty(); }));

    Log log(Severity::error);
    std::unique_ptr<Transport> again;
    ASSERT_TRUE(one.until([&] {
        if (!again) {
            auto opened = Transport::open({.listen = any_port, .listen_peer = address}, log);
            if (opened) again = std::move(*opened);
            return false;
        }
        one.transport->send_peer(to_string(address), some_node, {"again", "b"});
        std::size_t came = 0;
        again->wait(1ms, -1);
        again->receive_peers(64, mebi, [&](const Received&) { ++came; });
        return came > 0;
    }));
}

/// Of a port that nobody listens at.
Address address_of_nobody() { return Rig().transport->peer_address(); }

TEST(links, do_not_take_an_old_refusal_for_news) {
    const Address address = address_of_nobody();
    Rig rig;
    // As a daemon does that is started before its seed: it knows no node there.
    rig.transport->send_peer(to_string(address), NodeId{}, {"early", "b"});
    ASSERT_TRUE(rig.until([&] { return rig.transport->link_counters().losses > 0; }));

    Log log(Severity::error);
    const auto later = Transport::open({.listen = any_port, .listen_peer = address}, log);
    ASSERT_TRUE(later.has_value()) << later.error().message;
    // Old enough, and the rig is given no turn in which it would learn of libzmq's own attempts.
    const auto since = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - since < 50ms) (*later)->wait(1ms, -1);

    rig.transport->send_peer(to_string(address), some_node, {"h", "b"});
    std::vector<std::string> came;
    ASSERT_TRUE(rig.until([&] {
        (*later)->wait(1ms, -1);
        (*later)->receive_peers(64, mebi, [&](const Received& got) { came.push_back(got.header); });
        return !came.empty();
    }));
    EXPECT_EQ(came.back(), "h");
    EXPECT_TRUE(rig.unreachable.empty());
}

TEST(links, say_each_time_that_nobody_listens) {
    const Address address = address_of_nobody();
    Rig rig;
    for (int i = 0; i < 3; ++i) {
        rig.unreachable.clear();
        rig.transport->send_peer(to_string(address), some_node, {"h", "b"});
        ASSERT_TRUE(rig.until([&] { return !rig.unreachable.empty(); }));
        EXPECT_EQ(rig.unreachable.front(), some_node);
    }
    EXPECT_EQ(rig.transport->link_counters().losses, 1u);
}

TEST(links, drop_what_is_over_the_budget_of_a_peer_that_does_not_read) {
    Rig rig({.listen = {}, .listen_peer = {}, .peer_memory = 4 * mebi});
    Rig stopped;  // never given a turn
    const std::string body(mebi, 'x');
    std::size_t taken = 0;
    // Beyond the budget there is what the kernel and the other side's high-water mark take.
    ASSERT_TRUE(rig.until([&] {
        if (rig.transport->send_peer(stopped.peer_address(), some_node, {"h", body})) ++taken;
        return rig.transport->link_counters().dropped > 100;
    }));
    EXPECT_LT(taken, 200u);
    EXPECT_TRUE(rig.unreachable.empty());
}

TEST(links, to_an_impossible_address_are_dropped) {
    Rig rig;
    EXPECT_FALSE(rig.transport->send_peer("no such:address:", some_node, {"h", "b"}));
    ASSERT_TRUE(rig.until([&] { return !rig.unreachable.empty(); }));
}

}  // namespace
}  // namespace dynamo
