"""A cluster of real daemons for the tests of a class; the base of every test against one.

The script that imports it is called as: SCRIPT BIN [TEST...]
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))

from ports import free_base_port  # noqa: E402

BIN = pathlib.Path(sys.argv.pop(1)).resolve() if len(sys.argv) > 1 else sys.exit(__doc__)


class Tools(unittest.TestCase):
    """One cluster for all tests of a class."""
    nodes = 3
    daemon_options = ()

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.mkdtemp(prefix="dyn-cli-test-")
        cls.directory = f"{cls.scratch}/cluster"
        cls.environment = dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}", TMPDIR=cls.scratch,
                               DYN_CLUSTER_DIR=cls.directory, LC_ALL="C.UTF-8",
                               DYN_TIMEOUT="20s")  # no test depends on the machine's speed
        for name in ("DYN_SEEDS", "DYN_CLUSTER", "DYNAMOD"):
            cls.environment.pop(name, None)
        cls.base = free_base_port(cls.nodes + 2)
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)
        cls.addClassCleanup(cls.tool, "dyn-cluster", "clean")
        started = cls.tool("dyn-cluster", "start", "--nodes", str(cls.nodes), "--base-port",
                           str(cls.base), "--wait", "60s", "--", *cls.daemon_options)
        if started.returncode != 0:
            raise RuntimeError(started.stderr.decode())
        cls.environment["DYN_SEEDS"] = ",".join(
            f"127.0.0.1:{cls.base + 10 * node}" for node in range(cls.nodes))

    @classmethod
    def tool(cls, *words, stdin=b"", timeout=120):
        if isinstance(stdin, str):
            stdin = stdin.encode()
        return subprocess.run(words, input=stdin, capture_output=True, env=cls.environment,
                              cwd=cls.scratch, timeout=timeout)

    @classmethod
    def shell(cls, script):
        return cls.tool("bash", "-c", script)

    def ok(self, *words, stdin=b""):
        return self.exits(0, *words, stdin=stdin)

    def exits(self, code, *words, stdin=b""):
        done = self.tool(*words, stdin=stdin)
        self.assertEqual(done.returncode, code, f"{words}: {done.stdout!r} {done.stderr!r}")
        return done.stdout

    def eventually(self, condition, what, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                self.fail(f"never: {what}")
            time.sleep(0.1)

    def nodes_listed(self):
        return {node["name"]: node
                for node in json.loads(self.ok("dyn-cluster", "list", "--format", "json"))["nodes"]}
