#!/usr/bin/python3
"""The Node client against real daemons, and what it and the Python client make of each other's data.

    usage: node_test.py BIN DIRECTORY [unittest options]

DIRECTORY, of the build, is where npm puts the packages. Exits with 77 where Node or npm is not
installed or the registry cannot be reached.
"""
import filecmp
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import unittest

from dynamo_client import BLIND, CONTEXT, Client, values_of
from real_cluster import Cluster

BIN, PLACE = (sys.argv.pop(1), pathlib.Path(sys.argv.pop(1))) if len(sys.argv) > 2 else sys.exit(
    __doc__)
SOURCES = pathlib.Path(__file__).parent / "node"
NO_REGISTRY = re.compile(r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|"
                         r"ETIMEDOUT|ERR_SOCKET_TIMEOUT|E5\d\d)\b")
EVERY_OCTET = bytes(range(256))


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def prepare():
    """Copies the sources to where their packages are, and fetches those once."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            skip(f"{program} is not installed")
    PLACE.mkdir(parents=True, exist_ok=True)
    lock, fetched = SOURCES / "package-lock.json", PLACE / "fetched.json"
    for source in SOURCES.iterdir():
        shutil.copy(source, PLACE)
    if not fetched.exists() or not filecmp.cmp(lock, fetched, shallow=False):
        # The packages hold what they need ready made; nothing is compiled or run.
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund",
                               "--fetch-timeout=60000"], cwd=PLACE, capture_output=True, text=True)
        if done.returncode != 0 and NO_REGISTRY.search(done.stderr):
            skip(f"npm cannot reach its registry: {done.stderr}")
        if done.returncode != 0:
            sys.exit(f"npm ci: {done.stdout}{done.stderr}")
        shutil.copy(lock, fetched)
    loads = subprocess.run(["node", "--input-type=module", "-e", "import 'zeromq'"], cwd=PLACE,
                           capture_output=True, text=True)
    if loads.returncode != 0 and platform.machine() != "x86_64":
        skip(f"the package zeromq is not ready made for {platform.machine()}")
    if loads.returncode != 0:
        sys.exit(f"zeromq does not load: {loads.stderr}")


class Node(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(BIN, 3)
        cls.addClassCleanup(cls.cluster.end)
        cls.cluster.warm_up()
        cls.client = Client(cls.cluster.addresses[0])
        cls.addClassCleanup(cls.client.close)

    def test_node_does_all_and_shares_data_with_python(self):
        client = self.client
        scratch = pathlib.Path(self.cluster.scratch)
        client.put(b"python:octets", EVERY_OCTET)
        client.put(b"python:gone", b"x")
        client.delete(b"python:gone")
        for value in (b"milk", b"bread"):
            client.put(b"python:two", value, mode=BLIND)
        (scratch / "python.context").write_bytes(client.get(b"python:two")["context"])

        done = self.cluster.run("node", str(PLACE / "client_test.mjs"))
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr).decode())

        self.assertEqual(values_of(client.get(b"python:two")), [b"merged by node"])
        self.assertEqual(self.cluster.ok("dyn-get", "python:two"), b"merged by node")
        self.assertEqual(values_of(client.get(b"node:octets")), [EVERY_OCTET])
        self.assertEqual(values_of(client.get(b"node:two")), [b"bread", b"milk"])
        context = (scratch / "node.context").read_bytes()
        client.put(b"node:two", b"merged by python", mode=CONTEXT, context=context)
        self.assertEqual(self.cluster.ok("dyn-get", "node:two"), b"merged by python")


if __name__ == "__main__":
    prepare()
    unittest.main()
