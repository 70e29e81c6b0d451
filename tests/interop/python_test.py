#!/usr/bin/python3
"""The Python client against real daemons: all that dynamo-wire(7) promises.

    usage: python_test.py BIN [unittest options]
"""
import json
import sys
import unittest

import msgpack
import zmq

import dynamo_client
from dynamo_client import BLIND, CONTEXT, Client, Failure, Silence, Unreachable, values_of
from real_cluster import PATIENCE, Cluster, eventually

BIN = sys.argv.pop(1) if len(sys.argv) > 1 else sys.exit(__doc__)
EVERY_OCTET = bytes(range(256))


class WithCluster(unittest.TestCase):
    """One cluster for all tests of a class; one client for each."""
    nodes = 3
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(BIN, cls.nodes, *cls.options)
        cls.addClassCleanup(cls.cluster.end)
        if cls.nodes > 1:
            cls.cluster.warm_up()

    def setUp(self):
        self.client = self.connect(0)

    def connect(self, node, **options):
        client = Client(self.cluster.addresses[node], timeout_ms=PATIENCE * 1000, **options)
        self.addCleanup(client.close)
        return client

    def put_everywhere(self, node, key, value, **more):
        """Stores on all three nodes; again while a busy machine makes one seem dead."""
        client = self.connect(node)

        def stored():
            try:
                return client.put(key, value, w=3, **more)
            except Failure as failure:
                self.assertIn(failure.code, (20, 32), failure)
                return None

        return eventually(stored, "stored everywhere")

    def fails(self, code, name, applied, ask):
        with self.assertRaises(Failure) as raised:
            ask()
        failure = raised.exception
        self.assertEqual((failure.code, failure.name, failure.applied), (code, name, applied),
                         failure)
        self.assertEqual(failure.body["code"], code)
        self.assertTrue(failure.body["message"])
        return failure


class Data(WithCluster):
    def test_hello_says_who_is_there(self):
        hello = self.client.hello()
        self.assertLessEqual(hello["proto_min"], 1)
        self.assertGreaterEqual(hello["proto_max"], 1)
        self.assertLessEqual({"batch", "forward", "keys", "merge", "observe", "peek", "trace"},
                             set(hello["features"]))
        self.assertEqual((hello["max_key"], hello["max_value"], hello["max_context"]),
                         (1024, 1 << 20, 8192))
        self.assertEqual((hello["node"], hello["state"]), ("n1", "member"))
        self.assertEqual(hello["client_address"], self.cluster.addresses[0])
        self.assertEqual((len(hello["node_id"]), len(hello["cluster_id"])), (16, 16))

    def test_values_come_back_from_every_node_octet_for_octet(self):
        key = b"octets:" + EVERY_OCTET
        for value in (b"", EVERY_OCTET, b"x" * (1 << 20)):
            self.put_everywhere(0, key, value)
            for node in range(3):
                self.assertEqual(values_of(self.connect(node).get(key)), [value])

    def test_the_longest_key_is_taken(self):
        self.client.put(b"k" * 1024, b"x")
        self.assertEqual(values_of(self.client.get(b"k" * 1024)), [b"x"])

    def test_an_absent_key_is_no_error_and_has_a_context(self):
        got = self.client.get(b"never")
        self.assertEqual((got["versions"], got["clock_entries"]), ([], 0))
        self.assertTrue(got["context"])
        stored = self.client.put(b"never", b"now", mode=CONTEXT, context=got["context"])
        self.assertFalse(stored["existed"])
        self.assertEqual(values_of(self.client.get(b"never")), [b"now"])

    def test_two_blind_puts_are_siblings_until_a_context_covers_them(self):
        first = self.client.put(b"two", b"milk", mode=BLIND)
        second = self.client.put(b"two", b"bread", mode=BLIND)
        self.assertEqual((first["existed"], second["existed"]), (False, True))
        got = self.client.get(b"two")
        self.assertEqual(values_of(got), [b"bread", b"milk"])
        names = {(version["node"], version["birth"], version["counter"])
                 for version in got["versions"]}
        self.assertEqual(len(names), 2)
        self.assertTrue(all(version["birth"].isdecimal() for version in got["versions"]))
        self.client.put(b"two", b"bread, milk", mode=CONTEXT, context=got["context"])
        self.assertEqual(values_of(self.client.get(b"two")), [b"bread, milk"])

    def test_the_context_of_a_put_covers_what_its_sender_was_shown_and_no_more(self):
        self.client.put(b"mine", b"theirs", mode=BLIND)
        mine = self.client.put(b"mine", b"1", mode=BLIND)
        self.client.put(b"mine", b"2", mode=CONTEXT, context=mine["context"])
        self.assertEqual(values_of(self.client.get(b"mine")), [b"2", b"theirs"])

    def test_a_context_goes_to_any_node_and_keeps_what_came_in_between(self):
        self.put_everywhere(0, b"between", b"1")
        context = self.client.get(b"between")["context"]
        self.put_everywhere(1, b"between", b"2", mode=BLIND)
        self.put_everywhere(2, b"between", b"3", mode=CONTEXT, context=context)
        self.assertEqual(values_of(self.client.get(b"between")), [b"2", b"3"])

    def test_an_observing_put_supersedes_one_value_and_refuses_several(self):
        self.client.put(b"observe", b"1")
        self.assertTrue(self.client.put(b"observe", b"2")["existed"])
        self.assertEqual(values_of(self.client.get(b"observe")), [b"2"])
        self.client.put(b"observe", b"3", mode=BLIND)
        self.fails(10, "conflict", "no", lambda: self.client.put(b"observe", b"4"))
        self.assertEqual(values_of(self.client.get(b"observe")), [b"2", b"3"])
        self.client.put(b"observe", b"5", overwrite=True)
        self.assertEqual(values_of(self.client.get(b"observe")), [b"5"])

    def test_equal_values_are_no_conflict(self):
        self.client.put(b"equal", b"same", mode=BLIND)
        self.client.put(b"equal", b"same", mode=BLIND)
        got = self.client.get(b"equal")
        self.assertEqual((len(got["versions"]), values_of(got)), (2, [b"same"]))
        self.client.put(b"equal", b"other")
        self.assertEqual(values_of(self.client.get(b"equal")), [b"other"])

    def test_a_put_for_absent_keys_only(self):
        self.client.put(b"absent", b"1", if_absent=True)
        self.fails(11, "exists", "no", lambda: self.client.put(b"absent", b"2", if_absent=True))
        self.assertEqual(values_of(self.client.get(b"absent")), [b"1"])
        self.assertTrue(self.client.delete(b"absent")["existed"])
        self.client.put(b"absent", b"3", if_absent=True)
        self.assertEqual(values_of(self.client.get(b"absent")), [b"3"])

    def test_a_delete_leaves_a_tombstone_and_a_second_one_nothing(self):
        self.client.put(b"gone", b"x")
        self.assertTrue(self.client.delete(b"gone")["existed"])
        got = self.client.get(b"gone")
        self.assertEqual([(version["tombstone"], version["value"])
                          for version in got["versions"]], [(True, b"")])
        again = self.client.delete(b"gone")
        self.assertFalse(again["existed"])
        self.assertEqual(self.client.get(b"gone")["versions"], got["versions"])
        self.client.put(b"gone", b"y", mode=CONTEXT, context=again["context"])
        self.assertEqual([version["value"] for version in self.client.get(b"gone")["versions"]],
                         [b"y"])

    def test_a_delete_of_several_values_takes_them_all(self):
        for value in (b"1", b"2"):
            self.client.put(b"all", value, mode=BLIND)
        self.client.delete(b"all")
        self.assertEqual(values_of(self.client.get(b"all")), [])

    def test_what_a_delete_did_not_see_survives_it(self):
        context = self.client.put(b"race", b"1")["context"]
        self.client.put(b"race", b"2", mode=BLIND)
        self.client.delete(b"race", mode=CONTEXT, context=context)
        got = self.client.get(b"race")
        self.assertEqual(values_of(got), [b"2"])
        self.assertEqual(sorted(version["tombstone"] for version in got["versions"]),
                         [False, True])

    def test_a_trace_begins_with_its_coordinator(self):
        self.assertEqual(self.client.put(b"traced", b"x")["trace"], [])
        for trace in (self.client.put(b"traced", b"y", trace=True)["trace"],
                      self.client.get(b"traced", trace=True)["trace"],
                      self.client.delete(b"traced", trace=True)["trace"]):
            self.assertEqual((trace[0]["what"], trace[0]["at_us"]), ("coordinates", 0))
            self.assertEqual(len(trace[0]["node"]), 16)
            self.assertGreaterEqual(len({step["node"] for step in trace}), 2)

    def test_a_node_says_what_it_alone_holds(self):
        self.put_everywhere(0, b"peeked", b"x")
        copies = [self.connect(node).ask("peek", key=b"peeked") for node in range(3)]
        for peeked in copies:
            self.assertEqual((peeked["owner"], peeked["rebuilding"]), (True, False))
            (copy,) = peeked["copies"]
            self.assertEqual((copy["hint_for"], copy["damaged"]), (b"", False))
            self.assertEqual([version["value"] for version in copy["versions"]], [b"x"])
        self.assertEqual(len({peeked["copies"][0]["digest"] for peeked in copies}), 1)
        self.assertEqual(self.client.ask("peek", key=b"not stored")["copies"], [])

    def test_a_state_is_read_and_merged(self):
        key = b"backed up"
        self.assertEqual(self.client.ask("state", key=key)["state"], b"")
        self.client.put(key, b"old")
        state = self.client.ask("state", key=key)["state"]
        self.client.put(key, b"new")
        for node in range(3):
            self.connect(node).ask("merge", key=key, state=state, w=3)
        self.assertEqual(values_of(self.client.get(key)), [b"new"])
        self.assertEqual(self.client.ask("merge", key=b"a copy", state=state, w=3),
                         {"changed": True})
        self.assertEqual(values_of(self.client.get(b"a copy")), [b"old"])
        self.assertEqual(self.client.ask("merge", key=b"a copy", state=state), {"changed": False})
        self.fails(1, "bad_request", "no",
                   lambda: self.client.ask("merge", key=key, state=state[:-1]))
        self.fails(1, "bad_request", "no", lambda: self.client.ask("merge", key=key))

    def test_a_partition_is_listed_page_by_page(self):
        ring = self.client.ring()
        keys = [b"listed:%d" % number for number in range(64)]
        for key in keys:
            self.put_everywhere(0, key, b"x", mode=BLIND)
        found = []
        for partition in range(ring.q):
            first = b""
            while True:
                page = self.client.ask("keys", partition=partition, first=first, limit=3,
                                       prefix=b"listed:")
                self.assertLessEqual(len(page["rows"]), 3)
                for row in page["rows"]:
                    self.assertEqual((row["values"], row["tombstone"]), (1, False))
                    self.assertEqual(ring.partition_of(row["row"][8:]), partition)
                    found.append(row["row"][8:])
                if not (first := page["next"]):
                    break
        self.assertEqual(sorted(found), sorted(keys))
        self.fails(1, "bad_request", "no", lambda: self.client.ask("keys", partition=ring.q))

    def test_numbers_of_a_node(self):
        self.client.get(b"counted")
        stats = {stat["name"]: stat["value"] for stat in self.client.ask("stats")["stats"]}
        self.assertGreaterEqual(stats["get.count"], 1)
        self.assertEqual(list(stats), sorted(stats))
        status = self.client.ask("status")
        self.assertEqual((status["durability"], status["writes_refused"]), ("os", False))
        self.assertEqual(len(status["peers"]), 2)
        self.assertGreaterEqual(status["uptime_ms"], 0)

    def test_the_tools_read_what_was_written(self):
        self.client.put(b"for-the-tools", b"value")
        self.assertEqual(self.cluster.ok("dyn-get", "for-the-tools"), b"value")
        self.cluster.ok("dyn-put", "from-the-tools", "value")
        self.assertEqual(values_of(self.client.get(b"from-the-tools")), [b"value"])


class Messages(WithCluster):
    nodes = 1

    def raw(self, header, body):
        """Sends what may be wrong; the reply to whatever id it is given."""
        self.client.send(header, body)
        while not self.client.replies:
            self.client.receive(PATIENCE)
        (replies,) = self.client.replies.values()
        self.client.replies = {}
        self.assertEqual(len(replies), 1)
        return replies[0]

    def refused(self, header, body, request, name="bad_request"):
        reply = self.raw(header if isinstance(header, bytes) else msgpack.packb(header),
                         body if isinstance(body, bytes) else msgpack.packb(body))
        self.assertEqual((reply.id, reply.body["name"], reply.body["applied"]),
                         (request, name, "no"), reply.body)
        self.assertNotEqual(reply.code, 0)
        self.assertFalse(reply.body["retryable"])

    def test_malformed_bodies_are_answered_with_their_id(self):
        for body in (b"", b"\xc1", b"\x81", {"key": "text"}, {"key": b""}, {}, [b"key"], None, 1,
                     {"key": None}, {"key": msgpack.ExtType(1, b"x")}, {"key": b"k", "r": -1},
                     {"key": b"k", "r": b"1"}, {"key": b"k", "r": 4}, {"key": b"k", "r": 1 << 40},
                     {"key": b"k", "r": True}, msgpack.packb({"key": b"k"}) + b"\xc0",
                     b"\x82" + 2 * (msgpack.packb("key") + msgpack.packb(b"k"))):
            with self.subTest(body):
                self.refused([0, 7, "get", {}], body, 7)
        deep = b"k"
        for _ in range(16):
            deep = [deep]
        self.refused([0, 7, "get", {}], {"key": b"k", "unknown": deep}, 7)
        self.refused([0, 7, "put", {}], {"key": b"k", "mode": 3}, 7)
        self.refused([0, 7, "put", {}], {"key": b"k", "w": 4}, 7)
        self.refused([0, 7, "put", {}], {"key": b"k", "observe_r": 4}, 7)
        # N is 3, and of one node one is enough.
        self.assertEqual(self.client.get(b"k", r=3)["versions"], [])

    def test_malformed_metas_are_answered_with_their_id(self):
        for meta in ({"timeout_ms": 86400001}, {"timeout_ms": -1}, {"timeout_ms": "1"},
                     {"cluster": b"short"}, {"cluster": "0123456789abcdef"}, [], None):
            with self.subTest(meta):
                self.refused([0, 7, "get", meta], {"key": b"k"}, 7)

    def test_malformed_headers_are_answered_with_no_id(self):
        for header in (b"", b"\xc1", {}, [], [0, 7, "get"], [1, 7, "get", {}], [2, 7, "get", {}],
                       [0, -1, "get", {}], [0, (1 << 53) + 1, "get", {}], [0, b"7", "get", {}]):
            with self.subTest(header):
                self.refused(header, {"key": b"k"}, 0)

    def test_messages_of_other_shapes_are_answered_with_no_id(self):
        header, body = dynamo_client.pack_header(7, "get", {}), msgpack.packb({"key": b"k"})
        for frames in ([b"DYN2", header, body], [b"DYN1", header], [b"DYN1", header, body, b""],
                       [header, body], [b"DYN1"]):
            with self.subTest(frames):
                self.client.connection.send(frames, PATIENCE)
                self.client.receive(PATIENCE)
                reply = self.client.reply(0)
                self.assertEqual((reply.code, reply.body["name"]), (1, "bad_request"))
        self.assertEqual(self.client.get(b"k")["versions"], [])

    def test_an_unknown_operation_is_refused_whatever_it_is_called(self):
        for op in ("fly", "", "GET", "batches"):
            with self.subTest(op):
                self.fails(4, "unknown_op", "no", lambda op=op: self.client.ask(op))
        reply = self.raw(b"\x94\x00\x07\xa1\xff\x80", b"\x80")
        self.assertEqual((reply.id, reply.code), (7, 4))

    def test_unknown_fields_metas_and_elements_are_ignored(self):
        header = msgpack.packb([0, 9, "put", {"later": [1, {"x": None}], 5: 6}, "later", {}])
        body = msgpack.packb({"key": b"later", "value": b"x", "later": {"a": [1, 2.5]}, 7: None})
        self.assertEqual(self.raw(header, body).result()["existed"], False)
        self.assertEqual(values_of(self.client.get(b"later")), [b"x"])

    def test_numbers_are_taken_in_any_form(self):
        # 1 as 64 bits signed, as id and as field.
        one = b"\xd3" + (1).to_bytes(8, "big")
        reply = self.raw(b"\x94" + one.replace(b"\x01", b"\x00") + one + b"\xa3get\x80",
                         b"\x82\xa3key\xc4\x01k\xa1r" + one)
        self.assertEqual((reply.id, reply.code), (1, 0))
        largest = 1 << 53
        self.assertEqual(self.raw(msgpack.packb([0, largest, "hello", {}]), b"\x80").id, largest)

    def test_limits_hold_to_the_octet(self):
        for more in ({"key": b"k" * 1025}, {"value": b"v" * ((1 << 20) + 1)},
                     {"mode": CONTEXT, "context": b"c" * 8193}):
            self.fails(2, "too_large", "no",
                       lambda more=more: self.client.ask("put", **{"key": b"large", **more}))
        self.assertEqual(self.client.get(b"large")["versions"], [])

    def test_a_frame_that_is_too_long_ends_the_connection_and_nothing_else(self):
        beside = self.connect(0)
        beside.hello()
        self.client.hello()
        self.client.send(dynamo_client.pack_header(7, "put", {}), b"x" * ((16 << 20) + 1))
        # The connection is made anew, and what was lost with the old one is not answered.
        self.assertEqual(self.hello_again(self.client)["node"], "n1")
        self.assertNotIn(7, self.client.replies)
        self.assertEqual(beside.hello()["node"], "n1")

    @staticmethod
    def hello_again(client):
        """Of a connection that may just be ending."""
        def hello():
            try:
                return client.wait(client.submit("hello", {}), 1)
            except Silence:
                return None

        return eventually(hello, "connected again")

    def test_a_context_is_refused_when_damaged_or_made_for_another_key(self):
        context = self.client.put(b"mine", b"x")["context"]
        wrong = [b"x", b"\x01", context[:-1], context + b"\x00"]
        wrong += [context[:place] + bytes([context[place] ^ 1]) + context[place + 1:]
                  for place in range(len(context))]
        for token in wrong:
            self.fails(3, "bad_context", "no", lambda token=token: self.client.put(
                b"mine", b"y", mode=CONTEXT, context=token))
        for ask in (self.client.put, lambda key, _, **more: self.client.delete(key, **more)):
            self.fails(3, "bad_context", "no",
                       lambda ask=ask: ask(b"yours", b"y", mode=CONTEXT, context=context))
        self.assertEqual(values_of(self.client.get(b"mine")), [b"x"])

    def test_another_cluster_is_refused(self):
        cluster = self.client.hello()["cluster_id"]
        self.client.put(b"which", b"x", cluster=cluster)
        other = bytes(octet ^ 1 for octet in cluster)
        for ask in (lambda: self.client.put(b"which", b"y", cluster=other),
                    lambda: self.client.get(b"which", cluster=other),
                    lambda: self.client.hello(cluster=other)):
            self.fails(40, "wrong_cluster", "no", ask)
        self.assertEqual(values_of(self.client.get(b"which", cluster=cluster)), [b"x"])

    def test_an_object_has_so_many_siblings_and_no_more(self):
        for number in range(64):
            self.client.put(b"full", b"%d" % number, mode=BLIND)
        self.fails(42, "object_full", "no", lambda: self.client.put(b"full", b"64", mode=BLIND))
        got = self.client.get(b"full")
        self.assertEqual(len(got["versions"]), 64)
        self.client.put(b"full", b"merged", mode=CONTEXT, context=got["context"])
        self.assertEqual(values_of(self.client.get(b"full")), [b"merged"])

    def test_a_request_is_done_as_often_as_it_comes(self):
        put = (dynamo_client.pack_header(5, "put", {}),
               msgpack.packb({"key": b"twice", "value": b"x", "mode": BLIND}))
        for _ in range(2):
            self.client.send(*put)
        self.client.wait(5)
        self.client.wait(5)
        self.assertEqual(len(self.client.get(b"twice")["versions"]), 2)

    def test_a_plain_request_socket_is_served(self):
        context = zmq.Context()
        self.addCleanup(context.term)
        socket = context.socket(zmq.REQ)
        self.addCleanup(socket.close)
        socket.linger = 0
        socket.connect(f"tcp://{self.cluster.addresses[0]}")
        for request, (op, body) in enumerate([("put", {"key": b"req", "value": b"x"}),
                                              ("get", {"key": b"req"}), ("fly", {})], 1):
            socket.send_multipart([b"DYN1", dynamo_client.pack_header(request, op, {}),
                                   msgpack.packb(body)])
            self.assertTrue(socket.poll(PATIENCE * 1000))
            magic, header, body = socket.recv_multipart()
            self.assertEqual(magic, b"DYN1")
            self.assertEqual(msgpack.unpackb(header)[:3], [1, request, 4 if op == "fly" else 0])
            if op == "get":
                self.assertEqual(values_of(msgpack.unpackb(body)), [b"x"])

    def test_the_second_connection_of_one_name_gets_no_replies(self):
        context = zmq.Context()
        self.addCleanup(context.term)
        answered = []
        for _ in range(2):
            socket = context.socket(zmq.DEALER)
            self.addCleanup(socket.close)
            socket.linger, socket.routing_id = 0, b"one name"
            socket.connect(f"tcp://{self.cluster.addresses[0]}")
            socket.send_multipart([b"DYN1", dynamo_client.pack_header(1, "hello", {}), b"\x80"])
            answered.append(socket.poll(500 if answered else PATIENCE * 1000) != 0)
        self.assertEqual(answered, [True, False])

    def test_a_delimiter_comes_back(self):
        client = self.connect(0, delimited=True)
        client.put(b"delimited", b"x")
        self.assertEqual(values_of(client.get(b"delimited")), [b"x"])
        ids = client.submit_batch([("get", {"key": b"delimited"})] * 3)
        for request in ids:
            self.assertEqual(values_of(client.wait(request)), [b"x"])

    def test_a_batch_is_answered_request_by_request(self):
        puts = self.client.submit_batch(
            [("put", {"key": b"batch:%d" % number, "value": b"%d" % number})
             for number in range(1000)])
        for request in puts:
            self.client.wait(request)
        self.assertLess(self.client.messages, 1000)
        gets = self.client.submit_batch(
            [("get", {"key": b"batch:%d" % number}) for number in range(1000)])
        for number, request in enumerate(gets):
            self.assertEqual(values_of(self.client.wait(request)), [b"%d" % number])
        # And what is no batch is answered all the same.
        self.assertEqual(values_of(self.client.get(b"batch:7")), [b"7"])

    def test_what_is_wrong_in_a_batch_harms_nothing_else(self):
        good = dynamo_client.pack_header(3, "put", {})
        parts = [dynamo_client.pack_header(1, "fly", {}), b"\x80",
                 dynamo_client.pack_header(2, "get", {}), b"\xc1",
                 b"\xc1", b"\x80",
                 good, msgpack.packb({"key": b"beside", "value": b"x"}),
                 dynamo_client.pack_header(4, "get", {"cluster": b"x" * 16}),
                 msgpack.packb({"key": b"beside"})]
        self.client.send(msgpack.packb([0, 0, "batch", {}]), msgpack.packb(parts))
        self.assertEqual([self.client.reply(request).code for request in (1, 2, 0, 3, 4)],
                         [4, 1, 1, 0, 40])
        self.assertEqual(values_of(self.client.get(b"beside")), [b"x"])

    def test_a_batch_of_the_wrong_shape_is_refused_whole(self):
        put = [dynamo_client.pack_header(7, "put", {}),
               msgpack.packb({"key": b"whole", "value": b"x"})]
        for parts, name in ((put + put[:1], "bad_request"), ([1, 2], "bad_request"),
                            (put * 4097, "too_large"), (7, "bad_request")):
            self.refused([0, 0, "batch", {}], parts, 0, name)
        self.assertEqual(self.client.get(b"whole")["versions"], [])
        # One without requests is not answered: the next reply is the hello's.
        self.client.send(msgpack.packb([0, 0, "batch", {}]), msgpack.packb([]))
        self.client.hello()
        self.assertEqual(self.client.replies, {})

    def test_many_requests_are_in_flight_at_once(self):
        ids = {self.client.submit("put", {"key": b"flight:%d" % number, "value": b"x"}): number
               for number in range(500)}
        for request in reversed(ids):
            self.client.wait(request)


class Refusals(WithCluster):
    """What only nodes that are not in order answer. Each test leaves the cluster healthy."""

    def setUp(self):
        super().setUp()
        self.cluster.wait_healthy()

    def test_with_a_node_down_three_copies_cannot_be_had(self):
        self.put_everywhere(0, b"down", b"x")
        self.cluster.ok("dyn-cluster", "kill", "n3")

        def is_known():
            status = self.client.ask("status")
            return any(peer["suspected"] for peer in status["peers"])

        # The first request that misses it tells; it may have been sent already, so it says more.
        with self.assertRaises(Failure) as raised:
            self.client.get(b"down", r=3)
        self.assertIn(raised.exception.code, (20, 32))
        self.assertEqual(raised.exception.applied, "no")
        eventually(is_known, "the dead node is suspected")
        for ask in (lambda: self.client.get(b"down", r=3),
                    lambda: self.client.put(b"down", b"y", w=3),
                    lambda: self.client.put(b"down", b"y", mode=BLIND, w=3),
                    lambda: self.client.put(b"down", b"y", observe_r=3),
                    lambda: self.client.delete(b"down", w=3)):
            failure = self.fails(32, "too_few_nodes", "no", ask)
            self.assertTrue(failure.retryable)
        self.assertEqual(values_of(self.client.get(b"down")), [b"x"])
        self.client.put(b"down", b"z")
        self.assertEqual(values_of(self.client.get(b"down")), [b"z"])
        self.cluster.ok("dyn-cluster", "restart", "n3", "--wait", f"{PATIENCE}s")
        self.cluster.wait_healthy()
        back = self.connect(2)
        eventually(lambda: values_of(back.get(b"down", r=1)) == [b"z"], "what it missed is there")

    def test_a_silent_node_makes_a_write_unknown_and_a_read_fail(self):
        def seen(ask):
            """The failure while n3 is silent and not known to be; None when it was."""
            self.cluster.wait_healthy()
            self.cluster.ok("dyn-cluster", "pause", "n3")
            try:
                ask()
            except Failure as failure:
                return failure if failure.code != 32 else None
            finally:
                self.cluster.ok("dyn-cluster", "resume", "n3")
            return self.fail("it was answered although n3 is silent")

        wrote = eventually(lambda: seen(lambda: self.client.put(
            b"silent", b"x", mode=BLIND, w=3, timeout_ms=300)), "a write that misses n3")
        self.assertEqual((wrote.code, wrote.name, wrote.applied, wrote.retryable),
                         (20, "quorum_not_met", "maybe", True))
        # It says maybe, and here it was.
        self.assertEqual(values_of(self.client.get(b"silent", r=1)), [b"x"])
        read = eventually(lambda: seen(lambda: self.client.get(b"silent", r=3, timeout_ms=1)),
                          "a read that misses n3")
        self.assertEqual((read.code, read.applied), (20, "no"))

    def test_a_node_that_waits_serves_no_data(self):
        waiting = Client(self.cluster.add())
        self.addCleanup(waiting.close)
        hello = waiting.hello()
        self.assertEqual((hello["state"], hello["cluster"], hello["cluster_id"], hello["ring"]),
                         ("waiting", "", b"", 0))
        waiting.ask("stats")
        self.assertEqual(waiting.ask("status")["peers"], [])
        for ask in (lambda: waiting.get(b"k"), lambda: waiting.put(b"k", b"x"), waiting.ring,
                    lambda: waiting.ask("plan"), lambda: waiting.ask("peek", key=b"k")):
            failure = self.fails(31, "not_joined", "no", ask)
            self.assertTrue(failure.retryable)

    def test_a_ring_that_serves_is_not_changed(self):
        for op, body in (("plan", {}), ("commit", {"plan": "p-00000000"})):
            self.fails(43, "refused", "no", lambda op=op, body=body: self.client.ask(op, **body))
        for body in ({}, {"node_id": b"x" * 16, "kind": 9}, {"node_id": b"x" * 16, "name": "a b"}):
            self.fails(1, "bad_request", "no", lambda body=body: self.client.ask("stage", **body))
        self.fails(43, "refused", "no", lambda: self.client.ask(
            "stage", kind=2, node_id=b"x" * 16))

    def test_silence_is_told_apart_from_errors(self):
        paused = self.connect(1)
        paused.hello()
        self.cluster.ok("dyn-cluster", "pause", "n2")
        self.addCleanup(self.cluster.run, "dyn-cluster", "resume", "n2")
        late = paused.submit("get", {"key": b"k"})
        with self.assertRaises(Silence):
            paused.wait(late, 0.5)
        self.cluster.ok("dyn-cluster", "resume", "n2")
        self.assertEqual(paused.reply(late).id, late)

    def test_nobody_there_means_nothing_sent(self):
        nobody = Client("127.0.0.1:9", patience=1)
        self.addCleanup(nobody.close)
        with self.assertRaises(Unreachable):
            nobody.put(b"k", b"x")


class Forming(WithCluster):
    """A ring of one node, which may still be formed."""
    nodes = 1

    def test_changes_are_staged_planned_and_committed(self):
        other = Client(self.cluster.add())
        self.addCleanup(other.close)
        about = other.hello()
        staged = self.client.ask("stage", kind=1, node_id=about["node_id"], name=about["node"],
                                 client_address=about["client_address"],
                                 peer_address=about["peer_address"], note="by hand")
        self.assertEqual(staged["staged"], 1)
        planned = self.client.ask("plan")
        self.assertEqual(msgpack.unpackb(planned["epoch"])[1], 2)
        self.assertEqual(len(msgpack.unpackb(planned["epoch"])[6]), 2)
        self.fails(12, "stale_plan", "no", lambda: self.client.ask("commit", plan="p-0"))
        self.client.put(b"in the way", b"x")
        self.assertEqual(self.client.ask("commit", plan=planned["plan"])["ring"], 2)
        self.assertEqual([version["value"] for version in self.client.get(b"in the way")["versions"]],
                         [b"x"])


class LastWrite(WithCluster):
    """A cluster whose last write wins."""
    nodes = 1
    options = ("--conflicts", "last-write-wins")

    def test_readers_are_shown_one_version_the_youngest(self):
        self.assertTrue(self.client.ring().last_write_wins)
        for value in (b"1", b"2", b"3"):
            self.client.put(b"k", value, mode=BLIND)
        self.assertEqual([version["value"] for version in self.client.get(b"k")["versions"]],
                         [b"3"])
        self.client.put(b"k", b"4")
        self.client.delete(b"k")
        (version,) = self.client.get(b"k")["versions"]
        self.assertTrue(version["tombstone"])


class Routing(WithCluster):
    """Two copies on three nodes, so that every node has keys that it does not own."""
    options = ("--copies", "2")

    def test_a_client_finds_the_owners_by_itself(self):
        ring = self.client.ring()
        self.assertEqual((ring.n, ring.q, ring.r, ring.w), (2, 16, 2, 2))
        self.assertEqual(ring.cluster_id, self.client.hello()["cluster_id"])
        self.assertFalse(ring.last_write_wins)
        for number in range(20):
            key = f"route:{number}"
            owners = ring.owners_of(key.encode())
            self.assertEqual([owner["name"] for owner in owners], self.cluster.owner_names(key))
        reply = self.client.reply(self.client.submit("get", {"key": b"k"}))
        self.assertEqual(reply.meta["ring"], ring.number)

    def test_a_node_lists_only_partitions_that_it_owns(self):
        ring = self.client.ring()
        for partition in range(ring.q):
            place = 2 * partition * ring.n
            owners = {ring.members[int.from_bytes(ring.table[at:at + 2], "big")]["name"]
                      for at in range(place, place + 2 * ring.n, 2)}
            if "n1" in owners:
                self.client.ask("keys", partition=partition)
            else:
                self.fails(1, "bad_request", "no",
                           lambda partition=partition: self.client.ask("keys",
                                                                       partition=partition))

    def test_any_node_takes_any_key(self):
        clients = [self.connect(node) for node in range(3)]
        for number in range(30):
            key = b"any:%d" % number
            clients[number % 3].put(key, b"x")
            self.assertEqual(values_of(clients[(number + 1) % 3].get(key)), [b"x"])

    def test_a_silent_coordinator_makes_a_write_unknown(self):
        key = b"far"
        first, second = (owner["name"] for owner in self.client.ring().owners_of(key))
        (third,) = {"n1", "n2", "n3"} - {first, second}
        client = self.connect(int(third[1]) - 1)

        def missed():
            self.cluster.wait_healthy()
            self.cluster.ok("dyn-cluster", "pause", first)
            try:
                client.put(key, b"x", mode=BLIND, timeout_ms=300)
            except Failure as failure:
                return failure
            finally:
                self.cluster.ok("dyn-cluster", "resume", first)
            # The first was held for dead already, and the second took the write.
            return None

        failure = eventually(missed, "a write that its coordinator does not answer")
        self.assertEqual((failure.code, failure.name, failure.applied),
                         (21, "timed_out", "maybe"))
        # It did arrive, late.
        eventually(lambda: values_of(client.get(key)) == [b"x"], "the write that was late")


if __name__ == "__main__":
    unittest.main()
