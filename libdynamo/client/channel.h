// The channel: ZeroMQ connections to endpoints, one each, kept.
//
// A DEALER per endpoint, with a monitor that tells within a millisecond that nobody listens. What
// is sent goes out at once or not at all: a message never waits in a queue for a connection that
// may not come up, since only then "nothing was sent" is known. A connection that failed is not
// mended behind the session's back; it is closed and, when asked for, made anew.
//
// Threads: one owner
// Errors:  as events; an address that ZeroMQ will not have is `refused`
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libdynamo/base/time.h"
#include "libdynamo/client/endpoints.h"
#include "libdynamo/wire/frames.h"

namespace dynamo {

class Channel {
  public:
    struct Event {
        enum class Kind : std::uint8_t {
            connected,
            refused,  ///< was never connected; `text` says why, to be read after the address
            closed,   ///< had been connected
            message,
        };
        EndpointIndex endpoint = 0;
        Kind kind = Kind::message;
        std::string text;
        wire::Frames frames;
    };

    Channel();
    ~Channel();
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    /// Starts to connect; `connected` or `refused` follows. `address` is canonical ("host:port").
    void connect(EndpointIndex endpoint, const std::string& address);
    /// False when it is not connected (any more): then nothing was sent, and `closed` follows if
    /// the endpoint is known at all.
    [[nodiscard]] bool send(EndpointIndex endpoint, const wire::Frames& frames);
    /// Connected, connecting, or about to be told `closed`.
    [[nodiscard]] bool has(EndpointIndex endpoint) const;
    /// No more events come from it until it is connected again. Unknown endpoints are ignored.
    void close(EndpointIndex endpoint);

    /// Waits until something has happened or `wait` is over, then appends all that has. After
    /// `refused` and `closed` the connection is closed already.
    void wait(Duration wait, std::vector<Event>& events);

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace dynamo
