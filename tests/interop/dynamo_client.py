"""A client of dynamo-wire(7), written from that page alone.

    client = Client("127.0.0.1:7100")
    got = client.get(b"cart:7")
    client.put(b"cart:7", b"milk", mode=CONTEXT, context=got["context"])

Many requests may be in flight: submit() sends one and returns its id, wait() returns its reply.
Errors of the daemon are raised as Failure, silence as Silence; Unreachable when nothing was sent.
"""
import hashlib
import itertools
import time

import msgpack
import zmq
from zmq.utils.monitor import recv_monitor_message

MAGIC = b"DYN1"
REQUEST, REPLY = 0, 1
OBSERVE, CONTEXT, BLIND = 0, 1, 2
# What the client waits beyond the daemon's own deadline: much, for a machine under load.
PATIENCE = 60


class Failure(Exception):
    """An error reply."""

    def __init__(self, code, body):
        super().__init__(f"{body.get('name')} ({code}): {body.get('message')}")
        self.code = code
        self.body = body
        self.name = body.get("name", "")
        self.retryable = body.get("retryable", False)
        # Whatever is not known for sure counts as maybe.
        self.applied = "no" if body.get("applied") == "no" else "maybe"


class Silence(Exception):
    """No reply came; a write may be applied."""


class Unreachable(Exception):
    """There is no connection; nothing was sent."""


class Reply:
    def __init__(self, header, body):
        kind, self.id, self.code, self.meta = header[:4]
        if kind != REPLY:
            raise ValueError(f"no reply: {header}")
        self.body = body

    def result(self):
        if self.code != 0:
            raise Failure(self.code, self.body)
        return self.body


def pack_header(request, op, meta):
    return msgpack.packb([REQUEST, request, op, meta])


def unpack(octets):
    # An error's message may quote octets that are no UTF-8.
    return msgpack.unpackb(octets, unicode_errors="replace")


class Connection:
    """A DEALER that sends only while it is connected: what is not sent is known not to be.

    ZMQ_IMMEDIATE would do so too, but see dynamo-wire(7) for what libzmq then does at the end of a
    connection. The monitor tells when there is one; libzmq connects again by itself.
    """

    def __init__(self, context, address, reconnect_ms=100):
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.reconnect_ivl = reconnect_ms
        self.monitor = self.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED
                                                      | zmq.EVENT_DISCONNECTED)
        self.connected = False
        self.socket.connect(f"tcp://{address}")

    def close(self):
        self.socket.disable_monitor()
        self.monitor.close(linger=0)
        self.socket.close(linger=0)

    def send(self, frames, seconds):
        """Raises Unreachable when there is no connection in that time."""
        end = time.monotonic() + seconds
        while self.monitor.poll(0) or not self.connected:
            if not self.monitor.poll(max(0, end - time.monotonic()) * 1000):
                raise Unreachable("no connection in time")
            event = recv_monitor_message(self.monitor)["event"]
            self.connected = event == zmq.EVENT_HANDSHAKE_SUCCEEDED
        self.socket.send_multipart(frames)

    def receive(self, seconds):
        """The frames of one message; None when none comes in that time."""
        if not self.socket.poll(max(0, seconds) * 1000):
            return None
        return self.socket.recv_multipart()


class Client:
    def __init__(self, address, delimited=False, patience=PATIENCE, timeout_ms=0):
        self.context = zmq.Context()
        self.connection = Connection(self.context, address)
        self.patience = patience
        self.delimited = delimited
        self.timeout_ms = timeout_ms  # of a request that names none
        self.ids = itertools.count(1)
        self.replies = {}
        self.messages = 0  # received so far

    def close(self):
        self.connection.close()
        self.context.term()

    # ------------------------------------------------------------------------------- messages

    def send(self, header, body):
        frames = [MAGIC, header, body]
        self.connection.send([b""] + frames if self.delimited else frames, self.patience)

    def receive(self, seconds):
        """Takes one message apart; its replies are found in `replies` by id, a list of each."""
        frames = self.connection.receive(seconds)
        if frames is None:
            raise Silence("no reply in time")
        if self.delimited and frames.pop(0) != b"":
            raise ValueError("no delimiter")
        magic, header, body = frames
        if magic != MAGIC:
            raise ValueError(f"not ours: {magic!r}")
        self.messages += 1
        header, body = unpack(header), unpack(body)
        pairs = [(header, body)]
        if header[2] == "batch":
            pairs = [(unpack(h), unpack(b)) for h, b in zip(body[::2], body[1::2])]
        for one, its_body in pairs:
            reply = Reply(one, its_body)
            self.replies.setdefault(reply.id, []).append(reply)

    def submit(self, op, body, meta=None):
        request = next(self.ids)
        self.send(pack_header(request, op, meta or {}), msgpack.packb(body))
        return request

    def submit_batch(self, requests):
        """Each is (op, body) or (op, body, meta); returns their ids."""
        parts, ids = [], []
        for op, body, *meta in requests:
            ids.append(next(self.ids))
            parts.append(pack_header(ids[-1], op, meta[0] if meta else {}))
            parts.append(msgpack.packb(body))
        self.send(msgpack.packb([REQUEST, 0, "batch", {}]), msgpack.packb(parts))
        return ids

    def reply(self, request, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while request not in self.replies:
            self.receive(end - time.monotonic())
        found = self.replies[request]
        reply = found.pop(0)
        if not found:
            del self.replies[request]
        return reply

    def wait(self, request, seconds=PATIENCE):
        return self.reply(request, seconds).result()

    # ----------------------------------------------------------------------------- operations

    def ask(self, op, timeout_ms=0, cluster=b"", **body):
        timeout_ms = timeout_ms or self.timeout_ms
        meta = {}
        if timeout_ms:
            meta["timeout_ms"] = timeout_ms
        if cluster:
            meta["cluster"] = cluster
        return self.wait(self.submit(op, body, meta), timeout_ms / 1000 + PATIENCE)

    def hello(self, **more):
        return self.ask("hello", client="dynamo_client.py", **more)

    def get(self, key, **more):
        return self.ask("get", key=key, **more)

    def put(self, key, value, **more):
        return self.ask("put", key=key, value=value, **more)

    def delete(self, key, **more):
        return self.ask("del", key=key, **more)

    def ring(self):
        return Ring(self.ask("ring")["state"])


def values_of(got):
    """The differing values of a get's reply: none, one, or a conflict."""
    return sorted({version["value"] for version in got["versions"] if not version["tombstone"]})


class Ring:
    """Which nodes hold a key."""

    def __init__(self, state):
        form, self.cluster_id, settings, _, epochs, *_ = msgpack.unpackb(state)
        self.name, _, _, self.r, self.w = settings[:5]
        self.last_write_wins = settings[5:6] == [True]
        epoch = msgpack.unpackb(epochs[-1])
        if form != 1 or epoch[0] != 1:
            raise ValueError("a ring of another format")
        self.number, members = epoch[1], epoch[6]
        self.n, self.q, self.table = epoch[7:10]
        self.members = [{"id": member[0], "name": member[1], "client_address": member[4]}
                        for member in members]

    def partition_of(self, key):
        first = int.from_bytes(hashlib.md5(key).digest()[:2], "big")
        return first >> (16 - (self.q.bit_length() - 1))

    def owners_of(self, key):
        row = self.partition_of(key) * self.n
        indexes = [int.from_bytes(self.table[2 * place:2 * place + 2], "big")
                   for place in range(row, row + self.n)]
        return [self.members[index] for index in indexes if index != 0xFFFF]
