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
from dynamo_client import (BLIND, CONTEXT, MAGIC, Connection, Unreachable,  # noqa: E402, F401
                           pack_header, unpack)
from ledger import FAILED, OK, UNKNOWN  # noqa: E402

SLICE = 0.02
# How long a request waits for a connection before it counts as not sent.
CONNECTING = 0.3
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
        self.connections = {}  # node -> (incarnation, connection)
        self.ids = itertools.count(1)

    def close(self):
        for _, connection in self.connections.values():
            connection.close()
        self.connections.clear()

    def connection_to(self, node):
        incarnation, connection = self.connections.get(node, (None, None))
        if incarnation != node.incarnation:
            self.drop(node)
            connection = Connection(self.context, node.client_address, reconnect_ms=20)
            self.connections[node] = (node.incarnation, connection)
        return connection

    def drop(self, node):
        _, connection = self.connections.pop(node, (None, None))
        if connection:
            connection.close()

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
        connection = self.connection_to(node)
        ids = []
        outcomes = {}
        for op, body in requests:
            ids.append(next(self.ids))
            head = pack_header(ids[-1], op, {"timeout_ms": timeout_ms})
            try:
                connection.send([MAGIC, head, msgpack.packb(body)], CONNECTING)
            except Unreachable:
                outcomes[ids[-1]] = Outcome(FAILED, {}, "not sent")
        end = time.monotonic() + timeout_ms / 1000 + GRACE
        gone = False
        while len(outcomes) < len(ids):
            frames = connection.receive(0 if gone else SLICE)
            if frames:
                self.take(frames, outcomes)
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
    def take(frames, outcomes):
        _, header, body = frames
        header, body = unpack(header), unpack(body)
        if header[2] == 0:
            outcomes[header[1]] = Outcome(OK, body)
        else:
            status = FAILED if body.get("applied") == "no" else UNKNOWN
            outcomes[header[1]] = Outcome(status, body, body.get("name", "?"))
