#include "daemon/shell/loop.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <zmq.hpp>

#include "daemon/shell/process.h"
#include "daemon/storage/memory.h"
#include "tests/daemon/shell/temporary_directory.h"

namespace dynamo {
namespace {

using testing::HasSubstr;

const Address any_port{"127.0.0.1", 0};

/// Memory whose commits fail on demand.
class FailingStorage final : public Storage {
  public:
    /// From now on so many commits that have written something fail like this.
    void fail_commits(Code code, int count) {
        code_ = code;
        failures_ = count;
    }
    void set_free_bytes(std::uint64_t free_bytes) { free_bytes_ = free_bytes; }
    /// From the next read on, which is answered all the same.
    void break_at_a_read() { breaks_ = true; }
    [[nodiscard]] int failures_left() const { return failures_; }

    Result<std::optional<Bytes>> get(Table table, BytesView key) override {
        if (breaks_ && table.kind == Table::Kind::objects) is_broken_ = true;
        return memory_.get(table, key);
    }
    Result<void> put(Table table, BytesView key, BytesView value) override {
        written_ = true;
        return memory_.put(table, key, value);
    }
    Result<void> erase(Table table, BytesView key) override { return memory_.erase(table, key); }
    Result<void> scan(Table table, BytesView first, const Visit& visit) override {
        return memory_.scan(table, first, visit);
    }
    Result<void> drop(Table table) override { return memory_.drop(table); }
    Result<void> commit(Durability durability) override {
        if (std::exchange(written_, false) && failures_ > 0) {
            --failures_;
            memory_.rollback();
            return fail(code_.load(), "the disk said no");
        }
        return memory_.commit(durability);
    }
    [[nodiscard]] bool has_changes() const override { return memory_.has_changes(); }
    void rollback() override { memory_.rollback(); }
    Result<Usage> usage() override { return Usage{0, free_bytes_}; }
    [[nodiscard]] std::optional<Error> broken() const override {
        if (!is_broken_) return std::nullopt;
        return Error{Code::corrupt, "a page is damaged"};
    }

  private:
    MemoryStorage memory_;
    bool written_ = false;
    bool is_broken_ = false;
    std::atomic<bool> breaks_ = false;
    std::atomic<Code> code_ = Code::storage;
    std::atomic<int> failures_ = 0;
    std::atomic<std::uint64_t> free_bytes_ = UINT64_MAX;
};

NodeOptions options_of(const NodeId& id) {
    NodeOptions options;
    options.self.id = id;
    options.self.name = "n1";
    options.self.client_address = "127.0.0.1:1";
    options.self.peer_address = "127.0.0.1:2";
    options.founding.copies = 1;
    options.founding.partitions = 8;
    options.founding.read_quorum = 1;
    options.founding.write_quorum = 1;
    return options;
}

/// A node in its loop, in a thread, and a client beside it.
class Rig {
  public:
    explicit Rig(LoopOptions options = {})
        : log_(Severity::error, discard_[1], Log::Form::journald),
          data_(std::move(*DataDirectory::open(directory_ / "d"))),
          transport_(
              std::move(*Transport::open({.listen = any_port, .listen_peer = any_port}, log_))),
          node_(options_of(data_.node()), std::nullopt, storage_, Random(1), now_of_system()),
          loop_(node_, storage_, data_, *transport_, log_, std::move(options)),
          socket_(context_, zmq::socket_type::dealer) {
        socket_.set(zmq::sockopt::linger, 0);
        socket_.set(zmq::sockopt::rcvtimeo, 60'000);
        socket_.connect("tcp://" + to_string(transport_->client_address()));
    }
    ~Rig() {
        stop();
        for (const int end : {signals_[0], signals_[1], discard_[0], discard_[1]}) close(end);
    }
    Rig(const Rig&) = delete;
    Rig& operator=(const Rig&) = delete;

    [[nodiscard]] Result<void> begin() { return loop_.begin(); }
    void start() {
        ASSERT_TRUE(loop_.begin().has_value());
        thread_ = std::thread([this] { ended_ = loop_.run(signals_[0]); });
    }
    /// How the loop ended, asked to or not.
    Result<void> stop() {
        if (thread_.joinable()) {
            signalfd_siginfo asked{};
            asked.ssi_signo = SIGTERM;
            EXPECT_EQ(write(signals_[1], &asked, sizeof asked), static_cast<ssize_t>(sizeof asked));
            thread_.join();
        }
        return ended_;
    }
    Result<void> wait_for_end() {
        if (thread_.joinable()) thread_.join();
        return ended_;
    }

    wire::ClientReply ask(wire::ClientRequest body) {
        wire::Request request;
        request.id = ++next_id_;
        request.body = std::move(body);
        const auto op = wire::op_of(request.body);
        const auto frames = wire::encode_requests({request});
        socket_.send(zmq::buffer(wire::magic), zmq::send_flags::sndmore);
        socket_.send(zmq::buffer(frames.header), zmq::send_flags::sndmore);
        socket_.send(zmq::buffer(frames.body), zmq::send_flags::none);
        zmq::message_t magic;
        zmq::message_t header;
        zmq::message_t answer;
        EXPECT_TRUE(socket_.recv(magic));
        EXPECT_TRUE(socket_.recv(header));
        EXPECT_TRUE(socket_.recv(answer));
        auto replies = wire::decode_replies(header.to_string(), answer.to_string(),
                                            [&](std::uint64_t) { return op; });
        EXPECT_TRUE(replies.has_value());
        return replies->at(0).body;
    }
    /// The code of the answer to a put.
    Code put(const std::string& key, const std::string& value) {
        wire::PutRequest request;
        request.key = key;
        request.value = value;
        const auto reply = ask(std::move(request));
        const auto* error = std::get_if<wire::ErrorReply>(&reply);
        return error == nullptr ? Code::ok : static_cast<Code>(error->code);
    }
    std::vector<std::string> get(const std::string& key) {
        wire::GetRequest request;
        request.key = key;
        const auto reply = ask(std::move(request));
        std::vector<std::string> values;
        for (const auto& version : std::get<wire::GetReply>(reply).versions)
            values.push_back(version.value);
        return values;
    }

    FailingStorage& storage() { return storage_; }
    [[nodiscard]] std::filesystem::path data() const { return directory_ / "d"; }

  private:
    static std::array<int, 2> make_pipe() {
        std::array<int, 2> ends{};
        EXPECT_EQ(pipe2(ends.data(), O_NONBLOCK), 0);
        return ends;
    }

    TemporaryDirectory directory_;
    std::array<int, 2> signals_ = make_pipe();  // what a signalfd delivers, by hand
    std::array<int, 2> discard_ = make_pipe();
    Log log_;
    DataDirectory data_;
    FailingStorage storage_;
    std::unique_ptr<Transport> transport_;
    Node node_;
    Loop loop_;
    zmq::context_t context_;
    zmq::socket_t socket_;
    std::uint64_t next_id_ = 0;
    std::thread thread_;
    Result<void> ended_;
};

TEST(loop, saves_the_ring_before_anything_is_said) {
    Rig rig;
    EXPECT_FALSE(std::filesystem::exists(rig.data() / "ring"));
    ASSERT_TRUE(rig.begin().has_value());
    EXPECT_TRUE(std::filesystem::exists(rig.data() / "ring"));
}

TEST(loop, does_not_begin_when_the_ring_cannot_be_saved) {
    Rig rig;
    std::filesystem::create_directory(rig.data() / "ring.new");
    const auto begun = rig.begin();
    ASSERT_FALSE(begun.has_value());
    EXPECT_THAT(begun.error().message, HasSubstr("cannot save the ring"));
    EXPECT_EQ(exit_code_of(begun.error().code), 8);
}

TEST(loop, ends_well_when_it_is_asked_to) {
    Rig rig;
    rig.start();
    EXPECT_EQ(rig.put("k", "v"), Code::ok);
    EXPECT_TRUE(rig.stop().has_value());
}

TEST(loop, goes_on_after_one_failed_commit_and_does_not_claim_it) {
    Rig rig;
    rig.start();
    EXPECT_EQ(rig.put("k", "before"), Code::ok);
    rig.storage().fail_commits(Code::storage, 1);
    EXPECT_NE(rig.put("k", "lost"), Code::ok);
    EXPECT_EQ(rig.storage().failures_left(), 0);
    EXPECT_THAT(rig.get("k"), testing::ElementsAre("before"));
    EXPECT_EQ(rig.put("k", "after"), Code::ok);
    EXPECT_THAT(rig.get("k"), testing::ElementsAre("after"));
    EXPECT_TRUE(rig.stop().has_value());
}

TEST(loop, ends_on_damage_and_answers_first) {
    Rig rig;
    rig.start();
    rig.storage().fail_commits(Code::corrupt, 1);
    EXPECT_NE(rig.put("k", "v"), Code::ok);
    const auto ended = rig.wait_for_end();
    ASSERT_FALSE(ended.has_value());
    EXPECT_EQ(ended.error().code, Code::corrupt);
    EXPECT_EQ(exit_code_of(ended.error().code), 8);
}

TEST(loop, ends_when_a_read_breaks_the_engine_and_answers_first) {
    Rig rig;
    rig.start();
    rig.storage().break_at_a_read();
    EXPECT_THAT(rig.get("k"), testing::IsEmpty());
    const auto ended = rig.wait_for_end();
    ASSERT_FALSE(ended.has_value());
    EXPECT_EQ(ended.error().code, Code::corrupt);
    EXPECT_EQ(ended.error().message, "a page is damaged");
}

TEST(loop, ends_on_a_second_failure_even_with_reads_in_between) {
    Rig rig;
    rig.start();
    rig.storage().fail_commits(Code::storage, 2);
    EXPECT_NE(rig.put("k", "v"), Code::ok);
    EXPECT_THAT(rig.get("k"), testing::IsEmpty());
    EXPECT_NE(rig.put("k", "v"), Code::ok);
    EXPECT_FALSE(rig.wait_for_end().has_value());
}

TEST(loop, stays_when_the_disk_is_full_and_says_so) {
    Rig rig;
    rig.start();
    rig.storage().fail_commits(Code::storage_full, 1);
    EXPECT_EQ(rig.put("k", "v"), Code::storage_full);
    // Until the disk has been looked at again, not even tried.
    while (rig.put("k", "v") == Code::storage_full) {
    }
    EXPECT_THAT(rig.get("k"), testing::ElementsAre("v"));
    EXPECT_TRUE(rig.stop().has_value());
}

TEST(loop, refuses_writes_below_the_mark_and_takes_them_well_above_it) {
    Rig rig({.min_free_bytes = 8000});
    rig.storage().set_free_bytes(7999);
    rig.start();
    EXPECT_EQ(rig.put("k", "v"), Code::storage_full);
    EXPECT_THAT(rig.get("k"), testing::IsEmpty());
    rig.storage().set_free_bytes(9000);
    while (rig.put("k", "v") == Code::storage_full) {
    }
    EXPECT_THAT(rig.get("k"), testing::ElementsAre("v"));
}

}  // namespace
}  // namespace dynamo
