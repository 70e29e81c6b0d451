#!/usr/bin/python3
"""What a disk can do to a node: flipped bits, lost files, a sync that fails, no room left.

Usage: damage_test.py DYNAMOD FAILING-DISK [unittest options]
"""

import glob
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import dynamod_test
from dynamod_test import (PATIENCE, Client, Daemon, DaemonTest, Failure, once_quorum,
                          wait_until)

KEYS = 120
FAILING_DISK = None  # a library to be loaded before the C library


class Gone(Exception):
    """The daemon ended before it answered."""


class FrailClient(Client):
    """One that notices the end of the daemon it asked."""

    def __init__(self, daemon):
        super().__init__(daemon.client_port)
        self.daemon = daemon

    def receive(self):
        deadline = time.monotonic() + PATIENCE
        while not self.socket.poll(50):
            if self.daemon.process.poll() is not None:
                raise Gone
            if time.monotonic() > deadline:
                raise AssertionError("no answer")
        return self.socket.recv_multipart()


class Damaged(Daemon):
    """A daemon whose end is taken for granted, and begun anew as a supervisor would."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.ends = []

    def supervise(self):
        """Starts it when it is not running, unless it refuses."""
        while self.process is None or self.process.poll() is not None:
            if self.process is not None:
                self.ends.append(self.process.returncode)
            try:
                self.start()
            except AssertionError:
                if "did not start" not in str(sys.exc_info()[1]):
                    raise

    @property
    def shard(self):
        return os.path.join(self.directory, "shard-000")

    @property
    def note(self):
        return os.path.join(self.directory, "shard-suspect")

    def aside(self):
        return sorted(glob.glob(os.path.join(self.directory, "shard-000.damaged-*")))

    def files(self, pattern):
        return sorted(glob.glob(os.path.join(self.shard, pattern)))


def flip(path, chance, places=None):
    """Flips a bit at `places`, or at as many places as a page has pages."""
    size = os.path.getsize(path)
    if places is None:
        places = [page + chance.randrange(min(8192, size - page)) for page in range(0, size, 8192)]
    with open(path, "r+b") as file:
        for place in places:
            file.seek(place)
            octet = file.read(1)[0]
            file.seek(place)
            file.write(bytes([octet ^ (1 << chance.randrange(8))]))


def value_of(i):
    return b"value %d " % i + bytes([i]) * (i * 40)


class DamageTest(DaemonTest):
    def daemon(self, name, *options, environment=None):
        one = Damaged(os.path.join(self.parent, name), *options, environment=environment)
        self.cleanup.callback(one.kill)
        return one

    def form(self, *options, copies=3, before_commit=lambda: None):
        options = ("--gossip-interval", "50ms", "--exchange-interval", "20ms",
                   "--probe-interval", "50ms", *options)
        first = self.daemon("n1", "--copies", str(copies), *options).start()
        seed = f"127.0.0.1:{first.peer_port}"
        nodes = [first] + [self.daemon(f"n{i}", "--seeds", seed, *options).start()
                           for i in (2, 3)]
        client = self.client(first)
        for node in nodes[1:]:
            hello = self.client(node).ask("hello", client="test")
            client.ask("stage", kind=1, node_id=hello["node_id"], name=hello["node"], zone="",
                       weight=100, client_address=hello["client_address"],
                       peer_address=hello["peer_address"], note="")
        before_commit()
        client.ask("commit", plan=client.ask("plan")["plan"])
        for node in nodes:
            other = self.client(node)
            wait_until(lambda: other.ask("hello", client="test")["ring"] == 2, "the ring")
        return nodes

    def fill(self, node, first=0, end=KEYS, w=3):
        def put():
            client.ask("put", key=b"k%d" % i, value=value_of(i), w=w)
            return True

        client = self.client(node)
        for i in range(first, end):
            wait_until(lambda: once_quorum(put), "a quorum")

    def is_whole(self, node, keys=range(KEYS)):
        """Whether the node itself holds everything. What it answers meanwhile must be right."""
        node.supervise()
        client = FrailClient(node)
        try:
            for i in keys:
                key = b"k%d" % i
                for version in client.ask("get", key=key, r=1)["versions"]:
                    self.assertEqual(version["value"], value_of(i))
                peek = client.ask("peek", key=key)
                own = [copy for copy in peek["copies"] if not copy["hint_for"]]
                if peek["rebuilding"] or not own or own[0]["damaged"]:
                    return False
                values = [version["value"] for version in own[0]["versions"]]
                self.assertEqual(values, [value_of(i)])
            return True
        except (Gone, Failure):
            return False
        finally:
            client.close()

    def becomes_whole(self, node, keys=range(KEYS)):
        wait_until(lambda: self.is_whole(node, keys), "the node that holds everything again")
        self.assertFalse(os.path.exists(node.note), node.log())


class FlippedBits(DamageTest):
    def test_in_any_file_cost_nothing_that_the_others_have(self):
        nodes = self.form("--set-aside-limit", "1000")
        self.fill(nodes[0])
        node = nodes[1]
        chance = random.Random(1)
        # What is damaged, how the node ended before, and whether that must cost the shard.
        kinds = [("objects-*.db", "stop", True), ("objects-*.db", "kill", None),
                 ("log.*", "kill", None), ("catalog.db", "stop", True), ("format", "kill", True),
                 ("notes.db", "stop", None), ("hints.db", "stop", None),
                 ("high-water", "kill", True), ("pages-in-flight", "kill", False)]
        for pattern, end, costs in kinds:
            with self.subTest(file=pattern, end=end):
                getattr(node, end)()
                before = node.aside()
                for path in node.files(pattern):
                    flip(path, chance, [9, 521] if pattern == "high-water" else None)
                self.becomes_whole(node)
                aside = [path for path in node.aside() if path not in before]
                if costs is not None:
                    self.assertEqual(len(aside), int(costs), node.log())
                for path in aside:
                    self.assertTrue(os.path.exists(os.path.join(path, "catalog.db")))
                    self.assertIn(path, node.log())
        self.assertEqual(set(node.ends) - {0, -signal.SIGKILL}, {8}, node.log())
        client = self.client(node)
        self.assertEqual(client.stats()["storage.set_aside"], len(node.aside()))

    def test_met_while_only_reads_come_end_the_process_and_leave_a_note(self):
        nodes = self.form()
        self.fill(nodes[0])
        node = nodes[1]
        node.stop()
        for path in node.files("objects-*.db"):
            flip(path, random.Random(2))
        node.start()
        # Nobody writes, and the comparing of copies reads.
        self.assertEqual(node.process.wait(PATIENCE), 8)
        self.assertTrue(os.path.exists(node.note))
        with open(node.note, encoding="utf-8") as note:
            self.assertRegex(note.read(), r"^\d{8}T\d{6}Z cannot .*objects-\d{4}\.db in ")
        self.assertEqual(node.log().count("the storage engine is broken: "), 1)
        self.assertEqual(node.aside(), [])
        node.start()
        self.assertEqual(len(node.aside()), 1)
        self.assertIn("the shard is damaged: ", node.log())
        self.becomes_whole(node)
        # In memory the damage was, this time: the shard is read, found whole and kept.
        node.stop()
        with open(node.note, "wb"):
            pass
        node.start()
        self.assertIn("the shard was read through and is whole", node.log())
        self.assertEqual(len(node.aside()), 1)
        self.becomes_whole(node)

    def test_that_only_a_write_meets_do_not_end_it_for_ever(self):
        nodes = self.form(copies=2)
        self.fill(nodes[0], w=2)
        node, lost = nodes[1], nodes[2]
        node.stop()
        os.truncate(os.path.join(node.shard, "hints.db"), 1557)
        node.start()
        self.assertEqual(node.aside(), [])
        # What the lost node owns is kept for it by the others, as hints.
        lost.kill()
        client = self.client(nodes[0])

        def put(i):
            try:
                once_quorum(lambda: client.ask("put", key=b"k%d" % i, value=value_of(i), w=1))
            except Failure as failure:
                # It ended while it coordinated.
                if not str(failure).startswith("timed_out: the coordinator n2 is gone"):
                    raise

        def meets_it():
            for i in range(KEYS):
                put(i)
            return node.process.poll() is not None

        wait_until(meets_it, "a hint")
        self.assertEqual(node.process.wait(), 8, node.log())
        node.start()
        self.assertEqual(len(node.aside()), 1, node.log())
        held = self.client(node)
        wait_until(lambda: meets_it() or held.ask("status")["hints_held"] > 0, "a hint again")
        self.assertIsNone(node.process.poll(), node.log())
        self.assertEqual(len(node.aside()), 1)

    def test_and_kills_while_the_shard_is_filled_again(self):
        nodes = self.form("--set-aside-limit", "1000")
        self.fill(nodes[0])
        node = nodes[1]
        node.kill()
        flip(node.files("catalog.db")[0], random.Random(3))
        chance = random.Random(4)
        for _ in range(8):
            node.supervise()
            time.sleep(chance.random() * 0.05)
            node.kill()
        self.becomes_whole(node)
        self.assertEqual(len(node.aside()), 1)
        # The others may lose theirs now: what was rebuilt is as good as what was not.
        for other in (nodes[0], nodes[2]):
            other.kill()
            flip(other.files("catalog.db")[0], chance)
            self.becomes_whole(other)


class Refused(DamageTest):
    def damage(self, node):
        node.kill()
        flip(node.files("catalog.db")[0], random.Random(5))

    def test_to_set_aside_the_only_copy(self):
        node = self.daemon("n1", "--copies", "1").start()
        self.client(node).ask("put", key=b"k", value=b"v")
        self.damage(node)
        said = self.refusal(node, 8)
        self.assertIn("no other member has the data", said)
        self.assertIn("put a copy of", said)
        self.assertEqual(node.aside(), [])

    def test_to_set_aside_where_a_key_has_one_copy(self):
        nodes = self.form(copies=1)
        self.damage(nodes[1])
        self.assertIn("no key has a second copy", self.refusal(nodes[1], 8))
        self.assertEqual(nodes[1].aside(), [])

    def test_to_set_aside_when_told_not_to(self):
        nodes = self.form("--set-aside-limit", "0")
        self.fill(nodes[0], 0, 5)
        self.damage(nodes[1])
        self.assertIn("--set-aside-limit is 0", self.refusal(nodes[1], 8))
        self.assertEqual(nodes[1].aside(), [])
        # The way out that the message names.
        shutil.move(nodes[1].shard, nodes[1].directory + "-moved")
        self.becomes_whole(nodes[1], range(5))

    def test_to_set_aside_once_more_on_a_disk_that_fails_again_and_again(self):
        nodes = self.form()
        node = nodes[1]
        for count in (1, 2):
            self.damage(node)
            node.start()
            self.assertEqual(len(node.aside()), count)
        self.damage(node)
        said = self.refusal(node, 8)
        self.assertIn("2 damaged shards were set aside within an hour", said)
        self.assertIn("is failing", said)
        # Those of an hour ago do not count.
        name = node.aside()[0]
        os.rename(name, node.shard + ".damaged-20200101T000000Z")
        node.start()
        self.assertEqual(len(node.aside()), 3)


class FailingSync(DamageTest):
    def test_ends_the_daemon_at_once_and_loses_nothing_acknowledged(self):
        trigger = os.path.join(self.parent, "fail")
        # The sanitizers want to come first, and need not here.
        node = self.daemon("n1", "--copies", "1", environment={
            **os.environ, "LD_PRELOAD": FAILING_DISK, "FAILING_DISK_SYNC": trigger,
            "ASAN_OPTIONS": "verify_asan_link_order=0"})
        node.start()
        for attempt in range(3):
            client = FrailClient(node)
            acknowledged = []
            with self.assertRaises(Gone):
                for i in range(KEYS):
                    if i == KEYS // 2:
                        with open(trigger, "wb"):
                            pass
                    client.ask("put", key=b"k%d-%d" % (attempt, i), value=value_of(i))
                    acknowledged.append(i)
            client.close()
            self.assertEqual(node.process.wait(PATIENCE), 8)
            self.assertFalse(os.path.exists(trigger))
            self.assertEqual(len(acknowledged), KEYS // 2)
            self.assertEqual(node.log().count("fatal: the disk did not take "), attempt + 1)
            node.start()
            client = self.client(node)
            for i in acknowledged:
                self.assertEqual(client.value(b"k%d-%d" % (attempt, i)), [value_of(i)])
        self.assertFalse(os.path.exists(node.note))


class FullDisk(DamageTest):
    """On a small disk of its own, log and all."""

    def setUp(self):
        super().setUp()
        self.disk = os.path.join(self.parent, "disk")
        os.mkdir(self.disk)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", self.disk],
                                 check=False, capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("needs the right to mount a small tmpfs (root)")
        self.cleanup.callback(subprocess.run, ["umount", "-l", self.disk], check=True)

    def daemon(self, name, *options, environment=None):
        one = super().daemon(os.path.join("disk", name) if name == "n1" else name, *options,
                             environment=environment)
        # What it says must find room when the disk has none.
        one.log_path = os.path.join(self.parent, name + ".log")
        return one

    def free(self):
        status = os.statvfs(self.disk)
        return status.f_bavail * status.f_frsize

    def fill_disk(self, left):
        """Takes what is free but for `left` octets."""
        filler = os.open(os.path.join(self.disk, f"filler-{time.monotonic_ns()}"),
                         os.O_WRONLY | os.O_CREAT)
        try:
            if self.free() > left:
                os.posix_fallocate(filler, 0, self.free() - left)
        finally:
            os.close(filler)

    def make_room(self):
        for path in glob.glob(os.path.join(self.disk, "filler-*")):
            os.remove(path)

    def put_until(self, client, fails, prefix):
        """Puts until one `fails`; the numbers of those that were acknowledged."""
        acknowledged = []
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            i = len(acknowledged)
            try:
                client.ask("put", key=prefix + b"%d" % i, value=bytes([i % 256]) * 20000)
            except Gone:
                self.assertTrue(fails)
                return acknowledged
            except Failure as failure:
                self.assertTrue(fails)
                self.assertRegex(str(failure), "^storage_full")
                return acknowledged
            acknowledged.append(i)
            if not fails:
                return acknowledged
        raise AssertionError("the disk does not fill up")

    def holds(self, node, prefix, acknowledged):
        client = self.client(node)
        for i in acknowledged:
            self.assertEqual(client.value(prefix + b"%d" % i), [bytes([i % 256]) * 20000])

    def test_refuses_writes_below_the_mark_and_takes_them_again(self):
        node = self.daemon("n1", "--copies", "1", "--min-free", "16MiB").start()
        client = self.client(node)
        self.fill_disk(40 << 20)
        acknowledged = self.put_until(client, True, b"a")
        self.assertGreater(len(acknowledged), 100)
        self.assertGreater(self.free(), 1 << 20, "the daemon stopped, not the disk")
        self.assertTrue(client.ask("status")["writes_refused"])
        self.holds(node, b"a", acknowledged)
        self.make_room()
        wait_until(lambda: not client.ask("status")["writes_refused"], "room")
        self.put_until(client, False, b"b")
        self.assertIsNone(node.process.poll())

    def test_to_the_brim_is_survived_and_so_is_a_kill_then(self):
        # Without a mark nothing is refused before the disk itself refuses it. That ends the daemon
        # where it was the log, for what is committed next might be lost.
        node = self.daemon("n1", "--copies", "1", "--min-free", "0").start()
        client = FrailClient(node)
        self.cleanup.callback(client.close)
        self.fill_disk(12 << 20)
        acknowledged = self.put_until(client, True, b"a")
        self.fill_disk(0)
        self.assertIn(node.process.poll(), (None, 8))
        for _ in range(3):
            node.kill()
            self.fill_disk(0)
            try:
                node.start()
                self.holds(node, b"a", acknowledged)
            except AssertionError as error:
                # The ballast is for what a recovery needs at least; it may need more.
                self.assertEqual(node.process.poll(), 8, error)
                self.assertRegex(str(error), "No space left on device; make room on that disk")
        self.make_room()
        node.kill()
        node.start()
        self.holds(node, b"a", acknowledged)
        client = self.client(node)
        self.put_until(client, False, b"b")
        node.stop()
        node.start()
        self.holds(node, b"a", acknowledged)
        self.assertEqual(node.aside(), [])
        self.assertFalse(os.path.exists(node.note))

    def test_keeps_no_node_from_a_new_ring(self):
        nodes = self.form(before_commit=lambda: self.fill_disk(0))
        nodes[0].kill()
        nodes[0].start()
        self.assertEqual(self.client(nodes[0]).ask("hello", client="test")["ring"], 2)
        self.make_room()
        wait_until(lambda: not self.client(nodes[0]).ask("status")["writes_refused"], "room")
        self.fill(nodes[0], 0, 10, w=2)
        self.becomes_whole(nodes[0], range(10))


if __name__ == "__main__":
    FAILING_DISK = os.path.abspath(sys.argv.pop(2))
    dynamod_test.DYNAMOD = os.path.abspath(sys.argv.pop(1))
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as few:
        few.write("partitions = 8\n")
        few.flush()
        dynamod_test.FEW_PARTITIONS = few.name
        unittest.main(verbosity=2)
