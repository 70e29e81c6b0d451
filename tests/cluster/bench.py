"""What benchmarks share: a cluster that dyn-cluster runs, and the tools that work on it."""
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time

import cleanup
from cluster import Stuck, eventually  # which finds tests/interop too
from ports import free_base_port

BUILT = pathlib.Path(__file__).resolve().parents[2] / "build" / "bin"
# No benchmark waits for less time than it takes a busy machine.
PATIENCE = 600


class Local:
    """Daemons n1, n2 and so on, in a directory that goes when this process does."""

    def __init__(self, binaries, nodes, *options):
        self.binaries = pathlib.Path(binaries).resolve()
        self.names = [f"n{number + 1}" for number in range(nodes)]
        self.scratch = cleanup.scratch_directory()
        base = free_base_port(nodes)
        self.addresses = {name: f"127.0.0.1:{base + 10 * at}"
                          for at, name in enumerate(self.names)}
        self.environment = dict(os.environ, PATH=f"{self.binaries}:{os.environ['PATH']}",
                                DYN_CLUSTER_DIR=f"{self.scratch}/cluster", DYN_TIMEOUT="60s",
                                DYN_SEEDS=",".join(self.addresses.values()))
        for name in ("DYN_CLUSTER", "DYNAMOD"):
            self.environment.pop(name, None)
        cleanup.later(self.tool, "dyn-cluster", "clean")
        self.must("dyn-cluster", "--wait", "120s", "start", "--nodes", str(nodes), "--base-port",
                  str(base), "--", *options)

    # ------------------------------------------------------------------------------------ tools

    def tool(self, *words, stdin=""):
        return subprocess.run(words, input=stdin, capture_output=True, text=True, check=False,
                              env=self.environment, timeout=PATIENCE)

    def must(self, *words, stdin="", codes=(0,)):
        """Its standard output."""
        done = self.tool(*words, stdin=stdin)
        if done.returncode not in codes:
            raise Stuck(f"{' '.join(words)}: exit {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def object_of(self, *words, codes=(0,)):
        return last_object(self.must(*words, "--format", "json", codes=codes))

    def begin(self, *words):
        """The tool, running; it is ended should this process end before."""
        process = subprocess.Popen(words, env=self.environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        cleanup.later(process.kill)
        return process

    def stat(self, name, node):
        """One number that a node tells of itself."""
        return float(self.must("dyn-stats", "--node", node, name, "--format", "tsv").split()[-1])

    def cluster(self, *words):
        self.must("dyn-cluster", "--wait", "120s", *words)

    # ------------------------------------------------------------------------------------- data

    def load(self, keys, value_size):
        self.must("dyn-bench", "load", "--keys", str(keys), "--value-size", str(value_size),
                  "--in-flight", "256", "--quiet")

    def be_whole(self):
        """Has all owners hold the same, with no hint left."""
        eventually(lambda: self.tool("dyn-repair", "run").returncode == 0 and
                   all(self.stat("hints.held", name) == 0 for name in self.names),
                   "all owners hold the same", PATIENCE, 0.2)

    def data_of(self, name):
        found = [path.parent for path in pathlib.Path(self.scratch, "cluster").glob("**/identity")
                 if name in path.parts]
        if len(found) != 1:
            raise Stuck(f"the data of {name} is not in one place: {found}")
        return found[0]

    def copy_data(self, name, to):
        """Of a node that was killed."""
        shutil.copytree(self.data_of(name), to)

    def put_back(self, name, copy):
        """A killed node comes back with what it held when the copy was made."""
        data = self.data_of(name)
        shutil.rmtree(data)
        shutil.copytree(copy, data)
        self.cluster("restart", name)


class Load:
    """dyn-bench at a rate, until it is ended: open loop, so that latency counts from the moment at
    which a request was due."""

    def __init__(self, local, given, *words):
        self.process = local.begin("dyn-bench", "run", "--keys", str(given.keys), "--value-size",
                                   str(given.value_size), "--rate", str(given.rate), "--reads",
                                   str(given.reads), "--format", "json", *words)

    def report(self):
        out, said = self.process.communicate(timeout=PATIENCE)
        if self.process.returncode:
            raise Stuck(f"dyn-bench: exit {self.process.returncode}: {said.strip()} {out.strip()}")
        return last_object(out)

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.report()


def last_object(out):
    return json.loads(out.splitlines()[-1])


def median(values):
    return statistics.median(values)


def octets_text(octets):
    for unit in ("", " KiB", " MiB"):
        if octets < 1024 or unit == " MiB":
            return f"{octets:.0f}" if not unit else f"{octets:.1f}{unit}"
        octets /= 1024
    raise AssertionError("unreachable")


def timed(action):
    """What it returns, and the seconds that it took."""
    began = time.monotonic()
    value = action()
    return value, time.monotonic() - began


def add_options(parser):
    """Those of every benchmark."""
    parser.add_argument("--check", action="store_true",
                        help="exit 1 when a bar is missed; figures of a busy machine miss them")
    parser.add_argument("--bin", default=BUILT, type=pathlib.Path, metavar="DIR",
                        help="where the daemon and the tools are; build/bin when not given")


def run(main, parser):
    """The exit status: 0, or 1 when a bar was missed, or something stuck."""
    given = parser.parse_args()
    if not os.access(given.bin / "dynamod", os.X_OK):
        parser.error(f"no dynamod in {given.bin}; say --bin DIR")
    cleanup.install()
    try:
        missed = main(given, parser)
    except Stuck as error:
        missed = [str(error)]
    for one in missed:
        print(f"MISSED {one}", file=sys.stderr)
    return 1 if missed else 0
