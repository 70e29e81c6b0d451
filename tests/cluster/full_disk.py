"""Full disks: each node has a small file system of its own, which is filled and emptied."""
import os

import cleanup
from cluster import Node, eventually
from private import is_private
from run import Skip
from session import Session

MIN_FREE = 16 << 20
# The larger has room for a ballast, the smaller has none.
SIZES = ("160m", "512m")


class SmallDisk(Node):
    size = SIZES[0]

    def __init__(self, cluster, number):
        super().__init__(cluster, number)
        cleanup.mount_tmpfs(self.parent, self.size)
        self.filler = os.path.join(self.parent, "filler")

    def free(self):
        status = os.statvfs(self.parent)
        return status.f_bavail * status.f_frsize

    def fill(self, left):
        """Leaves so many octets, at the moment at least."""
        with open(self.filler, "ab") as file:
            room = self.free() - left
            while room > 0:
                try:
                    os.posix_fallocate(file.fileno(), file.tell(), room)
                    return
                except OSError:
                    room -= 4096

    def is_filled(self):
        return os.path.exists(self.filler)

    def empty(self):
        if self.is_filled():
            os.remove(self.filler)

    def says_why(self):
        return "full" in self.said() or "No space left" in self.said()


class FullDisk:
    name, fault = "full-disk", "full-disks"

    @staticmethod
    def session(run):
        if not is_private():
            raise Skip("a small file system needs root, or user namespaces")
        kind = type("SmallDisk", (SmallDisk,), {"size": run.chance.choice(SIZES)})
        session = Session(run, 3, ["--durability", "os", "--min-free", str(MIN_FREE)],
                          kinds=("set", "cart", "recreate", "hot", "blind"), workers=5,
                          make_node=kind)
        session.tend = lambda: tend(session)
        return session

    @staticmethod
    def round(session):
        left = session.chance.choice((0, 0, 4096, MIN_FREE // 2))
        if session.chance.random() < 0.3:
            one_is_full(session, left)
        else:
            all_are_full(session, left)
        return 1

    @staticmethod
    def between(session):
        session.audit()


def one_is_full(session, left):
    """The others take the writes; the full one goes on reading."""
    node = session.chance.choice(session.nodes)
    node.fill(left)
    eventually(lambda: session.tend() or session.cluster.told(node, "status").get("writes_refused"),
               f"{node.name} says that it is full")
    session.progress(15)
    reads_go_on(session, [node])
    node.empty()
    resume(session)


def all_are_full(session, left):
    for node in session.nodes:
        node.fill(left)
    for node in session.nodes:
        # One that the full disk has stopped was given room to start again.
        eventually(lambda: session.tend() or not node.is_filled() or refused(session, node),
                   f"{node.name} refuses writes because its disk is full", pause=0.005)
    reads_go_on(session, session.nodes)
    if session.chance.random() < 0.3:
        restart_while_full(session, session.chance.choice(session.nodes))
    for node in session.nodes:
        node.empty()
    resume(session)


def refused(session, node):
    outcome = session.cluster.wire.ask(node, "put", key=b"full", value=b"x", mode=2)
    if outcome.ok or outcome.why != "storage_full":
        return False
    # The words for people say what is the matter.
    if "full" not in outcome.body["message"] and "room" not in outcome.body["message"]:
        session.found.append(f"full-disk: unclear: {outcome.body['message']}")
    return True


def reads_go_on(session, nodes):
    """Every node goes on answering; a node that stopped on the full disk is started for it."""
    for node in nodes:
        for key in session.load.keys(in_use_only=True)[:6]:
            outcome = session.cluster.wire.ask_patiently(node, "get", key=key)
            if session.tend():
                continue
            if not outcome.ok:
                session.found.append(f"full-disk: a read at {node.name} fails: {outcome.why} "
                                     f"{outcome.body.get('message', '')}")


def restart_while_full(session, node):
    """It serves reads, or ends and says why, until there is room again."""
    node.kill()
    node.reap()
    node.start()
    if node.wait_ready():
        session.run.notes["restarted on a full disk: serves"] += 1
        return
    session.run.notes[f"restarted on a full disk: ends with {node.process.returncode}"] += 1
    if not node.says_why():
        session.found.append(f"full-disk: {node.name} does not say why it ends: {node.said()[-500:]}")


def resume(session):
    for node in session.nodes:
        node.must_start()
    for node in session.nodes:
        eventually(lambda: session.cluster.wire.ask(node, "put", key=b"full", value=b"x",
                                                    overwrite=True).ok,
                   f"writes through {node.name} resume")
    session.progress(10)


def tend(session):
    """Counts nodes that a full disk has stopped, and starts them again; whether there were any."""
    stopped = [node for node in session.nodes if node.up and node.ended()]
    for node in stopped:
        node.up = False
        node.incarnation += 1
        session.run.notes[f"stopped on a full disk with {node.process.returncode}"] += 1
        if node.process.returncode != 8 or not node.says_why():
            session.found.append(f"full-disk: {node.name} ended with {node.process.returncode}: "
                                 f"{node.said()[-800:]}")
        node.empty()
        node.must_start()
    return bool(stopped)
