"""Wrong clocks: each node's wall clock is up to an hour wrong, and jumps; nothing may change."""
import glob
import os
import pathlib
import time

from cluster import Node, Stuck, eventually
from run import Skip
from session import Session

HOUR = 3600
# libfaketime allocates before it can tell the time, and jemalloc asks for the time before it can
# allocate: with the C library's allocator they do not wait for each other.
ALLOCATOR = ":libc.so.6:libstdc++.so.6"


def library():
    # The one for threads, wherever the distribution keeps it.
    found = sorted(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
                   + glob.glob("/usr/lib*/faketime/libfaketimeMT.so.1"))
    if not found:
        raise Skip("libfaketime is not installed")
    return found[0]


class Skewed(Node):
    def __init__(self, cluster, number):
        self.clock = os.path.join(cluster.directory, f"n{number}.clock")
        super().__init__(cluster, number, prefix=(
            "env", f"LD_PRELOAD={library()}{ALLOCATOR}", f"FAKETIME_TIMESTAMP_FILE={self.clock}",
            "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "FAKETIME_DISABLE_SHM=1"))
        self.skew(0)

    def skew(self, seconds):
        # In one step: the daemon may read the file at any moment.
        with open(self.clock + ".new", "w", encoding="ascii") as file:
            file.write(f"{seconds:+d}\n")
        os.replace(self.clock + ".new", self.clock)

    def reap(self):
        super().reap()
        if self.process:
            for left in glob.glob(f"/dev/shm/*faketime_*_{self.process.pid}"):
                os.remove(left)


class Clock:
    name, fault = "clock", "clock-jumps"

    @staticmethod
    def session(run):
        library()
        if b"__asan_init" in (octets := pathlib.Path(run.daemon).read_bytes()) \
                or b"__tsan_init" in octets:
            raise Skip("libfaketime and a sanitizer's run-time library do not go together")
        return Session(run, run.chance.choice((3, 5)), ["--durability", "os"], make_node=Skewed,
                       kinds=("set", "cart", "recreate", "hot", "blind"))

    @staticmethod
    def round(session):
        chance = session.chance
        for node in session.nodes:
            node.skew(chance.choice((-HOUR, HOUR, 0, chance.randint(-HOUR, HOUR))))
        node = chance.choice(session.nodes)
        node.skew(HOUR)
        shows(session, node)
        if chance.random() < 0.3:
            victim = chance.choice(session.nodes)
            victim.kill()
            victim.reap()
            victim.must_start()
        session.progress(20)
        return len(session.nodes)

    @staticmethod
    def between(session):
        session.audit()


def shows(session, node):
    """The node believes its clock; otherwise this would try nothing."""
    wire = session.cluster.wire

    def ahead():
        # A node that does not own the key passes the write on, to be timed by another.
        key = b"clock-%d" % session.chance.randrange(100)
        if not wire.ask(node, "put", key=key, value=b"x", overwrite=True).ok:
            return False
        versions = session.cluster.told(node, "get", key=key).get("versions", [])
        return any(version["wall_ms"] / 1000 - time.time() > HOUR / 2 for version in versions)

    try:
        eventually(ahead, "a version from the future", 60)
    except Stuck as error:
        raise Stuck(f"{node.name} does not see its wrong clock") from error
