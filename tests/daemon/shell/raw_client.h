// A ZeroMQ peer by hand: what libzmq would never send, this one does.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>

namespace dynamo {

class RawClient {
  public:
    explicit RawClient(std::uint16_t port) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        is_open_ =
            connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;
    ~RawClient() { close(socket_); }

    /// ZMTP 3.0 with the NULL mechanism, as a DEALER. Waits for the other side's READY, which may
    /// come only after ours.
    void greet() {
        std::string greeting("\xff\0\0\0\0\0\0\0\0\x7f\x03\0NULL", 16);
        greeting.resize(64, '\0');
        const std::string ready(
            "\x05READY\x0bSocket-Type\0\0\0\x06"
            "DEALER",
            28);
        send(greeting + std::string("\x04", 1) + static_cast<char>(ready.size()) + ready);
        // Its greeting of 64 octets, then its command with the length in the second octet.
        const auto command = receive(64 + 2).substr(64);
        receive(static_cast<unsigned char>(command[1]));
    }
    /// A frame, with the flag that another one follows.
    static std::string frame(const std::string& content, bool more) {
        std::string octets;
        const bool is_long = content.size() > 255;
        octets += static_cast<char>((more ? 1 : 0) | (is_long ? 2 : 0));
        for (int shift = is_long ? 56 : 0; shift >= 0; shift -= 8)
            octets += static_cast<char>((content.size() >> shift) & 0xff);
        return octets + content;
    }

    /// False, for ever, when the other side has closed.
    bool send(const std::string& octets) {
        std::size_t sent = 0;
        while (is_open_ && sent < octets.size()) {
            const auto count =
                ::send(socket_, octets.data() + sent, octets.size() - sent, MSG_NOSIGNAL);
            if (count <= 0)
                is_open_ = false;
            else
                sent += static_cast<std::size_t>(count);
        }
        sent_ += sent;
        return is_open_;
    }
    /// Reads and throws away; true when the other side closes within the time.
    bool is_closed_within(int milliseconds) {
        char octets[65536];
        pollfd item{socket_, POLLIN, 0};
        while (poll(&item, 1, milliseconds) == 1)
            if (recv(socket_, octets, sizeof octets, 0) <= 0) return true;
        return false;
    }
    [[nodiscard]] bool is_open() const { return is_open_; }
    [[nodiscard]] std::uint64_t sent() const { return sent_; }

  private:
    /// So many octets, or as many zeros when the other side closes before.
    std::string receive(std::size_t count) {
        std::string octets(count, '\0');
        is_open_ = recv(socket_, octets.data(), count, MSG_WAITALL) == static_cast<ssize_t>(count);
        return octets;
    }

    int socket_;
    bool is_open_ = false;
    std::uint64_t sent_ = 0;
};

}  // namespace dynamo
