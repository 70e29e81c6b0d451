// A daemon that is nothing but a ROUTER: it speaks the wire's frames, and the test decides what it
// says. Runs in a thread of its own on a free port of the loopback.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "libdynamo/wire/frames.h"

namespace dynamo {

class FakeDaemon {
  public:
    /// What one batch of requests is answered with. Called in the daemon's thread.
    using Answer = std::function<std::vector<wire::Reply>(const std::vector<wire::Request>&)>;
    /// The same, in raw frames after the routing id: for what no daemon should say.
    using RawAnswer = std::function<std::vector<std::string>(const std::vector<wire::Request>&)>;

    /// `at` is where it listens; its port may be "*".
    explicit FakeDaemon(Answer answer, const std::string& at = "127.0.0.1:*");
    explicit FakeDaemon(RawAnswer answer);
    ~FakeDaemon();
    FakeDaemon(const FakeDaemon&) = delete;
    FakeDaemon& operator=(const FakeDaemon&) = delete;

    /// "127.0.0.1:41234"
    [[nodiscard]] const std::string& address() const { return address_; }
    [[nodiscard]] unsigned requests() const { return requests_; }
    /// Frames that they came in.
    [[nodiscard]] unsigned messages() const { return messages_; }
    /// Returns when its port is closed. What it has answered may not have been sent.
    void stop();
    /// As stop(), after all that it has answered has been sent.
    void finish();

  private:
    void start(const std::string& at);
    void run();

    Answer answer_;
    RawAnswer raw_;
    std::string address_;
    std::atomic<unsigned> requests_ = 0;
    std::atomic<unsigned> messages_ = 0;
    std::atomic<bool> stopping_ = false;
    struct Socket;
    std::shared_ptr<Socket> socket_;
    std::thread thread_;
};

/// Answers each request by itself.
FakeDaemon::Answer one_by_one(std::function<wire::ClientReply(const wire::Request&)> answer);

/// A port of the loopback where nobody listens.
std::string nobody();

}  // namespace dynamo
