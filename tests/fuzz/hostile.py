#!/usr/bin/python3
"""A hostile client, a hostile peer and a stranger on the port, against three real daemons.

    usage: hostile.py BIN [--seed N] [--attacks N] [--seconds S] [--memory MIB]

Ends when so many attacks were made or so much time has passed. Attack number i of a seed is the
same in every run but for the identities that the cluster gave itself. The daemons have to stay
alive, keep their memory bounded and serve an honest client, whose data has to stay what it was.

Nobody is authenticated, so a client may write any key and a peer may do anything that is well
formed and of this cluster. Hence no attack names an honest key; and as a peer, ring states are sent
damaged or of other clusters only, for a sound one of this cluster would rightly be obeyed.
"""
import argparse
import copy
import glob
import os
import random
import socket
import struct
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "interop"))

import msgpack
import zmq

from dynamo_client import BLIND, Client, Failure, values_of
from real_cluster import PATIENCE, Cluster, eventually

HONEST_KEYS = 60
ATTACKS_BETWEEN_LOOKS = 200
MEGABYTE = 1 << 20
NUMBERS = [0, 1, 2, 127, 128, 255, 65535, 65536, 2**32 - 1, 2**53, 2**53 + 1, 2**63, 2**64 - 1, -1,
           -2**63]
LENGTHS = [0, 1, 8, 15, 16, 17, 32, 255, 1024, 1025, 8193]
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
READY = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"


# ------------------------------------------------------------------------------------ mutations

def places(tree, found, path=()):
    """Where in a tree of lists and dictionaries something may be changed."""
    found.append(path)
    if isinstance(tree, dict):
        for key in list(tree):
            places(tree[key], found, path + (key,))
    elif isinstance(tree, list):
        for index, child in enumerate(tree):
            places(child, found, path + (index,))
    return found


def junk(chance):
    return chance.choice([
        lambda: None, lambda: chance.choice([True, False]), lambda: chance.choice(NUMBERS),
        lambda: chance.random(), lambda: "x" * chance.choice(LENGTHS),
        lambda: chance.randbytes(chance.choice(LENGTHS)), lambda: [], lambda: {},
        lambda: [junk(chance) for _ in range(3)], lambda: {"key": chance.randbytes(16)},
        lambda: nested(chance.choice([2, 15, 16, 17, 200])),
        lambda: msgpack.ExtType(chance.randrange(128), b"x")])()


def nested(depth):
    tree = []
    for _ in range(depth):
        tree = [tree]
    return tree


def changed(tree, chance):
    """A copy with one thing changed, somewhere."""
    tree = copy.deepcopy(tree)
    path = chance.choice(places(tree, []))
    if not path:
        return junk(chance)
    parent = tree
    for step in path[:-1]:
        parent = parent[step]
    last = path[-1]
    value = parent[last]
    how = chance.randrange(6)
    if how == 0:
        del parent[last]
    elif how == 1 and isinstance(parent, list):
        parent.extend([value] * chance.choice([1, 2, 100]))
    elif how == 2 and isinstance(value, bytes) and value:
        at = chance.randrange(len(value))
        parent[last] = value[:at] + chance.choice([b"", chance.randbytes(1) + value[at + 1:]])
    elif how == 3 and isinstance(value, (bytes, str)):
        parent[last] = (value.decode("latin-1") if isinstance(value, bytes) else value.encode())
    elif how == 4 and isinstance(value, int):
        parent[last] = value + chance.choice([1, -1, 256])
    else:
        parent[last] = junk(chance)
    return tree


def encoded(tree):
    """msgpack; for what msgpack cannot say, the octet that it never uses."""
    try:
        return msgpack.packb(tree)
    except (OverflowError, ValueError, TypeError):
        return b"\xc1"


def packed(tree, chance):
    """msgpack, now and then damaged as no tree can be."""
    octets = encoded(tree)
    how = chance.randrange(24)
    if how == 0:
        return octets + chance.randbytes(chance.choice([1, 9]))
    if how == 1:
        return octets[:chance.randrange(len(octets) + 1)]
    if how == 2:
        return chance.choice([b"\xdd", b"\xdf", b"\xdb", b"\xc6"]) + b"\xff\xff\xff\xff" + octets
    if how == 3 and isinstance(tree, dict) and tree:
        # The first pair twice.
        pair = b"".join(map(encoded, next(iter(tree.items()))))
        return bytes([0x82]) + pair + pair
    if how == 4 and octets:
        at = chance.randrange(len(octets))
        return octets[:at] + chance.randbytes(1) + octets[at + 1:]
    return octets


def some_object(chance, value=b"v"):
    """The canonical bytes of an object of one writer (libdynamo/wire/state_codec.h)."""
    node, birth = chance.randbytes(16), chance.getrandbits(64)
    last = chance.choice([1, 2, 300, 2**64 - 1])
    tree = [1, [[node, birth, 1, last]], [[0, last, False, chance.choice([0, 2**62, -1]), value]]]
    return encoded(changed(tree, chance) if chance.random() < 0.4 else tree)


# -------------------------------------------------------------------------------------- attackers

class Attackers:
    """One socket for each port and role; `attack` makes one attack of a number."""

    def __init__(self, cluster, seed):
        self.seed = seed
        self.client_addresses = cluster.addresses
        honest = Client(cluster.addresses[0])
        self.state = honest.ask("ring")["state"]
        # One of this cluster, but of a key that nobody reads.
        honest.put(b"hostile:0", b"seen", mode=BLIND)
        self.token = honest.get(b"hostile:0")["context"]
        honest.close()
        tree = msgpack.unpackb(self.state)
        self.cluster_id = tree[1]
        members = msgpack.unpackb(tree[4][-1])[6]
        self.ids = [member[0] for member in members]
        self.peer_addresses = [member[5] for member in members]
        self.context = zmq.Context()
        self.clients = [self.dealer(address) for address in self.client_addresses]
        self.peers = [self.dealer(address) for address in self.peer_addresses]
        self.sent = []  # for replays
        self.raw = []  # connections that are left open for a while

    def dealer(self, address):
        dealer = self.context.socket(zmq.DEALER)
        dealer.linger = 0
        dealer.sndtimeo = 5000
        dealer.rcvhwm = 100
        dealer.connect(f"tcp://{address}")
        return dealer

    def close(self):
        for connection in self.raw:
            connection.close()
        self.context.destroy(linger=0)

    def attack(self, number):
        chance = random.Random(f"{self.seed}:{number}")
        kinds = [(self.as_client, 45), (self.as_peer, 35), (self.replay, 8), (self.misshapen, 8),
                 (self.garbage, 3), (self.unfinished, 0.5), (self.oversize, 0.5)]
        chance.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0](chance)

    def send(self, dealer, frames, keep=True):
        try:
            dealer.send_multipart(frames)
        except zmq.Again:
            return  # cut, and not connected again yet
        if keep and sum(map(len, frames)) < 65536:
            self.sent = self.sent[-199:] + [(dealer, frames)]
        while dealer.poll(0):
            dealer.recv_multipart()

    # ------------------------------------------------------------------------------- as a client

    def client_body(self, chance):
        key = b"hostile:%d" % chance.randrange(50)
        token = chance.choice([b"", self.token, self.token[:-1], chance.randbytes(69),
                               self.token[:20] + chance.randbytes(8) + self.token[28:]])
        write = {"key": key, "mode": chance.randrange(3), "context": token,
                 "w": chance.randrange(4), "observe_r": chance.randrange(4)}
        return chance.choice([
            ("hello", {"client": "x"}), ("get", {"key": key, "r": chance.randrange(5)}),
            ("put", dict(write, value=chance.randbytes(chance.choice(LENGTHS)))),
            ("put", dict(write, value=b"v", overwrite=True, if_absent=True, trace=True)),
            ("del", write), ("state", {"key": key, "r": chance.randrange(5)}),
            ("merge", {"key": key, "w": chance.randrange(4), "state": chance.choice(
                [b"", chance.randbytes(40), some_object(chance)])}), ("ring", {}), ("stats", {}), ("status", {}), ("peek", {"key": key}),
            ("keys", {"partition": chance.randrange(20), "prefix": b"hostile:",
                      "first": chance.randbytes(9), "limit": chance.choice(NUMBERS[:8])}),
            ("plan", {}), ("commit", {"plan": "p-%08x" % chance.getrandbits(32)}),
            ("nonsense", {"key": key})])

    def client_pair(self, chance):
        op, body = self.client_body(chance)
        meta = chance.choice([{}, {"timeout_ms": chance.choice([0, 1, 300])},
                              {"cluster": chance.choice([self.cluster_id, chance.randbytes(16)])}])
        header = [0, chance.choice([1, 2, 2**53, chance.getrandbits(50)]), op, meta]
        what = chance.randrange(4)
        if what == 0:
            header = changed(header, chance)
        if what <= 2:
            body = changed(body, chance)
        return packed(header, chance), packed(body, chance)

    def as_client(self, chance):
        if chance.random() < 0.2:
            parts = [part for _ in range(chance.choice([0, 1, 3, 40]))
                     for part in self.client_pair(chance)]
            if chance.random() < 0.3:
                parts = changed(parts, chance)
            frames = [b"DYN1", msgpack.packb([0, 0, "batch", {}]), packed(parts, chance)]
        else:
            frames = [b"DYN1", *self.client_pair(chance)]
        ports = self.clients if chance.random() < 0.95 else self.peers
        self.send(chance.choice(ports), frames)

    # --------------------------------------------------------------------------------- as a peer

    def peer_message(self, chance):
        key = b"hostile:%d" % chance.randrange(50)
        row = chance.randbytes(8) + key
        number = chance.choice([0, 1, chance.getrandbits(63)])
        partition = chance.randrange(20)
        owner = chance.choice([b"", self.ids[0], self.ids[1], chance.randbytes(16), b"short"])
        item = [row, chance.choice([b"", chance.randbytes(16)])]
        return chance.choice([
            lambda: [0, number, key],
            lambda: [1, number, chance.randrange(6), some_object(chance)],
            lambda: [2, number, owner, key, some_object(chance)],
            lambda: [3, number, chance.randrange(6)],
            lambda: [4, number, chance.getrandbits(64), chance.choice(NUMBERS[:12]), "put",
                     msgpack.packb({"key": key, "value": b"v"})],
            lambda: [5, number, chance.randrange(80), "put", msgpack.packb({"context": b""})],
            lambda: [6, number], lambda: [7, number],
            lambda: [8, chance.choice([b"", chance.randbytes(32), b"x"])],
            lambda: [9, self.forged_ring(chance), chance.choice([True, False])],
            lambda: [10, number, partition, b"", b"", [item] * chance.choice([0, 1, 2])],
            lambda: [11, number, 0, [row], b"", [[key, some_object(chance)]]],
            lambda: [chance.choice([12, 99, 2**64 - 1]), number]])()

    def forged_ring(self, chance):
        """This cluster's state, spoilt; or another cluster's."""
        tree = msgpack.unpackb(self.state)
        how = chance.randrange(5)
        if how == 0:
            tree[1] = chance.randbytes(16)
        elif how == 1:
            # Far ahead, without a line of parents.
            epoch = msgpack.unpackb(tree[4][-1])
            epoch[1] += chance.choice([1, 1000, 2**40])
            tree[4].append(msgpack.packb(epoch))
        elif how == 2:
            tree[4] = tree[4] * chance.choice([2, 100])
        elif how == 3:
            epoch = changed(msgpack.unpackb(tree[4][-1]), chance)
            # What was hit may be a time, which anybody may set in an epoch that he made.
            tree[4][-1] = packed(epoch, chance)
            tree[1] = tree[1][:-1]
        else:
            at = chance.randrange(len(self.state))
            return self.state[:at] + chance.randbytes(1) + self.state[at + 1:]
        return msgpack.packb(tree)

    def as_peer(self, chance):
        to = chance.randrange(len(self.peers))
        sender = chance.choice(self.ids + [chance.randbytes(16)])
        envelope = [chance.choices([self.cluster_id, chance.randbytes(16), b""], [8, 1, 1])[0],
                    sender, chance.choice([self.ids[to], self.ids[to], b"", chance.randbytes(16)]),
                    "127.0.0.1:9", chance.getrandbits(64), chance.choice([2, 1, 10**6]),
                    chance.getrandbits(32)]
        messages = [self.peer_message(chance) for _ in range(chance.choice([0, 1, 1, 2, 30]))]
        header = [3, 0, "peer", envelope]
        what = chance.randrange(4)
        if what == 0:
            header = changed(header, chance)
        if what == 1:
            messages = changed(messages, chance)
        ports = self.peers if chance.random() < 0.95 else self.clients
        self.send(ports[to], [b"DYN1", packed(header, chance), packed(messages, chance)])

    # ----------------------------------------------------------------------------- on either port

    def replay(self, chance):
        if self.sent:
            dealer, frames = chance.choice(self.sent)
            for _ in range(chance.choice([1, 10])):
                self.send(dealer, frames, keep=False)

    def misshapen(self, chance):
        frames = [chance.choice([b"", b"DYN1", b"DYN2", chance.randbytes(5)])
                  for _ in range(chance.choice([1, 2, 4, 5, 40, 1000]))]
        self.send(chance.choice(self.clients + self.peers), frames)

    def connect_raw(self, chance):
        host, port = chance.choice(self.client_addresses + self.peer_addresses).rsplit(":", 1)
        connection = socket.create_connection((host, int(port)), timeout=5)
        self.raw.append(connection)
        if len(self.raw) > 40:
            self.raw.pop(0).close()
        return connection

    def garbage(self, chance):
        """Not ZeroMQ, or only the beginning of it."""
        try:
            self.connect_raw(chance).sendall(chance.choice([
                b"", b"GET / HTTP/1.1\r\n\r\n", chance.randbytes(chance.choice([1, 64, 4096])),
                GREETING[:chance.randrange(64)], GREETING + chance.randbytes(100),
                GREETING + b"\x06" + struct.pack(">Q", 2**62),
                GREETING + READY + b"\x02" + struct.pack(">Q", 2**63 - 1) + b"x" * 1000,
                GREETING + READY + b"\x00\x00" * 500]))
        except OSError:
            pass  # cut: rightly so

    def unfinished(self, chance):
        """One message that has no end: 40 MiB of its frames."""
        try:
            connection = self.connect_raw(chance)
            connection.sendall(GREETING + READY)
            frame = b"\x03" + struct.pack(">Q", MEGABYTE) + bytes(MEGABYTE)
            for _ in range(40):
                connection.sendall(frame)
        except OSError:
            pass

    def oversize(self, chance):
        dealer = chance.choice(self.clients + self.peers)
        size = chance.choice([1, 8, 17]) * MEGABYTE
        header = msgpack.packb([0, 1, "put", {}])
        body = msgpack.packb({"key": b"hostile:big", "value": bytes(size), "mode": BLIND})
        self.send(dealer, [b"DYN1", header, body], keep=False)


# ------------------------------------------------------------------------------------ who is honest

class Honest:
    def __init__(self, cluster, most_memory):
        self.cluster = cluster
        self.most_memory = most_memory
        self.largest = 0
        self.clients = [Client(address, timeout_ms=5000) for address in cluster.addresses]
        self.values = {b"honest:%d" % number: random.Random(number).randbytes(200)
                       for number in range(HONEST_KEYS)}
        for key, value in self.values.items():
            eventually(lambda: self.try_to(lambda: self.clients[0].put(key, value, w=3)),
                       "stored everywhere")
        self.pids = self.running()
        self.ring = self.clients[0].ring().number

    @staticmethod
    def try_to(ask):
        """None when it failed in a way that may pass."""
        try:
            return ask() or True
        except Failure as failure:
            if not failure.retryable:
                raise
            return None

    def running(self):
        pids = set()
        for path in glob.glob(f"{self.cluster.scratch}/cluster/**/lock", recursive=True):
            with open(path, encoding="ascii") as lock:
                text = lock.read().strip()
            if text.isdigit() and os.path.exists(f"/proc/{text}/statm"):
                pids.add(int(text))
        return pids

    def look(self, chance):
        """All daemons live, within their memory, and each serves a few of the keys."""
        assert len(self.pids) == len(self.clients), "there is a daemon for each address"
        assert self.running() == self.pids, "a daemon has ended"
        for pid in self.pids:
            with open(f"/proc/{pid}/statm", encoding="ascii") as memory:
                resident = int(memory.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            self.largest = max(self.largest, resident)
            assert resident <= self.most_memory, f"{resident >> 20} MiB are in use"
        for client in self.clients:
            for key in chance.sample(sorted(self.values), 3):
                self.check(client, key)

    def check(self, client, key):
        got = eventually(lambda: self.try_to(lambda: client.get(key)), f"{key} is read")
        assert values_of(got) == [self.values[key]], f"{key} was changed"

    def look_at_all(self):
        self.look(random.Random(0))
        for client in self.clients:
            for key in self.values:
                self.check(client, key)
            assert client.ring().number == self.ring, "the ring was changed"
        # A peer that lied about itself is believed until the real one is heard again.
        self.cluster.wait_healthy()
        for path in glob.glob(f"{self.cluster.scratch}/cluster/**/*log*", recursive=True):
            if os.path.isfile(path):
                with open(path, encoding="utf-8", errors="replace") as log:
                    assert "runtime error" not in log.read(), f"{path}: a sanitizer's finding"


def run(options):
    cluster = Cluster(options.bin, 3)
    try:
        cluster.warm_up()
        honest = Honest(cluster, options.memory * MEGABYTE)
        attackers = Attackers(cluster, options.seed)
        began = time.monotonic()
        number = 0
        try:
            while number < options.attacks and time.monotonic() - began < options.seconds:
                attackers.attack(number)
                number += 1
                if number % ATTACKS_BETWEEN_LOOKS == 0:
                    honest.look(random.Random(number))
        except BaseException:
            print(f"FAILED by attack {number} of --seed {options.seed}", flush=True)
            raise
        finally:
            attackers.close()
        honest.look_at_all()
        print(f"{number} attacks in {time.monotonic() - began:.0f} s; at most "
              f"{honest.largest >> 20} MiB in use")
    finally:
        cluster.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--attacks", type=int, default=10**12)
    parser.add_argument("--seconds", type=float, default=10**9)
    parser.add_argument("--memory", type=int, default=768, metavar="MIB")
    options = parser.parse_args()
    if options.attacks == 10**12 and options.seconds == 10**9:
        options.attacks = 2000
    print(f"hostile.py --seed {options.seed} (patience {PATIENCE} s)", flush=True)
    run(options)


if __name__ == "__main__":
    main()
