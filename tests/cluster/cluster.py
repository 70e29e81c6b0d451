"""Real daemons: started, joined to one ring, killed, paused, looked at."""
import os
import pathlib
import re
import signal
import subprocess
import time

from wire import Wire  # which finds tests/interop too
from ports import free_base_port

PATIENCE = 120  # seconds: a deadline, not an expectation
# What a sanitizer or a broken promise of the code itself leaves in a log.
DEFECT = re.compile(r"Sanitizer|runtime error:|terminate called|Assertion|std::abort|dumped core")


class Stuck(Exception):
    """Something that must happen did not, in a time that is long on any machine."""


def eventually(condition, what, seconds=PATIENCE, pause=0.02):
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise Stuck(f"never: {what() if callable(what) else what}")
        time.sleep(pause)
    return value


class Node:
    """One daemon, its directory and its log. `incarnation` changes with every start and end."""

    def __init__(self, cluster, number, host="127.0.0.1", prefix=(), environment=None):
        self.cluster = cluster
        self.name = f"n{number}"
        self.parent = os.path.join(cluster.directory, self.name)
        self.directory = os.path.join(self.parent, "data")
        os.makedirs(self.parent, exist_ok=True)
        self.log_path = os.path.join(cluster.directory, self.name + ".log")
        # A network namespace of its own has all ports free.
        port = free_base_port(1) if host == "127.0.0.1" else 7100
        self.client_address, self.peer_address = f"{host}:{port}", f"{host}:{port + 1}"
        self.prefix, self.environment = prefix, environment
        self.options = []
        self.process = None
        self.incarnation = 0
        self.up = False       # worth asking
        self.member = True    # of the ring, or about to be
        self.paused = False
        self.started_at = 0   # length of the log then

    def command(self):
        # Ended by the kernel should this process be killed.
        return ["setpriv", "--pdeathsig", "KILL", *self.prefix, self.cluster.daemon, "--data-dir",
                self.directory, "--name", self.name, "--listen", self.client_address,
                "--listen-peer", self.peer_address, *self.cluster.options, *self.options]

    def start(self):
        self.started_at = os.path.getsize(self.log_path) if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.environment)
        self.incarnation += 1

    def said(self):
        """What the present process has logged."""
        with open(self.log_path, "rb") as log:
            log.seek(self.started_at)
            return log.read().decode(errors="replace")

    def ended(self):
        return self.process is None or self.process.poll() is not None

    def is_ready(self):
        return "ready: clients at" in self.said()

    def wait_ready(self, seconds=PATIENCE):
        """Whether it serves; False if it ended instead."""
        eventually(lambda: self.is_ready() or self.ended(), f"{self.name} ready", seconds, 0.01)
        self.up = not self.ended()
        return self.up

    def must_start(self):
        if self.ended():
            self.start()
        if not self.wait_ready():
            raise Stuck(f"{self.name} does not start: exit {self.process.returncode}\n"
                        + self.said()[-2000:])

    def kill(self):
        """SIGKILL, without waiting for its end."""
        self.up = False
        self.incarnation += 1
        self.paused = False
        if not self.ended():
            self.process.kill()

    def reap(self):
        if self.process:
            self.process.wait()

    def pause(self):
        self.paused = True
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)
        self.paused = False

    def shard(self):
        return pathlib.Path(self.directory) / "shard-000"


class Cluster:
    def __init__(self, daemon, directory, *options):
        self.daemon = os.path.abspath(daemon)
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        self.options = ["--partitions", "8", "--gossip-interval", "100ms", "--probe-interval",
                        "100ms", "--handback-interval", "100ms", "--exchange-interval", "100ms",
                        "--replica-timeout", "300ms", *options]
        self.nodes = []
        self.wire = Wire(timeout_ms=5000)  # of the main thread
        self.owners = None

    def form(self, nodes, members=None):
        """Founds the cluster with the first node and takes others in, all or so many in total; the
        rest wait."""
        self.nodes = nodes
        nodes[0].must_start()
        for node in nodes[1:]:
            node.options = ["--seeds", nodes[0].peer_address]
            node.start()
        for node in nodes[members:] if members else ():
            node.must_start()
            node.member = False
        for node in self.members()[1:]:
            node.must_start()
            hello = self.must(node, "hello", client="soak")
            self.must(nodes[0], "stage", kind=1, node_id=hello["node_id"], name=hello["node"],
                      zone="", weight=100, client_address=hello["client_address"],
                      peer_address=hello["peer_address"], note="")
        self.must(nodes[0], "commit", plan=self.must(nodes[0], "plan")["plan"])
        eventually(lambda: all(self.told(node, "hello").get("ring") == 2
                               for node in self.members()), "one ring")
        return self

    def must(self, node, op, **body):
        def asked():
            # On a loaded machine a connection takes longer than the wire waits for it.
            outcome = self.wire.ask(node, op, **body)
            return None if outcome.why == "not sent" else outcome

        outcome = eventually(asked, f"a connection to {node.name}")
        if not outcome.ok:
            raise Stuck(f"{op} at {node.name}: {outcome.why} {outcome.body.get('message', '')}")
        return outcome.body

    def told(self, node, op, **body):
        """The reply, or nothing at all."""
        outcome = self.wire.ask(node, op, **body)
        return outcome.body if outcome.ok else {}

    def members(self):
        return [node for node in self.nodes if node.member]

    def up_nodes(self):
        return [node for node in self.members() if node.up]

    def stop(self):
        for node in self.nodes:
            node.kill()
        for node in self.nodes:
            node.reap()
        self.wire.close()

    def defects(self):
        """What the daemons' logs betray, and daemons that nobody ended."""
        found = []
        for node in self.nodes:
            if node.up and node.ended():
                found.append(f"{node.name} ended by itself with {node.process.returncode}:\n"
                             + node.said()[-1500:])
            if os.path.exists(node.log_path):
                with open(node.log_path, encoding="utf-8", errors="replace") as log:
                    found += [f"{node.name}: {line.strip()}" for line in log if DEFECT.search(line)]
        return found
