// A session with a clock that only moves when told, and a channel that only writes things down.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "libdynamo/client/session.h"

namespace dynamo {

/// A ring of members n1, n2, ... at 10.0.0.1:7100, 10.0.0.2:7100, ...; `number` epochs of it.
RingState ring_of(std::uint16_t members, std::uint64_t number = 1, std::uint8_t cluster = 7);

class SessionTest : public testing::Test {
  protected:
    using Ticket = Session::Ticket;

    /// (Re)starts with these options; the seeds are s1:7100 and s2:7100 unless given.
    void open(ClientOptions options);
    static ClientOptions with_seeds(std::vector<std::string> seeds);

    Ticket get(const std::string& key = "k");
    Ticket put(const std::string& key = "k");
    Ticket put_to(const std::string& address);

    // What the network does.
    void connected(const std::string& address);
    void refuse(const std::string& address);
    void close(const std::string& address);
    void reply(const Session::Send& send, wire::ClientReply body, std::uint64_t ring = 0);
    void reply_error(const Session::Send& send, Code code, Applied applied = Applied::no);
    /// Time passes, stopping at every timer in between.
    void pass(Duration duration);

    // What the session wants; each call takes what has gathered.
    std::vector<std::string> connects();
    std::vector<std::string> closes();
    std::vector<Session::Send> sends();
    /// The one request that was sent, and to this address.
    Session::Send sent_to(const std::string& address);
    std::optional<Session::Completion> completion(Ticket ticket);
    Error failure(Ticket ticket);

    /// Submits gets at the first seed until the ring is asked for, and answers everything.
    void learn_ring(const RingState& ring);

    Instant now_ = Instant{std::chrono::hours(1)};
    std::optional<Session> session_;

  private:
    void gather();
    EndpointIndex index_of(const std::string& address);

    std::map<std::string, EndpointIndex> known_;  ///< that a connection was asked for
    std::vector<std::string> connects_;
    std::vector<std::string> closes_;
    std::vector<Session::Send> sends_;
    std::vector<Session::Completion> completions_;
};

}  // namespace dynamo
