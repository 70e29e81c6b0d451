#include "libdynamo/client/session.h"

#include <set>

#include "libdynamo/wire/state_codec.h"
#include "session_fixture.h"

namespace dynamo {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class session : public SessionTest {
  protected:
    void SetUp() override { open(with_seeds({"s1:7100", "s2:7100"})); }
};

// ------------------------------------------------------------------------------ the plain way

TEST_F(session, sends_the_first_request_at_once_and_fetches_no_ring_before_it) {
    const auto ticket = get();
    EXPECT_THAT(connects(), ElementsAre("s1:7100"));
    EXPECT_THAT(sends(), IsEmpty());
    connected("s1:7100");
    const auto send = sent_to("s1:7100");
    EXPECT_TRUE(std::holds_alternative<wire::GetRequest>(send.request.body));
    reply(send, wire::GetReply{.versions = {}, .context = "c"});
    const auto done = completion(ticket);
    ASSERT_TRUE(done && done->result);
    EXPECT_EQ(std::get<wire::GetReply>(*done->result).context, "c");
    EXPECT_EQ(done->address, "s1:7100");
    EXPECT_EQ(session_->in_flight(), 0u);
    EXPECT_THAT(sends(), IsEmpty());
}

TEST_F(session, keeps_its_connection_for_the_next_request) {
    get();
    connected("s1:7100");
    sent_to("s1:7100");
    connects();
    get();
    EXPECT_THAT(connects(), IsEmpty());
    sent_to("s1:7100");
}

TEST_F(session, matches_replies_that_come_in_another_order) {
    const auto first = get("a");
    const auto second = get("b");
    connected("s1:7100");
    const auto sent = sends();
    ASSERT_EQ(sent.size(), 2u);
    reply(sent[1], wire::GetReply{.versions = {}, .context = "b"});
    EXPECT_FALSE(completion(first));
    const auto done = completion(second);
    ASSERT_TRUE(done && done->result);
    EXPECT_EQ(std::get<wire::GetReply>(*done->result).context, "b");
    reply(sent[0], wire::GetReply{.versions = {}, .context = "a"});
    EXPECT_EQ(std::get<wire::GetReply>(*completion(first)->result).context, "a");
}

TEST_F(session, ignores_a_reply_given_twice_or_never_asked_for) {
    const auto ticket = get();
    connected("s1:7100");
    const auto send = sent_to("s1:7100");
    session_->on_reply(send.endpoint, {send.request.id + 1000, 0, wire::GetReply{}}, now_);
    EXPECT_FALSE(completion(ticket));
    reply(send, wire::GetReply{});
    EXPECT_TRUE(completion(ticket));
    reply(send, wire::GetReply{});
    EXPECT_FALSE(completion(ticket));
    EXPECT_EQ(session_->in_flight(), 0u);
}

TEST_F(session, ignores_a_reply_from_an_endpoint_that_was_not_asked) {
    const auto ticket = get();
    connected("s1:7100");
    auto send = sent_to("s1:7100");
    EXPECT_EQ(session_->op_of(send.endpoint, send.request.id), "get");
    EXPECT_EQ(session_->op_of(send.endpoint + 1, send.request.id), "");
    send.endpoint += 1;
    reply(send, wire::GetReply{});
    EXPECT_FALSE(completion(ticket));
}

TEST_F(session, tells_the_daemon_a_little_less_time_than_is_left) {
    get();
    pass(milliseconds(400));
    connected("s1:7100");
    const auto send = sent_to("s1:7100");
    EXPECT_LT(send.request.timeout, milliseconds(1600));
    EXPECT_GE(send.request.timeout, milliseconds(1400));
}

// ------------------------------------------------------------------------- nothing was sent yet

TEST_F(session, goes_to_the_next_seed_when_one_refuses) {
    const auto ticket = put();
    EXPECT_THAT(connects(), ElementsAre("s1:7100"));
    refuse("s1:7100");
    EXPECT_FALSE(completion(ticket));
    EXPECT_THAT(connects(), ElementsAre("s2:7100"));
    connected("s2:7100");
    reply(sent_to("s2:7100"), wire::PutReply{});
    EXPECT_TRUE(completion(ticket)->result);
}

TEST_F(session, ends_unreachable_and_not_applied_when_every_seed_refuses) {
    const auto ticket = put();
    refuse("s1:7100");
    refuse("s2:7100");
    const auto error = failure(ticket);
    EXPECT_EQ(error.code, Code::unreachable);
    EXPECT_EQ(error.applied, Applied::no);
    EXPECT_THAT(error.message, HasSubstr("s1:7100 refused the connection"));
    EXPECT_THAT(error.message, HasSubstr("s2:7100 refused the connection"));
    EXPECT_THAT(sends(), IsEmpty());
}

TEST_F(session, avoids_an_endpoint_that_refused_but_not_for_ever) {
    get();
    refuse("s1:7100");
    connects();
    get();
    EXPECT_THAT(connects(), IsEmpty()) << "s2 is being connected to already";
    connected("s2:7100");
    for (const auto& send : sends()) reply(send, wire::GetReply{});
    pass(milliseconds(5000));
    get();
    EXPECT_THAT(connects(), ElementsAre("s1:7100"));
}

TEST_F(session, asks_an_avoided_endpoint_when_there_is_no_other) {
    open(with_seeds({"s1:7100"}));
    const auto first = get();
    refuse("s1:7100");
    EXPECT_EQ(failure(first).code, Code::unreachable);
    connects();
    get();
    EXPECT_THAT(connects(), ElementsAre("s1:7100"));
}

TEST_F(session, moves_on_when_a_connection_does_not_come_up) {
    const auto ticket = put();
    connects();
    pass(milliseconds(600));
    EXPECT_THAT(closes(), ElementsAre("s1:7100"));
    EXPECT_THAT(connects(), ElementsAre("s2:7100"));
    connected("s2:7100");
    reply(sent_to("s2:7100"), wire::PutReply{});
    EXPECT_TRUE(completion(ticket)->result);
}

TEST_F(session, ends_unreachable_when_the_only_connection_does_not_come_up) {
    open(with_seeds({"s1:7100"}));
    const auto ticket = put();
    pass(milliseconds(1999));
    EXPECT_FALSE(completion(ticket));
    pass(milliseconds(1));
    const auto error = failure(ticket);
    EXPECT_EQ(error.code, Code::unreachable);
    EXPECT_EQ(error.applied, Applied::no);
    EXPECT_THAT(error.message, HasSubstr("s1:7100 did not take the connection within 2000 ms"));
    EXPECT_THAT(closes(), ElementsAre("s1:7100"));
}

TEST_F(session, sends_again_what_the_channel_could_not_hand_over) {
    const auto ticket = put();
    connected("s1:7100");
    const auto send = sent_to("s1:7100");
    session_->on_closed(send.endpoint, "closed the connection", {send.request.id}, now_);
    EXPECT_FALSE(completion(ticket));
    connected("s2:7100");
    reply(sent_to("s2:7100"), wire::PutReply{});
    EXPECT_TRUE(completion(ticket)->result);
}

TEST_F(session, connects_to_the_only_node_again_for_what_could_not_be_handed_over) {
    open(with_seeds({"s1:7100"}));
    const auto ticket = put();
    connected("s1:7100");
    const auto send = sent_to("s1:7100");
    connects();
    session_->on_closed(send.endpoint, "closed the connection", {send.request.id}, now_);
    EXPECT_FALSE(completion(ticket));
    pass(milliseconds(100));
    EXPECT_THAT(connects(), ElementsAre("s1:7100"));
    connected("s1:7100");
    reply(sent_to("s1:7100"), wire::PutReply{});
    EXPECT_TRUE(completion(ticket)->result);
}

TEST_F(session, knows_that_what_could_not_be_handed_over_was_not_applied) {
    const auto ticket = put();
    connected("s1:7100");
    const auto send = sent_to("s1:7100");
    connects();
    session_->on_closed(send.endpoint, "closed the connection", {send.request.id}, now_);
    for (int i = 0; i < 10 && session_->in_flight() > 0; ++i) {
        for (const auto& address : connects()) refuse(address);
        pass(milliseconds(100));
    }
    const auto error = failure(ticket);
    EXPECT_EQ(error.code, Code::unreachable);
    EXPECT_EQ(error.applied, Applied::no);
}

// -------------------------------------------------------------------- the daemon did nothing

class session_refusals : public session, public testing::WithParamInterface<Code> {};

TEST_P(session_refusals, send_a_put_to_another_node) {
    const auto ticket = put();
    connected("s1:7100");
    reply_error(sent_to("s1:7100"), GetParam());
    EXPECT_FALSE(completion(ticket));
    connected("s2:7100");
    reply(sent_to("s2:7100"), wire::PutReply{});
    EXPECT_TRUE(completion(ticket)->result);
}

TEST_P(session_refusals, end_a_put_if_it_may_have_been_applied_all_the_same) {
    const auto ticket = put();
    connected("s1:7100");
    reply_error(sent_to("s1:7100"), GetParam(), Applied::maybe);
    const auto error = failure(ticket);
    EXPECT_EQ(error.code, GetParam());
    EXPECT_EQ(error.applied, Applied::maybe);
    EXPECT_THAT(sends(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(codes, session_refusals,
                         testing::Values(Code::busy, Code::not_joined, Code::too_few_nodes));

TEST_F(session, gives_the_last_refusal_when_all_nodes_refuse) {
    const auto ticket = put();
    connected("s1:7100");
    reply_error(sent_to("s1:7100"), Code::too_few_nodes);
    connected("s2:7100");
    reply_error(sent_to("s2:7100"), Code::too_few_nodes);
    const auto error = failure(ticket);
    EXPECT_EQ(error.code, Code::too_few_nodes);
    EXPECT_EQ(error.message, "it says no");
    EXPECT_EQ(error.node, "n9");
}

TEST_F(session, starts_elsewhere_after_a_node_that_has_not_joined) {
    put();
    connected("s1:7100");
    reply_error(sent_to("s1:7100"), Code::not_joined);
    connected("s2:7100");
    reply(sent_to("s2:7100"), wire::PutReply{});
    put();
    sent_to("s2:7100");
}

TEST_F(session, waits_and_tries_again_while_all_are_busy) {
    const auto ticket = put();
    connected("s1:7100");
    reply_error(sent_to("s1:7100"), Code::busy);
    connected("s2:7100");
    reply_error(sent_to("s2:7100"), Code::busy);
    EXPECT_FALSE(completion(ticket));
    EXPECT_THAT(sends(), IsEmpty()) << "not before a pause";
    pass(milliseconds(50));
    const auto again = sends();
    ASSERT_EQ(again.size(), 1u);
    reply(again[0], wire::PutReply{});
    EXPECT_TRUE(completion(ticket)->result);
}

TEST_F(session, is_busy_in_the_end_when_all_stay_busy) {
    const auto ticket = put();
    connected("s1:7100");
    bool s2_up = false;
    for (int i = 0; i < 300; ++i) {
        for (const auto& send : sends()) reply_error(send, Code::busy);
        if (!s2_up && !connects().empty() && i > 0) {
            connected("s2:7100");
            s2_up = true;
        }
        pass(milliseconds(10));
    }
    const auto error = failure(ticket);
    EXPECT_EQ(error.code, Code::busy);
    EXPECT_EQ(error.applied, Applied::no);
}

class session_verdicts : public session, public testing::WithParamInterface<Code> {};

TEST_P(session_verdicts, are_handed_to_the_caller_at_once) {
    const auto ticket = put();
    connected("s1:7100");
    reply_error(sent_to("s1:7100"), GetParam());
    EXPECT_EQ(failure(ticket).code, GetParam());
    EXPECT_THAT(sends(), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(codes, session_verdicts,
                         testing::Values(Code::bad_request, Code::too_large, Code::bad_context,
                                         Code::unknown_op, Code::conflict, Code::exists,
                                         Code::quorum_not_met, Code::timed_out, Code::wrong_cluster,
                                         Code::object_full, Code::refused, Code::storage,
                                         Code::storage_full, Code::internal));

// --------------------------------------------------------------------------- silence and death

TEST_F(session, never_sends_an_unknown_put_twice) {
    const auto ticket = put();
    connected("s1:7100");
    sent_to("s1:7100");
    connects();
    pass(milliseconds(1999));
    EXPECT_FALSE(completion(ticket));
    pass(milliseconds(1));
    const auto error = failure(ticket);
    EXPECT_EQ(error.code, Code::timed_out);
    EXPECT_EQ(error.applied, Applied::maybe);
    EXPECT_EQ(error.node, "s1:7100");
    EXPECT_THAT(error.message, HasSubstr("s1:7100 did not answer within 2000 ms"));
    pass(milliseconds(20000));
    EXPECT_THAT(sends(), IsEmpty());
    EXPECT_THAT(connects(), IsEmpty());
}

TEST_F(session, does_not_know_of_a_put_whose_connection_closed) {
    const auto ticket = put();
    connected("s1:7100");
    sent_to("s1:7100");
    connects();
    close("s1:7100");
    const auto error = failure(ticket);
    EXPECT_EQ(error.code, Code::timed_out);
    EXPECT_EQ(error.applied, Applied::maybe);
    EXPECT_THAT(error.message, HasSubstr("s1:7100 closed the connection before it answered"));
    pass(milliseconds(20000));
    EXPECT_THAT(sends(), IsEmpty());
    EXPECT_THAT(connects(), IsEmpty());
}

TEST_F(session, ignores_the_answer_of_a_put_that_was_given_up) {
    const auto ticket = put();
    connected("s1:7100");
    const auto send = sent_to("s1:7100");
    pass(milliseconds(2000));
    failure(ticket);
    EXPECT_EQ(session_->op_of(send.endpoint, send.request.id), "");
    reply(send, wire::PutReply{});
    EXPECT_FALSE(completion(ticket));
}

TEST_F(session, resends_an_unknown_put_when_told_to) {
    auto options = with_seeds({"s1:7100", "s2:7100"});
    options.resend_unknown = true;
    open(options);
    const auto ticket = put();
    connected("s1:7100");
    sent_to("s1:7100");
    close("s1:7100");
    connected("s2:7100");
    reply(sent_to("s2:7100"), wire::PutReply{});
    EXPECT_TRUE(completion(ticket)->result);
}

TEST_F(session, may_have_applied_a_resent_put_whatever_the_second_node_says) {
    auto options = with_seeds({"s1:7100", "s2:7100"});
    options.resend_unknown = true;
    for (const Code code : {Code::too_few_nodes, Code::conflict}) {
        open(options);
        const auto ticket = put();
        connected("s1:7100");
        sent_to("s1:7100");
        pass(milliseconds(1000));
        connected("s2:7100");
        reply_error(sent_to("s2:7100"), code);
        pass(milliseconds(1000));
        EXPECT_EQ(failure(ticket).applied, Applied::maybe) << name_of(code);
    }
}

TEST_F(session, asks_another_node_for_a_read_after_half_the_time) {
    const auto ticket = get();
    connected("s1:7100");
    const auto slow = sent_to("s1:7100");
    connects();
    pass(milliseconds(999));
    EXPECT_THAT(connects(), IsEmpty());
    pass(milliseconds(1));
    EXPECT_THAT(connects(), ElementsAre("s2:7100"));
    connected("s2:7100");
    reply(sent_to("s2:7100"), wire::GetReply{});
    const auto done = completion(ticket);
    ASSERT_TRUE(done && done->result);
    EXPECT_EQ(done->address, "s2:7100");
    reply(slow, wire::GetReply{});
    EXPECT_FALSE(completion(ticket)) << "a read completes once";
}

TEST_F(session, takes_the_first_nodes_answer_to_a_read_that_was_asked_twice) {
    const auto ticket = get();
    connected("s1:7100");
    const auto slow = sent_to("s1:7100");
    pass(milliseconds(1000));
    connected("s2:7100");
    sent_to("s2:7100");
    reply(slow, wire::GetReply{});
    EXPECT_EQ(completion(ticket)->address, "s1:7100");
}

TEST_F(session, waits_for_the_other_answer_when_one_node_refuses_a_read) {
    const auto ticket = get();
    connected("s1:7100");
    const auto slow = sent_to("s1:7100");
    pass(milliseconds(1000));
    connected("s2:7100");
    reply_error(sent_to("s2:7100"), Code::too_few_nodes);
    EXPECT_FALSE(completion(ticket));
    reply(slow, wire::GetReply{});
    EXPECT_TRUE(completion(ticket)->result);
}

TEST_F(session, waits_for_the_slow_answer_to_a_read_when_nobody_else_listens) {
    const auto ticket = get();
    connected("s1:7100");
    const auto slow = sent_to("s1:7100");
    pass(milliseconds(1000));
    refuse("s2:7100");
    EXPECT_FALSE(completion(ticket));
    reply(slow, wire::GetReply{});
    EXPECT_TRUE(completion(ticket)->result);
}

TEST_F(session, asks_another_node_for_a_read_when_the_connection_closes) {
    const auto ticket = get();
    connected("s1:7100");
    sent_to("s1:7100");
    close("s1:7100");
    EXPECT_FALSE(completion(ticket));
    connected("s2:7100");
    reply(sent_to("s2:7100"), wire::GetReply{});
    EXPECT_TRUE(completion(ticket)->result);
}

TEST_F(session, comes_back_to_the_only_node_for_a_read_when_the_connection_closed) {
    open(with_seeds({"s1:7100"}));
    const auto ticket = get();
    connected("s1:7100");
    sent_to("s1:7100");
    connects();
    close("s1:7100");
    pass(milliseconds(100));
    EXPECT_THAT(connects(), ElementsAre("s1:7100"));
    refuse("s1:7100");
    const auto error = failure(ticket);
    EXPECT_EQ(error.code, Code::unreachable);
    EXPECT_EQ(error.applied, Applied::no);
}

TEST_F(session, reads_are_never_applied_even_when_unanswered) {
    open(with_seeds({"s1:7100"}));
    const auto ticket = get();
    connected("s1:7100");
    sent_to("s1:7100");
    pass(milliseconds(2000));
    const auto error = failure(ticket);
    EXPECT_EQ(error.code, Code::timed_out);
    EXPECT_EQ(error.applied, Applied::no);
}

TEST_F(session, sends_new_requests_elsewhere_once_a_node_is_silent_for_half_the_time) {
    put();
    connected("s1:7100");
    sent_to("s1:7100");
    connects();
    pass(milliseconds(1000));
    put();
    EXPECT_THAT(connects(), ElementsAre("s2:7100"));
}

TEST_F(session, sends_no_more_puts_to_a_silent_node_until_it_answers_a_probe) {
    const auto lost = put();
    connected("s1:7100");
    sent_to("s1:7100");
    pass(milliseconds(2000));
    failure(lost);
    connects();
    // Nor after its backoff: only a hello goes there.
    for (int i = 0; i < 4; ++i) {
        pass(milliseconds(4000));
        put();
        for (const auto& address : connects())
            if (address == "s2:7100") connected(address);
        for (const auto& send : sends()) {
            if (session_->address_of(send.endpoint) == "s1:7100")
                EXPECT_TRUE(std::holds_alternative<wire::HelloRequest>(send.request.body));
            else
                reply(send, wire::PutReply{});
        }
    }
    EXPECT_EQ(session_->in_flight(), 0u);
}

TEST_F(session, trusts_a_silent_node_again_once_it_answers) {
    put();
    connected("s1:7100");
    const auto late = sent_to("s1:7100");
    pass(milliseconds(2000));
    reply(late, wire::PutReply{});
    put();
    sent_to("s1:7100");
}

// --------------------------------------------------------------------------- exactly one address

TEST_F(session, sends_a_pinned_request_nowhere_else) {
    const auto ticket = put_to("s2:7100");
    EXPECT_THAT(connects(), ElementsAre("s2:7100"));
    refuse("s2:7100");
    EXPECT_EQ(failure(ticket).code, Code::unreachable);
    EXPECT_THAT(connects(), IsEmpty());
}

// ------------------------------------------------------------------------------ the cluster's name

class session_named : public session {
  protected:
    void SetUp() override {
        auto options = with_seeds({"s1:7100", "s2:7100"});
        options.cluster = "shop";
        open(options);
    }
    static wire::HelloReply hello_of(const std::string& cluster) {
        wire::HelloReply hello;
        hello.node = "n1";
        hello.cluster = cluster;
        if (!cluster.empty()) hello.cluster_id = Bytes(16, 'c');
        return hello;
    }
};

TEST_F(session_named, says_hello_first_and_then_names_the_cluster) {
    put();
    connected("s1:7100");
    const auto hello = sent_to("s1:7100");
    EXPECT_TRUE(std::holds_alternative<wire::HelloRequest>(hello.request.body));
    EXPECT_EQ(hello.request.cluster, "");
    reply(hello, hello_of("shop"));
    const auto send = sent_to("s1:7100");
    EXPECT_TRUE(std::holds_alternative<wire::PutRequest>(send.request.body));
    EXPECT_EQ(send.request.cluster, Bytes(16, 'c'));
}

TEST_F(session_named, refuses_another_cluster_and_sends_nothing_to_it) {
    const auto ticket = put();
    connected("s1:7100");
    reply(sent_to("s1:7100"), hello_of("books"));
    const auto error = failure(ticket);
    EXPECT_EQ(error.code, Code::wrong_cluster);
    EXPECT_EQ(error.applied, Applied::no);
    EXPECT_THAT(error.message, HasSubstr("belongs to cluster 'books', not 'shop'"));
    EXPECT_THAT(sends(), IsEmpty());
}

TEST_F(session_named, asks_the_next_seed_when_one_waits_to_be_joined) {
    put();
    connected("s1:7100");
    reply(sent_to("s1:7100"), hello_of(""));
    connected("s2:7100");
    reply(sent_to("s2:7100"), hello_of("shop"));
    EXPECT_TRUE(std::holds_alternative<wire::PutRequest>(sends().at(0).request.body));
}

TEST_F(session_named, is_not_applied_when_the_hello_is_not_answered) {
    const auto ticket = put();
    connected("s1:7100");
    sent_to("s1:7100");
    pass(milliseconds(2000));
    const auto error = failure(ticket);
    EXPECT_THAT(error.message, HasSubstr("no seed has said which cluster it belongs to"));
    EXPECT_EQ(error.code, Code::unreachable);
    EXPECT_EQ(error.applied, Applied::no);
}

TEST_F(session_named, is_unreachable_while_a_hello_that_others_began_is_not_answered) {
    put();
    connected("s1:7100");
    sent_to("s1:7100");
    pass(milliseconds(1500));
    const auto later = put();
    pass(milliseconds(500));
    const auto error = failure(later);
    EXPECT_EQ(error.code, Code::unreachable);
    EXPECT_EQ(error.applied, Applied::no);
}

TEST_F(session_named, is_not_applied_when_no_seed_listens) {
    const auto ticket = put();
    refuse("s1:7100");
    refuse("s2:7100");
    EXPECT_EQ(failure(ticket).code, Code::unreachable);
    EXPECT_EQ(session_->in_flight(), 0u);
}

// ------------------------------------------------------------------------------------- the ring

TEST_F(session, asks_for_the_ring_only_after_a_few_requests) {
    connects();
    for (int i = 0; i < 4; ++i) get();
    connected("s1:7100");
    for (const auto& send : sends()) {
        EXPECT_TRUE(std::holds_alternative<wire::GetRequest>(send.request.body));
        reply(send, wire::GetReply{}, 12);
    }
    get();
    const auto sent = sends();
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_TRUE(std::holds_alternative<wire::GetRequest>(sent[0].request.body));
    EXPECT_TRUE(std::holds_alternative<wire::RingRequest>(sent[1].request.body));
}

TEST_F(session, never_asks_for_the_ring_when_any_node_will_do) {
    auto options = with_seeds({"s1:7100"});
    options.routing = Routing::any;
    open(options);
    for (int i = 0; i < 50; ++i) get();
    connected("s1:7100");
    for (const auto& send : sends())
        EXPECT_TRUE(std::holds_alternative<wire::GetRequest>(send.request.body));
}

TEST_F(session, asks_an_owner_once_it_has_the_ring) {
    const auto ring = ring_of(5);
    learn_ring(ring);
    const auto partition = session_->routes().partition_of(position_of("cart"));
    std::set<std::string> owners;
    for (const auto& node : session_->routes().owners(partition))
        owners.insert(session_->routes().find(node)->client_address);
    ASSERT_EQ(owners.size(), 3u);
    for (int i = 0; i < 6; ++i) put("cart");
    const auto asked = connects();
    EXPECT_EQ(std::set(asked.begin(), asked.end()), owners) << "in turn, and nobody else";
}

TEST_F(session, names_the_cluster_once_it_has_the_ring) {
    learn_ring(ring_of(1));
    get();
    connected("10.0.0.1:7100");
    EXPECT_EQ(sent_to("10.0.0.1:7100").request.cluster, Bytes(16, 7));
}

TEST_F(session, goes_to_another_owner_when_one_refuses) {
    learn_ring(ring_of(3));
    const auto ticket = put("cart");
    const auto first = connects();
    ASSERT_EQ(first.size(), 1u);
    refuse(first[0]);
    const auto second = connects();
    ASSERT_EQ(second.size(), 1u);
    EXPECT_NE(second[0], first[0]);
    connected(second[0]);
    reply(sent_to(second[0]), wire::PutReply{});
    EXPECT_TRUE(completion(ticket)->result);
}

TEST_F(session, refreshes_the_ring_when_a_reply_shows_a_newer_one) {
    learn_ring(ring_of(3, 2));
    pass(milliseconds(200));
    get();
    get();
    const auto addresses = connects();
    for (const auto& address : addresses) connected(address);
    const auto sent = sends();
    ASSERT_EQ(sent.size(), 2u);
    reply(sent[0], wire::GetReply{}, 3);
    const auto refresh = sends();
    ASSERT_EQ(refresh.size(), 1u);
    EXPECT_TRUE(std::holds_alternative<wire::RingRequest>(refresh[0].request.body));
    EXPECT_EQ(refresh[0].endpoint, sent[0].endpoint) << "whoever knows of it is asked";
    reply(refresh[0], wire::RingReply{wire::encode(ring_of(3, 3))});
    EXPECT_EQ(session_->routes().number(), 3u);
}

TEST_F(session, asks_once_for_a_newer_ring_that_nobody_has) {
    learn_ring(ring_of(1, 2));
    pass(milliseconds(200));
    get();
    connected("10.0.0.1:7100");
    reply(sent_to("10.0.0.1:7100"), wire::GetReply{}, 99);
    get();
    for (const auto& send : sends())
        if (std::holds_alternative<wire::RingRequest>(send.request.body))
            reply(send, wire::RingReply{wire::encode(ring_of(1, 2))});
        else
            reply(send, wire::GetReply{});
    pass(milliseconds(200));
    get();
    sent_to("10.0.0.1:7100");
}

TEST_F(session, refreshes_the_ring_when_it_is_old) {
    learn_ring(ring_of(1));
    get();
    connected("10.0.0.1:7100");
    reply(sent_to("10.0.0.1:7100"), wire::GetReply{}, 1);
    pass(milliseconds(10000));
    get();
    const auto sent = sends();
    ASSERT_EQ(sent.size(), 2u);
    EXPECT_TRUE(std::holds_alternative<wire::RingRequest>(sent[1].request.body));
}

TEST_F(session, keeps_the_newer_ring_when_an_older_one_arrives) {
    learn_ring(ring_of(3, 4));
    pass(milliseconds(10000));
    get();
    for (const auto& address : connects()) connected(address);
    for (const auto& send : sends())
        if (std::holds_alternative<wire::RingRequest>(send.request.body))
            reply(send, wire::RingReply{wire::encode(ring_of(3, 2))});
    EXPECT_EQ(session_->routes().number(), 4u);
}

TEST_F(session, takes_no_ring_of_another_cluster) {
    learn_ring(ring_of(3, 2));
    pass(milliseconds(10000));
    get();
    for (const auto& address : connects()) connected(address);
    for (const auto& send : sends())
        if (std::holds_alternative<wire::RingRequest>(send.request.body))
            reply(send, wire::RingReply{wire::encode(ring_of(3, 9, 8))});
    EXPECT_EQ(session_->routes().number(), 2u);
}

TEST_F(session, goes_on_with_the_seeds_when_the_ring_cannot_be_read) {
    for (int i = 0; i < 5; ++i) get();
    connected("s1:7100");
    for (const auto& send : sends()) {
        if (std::holds_alternative<wire::RingRequest>(send.request.body))
            reply(send, wire::RingReply{"no ring"});
        else
            reply(send, wire::GetReply{});
    }
    get();
    sent_to("s1:7100");
    EXPECT_EQ(session_->routes().number(), 0u);
}

}  // namespace
}  // namespace dynamo
