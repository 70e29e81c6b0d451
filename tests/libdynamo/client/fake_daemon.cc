#include "fake_daemon.h"

#include <zmq.hpp>

namespace dynamo {

struct FakeDaemon::Socket {
    zmq::context_t context{1};
    zmq::socket_t router{context, zmq::socket_type::router};
};

FakeDaemon::FakeDaemon(Answer answer, const std::string& at) : answer_(std::move(answer)) {
    start(at);
}
FakeDaemon::FakeDaemon(RawAnswer answer) : raw_(std::move(answer)) { start("127.0.0.1:*"); }

FakeDaemon::~FakeDaemon() { stop(); }

void FakeDaemon::start(const std::string& at) {
    socket_ = std::make_shared<Socket>();
    socket_->router.set(zmq::sockopt::linger, 0);
    socket_->router.set(zmq::sockopt::ipv6, at.find('[') != std::string::npos);
    socket_->router.bind("tcp://" + at);
    address_ = socket_->router.get(zmq::sockopt::last_endpoint).substr(6);
    thread_ = std::thread([this] { run(); });
}

void FakeDaemon::stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
    // Ending the context waits until the port is really closed.
    socket_.reset();
}

void FakeDaemon::finish() {
    stopping_ = true;
    thread_.join();
    socket_->router.set(zmq::sockopt::linger, -1);
    socket_.reset();
}

void FakeDaemon::run() {
    auto& router = socket_->router;
    while (!stopping_) {
        zmq_pollitem_t item{router.handle(), 0, ZMQ_POLLIN, 0};
        if (zmq_poll(&item, 1, 2) <= 0) continue;
        std::vector<zmq::message_t> parts;
        do {
            parts.emplace_back();
            if (!router.recv(parts.back())) return;
        } while (parts.back().more());
        if (parts.size() != 4 || parts[1].to_string_view() != wire::magic) continue;

        bool batched = false;
        const auto decoded = wire::decode_requests(
            parts[2].to_string_view(), parts[3].to_string_view(), wire::Limits{}, batched);
        if (!decoded) continue;
        std::vector<wire::Request> requests;
        for (const auto& one : *decoded)
            if (const auto* request = std::get_if<wire::Request>(&one))
                requests.push_back(*request);
        ++messages_;
        requests_ += static_cast<unsigned>(requests.size());

        std::vector<std::string> frames;
        if (raw_) {
            frames = raw_(requests);
        } else if (const auto replies = answer_(requests); !replies.empty()) {
            const auto encoded = wire::encode_replies(replies, batched);
            frames = {std::string(wire::magic), encoded.header, encoded.body};
        }
        if (frames.empty()) continue;
        router.send(parts[0], zmq::send_flags::sndmore);
        for (std::size_t i = 0; i < frames.size(); ++i)
            router.send(zmq::buffer(frames[i]),
                        i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
}

FakeDaemon::Answer one_by_one(std::function<wire::ClientReply(const wire::Request&)> answer) {
    return [answer = std::move(answer)](const std::vector<wire::Request>& requests) {
        std::vector<wire::Reply> replies;
        for (const auto& request : requests) replies.push_back({request.id, 1, answer(request)});
        return replies;
    };
}

std::string nobody() {
    // Bound and closed again: the system does not give the same port out again soon.
    FakeDaemon daemon(one_by_one([](const wire::Request&) { return wire::GetReply{}; }));
    return daemon.address();
}

}  // namespace dynamo
