#include "session_fixture.h"

#include <utility>

#include "libdynamo/wire/state_codec.h"
#include "tests/libdynamo/ring/settled.h"

namespace dynamo {

RingState ring_of(std::uint16_t members, std::uint64_t number, std::uint8_t cluster) {
    ClusterId cluster_id;
    cluster_id.octets.fill(cluster);
    const auto member = [](std::uint16_t i) {
        Member m;
        m.id.octets.fill(static_cast<std::uint8_t>(i));
        m.name = "n" + std::to_string(i);
        m.zone = "z" + std::to_string(i);
        m.client_address = "10.0.0." + std::to_string(i) + ":7100";
        m.peer_address = "10.0.0." + std::to_string(i) + ":7101";
        return m;
    };
    const ClusterSettings settings{.name = "shop", .partitions = 16};
    RingState state = found(cluster_id, settings, member(1), 1000);
    for (std::uint16_t i = 2; i <= members; ++i)
        stage(state, member(1).id, MemberOp::Kind::add, member(i), "", 1000 + i);
    while (state.head().number < number || state.head().members.size() < members) {
        if (staged(state).empty()) {
            Member changed = member(1);
            changed.zone = "z1-" + std::to_string(state.head().number);
            stage(state, member(1).id, MemberOp::Kind::set, changed, "",
                  2000 + static_cast<WallMs>(state.head().number));
        }
        auto next = plan(state, wire::digest_of(state.head()));
        if (!next) std::abort();
        next->proposer = member(1).id;
        state.epochs.push_back(*next);
        test::settle(state);
    }
    return state;
}

ClientOptions SessionTest::with_seeds(std::vector<std::string> seeds) {
    ClientOptions options;
    options.seeds = std::move(seeds);
    return options;
}

void SessionTest::open(ClientOptions options) {
    session_.emplace(std::move(options));
    known_.clear();
    connects_.clear();
    closes_.clear();
    sends_.clear();
    completions_.clear();
}

SessionTest::Ticket SessionTest::get(const std::string& key) {
    return session_->submit(wire::GetRequest{key, 0}, now_);
}

SessionTest::Ticket SessionTest::put(const std::string& key) {
    return session_->submit(wire::PutRequest{.key = key, .value = "v", .context = {}}, now_);
}

SessionTest::Ticket SessionTest::put_to(const std::string& address) {
    return session_->submit_to(address, wire::PutRequest{.key = "k", .value = "v", .context = {}},
                               now_);
}

EndpointIndex SessionTest::index_of(const std::string& address) {
    gather();
    const auto found = known_.find(address);
    if (found != known_.end()) return found->second;
    ADD_FAILURE() << address << " was never asked for";
    return 0;
}

void SessionTest::connected(const std::string& address) {
    session_->on_connected(index_of(address), now_);
}
void SessionTest::refuse(const std::string& address) {
    session_->on_refused(index_of(address), "refused the connection", now_);
}
void SessionTest::close(const std::string& address) {
    session_->on_closed(index_of(address), "closed the connection", {}, now_);
}
void SessionTest::reply(const Session::Send& send, wire::ClientReply body, std::uint64_t ring) {
    session_->on_reply(send.endpoint, {send.request.id, ring, std::move(body)}, now_);
}
void SessionTest::reply_error(const Session::Send& send, Code code, Applied applied) {
    reply(send, wire::to_reply({code, "it says no", "n9", applied}));
}

void SessionTest::pass(Duration duration) {
    const Instant end = now_ + duration;
    while (session_->wake_at() <= end) {
        now_ = std::max(now_, session_->wake_at());
        session_->tick(now_);
    }
    now_ = end;
    session_->tick(now_);
}

void SessionTest::gather() {
    auto& outbox = session_->outbox();
    for (const auto index : outbox.connects) {
        connects_.push_back(session_->address_of(index));
        known_[connects_.back()] = index;
    }
    for (const auto index : outbox.closes) closes_.push_back(session_->address_of(index));
    std::ranges::move(outbox.sends, std::back_inserter(sends_));
    std::ranges::move(outbox.completions, std::back_inserter(completions_));
    outbox = {};
}

std::vector<std::string> SessionTest::connects() {
    gather();
    return std::exchange(connects_, {});
}
std::vector<std::string> SessionTest::closes() {
    gather();
    return std::exchange(closes_, {});
}
std::vector<Session::Send> SessionTest::sends() {
    gather();
    return std::exchange(sends_, {});
}

Session::Send SessionTest::sent_to(const std::string& address) {
    const auto all = sends();
    EXPECT_EQ(all.size(), 1u);
    if (all.size() != 1) return {};
    EXPECT_EQ(session_->address_of(all.front().endpoint), address);
    return all.front();
}

std::optional<Session::Completion> SessionTest::completion(Ticket ticket) {
    gather();
    const auto found = std::ranges::find(completions_, ticket, &Session::Completion::ticket);
    if (found == completions_.end()) return std::nullopt;
    auto completion = std::move(*found);
    completions_.erase(found);
    return completion;
}

Error SessionTest::failure(Ticket ticket) {
    const auto done = completion(ticket);
    EXPECT_TRUE(done.has_value()) << "not completed";
    if (!done) return {};
    EXPECT_FALSE(done->result.has_value()) << "did not fail";
    return done->result ? Error{} : done->result.error();
}

void SessionTest::learn_ring(const RingState& ring) {
    std::vector<Ticket> tickets;
    for (int i = 0; i < 5; ++i) tickets.push_back(get());
    for (const auto& address : connects()) connected(address);
    bool learned = false;
    for (const auto& send : sends()) {
        if (std::holds_alternative<wire::RingRequest>(send.request.body)) {
            reply(send, wire::RingReply{wire::encode(ring)});
            learned = true;
        } else {
            reply(send, wire::GetReply{});
        }
    }
    ASSERT_TRUE(learned) << "the ring was not asked for";
    for (const auto ticket : tickets) ASSERT_TRUE(completion(ticket));
    ASSERT_EQ(session_->routes().number(), ring.head().number);
}

}  // namespace dynamo
