#!/usr/bin/python3
"""dynamod as others see it: a process, its directory, its sockets, by a client of another house.

Usage: dynamod_test.py DYNAMOD [unittest options]
"""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import msgpack
import zmq

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "interop"))
from ports import free_base_port  # noqa: E402

DYNAMOD = None
PATIENCE = 60  # seconds: a deadline, not an expectation
FEW_PARTITIONS = None  # a file, so that a test may still give --partitions


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not in time: {what}")
        time.sleep(0.01)


def once_quorum(ask):
    """What `ask` returns; None while peers that came back are still held for dead."""
    try:
        return ask()
    except Failure as failure:
        if not str(failure).startswith(("quorum_not_met", "too_few_nodes")):
            raise
        return None


class Daemon:
    """One dynamod; its log goes to a file."""

    def __init__(self, directory, *options, environment=None):
        self.directory = directory
        self.client_port = free_base_port(1)
        self.peer_port = self.client_port + 1
        self.options = options
        self.environment = environment
        self.log_path = directory + ".log"
        self.process = None

    def command(self):
        # Few partitions, because each is a file that a first start has to make.
        return [DYNAMOD, "--data-dir", self.directory, "--config", FEW_PARTITIONS,
                "--listen", f"127.0.0.1:{self.client_port}",
                "--listen-peer", f"127.0.0.1:{self.peer_port}", "--name",
                os.path.basename(self.directory), *self.options]

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log,
                                            env=self.environment)
        ready = self.log().count("ready: ")
        wait_until(lambda: self.log().count("ready: ") > ready or self.process.poll() is not None,
                   "ready")
        if self.process.poll() is not None:
            raise AssertionError("did not start:\n" + self.log())
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def resident(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            return int(re.search(r"VmRSS:\s*(\d+)", status.read()).group(1)) * 1024


class Failure(Exception):
    """An error reply."""


class Client:
    """Speaks the wire protocol with nothing but python3-zmq and python3-msgpack."""

    def __init__(self, port, kind=zmq.DEALER):
        self.context = zmq.Context()
        self.socket = self.context.socket(kind)
        self.socket.linger = 0
        self.socket.connect(f"tcp://127.0.0.1:{port}")
        self.next_id = 0

    def close(self):
        self.socket.close()
        self.context.term()

    def send(self, *frames):
        self.socket.send_multipart(list(frames))

    def receive(self):
        if not self.socket.poll(PATIENCE * 1000):
            raise AssertionError("no answer")
        return self.socket.recv_multipart()

    def ask(self, op, **body):
        self.next_id += 1
        header = [0, self.next_id, op, {"timeout_ms": PATIENCE * 1000}]
        self.send(b"DYN1", msgpack.packb(header), msgpack.packb(body))
        magic, header, body = self.receive()
        kind, request, code, _ = msgpack.unpackb(header)
        assert (magic, kind, request) == (b"DYN1", 1, self.next_id), (magic, kind, request)
        body = msgpack.unpackb(body)
        if code != 0:
            raise Failure(body["name"] + ": " + body["message"])
        return body

    def value(self, key):
        return [version["value"] for version in self.ask("get", key=key)["versions"]]

    def stats(self):
        return {stat["name"]: stat["value"] for stat in self.ask("stats")["stats"]}


class DaemonTest(unittest.TestCase):
    def setUp(self):
        self.parent = tempfile.mkdtemp(prefix="dynamod-test-")
        self.cleanup = contextlib.ExitStack()

    def tearDown(self):
        self.cleanup.close()
        shutil.rmtree(self.parent, ignore_errors=True)

    def daemon(self, name, *options, environment=None):
        one = Daemon(os.path.join(self.parent, name), *options, environment=environment)
        self.cleanup.callback(one.kill)
        return one

    def client(self, daemon, kind=zmq.DEALER):
        one = Client(daemon.client_port, kind)
        self.cleanup.callback(one.close)
        return one

    def single(self, *options):
        return self.daemon("n1", "--copies", "1", *options).start()

    def refusal(self, daemon, code):
        """Starts what must not start; what it says."""
        done = subprocess.run(daemon.command(), capture_output=True, timeout=PATIENCE,
                              check=False, text=True)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, "")
        return done.stderr


class Life(DaemonTest):
    def test_what_was_acknowledged_survives_kill_9(self):
        for durability in ("sync", "os"):
            with self.subTest(durability=durability):
                node = self.daemon("k" + durability, "--copies", "1", "--durability", durability)
                node.start()
                client = self.client(node)
                for i in range(200):
                    client.ask("put", key=b"key%d" % i, value=b"value%d" % i)
                node.kill()
                node.start()
                client = self.client(node)
                for i in range(200):
                    self.assertEqual(client.value(b"key%d" % i), [b"value%d" % i])

    def test_sigterm_ends_it_cleanly_and_keeps_everything(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            node = self.daemon(f"s{number}", "--copies", "1").start()
            client = self.client(node)
            client.ask("put", key=b"k", value=b"v")
            node.process.send_signal(number)
            self.assertEqual(node.process.wait(PATIENCE), 0)
            self.assertTrue(node.log().rstrip().endswith("stopped"))
            node.start()
            self.assertEqual(self.client(node).value(b"k"), [b"v"])

    def test_sighup_changes_nothing(self):
        node = self.single()
        node.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "SIGHUP" in node.log(), "a line about SIGHUP")
        self.client(node).ask("put", key=b"k", value=b"v")

    def test_a_pause_changes_nothing(self):
        node = self.single()
        client = self.client(node)
        client.ask("put", key=b"k", value=b"v")
        for _ in range(5):
            node.process.send_signal(signal.SIGSTOP)
            node.process.send_signal(signal.SIGCONT)
            self.assertEqual(client.value(b"k"), [b"v"])
        self.assertEqual(node.stop(), 0)

    def test_a_log_without_a_reader_does_not_end_it(self):
        node = self.daemon("n1", "--copies", "1", "--log-level", "debug")
        reader, writer = os.pipe()
        node.process = subprocess.Popen(node.command(), stderr=writer)
        os.close(writer)
        seen = b""
        while b"ready: " not in seen:
            seen += os.read(reader, 65536)
        os.close(reader)
        node.process.send_signal(signal.SIGHUP)
        self.client(node).ask("put", key=b"k", value=b"v")
        self.assertEqual(node.stop(), 0)

    def test_systemd_is_told_when_it_is_ready(self):
        path = os.path.join(self.parent, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
            receiver.bind(path)
            receiver.settimeout(PATIENCE)
            self.daemon("n1", environment={**os.environ, "NOTIFY_SOCKET": path}).start()
            self.assertEqual(receiver.recv(100), b"READY=1")

    def test_a_node_keeps_its_identity_and_cluster_over_a_restart(self):
        node = self.single()
        before = self.client(node).ask("hello", client="test")
        node.stop()
        node.start()
        after = self.client(node).ask("hello", client="test")
        for field in ("node_id", "cluster_id", "node", "state"):
            self.assertEqual(before[field], after[field])
        self.assertEqual(after["state"], "member")


class Refusals(DaemonTest):
    def test_a_directory_in_use(self):
        node = self.single()
        second = self.daemon("other")
        second.directory = node.directory
        said = self.refusal(second, 6)
        self.assertIn(f"in use by process {node.process.pid}", said)
        self.assertIn("--data-dir", said)
        self.client(node).ask("put", key=b"k", value=b"v")

    def test_another_cluster(self):
        node = self.single("--cluster", "shop")
        node.stop()
        node.options = ("--cluster", "bank")
        said = self.refusal(node, 6)
        self.assertIn("'shop'", said)
        self.assertIn("'bank'", said)
        node.options = ()
        node.start()

    def test_other_founding_options_are_only_warned_of(self):
        node = self.single()
        node.stop()
        node.options = ("--partitions", "16", "--copies", "1")
        node.start()
        self.assertIn("--partitions 16 has no effect: cluster 'dynamo' was founded with 8",
                      node.log())
        self.assertNotIn("--copies 1 has no effect", node.log())

    def test_a_damaged_ring_and_a_missing_one(self):
        node = self.single()
        node.stop()
        path = os.path.join(node.directory, "ring")
        with open(path, "r+b") as ring:
            ring.seek(-1, os.SEEK_END)
            octet = ring.read(1)
            ring.seek(-1, os.SEEK_END)
            ring.write(bytes([octet[0] ^ 1]))
        self.assertIn("ring is damaged", self.refusal(node, 8))
        os.remove(path)
        self.assertIn("ring is missing", self.refusal(node, 8))

    def test_a_newer_format(self):
        node = self.single()
        node.stop()
        path = os.path.join(node.directory, "identity")
        with open(path, encoding="ascii") as identity:
            text = identity.read()
        with open(path, "w", encoding="ascii") as identity:
            identity.write(text.replace("dynamo-identity 1 ", "dynamo-identity 2 "))
        self.assertIn("newer dynamod", self.refusal(node, 8))

    def test_a_directory_of_something_else(self):
        node = self.daemon("n1")
        os.mkdir(node.directory)
        with open(os.path.join(node.directory, "thesis.tex"), "w", encoding="ascii"):
            pass
        self.assertIn("thesis.tex", self.refusal(node, 6))
        self.assertEqual(os.listdir(node.directory), ["thesis.tex"])

    def test_an_address_in_use(self):
        node = self.single()
        second = self.daemon("n2")
        second.client_port = node.client_port
        self.assertIn(f"127.0.0.1:{node.client_port}", self.refusal(second, 8))
        second.client_port = free_base_port(1)
        second.peer_port = node.peer_port
        self.assertIn(f"cannot listen for peers on 127.0.0.1:{node.peer_port}",
                      self.refusal(second, 8))

    def test_usage(self):
        done = subprocess.run([DYNAMOD, "--sedes", "x"], capture_output=True, check=False,
                              text=True)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("did you mean --seeds?", done.stderr)

    def test_writes_while_the_disk_is_too_full(self):
        node = self.single("--min-free", "900TiB")
        self.assertIn("--min-free", node.log())
        client = self.client(node)
        with self.assertRaisesRegex(Failure, "storage_full"):
            client.ask("put", key=b"k", value=b"v")
        self.assertEqual(client.value(b"k"), [])
        self.assertTrue(client.ask("status")["writes_refused"])


class BadClients(DaemonTest):
    def test_are_answered_when_what_they_send_is_no_request(self):
        client = self.client(self.single())
        for frames in ([b"x"], [b"DYN1"], [b"DYN1", b"a"], [b"DYN1", b"a", b"b"],
                       [b"DYN1", b"\xdd\xff\xff\xff\xff", b""], [b"DYN1", b"", b"", b""]):
            client.send(*frames)
            self.assertEqual(msgpack.unpackb(client.receive()[2])["name"], "bad_request", frames)
        client.ask("put", key=b"k", value=b"v")

    def test_get_little_of_what_they_said_back_and_only_text(self):
        client = self.client(self.single())
        longest = 16 * 2 ** 20 - 100
        for op in (b"\xff", b"\xc3", b"\x1b[2J\n", "\ud800".encode("utf-8", "surrogatepass"),
                   b"a" * 5_000_000, b"\xfe" * longest):
            head = b"\x94\x00\x01\xdb" + len(op).to_bytes(4, "big") + op + b"\x80"
            client.send(b"DYN1", head, b"\x80")
            octets = client.receive()[2]
            # The decoder is strict: what is no UTF-8 raises.
            error = msgpack.unpackb(octets, raw=False)
            self.assertEqual((error["name"], error["node"]), ("unknown_op", "n1"))
            self.assertLess(len(octets), 1000)
            self.assertTrue(error["message"].isprintable(), error["message"])

    def test_are_told_what_is_too_large(self):
        client = self.client(self.single("--max-value", "1000"))
        client.ask("put", key=b"k", value=b"v" * 1000)
        with self.assertRaisesRegex(Failure, "too_large"):
            client.ask("put", key=b"k", value=b"v" * 1001)
        with self.assertRaisesRegex(Failure, "too_large"):
            client.ask("put", key=b"k" * 1025, value=b"v")
        with self.assertRaisesRegex(Failure, "bad_context"):
            client.ask("put", key=b"k", value=b"v", mode=1, context=b"garbage")

    def test_with_a_message_without_an_end_are_cut_and_memory_stays_bounded(self):
        node = self.single()
        before = node.resident()
        most = before
        with socket.create_connection(("127.0.0.1", node.client_port)) as raw:
            raw.settimeout(PATIENCE)
            raw.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48) +
                        b"\x04\x1c\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER")
            answer = b""
            while len(answer) < 66 or len(answer) < 66 + answer[65]:
                answer += raw.recv(1000)
            piece = b"\x03" + (1 << 20).to_bytes(8, "big") + bytes(1 << 20)
            sent = 0
            with self.assertRaises(OSError):
                while sent < 4 << 30:
                    raw.sendall(piece)
                    sent += len(piece)
                    most = max(most, node.resident())
            self.assertLess(sent, 2 << 30)
        self.assertLess(most, before + (1 << 30))
        client = self.client(node)
        client.ask("put", key=b"k", value=b"v")
        wait_until(lambda: client.stats()["clients.cut"] == 1, "the count of cut connections")
        self.assertIn("message without an end", node.log())


class Protocol(DaemonTest):
    def test_a_plain_req_client_is_served(self):
        client = self.client(self.single(), zmq.REQ)
        client.ask("put", key=b"k", value=b"v")
        self.assertEqual(client.value(b"k"), [b"v"])

    def test_a_batch_is_answered_in_batches(self):
        client = self.client(self.single())
        parts = []
        for i in range(100):
            parts += [msgpack.packb([0, i + 1, "put", {}]),
                      msgpack.packb({"key": b"k%d" % i, "value": b"v"})]
        client.send(b"DYN1", msgpack.packb([0, 0, "batch", {}]), msgpack.packb(parts))
        answered = set()
        messages = 0
        while len(answered) < 100:
            _, header, body = client.receive()
            self.assertEqual(msgpack.unpackb(header)[:3], [1, 0, "batch"])
            for header in map(msgpack.unpackb, msgpack.unpackb(body)[::2]):
                self.assertEqual((header[0], header[2]), (1, 0))
                answered.add(header[1])
            messages += 1
        self.assertLess(messages, 100)

    def test_stats_show_what_only_the_loop_counts(self):
        client = self.client(self.single())
        client.ask("put", key=b"k", value=b"v")
        wait_until(lambda: client.stats()["loop.commits"] > 0, "loop.commits")
        stats = client.stats()
        for name in ("clients.messages_in", "loop.commit.p99", "loop.iteration.p50",
                     "process.resident_bytes"):
            self.assertGreater(stats[name], 0, name)
        self.assertEqual(stats["clients.connections"], 1)

    def test_the_last_write_wins_where_the_cluster_was_founded_so(self):
        node = self.daemon("n1", "--conflicts", "last-write-wins", "--copies", "1").start()
        client = self.client(node)
        for value in (b"a", b"b", b"c"):
            client.ask("put", key=b"k", value=value, mode=2)
        self.assertEqual(client.value(b"k"), [b"c"])

    def test_a_seed_that_is_a_client_address_is_pointed_out(self):
        node = self.single()
        self.daemon("n2", "--seeds", f"127.0.0.1:{node.client_port}").start()
        wait_until(lambda: "takes 127.0.0.1:%d for a peer address" % node.client_port
                   in node.log(), "a line about the wrong port")


    def test_a_seed_that_cannot_be_reached_is_named_once(self):
        nobody = free_base_port(1)
        node = self.daemon("n2", "--seeds", f"127.0.0.1:{nobody}", "--gossip-interval", "10ms")
        node.start()
        line = f"cannot reach the peer address 127.0.0.1:{nobody}"
        wait_until(lambda: line in node.log(), "a line about the seed")
        client = self.client(node)
        self.assertEqual(client.ask("hello", client="test")["state"], "waiting")
        with self.assertRaisesRegex(Failure, "not_joined"):
            client.ask("put", key=b"k", value=b"v")
        wait_until(lambda: client.stats()["peers.dropped"] >= 2, "a second attempt")
        self.assertEqual(node.log().count(line), 1)


class Cluster(DaemonTest):
    def form(self, *options):
        first = self.daemon("n1", *options).start()
        seed = f"127.0.0.1:{first.peer_port}"
        return self.join([first] + [self.daemon(f"n{i}", "--seeds", seed, *options).start()
                                    for i in (2, 3)])

    def join(self, nodes):
        client = self.client(nodes[0])
        for node in nodes[1:]:
            hello = self.client(node).ask("hello", client="test")
            self.assertEqual(hello["state"], "waiting")
            client.ask("stage", kind=1, node_id=hello["node_id"], name=hello["node"],
                       zone="", weight=100, client_address=hello["client_address"],
                       peer_address=hello["peer_address"], note="")
        client.ask("commit", plan=client.ask("plan")["plan"])
        for node in nodes:
            other = self.client(node)
            wait_until(lambda: other.ask("hello", client="test")["ring"] == 2, "the ring")
        return nodes

    def test_three_nodes_hold_what_one_was_told(self):
        nodes = self.form("--gossip-interval", "100ms")
        writer = self.client(nodes[0])
        for i in range(20):
            writer.ask("put", key=b"k%d" % i, value=b"v%d" % i, w=3)
        for node in nodes:
            reader = self.client(node)
            for i in range(20):
                self.assertEqual(reader.ask("get", key=b"k%d" % i, r=1)["versions"][0]["value"],
                                 b"v%d" % i)

    def test_the_first_write_reaches_peers_that_came_after(self):
        options = ("--gossip-interval", "100ms")
        first, second, third = (self.daemon(f"n{i}", *options) for i in (1, 2, 3))
        peers = [f"127.0.0.1:{node.peer_port}" for node in (first, second, third)]
        second.options += ("--seeds", f"{peers[0]},{peers[2]}")
        third.options += ("--seeds", f"{peers[0]},{peers[1]}")
        first.start()
        second.start()
        # Attempts of libzmq's own become ever rarer, so the third is there before it is seen there.
        client = self.client(second)
        wait_until(lambda: client.stats()["peers.dropped"] >= 12, "vain attempts")
        third.start()
        for node in self.join([first, second, third]):
            self.client(node).ask("put", key=b"k", value=b"v", w=3, mode=2)

    def test_a_killed_peer_is_noticed_without_waiting_for_its_silence(self):
        # Silence alone would be believed after longer than any wait of this test.
        nodes = self.form("--gossip-interval", "100ms", "--replica-timeout", "20m",
                          "--request-timeout", "30m")
        client = self.client(nodes[0])
        for i in range(20):
            client.ask("put", key=b"k%d" % i, value=b"v", w=3)
        nodes[2].kill()
        for i in range(20):
            client.ask("put", key=b"k%d" % i, value=b"w", w=2)
            self.assertEqual(client.value(b"k%d" % i), [b"w"])
        # It comes back, and takes part again.
        nodes[2].start()
        back = self.client(nodes[2])
        wait_until(lambda: once_quorum(lambda: back.value(b"k1")) == [b"w"],
                   "the node that came back")

    def test_all_nodes_at_once_come_back_as_the_same_cluster(self):
        nodes = self.form("--gossip-interval", "100ms")
        self.client(nodes[0]).ask("put", key=b"k", value=b"v", w=3)
        for node in nodes:
            node.kill()
        for node in nodes:
            node.start()
        for node in nodes:
            client = self.client(node)
            self.assertEqual(client.ask("hello", client="test")["ring"], 2)
            wait_until(lambda: once_quorum(lambda: client.value(b"k")) == [b"v"], "the value")


if __name__ == "__main__":
    DYNAMOD = os.path.abspath(sys.argv.pop(1))
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as few:
        few.write("partitions = 8\n")
        few.flush()
        FEW_PARTITIONS = few.name
        unittest.main(verbosity=2)
