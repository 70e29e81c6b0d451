"""A client that always knows what it may say of a write: ok, failed or unknown.

It speaks dynamo-wire(7) with the codec of tests/interop, over one socket a node, and gives a request
up as soon as the harness has killed the node that it went to.
"""
import itertools
import pathlib
import sys
import time

import msgpack
import zmq

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))
from dynamo_client import BLIND, CONTEXT, MAGIC, pack_header, unpack  # noqa: E402, F401
from ledger import FAILED, OK, UNKNOWN  # noqa: E402

SLICE_MS = 20
# What is waited beyond the daemon's own deadline, which a loaded machine stretches.
GRACE = 3
# How often a read is asked again that a daemon was too busy to answer, and after what time.
BUSY_TRIES = 8
BUSY_PAUSE = 0.05


class Outcome:
    """What became of a request: its status, the reply's body, and why if it is not ok."""

    def __init__(self, status, body, why=""):
        self.status, self.body, self.why = status, body, why

    @property
    def ok(self):
        return self.status == OK


class Wire:
    """Not shared by threads."""

    def __init__(self, timeout_ms=1500):
        self.timeout_ms = timeout_ms
        self.context = zmq.Context.instance()
        self.sockets = {}  # node -> (incarnation, socket)
        self.ids = itertools.count(1)

    def close(self):
        for _, socket in self.sockets.values():
            socket.close(linger=0)
        self.sockets.clear()

    def socket_to(self, node):
        incarnation, socket = self.sockets.get(node, (None, None))
        if incarnation != node.incarnation:
            self.drop(node)
            socket = self.context.socket(zmq.DEALER)
            socket.linger = 0
            socket.immediate = True
            socket.sndtimeo = 300
            socket.reconnect_ivl = 20
            socket.connect(f"tcp://{node.client_address}")
            self.sockets[node] = (node.incarnation, socket)
        return socket

    def drop(self, node):
        _, socket = self.sockets.pop(node, (None, None))
        if socket:
            socket.close(linger=0)

    def ask(self, node, op, timeout_ms=0, **body):
        timeout_ms = timeout_ms or self.timeout_ms
        outcomes = self.ask_all(node, [(op, body)], timeout_ms)
        return outcomes[0]

    def ask_patiently(self, node, op, **body):
        """As the client library does: what a daemon answers with `busy` is asked again."""
        for _ in range(BUSY_TRIES):
            outcome = self.ask(node, op, **body)
            if outcome.why != "busy":
                break
            time.sleep(BUSY_PAUSE)
        return outcome

    def ask_all(self, node, requests, timeout_ms=0):
        """All requests at once, each by itself; their outcomes in the same order."""
        timeout_ms = timeout_ms or self.timeout_ms
        incarnation = node.incarnation
        socket = self.socket_to(node)
        ids = []
        outcomes = {}
        for op, body in requests:
            ids.append(next(self.ids))
            head = pack_header(ids[-1], op, {"timeout_ms": timeout_ms})
            try:
                socket.send_multipart([MAGIC, head, msgpack.packb(body)])
            except zmq.Again:
                outcomes[ids[-1]] = Outcome(FAILED, {}, "not sent")
        end = time.monotonic() + timeout_ms / 1000 + GRACE
        gone = False
        while len(outcomes) < len(ids):
            if socket.poll(0 if gone else SLICE_MS):
                self.take(socket, outcomes)
            elif gone or time.monotonic() > end:
                break
            else:
                # Replies that had arrived before the node was killed are taken all the same.
                gone = node.incarnation != incarnation
        if len(outcomes) < len(ids):
            self.drop(node)
        silence = Outcome(UNKNOWN, {}, "killed" if gone else "silence")
        return [outcomes.get(one, silence) for one in ids]

    @staticmethod
    def take(socket, outcomes):
        _, header, body = socket.recv_multipart()
        header, body = unpack(header), unpack(body)
        if header[2] == 0:
            outcomes[header[1]] = Outcome(OK, body)
        else:
            status = FAILED if body.get("applied") == "no" else UNKNOWN
            outcomes[header[1]] = Outcome(status, body, body.get("name", "?"))
