"""A cluster of real daemons, run by dyn-cluster, and what tests wait for."""
import json
import os
import shutil
import subprocess
import tempfile
import time

from dynamo_client import Client, Failure
from ports import free_base_port

PATIENCE = 120  # seconds: a deadline, not an expectation


def eventually(condition, what):
    """The first true value of `condition`."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"never: {what}")
        time.sleep(0.05)
    return value


class Cluster:
    def __init__(self, bin_directory, nodes, *options):
        self.scratch = tempfile.mkdtemp(prefix="dyn-interop-")
        self.environment = dict(os.environ, PATH=f"{bin_directory}:{os.environ['PATH']}",
                                TMPDIR=self.scratch, DYN_CLUSTER_DIR=f"{self.scratch}/cluster",
                                LC_ALL="C.UTF-8")
        for name in ("DYN_SEEDS", "DYN_CLUSTER", "DYNAMOD"):
            self.environment.pop(name, None)
        # Room for one node more.
        base = free_base_port(nodes + 1)
        self.addresses = [f"127.0.0.1:{base + 10 * node}" for node in range(nodes)]
        started = self.run("dyn-cluster", "start", "--nodes", str(nodes), "--base-port", str(base),
                           "--wait", f"{PATIENCE}s", "--", "--partitions", "16", "--durability",
                           "os", *options)
        if started.returncode != 0:
            self.end()
            raise RuntimeError(started.stderr.decode())
        self.environment["DYN_SEEDS"] = ",".join(self.addresses)

    def run(self, *words, stdin=b""):
        return subprocess.run(words, input=stdin, capture_output=True, env=self.environment,
                              cwd=self.scratch, timeout=3 * PATIENCE)

    def ok(self, *words, stdin=b""):
        done = self.run(*words, stdin=stdin)
        if done.returncode != 0:
            raise AssertionError(f"{words}: {done.returncode} {done.stdout!r} {done.stderr!r}")
        return done.stdout

    def warm_up(self):
        """Waits until every node reaches every other one."""
        for address in self.addresses:
            client = Client(address)
            copies = min(client.ring().n, len(self.addresses))
            keys = [b"warm:%d" % number for number in range(16)]
            eventually(lambda: all(self.took(client, key, copies) for key in keys),
                       f"{address} reaches all")
            client.close()

    @staticmethod
    def took(client, key, copies):
        try:
            client.put(key, b"x", w=copies, overwrite=True)
        except Failure:
            return False
        return True

    def add(self):
        """Starts a node that waits to be joined; returns its address."""
        return self.ok("dyn-cluster", "add").decode().strip()

    def is_healthy(self):
        return self.run("dyn-ring", "check").returncode == 0

    def wait_healthy(self):
        eventually(self.is_healthy, "a healthy cluster")

    def owner_names(self, key):
        place = json.loads(self.ok("dyn-ring", "where", key, "--format", "json"))
        return [node["name"] for node in place["nodes"]]

    def end(self):
        self.run("dyn-cluster", "clean")
        shutil.rmtree(self.scratch, ignore_errors=True)
